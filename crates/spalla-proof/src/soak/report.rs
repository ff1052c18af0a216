//! The result: one line of JSON for programs, and words about what was found for people.

use super::director::Toll;
use super::drain::Drained;
use super::judgement::Judgement;
use super::ledger::Record;
use super::load::Load;
use super::{Arguments, Store};
use serde_json::{Value, json};
use std::time::Duration;

/// What is known beside the judgement.
pub(crate) struct Facts<'a> {
    /// What was asked for.
    pub(crate) arguments: &'a Arguments,
    /// The load.
    pub(crate) load: &'a Load,
    /// What was done to the site.
    pub(crate) toll: Toll,
    /// How it ended.
    pub(crate) drained: Drained,
    /// How long everything took.
    pub(crate) took: Duration,
}

/// The result.
pub(crate) struct Report {
    line: Value,
    judgement: Judgement,
}

impl Report {
    /// Puts everything together.
    pub(crate) fn new(facts: Facts<'_>, record: &Record, mut judgement: Judgement) -> Self {
        let Facts { arguments, load, toll, drained, took } = facts;
        judgement.violations.extend(toll.violations);
        let (refused, lines) = load.note(|ledger| (ledger.stale_refused, ledger.lines.len()));
        let executions: usize = record.executions.values().sum();
        let line = json!({
            "store": match arguments.store { Store::Sqlite => "sqlite", Store::Postgres => "postgres" },
            "seed": arguments.seed,
            "kills": toll.kills,
            "submitted": load.submitted(),
            "completed": judgement.completed,
            "lost": judgement.lost.len(),
            "doubled": judgement.doubled.len(),
            "stale_writes": judgement.stale.len(),
            "violations": judgement.violations.len(),
            "recovery_p50_ms": percentile(&toll.recoveries, 50),
            "recovery_p99_ms": percentile(&toll.recoveries, 99),
            "recovery_max_ms": percentile(&toll.recoveries, 100),
            "healing_p99_ms": percentile(&toll.healings, 99),
            "faults": toll.faults,
            "skipped": toll.skipped,
            "refusals": toll.refusals,
            "stale_writes_refused": refused,
            "executions": executions,
            "executed_again": executions - record.executions.len(),
            "log_lines_checked": lines,
            "logs_read": record.logs.len(),
            "runs": record.runs.len(),
            "events": record.events.len(),
            "waited_for_clock": drained.waited_for_clock,
            "drain_seconds": drained.took.as_secs(),
            "seconds": took.as_secs(),
        });
        Self { line, judgement }
    }

    /// Tells whether nothing was found.
    pub(crate) fn is_clean(&self) -> bool {
        let Judgement { lost, doubled, stale, violations, .. } = &self.judgement;
        [lost, doubled, stale, violations].iter().all(|found| found.is_empty())
    }

    /// Returns the line for programs.
    pub(crate) fn line(&self) -> String {
        self.line.to_string()
    }

    /// Says what was found, up to a number of each kind.
    pub(crate) fn explain(&self, shown: usize) {
        let Judgement { lost, doubled, stale, violations, .. } = &self.judgement;
        let kinds = [("lost", lost), ("doubled", doubled), ("stale", stale), ("violation", violations)];
        for (kind, found) in kinds {
            for what in found.iter().take(shown) {
                eprintln!("soak: {kind}: {what}");
            }
            if found.len() > shown {
                eprintln!("soak: {kind}: and {} more", found.len() - shown);
            }
        }
    }
}

/// Returns the smallest time that so many of a hundred do not exceed, in milliseconds; null where there is none.
fn percentile(times: &[Duration], percent: usize) -> Option<u64> {
    let mut times = times.to_vec();
    times.sort_unstable();
    let rank = (times.len() * percent).div_ceil(100).max(1);
    times.get(rank - 1).map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_time_that_was_measured() {
        let times: Vec<Duration> = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!(
            [50, 99, 100].map(|percent| percentile(&times, percent)),
            [Some(100), Some(198), Some(200)]
        );
        assert_eq!(percentile(&times[..1], 99), Some(200));
        assert_eq!(percentile(&[], 99), None);
    }

    #[test]
    fn whatever_is_found_is_not_clean() {
        let found = |judgement| Report { line: Value::Null, judgement }.is_clean();
        let what = || vec!["x".to_owned()];
        assert!(found(Judgement { completed: 1, ..Judgement::default() }));
        assert!(!found(Judgement { lost: what(), ..Judgement::default() }));
        assert!(!found(Judgement { doubled: what(), ..Judgement::default() }));
        assert!(!found(Judgement { stale: what(), ..Judgement::default() }));
        assert!(!found(Judgement { violations: what(), ..Judgement::default() }));
    }
}
