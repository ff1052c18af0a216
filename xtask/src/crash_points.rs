//! `cargo xtask crash-points`: lists the points at which Spalla can be killed, as they stand in the source, or hands
//! that list to spalla-proof, which kills at each of them.

use crate::{proof, tidy};
use clap::Args;
use std::process::ExitCode;

/// What is done with the points.
#[derive(Debug, Args)]
pub(crate) struct CrashPoints {
    /// Only prints the points and where they stand
    #[arg(long)]
    list: bool,
    /// Arguments of spalla-proof, such as --rounds N, --point NAME, --store sqlite, --json
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Lists the points, or has each of them passed and killed at.
pub(crate) fn run(asked: &CrashPoints) -> anyhow::Result<ExitCode> {
    let points = tidy::crash_points()?;
    if asked.list {
        for point in points {
            println!("{}  {}:{}", point.name, point.path, point.line);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let names: Vec<String> = points.into_iter().map(|point| point.name).collect();
    let mut arguments = vec!["crash-points".to_owned(), "--points".to_owned(), names.join(",")];
    arguments.extend(asked.arguments.iter().cloned());
    proof::run(&arguments)
}
