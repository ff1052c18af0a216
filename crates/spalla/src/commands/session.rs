//! `spalla session`: lists and shows sessions, brings what came of them into their targets, holds them, and goes on with them.
//! All but the last without a server: a session's folder has all of it.

mod apply;
mod change;
mod diff;
mod git;
mod list;
mod show;

use super::block_on_all_cores;
use super::orchestrate::{self, Screen};
use crate::cli::Global;
use crate::exit::Exit;
use crate::failure::Result;
use crate::session_folder::{SessionFolder, Wish};
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
    /// Holds a session: nothing more of it begins
    Pause(Which),
    /// Goes on with a session that was held, interrupted, or left by a process that died
    Resume(Resume),
    /// Ends a session
    Stop(Which),
}

/// Which session.
#[derive(Debug, Args)]
pub(crate) struct Which {
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

impl Which {
    fn wish(&self, global: &Global, wish: Wish) -> Result<Exit> {
        let config = global.config(Vec::new())?;
        global.listen(&config, "warn")?;
        orchestrate::wish(&config.settings, &self.id, wish, screen(global))
    }
}

/// Goes on with a session.
#[derive(Debug, Args)]
pub(crate) struct Resume {
    #[command(flatten)]
    which: Which,
    /// Merges what reviewers, or rules, hold all the same: a person has looked at it
    #[arg(long)]
    overrule: bool,
}

impl Resume {
    fn run(&self, global: &Global) -> Result<Exit> {
        let config = global.config(Vec::new())?;
        global.listen(&config, "warn")?;
        let resumed = orchestrate::resume(&config.settings, &self.which.id, self.overrule, screen(global));
        block_on_all_cores(resumed)
    }
}

fn screen(global: &Global) -> Screen {
    Screen { json: false, quiet: global.is_quiet() }
}

impl Session {
    pub(crate) fn run(self, global: &Global) -> Result<Exit> {
        match self {
            Self::List(args) => args.run(global),
            Self::Show(args) => args.run(global),
            Self::Diff(args) => args.run(global),
            Self::Apply(args) => args.run(global),
            Self::Pause(which) => which.wish(global, Wish::Pause),
            Self::Resume(args) => args.run(global),
            Self::Stop(which) => which.wish(global, Wish::Stop),
        }
    }
}
