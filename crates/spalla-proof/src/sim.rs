//! The simulator: many schedules, each from one seed, on the real domain, store, engine and worker under virtual time.
//!
//! ```text
//! sim ─ schedule ─┬─ people ──┐                      ┌─ engine ─ disk ─ store
//!                 └─ crew ────┴─ network (faults) ───┴─ engine ─ disk ─ (the same rows)
//!                                                               └─ ledger: acknowledgements │ history: events
//! ```
//! Nothing of the product is made again here: what is simulated is time, chance, the network, the disk, and the people.

mod caps;
mod clock;
mod crew;
mod database;
mod dice;
mod disk;
mod firings;
mod ledger;
mod network;
mod people;
mod plants;
mod schedule;
mod search;
mod servers;
mod shrink;
mod stall;

use clap::Args;
use database::Kind;
use dice::Fault;
use search::Found;
use serde_json::{Map, Value, json};
use std::process::ExitCode;
use std::time::Instant;

#[cfg(test)]
mod tests;

pub(crate) use plants::PlantedBugs;

/// How many schedules a planted bug may take to be found.
const SCHEDULES_PER_PLANT: u64 = 100_000;

/// Runs schedules and says what they broke.
#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// How many schedules; 1,000, or until a planted bug is found
    #[arg(long)]
    schedules: Option<u64>,
    /// The first seed; the others follow
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What the rows are kept in
    #[arg(long, value_enum, default_value_t)]
    store: Kind,
    /// Run with one planted bug, until it is found: then the exit status is 1
    #[arg(long, value_name = "NAME")]
    plant: Option<String>,
    /// Print one JSON line on the standard output, and nothing else there
    #[arg(long)]
    json: bool,
}

impl Simulate {
    /// Runs the command.
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        if let Some(plant) = &self.plant {
            let seeds = self.seed..self.seed.saturating_add(self.schedules.unwrap_or(SCHEDULES_PER_PLANT));
            return plants::run_one(plant, seeds);
        }
        let schedules = self.schedules.unwrap_or(1_000);
        let begin = Instant::now();
        let sum = search::all(self.store, self.seed..self.seed.saturating_add(schedules))?;
        for found in sum.broken.iter().take(3) {
            report(found, self.store)?;
        }
        let seeds_per_s = schedules as f64 / begin.elapsed().as_secs_f64();
        let faults: Map<String, Value> = Fault::ALL
            .iter()
            .zip(sum.strikes)
            .map(|(fault, count)| (fault.as_str().to_owned(), count.into()))
            .collect();
        if self.json {
            let line = json!({
                "schedules": schedules,
                "violations": sum.broken.len(),
                "steps": sum.steps,
                "seeds_per_s": seeds_per_s.round(),
                "faults": faults,
                "store": self.store.as_str(),
                "first_seed": self.seed,
                "digest": format!("{:016x}", sum.digest),
            });
            println!("{line}");
        } else {
            println!("{schedules} schedules, {} commands, {seeds_per_s:.0} a second", sum.steps);
            println!("faults: {}", serde_json::to_string(&faults)?);
            println!("schedules with violations: {}", sum.broken.len());
        }
        Ok(if sum.broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Tells what a schedule broke: its seed, and the shortest history that still shows it.
fn report(found: &Found, store: Kind) -> anyhow::Result<()> {
    eprintln!("seed {} breaks a promise:", found.plan.seed);
    found.broken.iter().take(5).for_each(|words| eprintln!("  {words}"));
    let shrunk = shrink::shrink(found, store)?;
    eprintln!("  shrunk to {}", shrunk.found.plan);
    shrunk.found.broken.iter().take(5).for_each(|words| eprintln!("  {words}"));
    for event in &shrunk.events {
        eprintln!("    {}", shrink::line(event));
    }
    eprintln!("  again: cargo xtask sim --seed {} --schedules 1 --store {}", found.plan.seed, store.as_str());
    Ok(())
}
