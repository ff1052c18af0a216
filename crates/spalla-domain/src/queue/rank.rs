//! The order of the queue: rank = priority×100 + age_hours×10 + retries_left×5 + timeout_urgency×20 −
//! dependencies×3, highest first.
//!
//! Age grows at the same rate for all, so a key without it keeps the same order and is stored once: 360,000 units
//! are one point of rank, because an hour of age is 10 points, that is one point in 360,000 ms.

use super::Entry;
use crate::Timestamp;
use crate::work_item::TIMEOUT_MS_DEFAULT;

/// Units of the ordering key in one point of rank.
const UNITS_PER_POINT: f64 = 360_000.0;

/// Units of the ordering key in one level of priority.
pub const UNITS_PER_LEVEL: i64 = 36_000_000;

/// Returns how urgent a time limit makes an item: 1 at a minute or less, 0 at an hour or more.
pub fn timeout_urgency(timeout_ms: i64) -> f64 {
    let minutes = timeout_ms.max(1) as f64 / 60_000.0;
    (1.0 - minutes.ln() / 60.0_f64.ln()).clamp(0.0, 1.0)
}

/// Returns the ordering key: smallest first.
pub fn key(entry: &Entry, retries_left: u32, timeout_ms: Option<i64>) -> i64 {
    let urgency = timeout_urgency(timeout_ms.unwrap_or(TIMEOUT_MS_DEFAULT));
    let points = f64::from(entry.priority) * 100.0 + f64::from(retries_left) * 5.0 + urgency * 20.0
        - f64::from(entry.dependencies) * 3.0;
    entry.enqueued_at.ms() - (points * UNITS_PER_POINT).round() as i64
}

/// Returns the rank that a key means at a moment, to three decimals.
pub fn rank(key: i64, now: Timestamp) -> f64 {
    ((now.ms() - key) as f64 / UNITS_PER_POINT * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EntryId, WorkItemId};
    use proptest::prelude::*;

    fn entry(priority: u8, dependencies: u32, enqueued_at_ms: i64) -> Entry {
        let enqueued_at = Timestamp::from_ms(enqueued_at_ms);
        Entry {
            id: EntryId(1),
            work_item_id: WorkItemId(1),
            priority,
            moved: None,
            dependencies,
            enqueued_at,
        }
    }

    #[test]
    fn urgency_falls_from_a_minute_to_an_hour() {
        let hour = 3_600_000;
        assert_eq!([1, 60_000, hour, 2 * hour].map(timeout_urgency), [1.0, 1.0, 0.0, 0.0]);
        assert!((timeout_urgency(464_758) - 0.5).abs() < 1e-5);
    }

    #[test]
    fn the_rank_of_a_fresh_entry_is_the_formula() {
        let now = Timestamp::from_ms(1_700_000_000_000);
        let key = key(&entry(5, 2, now.ms() - 3_600_000), 3, Some(60_000));
        assert_eq!(rank(key, now), 5.0 * 100.0 + 10.0 + 3.0 * 5.0 + 20.0 - 2.0 * 3.0);
    }

    proptest! {
        #[test]
        fn the_key_orders_as_the_rank_does_at_any_moment(
            a in (0..10_u8, 0..20_u32, 0..10_000_000_i64, 0..5_u32, 1..7_200_000_i64),
            b in (0..10_u8, 0..20_u32, 0..10_000_000_i64, 0..5_u32, 1..7_200_000_i64),
            later in 0..1_000_000_000_i64,
        ) {
            let now = Timestamp::from_ms(10_000_000 + later);
            let exact = |(p, d, at, r, t): (u8, u32, i64, u32, i64)| {
                f64::from(p) * 100.0 + (now.ms() - at) as f64 / 3.6e6 * 10.0 + f64::from(r) * 5.0
                    + timeout_urgency(t) * 20.0 - f64::from(d) * 3.0
            };
            let stored = |(p, d, at, r, t)| key(&entry(p, d, at), r, Some(t));
            if (exact(a) - exact(b)).abs() > 1e-5 {
                prop_assert_eq!(exact(a) > exact(b), stored(a) < stored(b));
            }
        }
    }
}
