//! The proof that Spalla keeps its promises, one command each. `cargo xtask` starts it; nothing imports it.

mod crash_points;
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
    Sim(sim::Simulate),
    /// Run the simulator on every planted bug: each has to be found
    PlantedBugs(sim::PlantedBugs),
    /// Kill the real binary at every crash point, start it again, and check what is left
    CrashPoints(crash_points::CrashPoints),
}

fn main() -> anyhow::Result<ExitCode> {
    match Arguments::parse().command {
        Command::Sim(simulate) => simulate.run(),
        Command::PlantedBugs(bugs) => bugs.run(),
        Command::CrashPoints(asked) => crash_points::run(&asked),
    }
}
