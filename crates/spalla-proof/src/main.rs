//! The proof that Spalla keeps its promises, one command each. `cargo xtask` starts it; nothing imports it.

mod sim;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(name = "spalla-proof", about = "The proof that Spalla keeps its promises")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run schedules on the real engine, store and worker under virtual time, with faults, and check every promise
    Sim(sim::Arguments),
}

fn main() -> anyhow::Result<ExitCode> {
    match Arguments::parse().command {
        Command::Sim(arguments) => sim::main(&arguments),
    }
}
