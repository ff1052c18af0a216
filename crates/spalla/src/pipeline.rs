//! `codex.yaml`: named tasks, and pipelines that list tasks in their order. `read` turns text into these types,
//! `play` carries tasks out.
//!
//! ```text
//! tasks:                                        pipelines:
//!   up:   {service: true, ready: …, commands}     agent-demo: [up, agent, demo]
//!   demo: {commands: […]}
//! ```
//! A task that is a service goes on beside those after it and is ended, in reverse order, when the last of them is
//! over: nothing that a pipeline starts outlives it.

mod lines;
mod play;
mod read;
mod report;

pub(crate) use play::{Place, play};

use crate::failure::{Failure, Result};
use crate::likeness::nearest;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// The file where nobody names another.
pub(crate) const FILE_DEFAULT: &str = "codex.yaml";

/// Everything that such a file says.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct TaskFile {
    /// The tasks by name.
    pub(crate) tasks: BTreeMap<String, Task>,
    /// The pipelines by name: tasks in their order.
    pub(crate) pipelines: BTreeMap<String, Vec<String>>,
}

/// Commands that belong together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Task {
    /// Its name.
    pub(crate) name: String,
    /// What it is for.
    pub(crate) description: String,
    /// Lines for the shell, in their order.
    pub(crate) commands: Vec<String>,
    /// Variables beside those of the environment. Not shown: a value may be a secret.
    #[serde(skip)]
    pub(crate) env: BTreeMap<String, String>,
    /// The folder to run in, relative to the file's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cwd: Option<String>,
    /// How long it may take, in milliseconds; of a service, until it is ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) timeout_ms: Option<i64>,
    /// Whether it goes on beside the tasks after it.
    pub(crate) service: bool,
    /// How the line begins by which a service says that it is ready; none where it is ready at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ready: Option<String>,
}

impl TaskFile {
    /// Reads and checks a file.
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            crate::failure::file("reading the tasks in", path)(error)
                .mend(format!("name another file with --file, or go to the folder that has a {FILE_DEFAULT}"))
        })?;
        read::task_file(&text).map_err(|problem| Failure::usage(format!("{}: {problem}", path.display())))
    }

    /// Returns the task of that name.
    pub(crate) fn task(&self, name: &str) -> Result<&Task> {
        self.tasks
            .get(name)
            .ok_or_else(|| unknown(&format!("there is no task {name:?}"), name, self.tasks.keys()))
    }

    /// Returns the tasks that names stand for, in their order: each is a task's or a pipeline's. No name at all
    /// stands for the pipeline, where there is just one.
    pub(crate) fn resolve(&self, names: &[String]) -> Result<Vec<&Task>> {
        if names.is_empty() {
            let mut pipelines = self.pipelines.values();
            return match (pipelines.next(), pipelines.next()) {
                (Some(only), None) => only.iter().map(|name| self.task(name)).collect(),
                _ => Err(Failure::usage("which tasks, or which pipeline?").mend("--list shows all of them")),
            };
        }
        let mut found = Vec::new();
        for name in names {
            match self.pipelines.get(name) {
                Some(tasks) => {
                    found.extend(tasks.iter().map(|name| self.task(name)).collect::<Result<Vec<_>>>()?)
                }
                None if self.tasks.contains_key(name) => found.push(self.task(name)?),
                None => {
                    let names = self.tasks.keys().chain(self.pipelines.keys());
                    return Err(unknown(&format!("there is no task or pipeline {name:?}"), name, names));
                }
            }
        }
        Ok(found)
    }
}

fn unknown<'a>(what: &str, name: &str, names: impl Iterator<Item = &'a String>) -> Failure {
    let mend = match nearest(name, names.map(String::as_str)) {
        Some(near) => format!("did you mean {near:?}?"),
        None => "--list shows all of them".into(),
    };
    Failure::usage(what).mend(mend)
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
