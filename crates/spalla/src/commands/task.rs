//! `spalla task`: carries out one task of a task file.

use super::pipeline::{Choice, carry_out};
use crate::cli::Global;
use crate::exit::Exit;
use crate::failure::Result;
use clap::Args;

/// Carries out one task of codex.yaml: its commands in order, until one fails. Ends with that one's status.
#[derive(Debug, Args)]
pub(crate) struct Task {
    /// The task's name
    #[arg(required_unless_present = "list")]
    name: Option<String>,
    #[command(flatten)]
    choice: Choice,
}

impl Task {
    pub(crate) fn run(self, global: &Global) -> Result<Exit> {
        carry_out(global, &self.choice, |file| {
            let name = self.name.as_deref().unwrap_or_default();
            file.task(name).map(|task| vec![task])
        })
    }
}
