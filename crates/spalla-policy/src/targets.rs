//! Where a path of a command leads: into the workspace, to its root, out of it, or to a device. Paths are followed as text,
//! from the folder that the command runs in; links are not seen.

use crate::marks::{ANY, SET, STAR, UNKNOWN};
use serde::{Deserialize, Serialize};

/// What a rule asks of a command's targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// Anything but what lies in the workspace, its root or a scratch folder.
    Outside,
    /// The workspace itself, or everything directly in it.
    Root,
    /// A device that can be spoiled.
    Device,
    /// Whatever it is.
    Any,
}

/// The folders that a script is judged by.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places {
    workspace: Vec<String>,
    scratch: Vec<Vec<String>>,
}

/// Where a path leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Inside,
    Root,
    Outside,
}

/// What below `/dev` does no harm when it is written to.
const HARMLESS_DEVICES: &[&str] = &[
    "null", "zero", "full", "random", "urandom", "stdin", "stdout", "stderr", "fd", "pts", "ptmx", "shm",
    "tty",
];

impl Places {
    /// Returns the places of a workspace; `scratch` are folders in which anything may be removed.
    pub(crate) fn new(workspace: &str, scratch: &[String]) -> Self {
        let scratch = scratch.iter().map(|folder| steps(folder)).filter(|steps| !steps.is_empty()).collect();
        Self { workspace: steps(workspace), scratch }
    }

    /// Whether a target is of a kind; `None`: that can't be told before the script runs.
    pub(crate) fn is(&self, kind: Kind, target: &str, folder: &str) -> Option<bool> {
        if kind == Kind::Any {
            return Some(true);
        }
        let Some(path) = absolute(target, folder) else {
            // Nearly every file is no device: to doubt each of them would be noise.
            return (kind == Kind::Device).then_some(false);
        };
        let steps = steps(&path);
        if kind == Kind::Root && self.is_perhaps_root(&steps) {
            return None;
        }
        Some(match kind {
            Kind::Any => true,
            Kind::Device => is_device(&steps),
            Kind::Outside => self.place(&steps) == Place::Outside,
            Kind::Root => self.place(&steps) == Place::Root,
        })
    }

    /// Whether a path is the root if what it ends with turns out to be empty.
    fn is_perhaps_root(&self, steps: &[String]) -> bool {
        steps
            .split_last()
            .is_some_and(|(last, rest)| rest == self.workspace && last.chars().all(|char| char == UNKNOWN))
    }

    fn place(&self, steps: &[String]) -> Place {
        // Everything in a folder is as much as the folder.
        let steps = match steps.split_last() {
            Some((last, rest)) if is_everything(last) => rest,
            _ => steps,
        };
        let is_scratch = |scratch: &Vec<String>| steps.starts_with(scratch) && steps.len() > scratch.len();
        if steps == self.workspace {
            Place::Root
        } else if steps.starts_with(&self.workspace) || self.scratch.iter().any(is_scratch) {
            Place::Inside
        } else {
            Place::Outside
        }
    }
}

/// Returns a path from the top; `None`: where it begins can't be told.
pub(crate) fn absolute(target: &str, folder: &str) -> Option<String> {
    if target.starts_with('/') {
        Some(target.to_owned())
    } else if target.starts_with(UNKNOWN) || folder.starts_with(UNKNOWN) {
        None
    } else {
        Some(format!("{folder}/{target}"))
    }
}

/// Returns a path without its detours.
pub(crate) fn normal(path: &str) -> String {
    format!("/{}", steps(path).join("/"))
}

fn steps(path: &str) -> Vec<String> {
    let mut steps: Vec<String> = Vec::new();
    for step in path.split('/') {
        match step {
            "" | "." => {}
            ".." => {
                steps.pop();
            }
            step => steps.push(step.to_owned()),
        }
    }
    steps
}

/// Whether a pattern stands for everything in a folder, or for everything hidden in it.
fn is_everything(step: &str) -> bool {
    let hidden = step.strip_prefix('.').is_some_and(|rest| rest.starts_with(SET) && rest.ends_with(STAR));
    hidden || (step.contains(STAR) && step.chars().all(|char| matches!(char, STAR | ANY | '.')))
}

fn is_device(steps: &[String]) -> bool {
    match steps {
        [top, device, ..] if top == "dev" => {
            !HARMLESS_DEVICES.contains(&device.as_str()) && !device.starts_with("tty")
        }
        _ => false,
    }
}
