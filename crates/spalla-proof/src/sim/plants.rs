//! Planted bugs: runs the simulator on each small mistake that debug builds of the shipped code can be told to make, until
//! the mistake is found.

use clap::Args;
use std::ops::Range;
use std::process::ExitCode;

/// Runs the simulator on every planted bug and says which are found.
#[derive(Debug, Args)]
pub(crate) struct PlantedBugs {
    /// How many schedules each may take
    #[arg(long, default_value_t = super::SCHEDULES_PER_PLANT)]
    schedules: u64,
    /// Print one JSON line on the standard output, and nothing else there
    #[arg(long)]
    json: bool,
}

#[cfg(not(debug_assertions))]
const MISSING: &str = "a release has no planted bugs: `cargo xtask planted-bugs` takes a debug build";

#[cfg(not(debug_assertions))]
impl PlantedBugs {
    /// Says that there are none in this build.
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        anyhow::bail!(MISSING)
    }
}

/// Says that there are none in this build.
#[cfg(not(debug_assertions))]
pub(super) fn run_one(_: &str, _: Range<u64>) -> anyhow::Result<ExitCode> {
    anyhow::bail!(MISSING)
}

#[cfg(debug_assertions)]
impl PlantedBugs {
    /// Runs the command.
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        use spalla_domain::plant::Plant;
        let mut found = Vec::new();
        for plant in Plant::ALL {
            let begin = std::time::Instant::now();
            let seed = seed_of(plant.as_str(), 1..self.schedules.saturating_add(1))?;
            let seconds = begin.elapsed().as_secs_f64();
            match seed {
                Some(seed) => eprintln!("{}: found by seed {seed} in {seconds:.1} s", plant.as_str()),
                None => eprintln!("{}: NOT FOUND in {seconds:.1} s", plant.as_str()),
            }
            found.extend(seed.map(|seed| serde_json::json!({"plant": plant.as_str(), "seed": seed})));
        }
        let (planted, count) = (Plant::ALL.len(), found.len());
        if self.json {
            println!("{}", serde_json::json!({"planted": planted, "found": count, "plants": found}));
        } else {
            println!("{count} of {planted} planted bugs were found");
        }
        Ok(if count == planted { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Runs one planted bug; to find it is a failure, as it is without a plant.
#[cfg(debug_assertions)]
pub(super) fn run_one(name: &str, seeds: Range<u64>) -> anyhow::Result<ExitCode> {
    match seed_of(name, seeds)? {
        Some(seed) => {
            println!("{}", serde_json::json!({"plant": name, "seed": seed}));
            Ok(ExitCode::FAILURE)
        }
        None => {
            println!("{}", serde_json::json!({"plant": name, "seed": null}));
            Ok(ExitCode::SUCCESS)
        }
    }
}

#[cfg(debug_assertions)]
fn seed_of(name: &str, seeds: Range<u64>) -> anyhow::Result<Option<u64>> {
    use spalla_domain::plant::{Plant, choose};
    if !choose(name) {
        let names: Vec<_> = Plant::ALL.iter().map(|plant| plant.as_str()).collect();
        anyhow::bail!("there is no planted bug {name:?}; there are {}", names.join(", "));
    }
    Ok(super::search::first(super::database::Kind::Memory, seeds)?.map(|found| found.plan.seed))
}
