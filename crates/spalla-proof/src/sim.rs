//! The simulator: many schedules, each from one seed, on the real domain, store, engine and worker under virtual time.
//!
//! ```text
//! sim ─ schedule ─┬─ people ──┐                      ┌─ engine ─ disk ─ store
//!                 └─ crew ────┴─ network (faults) ───┴─ engine ─ disk ─ (the same rows)
//!                                                               └─ ledger: acknowledgements │ history: events
//! ```
//! Nothing of the product is made again here: what is simulated is time, chance, the network, the disk, and the people.

mod clock;
mod crew;
mod database;
mod dice;
mod disk;
mod ledger;
mod network;
mod people;
mod schedule;
mod servers;
mod stall;

use clap::Args;
use database::Database;
use dice::{Fault, Strikes};
use schedule::{Plan, Verdict};
use serde_json::{Map, Value, json};
use spalla_store::Memory;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Runs schedules and says what they broke.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// How many schedules
    #[arg(long, default_value_t = 1_000)]
    schedules: u64,
    /// The first seed; the others follow
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print one JSON line
    #[arg(long)]
    json: bool,
}

/// What all schedules together came to.
#[derive(Debug, Default)]
struct Sum {
    steps: u64,
    strikes: Strikes,
    broken: Vec<(Plan, Vec<String>)>,
    digest: u64,
}

/// Runs the command.
pub(crate) fn main(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let begin = Instant::now();
    let next = AtomicU64::new(arguments.seed);
    let end = arguments.seed.saturating_add(arguments.schedules);
    let sum = Mutex::new(Sum::default());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let seed = next.fetch_add(1, Ordering::Relaxed)
                    && seed < end
                {
                    let plan = Plan::of(seed, 2);
                    let verdict = schedule::run(plan, Database::Memory(Memory::default()));
                    sum.lock().unwrap_or_else(PoisonError::into_inner).add(plan, verdict);
                }
            });
        }
    });
    let sum = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    for (plan, broken) in sum.broken.iter().take(10) {
        eprintln!("seed {}: {}", plan.seed, broken.join("; "));
        if std::env::var("SIM_EVENTS").is_ok() {
            let verdict = schedule::run(*plan, Database::Memory(Memory::default()));
            for event in &verdict.events {
                eprintln!("{event:?}");
            }
        }
    }
    let faults: Map<String, Value> = Fault::ALL
        .iter()
        .zip(sum.strikes)
        .map(|(fault, count)| (fault.as_str().to_owned(), count.into()))
        .collect();
    let seconds = begin.elapsed().as_secs_f64();
    let report = json!({
        "schedules": arguments.schedules,
        "violations": sum.broken.len(),
        "steps": sum.steps,
        "seeds_per_s": (arguments.schedules as f64 / seconds).round(),
        "faults": faults,
        "digest": sum.digest,
    });
    println!("{report}");
    Ok(if sum.broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Sum {
    fn add(&mut self, plan: Plan, verdict: Verdict) {
        self.steps += verdict.steps;
        self.digest ^= verdict.digest;
        for (sum, count) in self.strikes.iter_mut().zip(verdict.strikes) {
            *sum += count;
        }
        if !verdict.broken.is_empty() {
            self.broken.push((plan, verdict.broken));
        }
    }
}
