//! Starts spalla-proof, in the profile that the command needs, and leaves with its exit status.

use anyhow::Context;
use std::process::{Command, ExitCode};

/// Runs one of its commands with everything that stands behind it on the command line.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<ExitCode> {
    // Planted bugs are in no other build.
    let needs_plants = arguments.iter().any(|word| word == "planted-bugs" || word.starts_with("--plant"));
    let features: &[&str] = if needs_plants { &["--features", "plant"] } else { &[] };
    // Figures of any other build tell nothing.
    let measures = arguments.first().is_some_and(|word| word == "bench");
    let profile: &[&str] = if measures { &["--release"] } else { &[] };
    let status = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--package", "spalla-proof"])
        .args(profile)
        .args(features)
        .arg("--")
        .args(arguments)
        .status()
        .context("starting spalla-proof")?;
    // A signal leaves no status; to a caller that is a failure like others.
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}
