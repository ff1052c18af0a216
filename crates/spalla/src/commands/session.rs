//! `spalla session`: lists and shows sessions, and brings what came of them into their targets. Without a server: a
//! session's folder has all of it.

mod apply;
mod change;
mod diff;
mod git;
mod list;
mod show;

use crate::cli::Global;
use crate::exit::Exit;
use crate::failure::Result;
use crate::session_folder::SessionFolder;
use clap::{Args, Subcommand};

/// What can be done with sessions.
#[derive(Debug, Subcommand)]
pub(crate) enum Session {
    /// Lists sessions, newest first
    List(list::List),
    /// Shows one session
    Show(show::Show),
    /// Prints what a session's branch changed
    Diff(diff::Diff),
    /// Brings a session's branch into its target
    Apply(apply::Apply),
}

/// Which session.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// The session's id, or latest for the newest one
    #[arg(default_value = "latest")]
    id: String,
}

impl Which {
    /// Finds the folder of the session.
    pub(super) fn find(&self, global: &Global) -> Result<SessionFolder> {
        let config = global.config(Vec::new())?;
        global.listen(&config, "warn")?;
        SessionFolder::find(&config.settings.data, &self.id)
    }
}

impl Session {
    pub(crate) fn run(self, global: &Global) -> Result<Exit> {
        match self {
            Self::List(args) => args.run(global),
            Self::Show(args) => args.run(global),
            Self::Diff(args) => args.run(global),
            Self::Apply(args) => args.run(global),
        }
    }
}
