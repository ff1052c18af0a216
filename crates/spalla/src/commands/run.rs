//! `spalla run`: does one task in a folder and reports, without a question and without a page: for scripts and for CI.

use super::orchestrate::{CiArgs, Orchestrate, Revised, goal_text};
use crate::cli::Global;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::sessions::{Decomposer, Pattern};
use clap::Args;
use spalla_domain::session::Selector;
use std::io::Read as _;
use std::path::PathBuf;

/// The longest task that is read of standard input, in bytes.
const TASK_BYTES_MAX: u64 = 1024 * 1024;

/// Does one task.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// What is to be done, in your own words
    #[arg(allow_hyphen_values = true, value_parser = goal_text, required_unless_present = "prompt")]
    task: Option<String>,
    /// The same as a flag, or - for standard input
    #[arg(long, value_name = "TEXT|-", allow_hyphen_values = true, conflicts_with = "task")]
    prompt: Option<String>,
    /// The folder it is about [default: the current folder]
    #[arg(long, value_name = "DIR")]
    target: Option<PathBuf>,
    /// The agents that work, the first in front [default: those that are installed and logged in]
    #[arg(long, visible_alias = "alias", value_name = "A,B,…", value_delimiter = ',')]
    agents: Vec<String>,
    /// Who splits the task into pieces
    #[arg(long, value_enum, default_value_t, value_name = "WHO")]
    decomposer: Decomposer,
    /// Opens the plan in your editor (VISUAL, EDITOR) before anything begins
    #[arg(long)]
    revise_plan: bool,
    /// Prints one JSON object at the end instead of prose
    #[arg(long)]
    json: bool,
    /// Fails a run at the first tool that its agent's definition does not list
    #[arg(long)]
    strict_tools: bool,
    #[command(flatten)]
    ci: CiArgs,
}

impl Run {
    pub(crate) fn run(self, global: &Global) -> Result<Exit> {
        let Self { task, prompt, target, agents, decomposer, revise_plan, strict_tools, json, ci } = self;
        let goal = match (task, prompt.as_deref()) {
            (Some(task), _) => task,
            (None, Some("-")) => read_task()?,
            (None, prompt) => prompt.unwrap_or_default().to_owned(),
        };
        let (workspace, port, plan, pattern) = (None, None, None, Pattern::default());
        let orchestrate = Orchestrate {
            goal,
            target,
            workspace,
            port,
            no_dashboard: true,
            agents,
            plan,
            pattern,
            decomposer,
            selector: Selector::default(),
            revise_plan: revise_plan.then_some(Revised::Editor),
            in_place: false,
            strict_tools,
            yes: true,
            json,
            ci,
        };
        orchestrate.run(global)
    }
}

fn read_task() -> Result<String> {
    let mut text = String::new();
    let read = std::io::stdin().take(TASK_BYTES_MAX + 1).read_to_string(&mut text);
    read.map_err(|error| Failure::usage(format!("reading the task from standard input: {error}")))?;
    if text.len() as u64 > TASK_BYTES_MAX {
        return Err(Failure::usage(format!("the task has more than {TASK_BYTES_MAX} bytes")));
    }
    Ok(text)
}
