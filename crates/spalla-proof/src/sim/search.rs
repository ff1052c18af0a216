//! Runs many schedules on all cores, and sums up what came of them.

use super::database::{Databases, Kind};
use super::dice::Strikes;
use super::schedule::{self, Plan, Verdict};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// A schedule that broke something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Its plan.
    pub(crate) plan: Plan,
    /// What it broke.
    pub(crate) broken: Vec<String>,
}

/// What many schedules came to.
#[derive(Debug, Default)]
pub(crate) struct Sum {
    /// Commands that reached a store.
    pub(crate) steps: u64,
    /// How often each fault struck.
    pub(crate) strikes: Strikes,
    /// The schedules that broke something, by their seeds.
    pub(crate) broken: Vec<Found>,
    /// Stands for everything that happened in all of them.
    pub(crate) digest: u64,
}

impl Sum {
    fn add(&mut self, plan: Plan, verdict: Verdict) {
        self.steps += verdict.steps;
        // In whatever order the threads come to it.
        self.digest = self.digest.wrapping_add(verdict.digest);
        for (sum, count) in self.strikes.iter_mut().zip(verdict.strikes) {
            *sum += count;
        }
        if !verdict.broken.is_empty() {
            self.broken.push(Found { plan, broken: verdict.broken });
        }
    }
}

/// Runs the schedules of all seeds.
pub(crate) fn all(store: Kind, seeds: Range<u64>) -> anyhow::Result<Sum> {
    search(store, seeds, false)
}

/// Runs the schedules of these seeds until one breaks something.
#[cfg(debug_assertions)]
pub(crate) fn first(store: Kind, seeds: Range<u64>) -> anyhow::Result<Option<Found>> {
    Ok(search(store, seeds, true)?.broken.into_iter().next())
}

fn search(store: Kind, seeds: Range<u64>, stop_at_first: bool) -> anyhow::Result<Sum> {
    let (next, found) = (AtomicU64::new(seeds.start), AtomicBool::new(false));
    let sum = Mutex::new(Sum::default());
    let work = || -> anyhow::Result<()> {
        let databases = Databases::prepare(store)?;
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end || (stop_at_first && found.load(Ordering::Relaxed)) {
                return Ok(());
            }
            let plan = Plan::of(seed, store.servers_max());
            let verdict = schedule::run(plan, databases.fresh()?);
            found.fetch_or(!verdict.broken.is_empty(), Ordering::Relaxed);
            sum.lock().unwrap_or_else(PoisonError::into_inner).add(plan, verdict);
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let broke = |_| Err(anyhow::anyhow!("a thread of the simulator panicked"));
        workers.into_iter().try_for_each(|worker| worker.join().unwrap_or_else(broke))
    })?;
    let mut sum = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    sum.broken.sort_by_key(|found| found.plan.seed);
    Ok(sum)
}
