//! `spalla init`: validates the agents of a project, and registers them.

use super::convert::report;
use crate::cli::Global;
use crate::definitions::{self, Asked, Memories, PUBLISHED, SOURCE, Smoke, refused};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::{output, telemetry};
use clap::Args;
use spalla_registry::registry::{PRELOAD, Registry};
use std::path::PathBuf;

/// Validates the agents' files of this project, publishes their definitions, and tries that they can be served. Where there
/// are none, the agents that come with the program are there already.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The folder of the agents' files
    #[arg(long, value_name = "DIR", default_value = SOURCE)]
    source: PathBuf,
    /// The folder that is published
    #[arg(long, value_name = "DIR", default_value = PUBLISHED)]
    out: PathBuf,
    /// Does not run the smoke tests of changed agents
    #[arg(long)]
    no_smoke: bool,
}

impl Init {
    pub(crate) fn run(self, global: &Global) -> Result<Exit> {
        telemetry::start(global.plain_telemetry("error"))?;
        if !self.source.is_dir() {
            let failure = Failure::usage(format!("there is no folder {}", self.source.display()));
            return Err(failure.mend("write agents there, or name their folder with --source"));
        }
        let smoke = if self.no_smoke { None } else { Some(Smoke::here()?) };
        let jobs = std::thread::available_parallelism().map_or(1, Into::into);
        let asked = Asked {
            source: self.source,
            out: self.out.clone(),
            jobs,
            is_check: false,
            is_after_change: false,
            smoke,
        };
        let outcome = definitions::convert(&asked, &mut Memories::default())?;
        report::text(&outcome, &self.out, false, global.is_quiet())?;
        let registry = Registry::open(&self.out).map_err(refused)?;
        let ids: Vec<String> =
            registry.snapshot().index().agents.iter().map(|entry| entry.id.clone()).collect();
        for id in &ids {
            definitions::find(&registry, id)?;
        }
        registry.preload(PRELOAD);
        if !global.is_quiet() {
            output::line(format!("{} agents are registered in {}", ids.len(), self.out.display()))?;
        }
        Ok(if outcome.converted.has_errors() { Exit::Failed } else { Exit::Done })
    }
}
