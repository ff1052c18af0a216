//! `--ci`: nobody is asked, nothing is coloured, and what came of it is written for a pipeline of CI.

use crate::ci::{Gathered, Hidden, Quiet, Runner, write};
use crate::cli::path_flag;
use crate::config::{Override, Settings};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::output::Color;
use crate::sessions::SessionFolder;
use clap::Args;
use std::path::PathBuf;

/// How a pipeline of CI is told.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct CiArgs {
    /// Asks nothing, and writes junit.xml, report.sarif and a summary for a pipeline of CI
    #[arg(long, conflicts_with = "revise_plan")]
    ci: bool,
    /// Where they go [default: the setting ci.folder, spalla-report]
    #[arg(long, value_name = "DIR", requires = "ci")]
    report_dir: Option<PathBuf>,
}

impl CiArgs {
    /// Tells whether a pipeline is told.
    pub(super) const fn is_on(&self) -> bool {
        self.ci
    }

    /// Returns what the flags say about the settings.
    pub(super) fn overrides(&self) -> Result<Option<Override>> {
        self.report_dir.as_ref().map(|folder| path_flag("ci.folder", "--report-dir", folder)).transpose()
    }

    /// Begins to watch, where that is wished.
    pub(super) fn begin(&self, settings: &Settings, goal: &str) -> Result<Option<Watched>> {
        if !self.ci {
            return Ok(None);
        }
        Color::Never.choose();
        let runner = Runner::of_process();
        Ok(Some(Watched {
            goal: goal.to_owned(),
            // A path that depends on where it is read would lead elsewhere later.
            folder: crate::cli::absolute(&settings.ci.folder)?,
            hidden: Hidden::of(settings)?,
            quiet: Quiet::begin(runner.is_actions)?,
            runner,
        }))
    }
}

/// A goal that is watched for a pipeline.
pub(super) struct Watched {
    goal: String,
    folder: PathBuf,
    hidden: Hidden,
    runner: Runner,
    quiet: Quiet,
}

impl Watched {
    /// Tells the pipeline how it ended, also where it came to no session; the end stays what it was.
    pub(super) fn end(self, ended: Result<Exit>, session: Option<&SessionFolder>) -> Result<Exit> {
        self.quiet.end()?;
        let gathered = match (&ended, session.map(SessionFolder::read)) {
            (Ok(exit), Some(Ok(session))) => Gathered::of(&session, *exit),
            (Ok(exit), _) => Gathered::of_failure(&self.goal, "the session's record can't be read", *exit),
            (Err(failure), _) => Gathered::of_failure(&self.goal, &failure.to_string(), failure.exit),
        };
        let written = write(gathered, &self.hidden, &self.folder, &self.runner);
        match (ended, written) {
            (Ok(exit), Ok(_)) => Ok(exit),
            // Why it failed matters more than that nobody could be told.
            (Err(failure), Ok(_)) => Err(failure),
            (Err(failure), Err(unwritten)) => {
                tracing::warn!("{unwritten}");
                Err(failure)
            }
            (Ok(exit), Err(unwritten)) => {
                let exit = if exit == Exit::Done { Exit::Usage } else { exit };
                Err(Failure::new(exit, unwritten.to_string())
                    .mend("name another folder with --report-dir DIR"))
            }
        }
    }
}
