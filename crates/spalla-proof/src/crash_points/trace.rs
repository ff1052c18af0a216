//! From what a scenario passed without a death to the passages at which one can come.

use super::scenario::{Arming, Kind};
use super::site::Store;
use std::collections::BTreeMap;

/// The names passed, in order, of each process that can be armed.
pub(super) type Passages = Vec<Vec<String>>;

/// The points that supervisors pass are counted by supervisors.
const SUPERVISOR: &str = "supervisor.";
/// What the worker passes when it starts a supervisor.
const SUPERVISOR_STARTS: &str = "worker.sandbox.supervisor.spawn.before";

/// A point, and where it is passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) point: String,
    pub(super) store: Store,
    pub(super) kind: Kind,
    /// Which of the scenario's processes passes it.
    pub(super) process: usize,
    /// How often; for a point of supervisors how many of them there are until the last passage.
    pub(super) passages: u64,
}

impl Target {
    /// Returns the order to die at the nth of its passages.
    pub(super) fn arming(&self, nth: u64) -> Arming {
        Arming::Death { point: self.point.clone(), nth, process: self.process }
    }
}

/// Returns every point that was passed, with the process that passed it most often.
pub(super) fn targets(store: Store, kind: Kind, passages: &Passages) -> Vec<Target> {
    let mut found: BTreeMap<&str, (usize, u64)> = BTreeMap::new();
    for (process, names) in passages.iter().enumerate() {
        for (name, count) in counts(names) {
            let most = found.entry(name).or_insert((process, 0));
            if count > most.1 {
                *most = (process, count);
            }
        }
    }
    let target = |(point, (process, passages)): (&str, (usize, u64))| Target {
        point: point.to_owned(),
        store,
        kind,
        process,
        passages,
    };
    found.into_iter().map(target).collect()
}

fn counts(names: &[String]) -> BTreeMap<&str, u64> {
    let mut counts = BTreeMap::new();
    let mut supervisors = 0;
    for name in names {
        supervisors += u64::from(name == SUPERVISOR_STARTS);
        let count = counts.entry(name.as_str()).or_insert(0);
        *count = if name.starts_with(SUPERVISOR) { supervisors } else { *count + 1 };
    }
    counts
}

/// Returns a number that is the same for the same point and round.
pub(super) fn number_of(point: &str, round: u32) -> u64 {
    let mix = |sum: u64, byte: u8| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    point.bytes().chain(round.to_le_bytes()).fold(0xcbf2_9ce4_8422_2325, mix)
}

#[cfg(test)]
mod tests {
    use super::{SUPERVISOR_STARTS, targets};
    use crate::crash_points::scenario::Kind;
    use crate::crash_points::site::Store;

    #[test]
    fn passages_are_counted_and_those_of_supervisors_by_supervisors() {
        let names = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let first =
            format!("a.b {SUPERVISOR_STARTS} supervisor.x supervisor.x {SUPERVISOR_STARTS} a.b supervisor.y");
        let passages = vec![names(&first), names("a.b a.b a.b")];
        let found: Vec<(String, usize, u64)> = targets(Store::Sqlite, Kind::Server, &passages)
            .into_iter()
            .map(|target| (target.point, target.process, target.passages))
            .collect();
        let expected =
            [("a.b", 1, 3), ("supervisor.x", 0, 1), ("supervisor.y", 0, 2), (SUPERVISOR_STARTS, 0, 2)];
        assert_eq!(found, expected.map(|(name, process, count)| (name.to_owned(), process, count)));
    }
}
