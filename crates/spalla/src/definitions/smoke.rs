//! Tries a definition by its own command, behind the walls: without network, with the project to read and an empty folder
//! to write.

use crate::commands::block_on_all_cores;
use crate::failure::{Failure, Result};
use crate::programs::{self, Call};
use spalla_crash::crash_point;
use spalla_registry::definition::Definition;
use std::path::{Path, PathBuf};

/// How long a trial may take, in seconds.
const SECONDS: u64 = 60;
/// How long the whole call may take beyond that, in milliseconds.
const AROUND_MS: i64 = 10_000;
/// What leads into the project before the command.
const INTO: &str = "cd \"$1\" && exec sh -c \"$2\"";

/// Where definitions are tried.
#[derive(Debug, Clone)]
pub(crate) struct Smoke {
    /// The folder that the commands begin in and may read.
    project: PathBuf,
    /// This program.
    program: PathBuf,
}

impl Smoke {
    /// Trials in the folder in which the program was called.
    pub(crate) fn here() -> Result<Self> {
        let unknown =
            |error: std::io::Error| Failure::failed(format!("finding this program and its folder: {error}"));
        let project = std::env::current_dir().map_err(unknown)?;
        Ok(Self { project, program: std::env::current_exe().map_err(unknown)? })
    }

    /// Runs a command of a definition; the error says how it failed.
    pub(crate) fn run(&self, definition: &Definition, command: &str) -> Result<(), String> {
        let room =
            crash_point!("agents.smoke.room", tempfile::tempdir()).map_err(|error| error.to_string())?;
        let seconds = definition.runtime.timeout_ms.map_or(SECONDS, |ms| SECONDS.min(ms.div_ceil(1_000)));
        let timeout_ms = i64::try_from(seconds).unwrap_or(i64::MAX / 2_000) * 1_000 + AROUND_MS;
        let (seconds, memory) =
            (seconds.to_string(), definition.runtime.resource_limits.memory_mb.map(|mb| mb.to_string()));
        let (program, room, project) =
            (text(&self.program)?, text(room.path())?.to_owned(), text(&self.project)?);
        let mut args = vec!["sandbox", "run", "--workspace", &room, "--read", project, "--timeout", &seconds];
        if let Some(memory) = &memory {
            args.extend(["--memory-mb", memory]);
        }
        args.extend(["--", "sh", "-c", INTO, "sh", project, command]);
        let call = Call { program, args: &args, folder: &self.project, env: &[], timeout_ms };
        let answer = block_on_all_cores(programs::call(call)).map_err(|failure| failure.to_string())?;
        match answer.status {
            Some(0) => Ok(()),
            Some(124) => Err(format!("it took longer than {seconds} s")),
            _ => Err(answer.complaint()),
        }
    }
}

fn text(path: &Path) -> Result<&str, String> {
    path.to_str().ok_or_else(|| format!("the path {} is not UTF-8", path.display()))
}
