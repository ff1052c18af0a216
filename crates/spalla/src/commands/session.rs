//! `spalla session`: lists and shows sessions, brings what came of them into their targets, holds them, and goes on with them.
//! All but the last without a server: a session's folder has all of it.

mod apply;
mod change;
mod diff;
mod git;
mod list;
mod pr;
mod show;

pub(crate) use apply::bring_into_target;

use super::block_on_all_cores;
use super::orchestrate;
use crate::cli::Global;
use crate::exit::Exit;
use crate::failure::Result;
use crate::sessions::{Screen, SessionFolder, Wish};
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
    /// Opens a pull request on GitHub from a session's branch, or brings the one that is there up to date
    Pr(pr::Pr),
    /// Holds a session: nothing more of it begins
    Pause(Which),
    /// Goes on with a session that was held, interrupted, or left by a process that died
    Resume(Resume),
    /// Has what is changed by now reviewed by the other agents, and decides anew
    Review(Review),
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
        let seen = (screen(global), global.listen_for_session(&config, "warn")?);
        let resumed = orchestrate::resume(&config.settings, &self.which.id, self.overrule, seen);
        block_on_all_cores(resumed)
    }
}

/// Asks for a review.
#[derive(Debug, Args)]
pub(crate) struct Review {
    #[command(flatten)]
    which: Which,
    /// Only the work of this agent
    #[arg(long, value_name = "AGENT")]
    worker: Option<String>,
}

impl Review {
    fn run(self, global: &Global) -> Result<Exit> {
        let config = global.config(Vec::new())?;
        let seen = (screen(global), global.listen_for_session(&config, "warn")?);
        let reviewed = orchestrate::review(&config.settings, &self.which.id, self.worker, seen);
        block_on_all_cores(reviewed)
    }
}

fn screen(global: &Global) -> Screen {
    Screen::Person { is_quiet: global.is_quiet() }
}

impl Session {
    pub(crate) fn run(self, global: &Global) -> Result<Exit> {
        match self {
            Self::List(args) => args.run(global),
            Self::Show(args) => args.run(global),
            Self::Diff(args) => args.run(global),
            Self::Apply(args) => args.run(global),
            Self::Pr(args) => args.run(global),
            Self::Pause(which) => which.wish(global, Wish::Pause),
            Self::Resume(args) => args.run(global),
            Self::Review(args) => args.run(global),
            Self::Stop(which) => which.wish(global, Wish::Stop),
        }
    }
}
