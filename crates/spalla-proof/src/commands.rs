//! What can be proven.

use crate::{bench, crash_points, orphans, sim, soak};
use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "spalla-proof", about = "The proof that Spalla keeps its promises")]
pub(crate) struct Arguments {
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
    /// Measure the store and the engine; only a release build tells figures
    Bench(bench::Arguments),
    /// Let many runs try to leave a process behind: none may be there afterwards
    Orphans(orphans::Arguments),
    /// Kill, stop, starve and cut off real servers and workers under load, and check the record
    Soak(soak::Arguments),
}

impl Arguments {
    /// Does it.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Sim(simulate) => simulate.run(),
            Command::PlantedBugs(bugs) => bugs.run(),
            Command::CrashPoints(asked) => crash_points::run(&asked),
            Command::Bench(arguments) => bench::run(&arguments),
            Command::Orphans(arguments) => orphans::run(&arguments),
            Command::Soak(arguments) => soak::run(&arguments),
        }
    }
}
