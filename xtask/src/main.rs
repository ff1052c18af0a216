//! `cargo xtask <command>`: the project's own tools, one file per command.

use clap::{Parser, Subcommand};
use std::process::ExitCode;

mod proof;
mod tidy;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's own tools")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check what the compiler cannot: arrows between crates, file shapes, SQL in its place, documents
    Tidy,
    /// What spalla-proof can do: simulate, kill, plant bugs; `cargo xtask sim --help` says how
    #[command(external_subcommand)]
    Proof(Vec<String>),
}

fn main() -> anyhow::Result<ExitCode> {
    match Arguments::parse().command {
        Command::Tidy => tidy::run(),
        Command::Proof(arguments) => proof::run(&arguments),
    }
}
