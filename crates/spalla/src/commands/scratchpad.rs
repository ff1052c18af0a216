//! `spalla scratchpad`: makes, lists and shows scratchpads, puts them aside, takes out what was made, and removes those whose
//! time is over. Without a server: the data folder has all of it.

mod checkout;
mod clean;
mod create;
mod diff;
mod export;
mod patch;
mod show;

use crate::cli::Global;
use crate::config::Settings;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::scratchpads::{failure, now, of, settle};
use clap::{Args, Subcommand};
use spalla_scratchpad::{Id, Scratchpads, Step};

/// What can be done with scratchpads.
#[derive(Debug, Subcommand)]
pub(crate) enum Scratchpad {
    /// Makes a scratchpad for a task, and prints its folder
    Create(create::Create),
    /// Lists scratchpads, newest first
    List(show::List),
    /// Shows one scratchpad
    Show(One),
    /// Counts what is in a scratchpad, folder by folder
    Stats(One),
    /// Puts a scratchpad aside: it is kept until somebody resumes it
    Pause(One),
    /// Goes on with a scratchpad
    Resume(One),
    /// Takes out what was made in a scratchpad: into a folder, as a patch, or as a branch of its target
    Export(export::Export),
    /// Shows what was made in a scratchpad: new, changed and removed files
    Diff(diff::Diff),
    /// Removes the scratchpads whose time is over
    Clean(clean::Clean),
}

/// One scratchpad.
#[derive(Debug, Args)]
pub(crate) struct One {
    /// The scratchpad's name, as `spalla scratchpad list` shows it, or latest for the newest one
    id: String,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

impl Scratchpad {
    pub(crate) fn run(self, global: &Global) -> Result<Exit> {
        let config = global.config(Vec::new())?;
        global.listen(&config, "warn")?;
        let place = Place::of(&config.settings)?;
        match self {
            Self::Create(args) => args.run(&place),
            Self::List(args) => args.run(&place),
            Self::Show(one) => show::show(&place, &one),
            Self::Stats(one) => show::stats(&place, &one),
            Self::Pause(one) => one.step(&place, Step::Pause),
            Self::Resume(one) => one.step(&place, Step::Resume),
            Self::Export(args) => args.run(&place),
            Self::Diff(args) => args.run(&place),
            Self::Clean(args) => args.run(&place),
        }
        .map(|()| Exit::Done)
    }
}

/// The scratchpads that a command is about.
struct Place {
    scratchpads: Scratchpads,
}

impl Place {
    /// Finds them; those whose session has ended end with it.
    fn of(settings: &Settings) -> Result<Self> {
        let scratchpads = of(settings);
        settle(&scratchpads, &settings.data, now()).map_err(failure)?;
        Ok(Self { scratchpads })
    }

    /// Reads the name of a scratchpad, or finds the newest.
    fn id(&self, text: &str) -> Result<Id> {
        if text != "latest" {
            return Id::parse(text).map_err(failure);
        }
        let (views, _) = self.scratchpads.list(now()).map_err(failure)?;
        let newest = views.into_iter().next().map(|view| view.record.id);
        newest.ok_or_else(|| {
            Failure::usage("there is no scratchpad").mend("`spalla scratchpad create` makes one")
        })
    }
}

impl One {
    fn step(&self, place: &Place, step: Step) -> Result<()> {
        let view = place.scratchpads.step(&place.id(&self.id)?, step, now()).map_err(failure)?;
        show::print(&view, self.json)
    }
}
