//! `spalla pipeline`: carries out tasks of a task file one after another, and what `task` shares with it.

use crate::cli::{Global, absolute};
use crate::commands::block_on;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::output;
use crate::pipeline::{self, FILE_DEFAULT, Place, Task, TaskFile};
use crate::signals::Signals;
use crate::{programs, telemetry};
use clap::Args;
use serde_json::json;
use spalla_worker::sandbox::{Sandbox, Supervisor};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Carries out tasks of codex.yaml in order, until one fails, and ends with its status. Services, such as a server,
/// run beside the tasks after them and are ended with the last.
#[derive(Debug, Args)]
pub(crate) struct Pipeline {
    /// Names of tasks and pipelines, in their order [default: the file's only pipeline]
    names: Vec<String>,
    #[command(flatten)]
    choice: Choice,
}

/// Which file, and what is done with it.
#[derive(Debug, Args)]
pub(crate) struct Choice {
    /// The file with the tasks
    #[arg(long, value_name = "FILE", default_value = FILE_DEFAULT)]
    file: PathBuf,
    /// Lists the tasks and pipelines, and does nothing
    #[arg(long)]
    list: bool,
    /// Says what would be done, and does nothing
    #[arg(long)]
    dry_run: bool,
    /// Prints what came of it as JSON; what the commands print goes to standard error
    #[arg(long)]
    json: bool,
}

impl Pipeline {
    pub(crate) fn run(self, global: &Global) -> Result<Exit> {
        carry_out(global, &self.choice, |file| file.resolve(&self.names))
    }
}

/// Does with the chosen tasks of a file what the flags say.
pub(super) fn carry_out(
    global: &Global,
    choice: &Choice,
    choose: impl FnOnce(&TaskFile) -> Result<Vec<&Task>>,
) -> Result<Exit> {
    let path = absolute(&choice.file)?;
    let file = TaskFile::load(&path)?;
    if choice.list {
        return list(&file, choice.json).map(|()| Exit::Done);
    }
    let tasks = choose(&file)?;
    if choice.dry_run {
        return foretell(&tasks, choice.json).map(|()| Exit::Done);
    }
    telemetry::start(global.plain_telemetry("warn"))?;
    let supervisor = Supervisor::this_program()
        .map_err(|error| Failure::failed(format!("finding this program's own file: {error}")))?;
    let place = Place {
        folder: path.parent().unwrap_or(Path::new("/")).to_owned(),
        env: environment(global)?,
        sandbox: Sandbox::new(supervisor),
        to_stderr: choice.json,
        quiet: global.is_quiet(),
    };
    block_on(tokio::runtime::Builder::new_current_thread(), async {
        let (report, failure) = pipeline::play(&place, &tasks, Signals::listen()?).await;
        if choice.json {
            output::json(&report)?;
        }
        failure.map_or(Ok(Exit::Done), Err)
    })
}

/// Returns the variables of this process, so that a task is as good as its commands at the prompt; `spalla` there is
/// this program.
fn environment(global: &Global) -> Result<BTreeMap<String, String>> {
    let mut env: BTreeMap<String, String> = programs::variables().collect();
    let own = std::env::current_exe().ok().and_then(|program| program.parent().map(Path::to_owned));
    let rest = std::env::var_os("PATH").unwrap_or_default();
    if let Ok(path) = std::env::join_paths(own.into_iter().chain(std::env::split_paths(&rest)))
        && let Ok(path) = path.into_string()
    {
        env.insert("PATH".into(), path);
    }
    if let Some(data) = global.data() {
        env.insert("SPALLA_DATA".into(), absolute(data)?.display().to_string());
    }
    Ok(env)
}

fn list(file: &TaskFile, as_json: bool) -> Result<()> {
    if as_json {
        return output::json(file);
    }
    let tasks = file.tasks.values().map(|task| vec![task.name.clone(), task.description.clone()]);
    output::table(&["task", "what it does"], tasks.collect())?;
    if file.pipelines.is_empty() {
        return Ok(());
    }
    output::line("")?;
    let pipelines = file.pipelines.iter().map(|(name, tasks)| vec![name.clone(), tasks.join(" → ")]);
    output::table(&["pipeline", "its tasks"], pipelines.collect())
}

fn foretell(tasks: &[&Task], as_json: bool) -> Result<()> {
    if as_json {
        return output::json(&json!({"dry_run": true, "tasks": tasks}));
    }
    for task in tasks {
        let beside = if task.service { " (a service, beside what follows)" } else { "" };
        output::line(format_args!("== {}{beside}", task.name))?;
        for command in &task.commands {
            output::line(format_args!("$ {}", output::plain(command.trim_end())))?;
        }
    }
    Ok(())
}
