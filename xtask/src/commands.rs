//! What can be asked of `cargo xtask`.

use crate::{crash_points, goals, proof, tidy};
use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's own tools")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check what the compiler cannot: arrows between crates, file shapes, SQL in its place, documents
    Tidy,
    /// Kill the real binary at every crash point of the source and check what is left; --list names them
    CrashPoints(crash_points::CrashPoints),
    /// Set the figures of a bench beside the goals, as tables of Markdown
    Goals(goals::Goals),
    /// What spalla-proof can do: simulate, kill, plant bugs; `cargo xtask sim --help` says how
    #[command(external_subcommand)]
    Proof(Vec<String>),
}

impl Arguments {
    /// Does it.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Tidy => tidy::run(),
            Command::CrashPoints(asked) => crash_points::run(&asked),
            Command::Goals(asked) => goals::run(&asked),
            Command::Proof(arguments) => proof::run(&arguments),
        }
    }
}
