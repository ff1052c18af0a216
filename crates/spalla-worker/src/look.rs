//! Looks at a workspace from behind its run's walls: this very program is started inside, and says as JSON what it saw.
//! So whatever lies in a workspace meets no more than a process that may do what the run may.

pub(crate) mod files;
pub(crate) mod manifests;
mod reports;

use crate::builtin::verifier::Tests;
use crate::run::Run;
use crate::sandbox::{CommandSpec, How, SpawnError, Walls};
use crate::scratchpad::Scratchpad;
use crate::walls::Needs;
use files::Found;
use manifests::Manifests;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::ExitCode;

/// The hidden first argument behind which a program looks at its current folder.
pub const LOOK_ARG: &str = "__look";
/// What is looked for: files that match patterns, which follow.
const FILES: &str = "files";
/// What is looked for: what steps are inferred from.
const MANIFESTS: &str = "manifests";
/// What is looked for: what reports of tests say.
const REPORTS: &str = "reports";
/// How long a look may take, in milliseconds.
const LOOK_MS: i64 = 60_000;
/// How long it has to end, in milliseconds.
const GRACE_MS: i64 = 1_000;
/// How much of what was seen is read, in bytes: far more than a run may leave is told in.
const SEEN_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Looks at the current folder, and prints what was seen as JSON.
pub fn look_main(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut words = words.into_iter().filter_map(|word| word.into_string().ok());
    let here = Path::new(".");
    match words.next().as_deref() {
        Some(FILES) => print(&files::find(&words.collect::<Vec<_>>(), here)),
        Some(MANIFESTS) => print(&manifests::read(here)),
        Some(REPORTS) => print(&reports::read(here)),
        _ => ExitCode::FAILURE,
    }
}

fn print(seen: &impl Serialize) -> ExitCode {
    match serde_json::to_writer(io::stdout().lock(), seen) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Returns the arguments with which a program lists the files of its current folder that match the patterns.
pub fn look_for_files(patterns: &[String]) -> Vec<String> {
    [LOOK_ARG, FILES].into_iter().map(str::to_owned).chain(patterns.iter().cloned()).collect()
}

impl Run<'_> {
    /// Finds the files of the run's workspace that match the patterns. The error says why nothing was seen.
    pub(crate) async fn look_for_files(
        &self,
        scratchpad: &Scratchpad,
        patterns: &[String],
    ) -> Result<Found, String> {
        self.look(scratchpad, look_for_files(patterns)).await
    }

    /// Reads what steps are inferred from. The error says why nothing was seen.
    pub(crate) async fn look_for_manifests(&self, scratchpad: &Scratchpad) -> Result<Manifests, String> {
        self.look(scratchpad, [LOOK_ARG, MANIFESTS].map(str::to_owned).into()).await
    }

    /// Reads what reports of tests say that the steps wrote; none where there are none. The error says why nothing was seen.
    pub(crate) async fn look_for_test_reports(
        &self,
        scratchpad: &Scratchpad,
    ) -> Result<Option<Tests>, String> {
        self.look(scratchpad, [LOOK_ARG, REPORTS].map(str::to_owned).into()).await
    }

    /// A look is short, and what a run leaves is of use when it was interrupted too: so nothing but its own time ends it.
    async fn look<T: DeserializeOwned>(
        &self,
        scratchpad: &Scratchpad,
        args: Vec<String>,
    ) -> Result<T, String> {
        let program =
            self.sandbox.program_file().map_err(|error| format!("finding this program: {error}"))?;
        let needs = Needs { read: scratchpad.borrowed.clone(), ..Needs::default() };
        let walls = self.walls(&scratchpad.folder, needs);
        let env = match walls {
            Walls::None => self.options.child_env.clone(),
            Walls::Up(_) => BTreeMap::new(),
        };
        let spec = CommandSpec {
            label: format!("{} look", self.label()),
            program: program.to_string_lossy().into_owned(),
            args,
            cwd: scratchpad.folder.clone(),
            env,
            stdin: Vec::new(),
            timeout_ms: Some(LOOK_MS),
            grace_ms: GRACE_MS,
            walls: walls.clone(),
        };
        let captured = self.sandbox.capture(spec, SEEN_BYTES_MAX, std::future::pending()).await;
        let captured = captured.map_err(|error| {
            if let SpawnError::Refused { layer, reason, .. } = &error {
                self.attest_refusal(&walls, *layer, reason);
            }
            error.to_string()
        })?;
        match captured.ended.how {
            How::Exited(0) => serde_json::from_slice(&captured.stdout)
                .map_err(|error| format!("looking at the workspace: {error}")),
            how => Err(format!("looking at the workspace: {how}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_not_known_is_no_look() {
        let exit = |words: &[&str]| format!("{:?}", look_main(words.iter().map(OsString::from)));
        assert_eq!(exit(&[]), format!("{:?}", ExitCode::FAILURE));
        assert_eq!(exit(&["everything"]), format!("{:?}", ExitCode::FAILURE));
    }
}
