//! Starts spalla-proof, in the profile of the tests, and leaves with its exit status.

use anyhow::Context;
use std::process::{Command, ExitCode};

/// Runs one of its commands with everything that stands behind it on the command line.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let status = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--package", "spalla-proof", "--"])
        .args(arguments)
        .status()
        .context("starting spalla-proof")?;
    // A signal leaves no status; to a caller that is a failure like others.
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}
