//! Builds spalla-proof, in the profile that the command needs, starts it, and leaves with its exit status.

use anyhow::{Context, ensure};
use std::process::{Command, ExitCode};

/// What cargo tells the programs that it starts. Build scripts ask for some of it, and a cargo that finds it builds them,
/// and all behind them, anew.
const TOLD_BY_CARGO: [&str; 5] =
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "LIBSQLITE3_FLAGS"];

/// Runs one of its commands with everything that stands behind it on the command line.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<ExitCode> {
    // Figures of any other build tell nothing, and releases have no planted bugs.
    let measures = arguments.first().is_some_and(|word| word == "bench");
    let (profile, folder) = if measures { ("release", "release") } else { ("dev", "debug") };
    let mut build = untold(Command::new(env!("CARGO")));
    // By their names and not by their packages: the libraries get what all packages want of them, as in the tests' build.
    build.args(["build", "--quiet", "--bin", "spalla", "--bin", "spalla-proof", "--profile", profile]);
    let built = build.status().context("starting cargo")?;
    ensure!(built.success(), "spalla-proof can't be built");
    let own = std::env::current_exe().context("finding this program")?;
    let target = own.parent().and_then(|folder| folder.parent()).context("finding the target folder")?;
    let proof = target.join(folder).join("spalla-proof");
    let status = untold(Command::new(proof)).args(arguments).status().context("starting spalla-proof")?;
    // A signal leaves no status; to a caller that is a failure like others.
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}

fn untold(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        let is_told = |name: &str| TOLD_BY_CARGO.iter().any(|told| name.starts_with(told));
        if name.to_str().is_some_and(is_told) {
            command.env_remove(name);
        }
    }
    command
}
