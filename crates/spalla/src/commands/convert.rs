//! `spalla convert`: from the agents' files of a project to what is published of them.

pub(super) mod report;

use crate::cli::{Global, complain};
use crate::definitions::{Asked, Memories, Outcome, PUBLISHED, SOURCE, Smoke, convert};
use crate::exit::Exit;
use crate::failure::{Failure, Result, file, in_words};
use crate::telemetry;
use clap::Args;
use spalla_registry::convert::JOBS_MAX;
use spalla_registry::watch::Watch;
use std::path::PathBuf;
use std::time::Duration;

/// How long one wait for a change lasts; nothing is done between two.
const WAIT: Duration = Duration::from_secs(3_600);

/// Converts the agents' files of a project, and publishes the definitions at once. Goes on past a file that can't be
/// converted, and lists every problem at the end; the status is 1 when there was such a file.
#[derive(Debug, Args)]
pub(crate) struct Convert {
    /// The folder of the agents' files
    #[arg(long, value_name = "DIR", default_value = SOURCE)]
    source: PathBuf,
    /// The folder that is published
    #[arg(long, value_name = "DIR", default_value = PUBLISHED)]
    out: PathBuf,
    /// Changes nothing, and ends with 1 when what is published is stale
    #[arg(long)]
    check: bool,
    /// Goes on, and publishes each change
    #[arg(long, conflicts_with = "check")]
    watch: bool,
    /// How many threads read [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=JOBS_MAX as i64))]
    jobs: Option<u16>,
    /// Does not run the smoke tests of changed agents
    #[arg(long)]
    no_smoke: bool,
    /// Prints the report as JSON
    #[arg(long)]
    json: bool,
}

impl Convert {
    pub(crate) fn run(self, global: &Global) -> Result<Exit> {
        telemetry::start(global.plain_telemetry("error"))?;
        let asked = self.asked()?;
        let mut memories = if self.watch { Memories::of_a_watch() } else { Memories::default() };
        // Watched before it is read, so that no change falls between.
        let watch = self.watch.then(|| self.begin()).transpose()?;
        let outcome = convert(&asked, &mut memories)?;
        let exit = self.tell(global, &outcome)?;
        match watch {
            Some(watch) => self.go_on(global, &asked, &mut memories, &watch),
            None => Ok(exit),
        }
    }

    fn asked(&self) -> Result<Asked> {
        let jobs =
            self.jobs.map_or_else(|| std::thread::available_parallelism().map_or(1, Into::into), usize::from);
        let smoke = if self.no_smoke || self.check { None } else { Some(Smoke::here()?) };
        Ok(Asked {
            source: self.source.clone(),
            out: self.out.clone(),
            jobs,
            is_check: self.check,
            is_after_change: false,
            smoke,
        })
    }

    fn begin(&self) -> Result<Watch> {
        Watch::begin(&self.source).map_err(file("watching", &self.source))
    }

    /// Publishes each change until a signal ends it. What can't be published now is told, and tried again with the next.
    fn go_on(&self, global: &Global, asked: &Asked, memories: &mut Memories, watch: &Watch) -> Result<Exit> {
        let asked = &Asked { is_after_change: true, ..asked.clone() };
        loop {
            let lost =
                |error| Failure::failed(format!("watching {}: {}", self.source.display(), in_words(&error)));
            if !watch.changed(WAIT).map_err(lost)? {
                continue;
            }
            match convert(asked, memories) {
                Ok(outcome) => drop(self.tell(global, &outcome)?),
                Err(failure) => complain(&failure),
            }
        }
    }

    fn tell(&self, global: &Global, outcome: &Outcome) -> Result<Exit> {
        let is_stale = self.check && !outcome.changes.is_none();
        if self.json {
            report::json(outcome, self.check, self.watch)?;
        } else {
            report::text(outcome, &self.out, self.check, global.is_quiet())?;
        }
        Ok(if outcome.converted.has_errors() || is_stale { Exit::Failed } else { Exit::Done })
    }
}
