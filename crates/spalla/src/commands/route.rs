//! `spalla route`: which agents a task is for, and why.

use crate::cli::{Global, path_flag};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::output;
use crate::routing::AgentFolder;
use clap::Args;
use serde_json::Value;
use spalla_router::{Answer, Candidate, Constraints, Micro, Question};
use spalla_server::Routing as _;
use std::io::{IsTerminal as _, Read as _};
use std::path::PathBuf;
use std::sync::Arc;

/// How much of a task is read: far more than is looked at.
const TASK_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Finds the agents that a task is for, and says why. Nothing is started. The same question to the same agents has the same
/// answer.
#[derive(Debug, Args)]
pub(crate) struct Route {
    /// The task; from standard input when left out
    task: Option<String>,
    /// The folder in which agents are published [default: the setting agents.dir, codex/agents]
    #[arg(long, value_name = "DIR")]
    agents: Option<PathBuf>,
    /// The files that the task is about
    #[arg(long, value_name = "FILE", num_args = 1..)]
    files: Vec<String>,
    /// The domain that the agent has to be of
    #[arg(long)]
    domain: Option<String>,
    /// The tools that the agent has to be allowed, divided by commas
    #[arg(long, value_name = "TOOL", value_delimiter = ',')]
    tools: Vec<String>,
    /// How many agents are named [default: the setting routing.candidates, 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=50))]
    top: Option<u8>,
    /// Shows what each score is made of, and what was found where
    #[arg(long)]
    explain: bool,
    /// Asks a person where two agents are as good as each other
    #[arg(long)]
    ask: bool,
    /// Prints the answer as JSON, which holds all of it
    #[arg(long)]
    json: bool,
}

impl Route {
    pub(crate) fn run(self, global: &Global) -> Result<Exit> {
        let flags = self.agents.iter().map(|folder| path_flag("agents.dir", "--agents", folder));
        let config = global.config(flags.collect::<Result<_>>()?)?;
        global.listen(&config, "warn")?;
        let question = self.question()?;
        let folder = AgentFolder::new(&config.settings);
        let answer = folder.route(&question).map_err(|error| {
            Failure::usage(error.to_string())
                .mend("publish the agents anew, or name another folder with --agents")
        })?;
        let chosen = self.chosen(&answer)?;
        if self.json {
            print_json(&answer, chosen)?;
        } else {
            self.print(&answer, chosen)?;
        }
        match answer.candidates.as_slice() {
            [] => Err(Failure::silent(Exit::Failed)),
            _ if self.ask && answer.ambiguous && chosen.is_none() => Ok(Exit::Waits),
            _ => Ok(Exit::Done),
        }
    }

    fn question(&self) -> Result<Question> {
        let task = match &self.task {
            Some(task) => task.clone(),
            None if !self.files.is_empty() && std::io::stdin().is_terminal() => String::new(),
            None => read_task()?,
        };
        if task.trim().is_empty() && self.files.is_empty() {
            return Err(Failure::usage("the task is empty").mend("say what is to be done, or name --files"));
        }
        Ok(Question {
            task,
            files: self.files.clone(),
            constraints: Constraints {
                domain: self.domain.clone(),
                tools: self.tools.clone(),
                ..Constraints::default()
            },
            candidates: self.top.map(usize::from),
            ..Question::default()
        })
    }

    /// Lets a person decide between those that are as good as each other, where one can be asked.
    fn chosen<'a>(&self, answer: &'a Answer) -> Result<Option<&'a Candidate>> {
        if !self.ask || !answer.ambiguous || !output::can_ask() {
            return Ok(None);
        }
        anstream::eprintln!("These are as good as each other:");
        for (number, one) in (1..).zip(&answer.candidates) {
            anstream::eprintln!("  {number}. {} ({})", output::plain(&one.id), one.score);
        }
        anstream::eprint!("Which one? [1] ");
        let mut line = String::new();
        let read = std::io::stdin().read_line(&mut line);
        read.map_err(|error| Failure::failed(format!("reading the answer: {error}")))?;
        let number = match line.trim() {
            "" => Some(1),
            text => text.parse::<usize>().ok(),
        };
        let chosen = number.and_then(|number| answer.candidates.get(number.checked_sub(1)?));
        chosen.map(Some).ok_or_else(|| Failure::new(Exit::Stopped, "none of them was chosen"))
    }

    fn print(&self, answer: &Arc<Answer>, chosen: Option<&Candidate>) -> Result<()> {
        for note in &answer.notes {
            anstream::eprintln!("{} {}", output::notable("note:"), output::plain(note));
        }
        if answer.candidates.is_empty() {
            anstream::eprintln!("{} no agent is for this", output::bad("error:"));
            return Ok(());
        }
        if let Some(one) = chosen {
            output::line(output::plain(&one.id))?;
            return Ok(());
        }
        let rows = answer.candidates.iter().map(|one| {
            let found: Vec<&str> = one.matched.iter().map(|found| found.trigger.as_str()).collect();
            vec![one.id.clone(), one.domain.clone(), one.score.to_string(), found.join(", ")]
        });
        output::table(&["agent", "domain", "score", "found by"], rows.collect())?;
        if self.explain {
            explain(answer)?;
        }
        if answer.ambiguous {
            let mend = if self.ask { "" } else { "; --ask lets you decide" };
            anstream::eprintln!(
                "{} the first two are nearly as good as each other{mend}",
                output::notable("note:")
            );
        }
        Ok(())
    }
}

fn read_task() -> Result<String> {
    if std::io::stdin().is_terminal() {
        return Err(Failure::usage("no task is given").mend("write it behind `spalla route`, in quotes"));
    }
    let mut bytes = Vec::new();
    let read = std::io::stdin().take(TASK_BYTES_MAX).read_to_end(&mut bytes);
    read.map_err(|error| Failure::usage(format!("standard input can't be read: {error}")))?;
    // A letter that is cut at the end is no fault of whoever wrote it.
    let is_cut = bytes.len() as u64 == TASK_BYTES_MAX;
    match String::from_utf8(bytes) {
        Ok(task) => Ok(task),
        Err(error) if is_cut && error.utf8_error().error_len().is_none() => {
            Ok(String::from_utf8_lossy(error.as_bytes()).into_owned())
        }
        Err(error) => Err(Failure::usage(format!(
            "the task on standard input is not UTF-8, from byte {} on",
            error.utf8_error().valid_up_to()
        ))),
    }
}

fn print_json(answer: &Answer, chosen: Option<&Candidate>) -> Result<()> {
    let value = serde_json::to_value(answer);
    let mut value = value.map_err(|error| Failure::failed(format!("writing the answer as JSON: {error}")))?;
    if let (Some(members), Some(one)) = (value.as_object_mut(), chosen) {
        members.insert("chosen".into(), Value::from(one.id.as_str()));
    }
    output::json(&value)
}

/// Shows what each score is made of, and where what was found.
fn explain(answer: &Answer) -> Result<()> {
    for one in &answer.candidates {
        output::line("")?;
        output::line(format_args!("{}  {}", output::plain(&one.id), one.score))?;
        let (terms, penalties) = (&one.terms, &one.terms.penalties);
        for (name, term) in [
            ("files", terms.files),
            ("keywords", terms.keyword),
            ("regexes", terms.regex),
            ("domain", terms.domain),
            ("meaning", terms.semantic),
            ("reward", terms.reward),
            ("policy", Micro::ZERO - penalties.policy),
            ("conflicts", Micro::ZERO - penalties.conflicts),
            ("load", Micro::ZERO - penalties.load),
        ] {
            if term != Micro::ZERO {
                output::line(format_args!("  {name:10} {:+.3}", term.to_f64()))?;
            }
        }
        for found in &one.matched {
            let by = serde_json::to_value(found.by).unwrap_or_default();
            let at = (found.at, output::plain(&found.trigger));
            output::line(format_args!("  {:10} {} at {}", output::cell(&by), at.1, at.0))?;
        }
    }
    output::line("")?;
    output::line(format_args!(
        "{} agents had something for them, {} were left out; index {}",
        answer.touched, answer.filtered, answer.index
    ))?;
    if let Some(standing) = &answer.standing {
        output::line(format_args!("how agents stand just now: {}", output::plain(standing)))?;
    }
    if !answer.cut.is_empty() {
        let cut = output::cell(&serde_json::to_value(&answer.cut).unwrap_or_default());
        output::line(format_args!("not looked at to the end: {cut}"))?;
    }
    Ok(())
}
