//! The proof that Spalla keeps its promises, one command each. `cargo xtask` starts it; nothing imports it.

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "spalla-proof", about = "The proof that Spalla keeps its promises")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {}

fn main() -> anyhow::Result<ExitCode> {
    match Arguments::parse().command {}
}
