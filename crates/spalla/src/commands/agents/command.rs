//! `spalla agents command`: the arguments that a run would start an agent with, for a prompt.

use super::asked::Program;
use crate::adapters::library;
use crate::cli::Global;
use crate::commands::block_on_all_cores;
use crate::config::Settings;
use crate::exit::Exit;
use crate::failure::{Failure, Result, file};
use crate::likeness::nearest;
use crate::output;
use clap::{Args, ValueEnum};
use spalla_adapter::command_line::{CommandLine, Guard, Wishes, command_line, said};
use spalla_adapter::definition::{Definition, PromptBy};
use spalla_adapter::installed::Installed;
use spalla_adapter::library::Library;
use spalla_domain::adapter::{Adapter, Approval};
use std::path::PathBuf;

/// Prints the command that a run would start for a prompt: one line for a shell. A run works in a worktree and has a home
/// of its own: DIR stands for the worktree, and RUN in the path of the home for the run.
#[derive(Debug, Args)]
pub(crate) struct Command {
    /// The agent, such as codex
    alias: String,
    /// What it is asked
    prompt: String,
    /// The folder that it works in
    #[arg(long, value_name = "DIR", default_value = ".")]
    target: PathBuf,
    /// The model
    #[arg(long)]
    model: Option<String>,
    /// The profile of the agent's own configuration
    #[arg(long)]
    profile: Option<String>,
    /// It may search the web
    #[arg(long, conflicts_with = "no_web_search")]
    web_search: bool,
    /// It may not search the web
    #[arg(long)]
    no_web_search: bool,
    /// Whether its own guards stay on [default: bypass behind Spalla's walls, guarded without]
    #[arg(long, value_enum)]
    approval: Option<Approved>,
    /// It reviews, and changes nothing
    #[arg(long)]
    review: bool,
    /// Prints the arguments as a JSON array
    #[arg(long)]
    json: bool,
}

/// Whether an agent's own guards stay on.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Approved {
    /// They stay on
    Guarded,
    /// They are off
    Bypass,
}

impl Command {
    pub(crate) fn run(self, global: &Global) -> Result<Exit> {
        let config = global.config(Vec::new())?;
        global.listen(&config, "error")?;
        let settings = &config.settings;
        let library = library(settings)?;
        let definition = find(&library, &self.alias)?;
        let wishes = self.wishes(definition, settings)?;
        let program = Program::find(definition, &wishes.command);
        let is_named = !(definition.program.is_empty() && wishes.command.is_empty());
        if !is_named {
            let what = format!("{} has no program of its own", definition.title);
            return Err(Failure::usage(what).mend(&definition.install));
        }
        let installed = match &program {
            Some(program) => block_on_all_cores(async { Ok(program.installed(definition).await) })?,
            None => Installed::read(definition, "", ""),
        };
        let definition = &definition.way(&installed, &wishes);
        let line = command_line(definition, &installed, &wishes, &self.prompt);
        notes(definition, program.is_some(), &line);
        // A run calls the file itself, unless somebody's own command is called.
        let program = program.filter(|_| wishes.command.is_empty());
        let first = program.map_or(line.program, |program| program.file.to_string_lossy().into_owned());
        let argv: Vec<String> = std::iter::once(first).chain(line.args).collect();
        match self.json {
            true => output::json(&argv)?,
            false => output::line(argv.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" "))?,
        }
        Ok(Exit::Done)
    }

    /// Returns what is wished, as a worker would put it together: the flags stand for what a work item says.
    fn wishes(&self, definition: &Definition, settings: &Settings) -> Result<Wishes> {
        let target = self.target.canonicalize().map_err(file("finding the target", &self.target))?;
        if !target.is_dir() {
            return Err(Failure::usage(format!("the target {} is no folder", target.display()))
                .mend("name one with --target DIR"));
        }
        let said = said(definition, self.said(), settings.wishes().get(&definition.name));
        let is_walled = settings.sandbox.preset != "none";
        let guard = Guard::of(said.approval, is_walled, self.review);
        let scratch = settings.data.join("homes").join("RUN").join("scratchpad");
        let mut folders = vec![scratch.to_string_lossy().into_owned()];
        if !self.review {
            folders.push(target.to_string_lossy().into_owned());
        }
        Ok(Wishes { guard, folders, ..Wishes::from(said) })
    }

    fn said(&self) -> Adapter {
        let web_search = match (self.web_search, self.no_web_search) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        };
        let approval = self.approval.map(|approved| match approved {
            Approved::Guarded => Approval::Guarded,
            Approved::Bypass => Approval::Bypass,
        });
        let (model, profile) = (self.model.clone(), self.profile.clone());
        Adapter { model, profile, web_search, approval, ..Adapter::default() }
    }
}

fn find<'a>(library: &'a Library, alias: &str) -> Result<&'a Definition> {
    let known = || library.entries().iter().map(|entry| &entry.definition);
    if let Some(definition) = known().find(|definition| definition.name == alias) {
        return Ok(definition);
    }
    let failure = Failure::usage(format!("there is no agent {alias:?} that is a command line"));
    Err(match nearest(alias, known().map(|definition| definition.name.as_str())) {
        Some(near) => failure.mend(format!("did you mean `{near}`?")),
        None => failure.mend("`spalla agents list` lists all of them"),
    })
}

/// Says on standard error what the arguments do not show.
fn notes(definition: &Definition, is_installed: bool, line: &CommandLine) {
    let Definition { title, install, .. } = definition;
    let mut notes = Vec::new();
    if !is_installed {
        notes.push(format!(
            "{title} is not installed (`{install}`): its flags are those of the newest version that is known"
        ));
    }
    let missed = line.missed(definition);
    notes.extend(missed.map(|wish| format!("{title} has no way to do what is wished: {wish:?}")));
    match definition.prompt {
        PromptBy::Stdin => notes.push("the prompt is its standard input".to_owned()),
        PromptBy::Dialogue => notes.push(
            "the prompt is said in the conversation, and so is what else is wished and no argument says"
                .to_owned(),
        ),
        PromptBy::Argument => {}
    }
    for note in notes {
        anstream::eprintln!("{} {}", output::notable("note:"), output::plain(&note));
    }
}

/// Returns a word as a shell reads it, on one line whatever it holds.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    if !word.chars().any(char::is_control) {
        return format!("'{}'", word.replace('\'', r"'\''"));
    }
    let escaped = word.chars().map(|c| match c {
        '\'' | '\\' => format!("\\{c}"),
        '\n' => r"\n".to_owned(),
        '\t' => r"\t".to_owned(),
        c if c.is_control() => c.to_string().bytes().map(|byte| format!("\\{byte:03o}")).collect(),
        c => c.to_string(),
    });
    format!("$'{}'", escaped.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_as_a_shell_reads_it_on_one_line() {
        for (word, wanted) in [
            ("--add-dir", "--add-dir"),
            ("", "''"),
            ("a b", "'a b'"),
            ("it's", r"'it'\''s'"),
            ("$(x)", "'$(x)'"),
            ("a\nb'c\\", r"$'a\nb\'c\\'"),
            ("\u{1b}[2J", r"$'\033[2J'"),
            ("é ü", "'é ü'"),
        ] {
            assert_eq!(quoted(word), wanted);
        }
    }
}
