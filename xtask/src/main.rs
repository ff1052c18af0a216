//! `cargo xtask <command>`: the project's own tools, one file per command.

use clap::Parser;
use std::process::ExitCode;

mod commands;
mod crash_points;
mod goals;
mod proof;
mod tidy;

fn main() -> anyhow::Result<ExitCode> {
    commands::Arguments::parse().run()
}
