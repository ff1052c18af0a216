//! A quota: what a project may use on one UTC day and at once. It is looked at when a run would start, and a run that
//! goes on is never stopped by it. What runs that go on were granted counts as used, so tokens and cost end above their
//! caps by one run only, as long as no run uses more than it was granted.

mod micro_usd;

pub use micro_usd::{MICRO_USD_MAX, MicroUsd};

use crate::Timestamp;
use serde::{Deserialize, Serialize};

/// The caps of a project; what is none is not capped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// Runs that start on one day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily_runs: Option<u64>,
    /// Tokens used on one day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily_tokens: Option<u64>,
    /// Money spent on one day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily_cost_usd: Option<MicroUsd>,
    /// Runs that are not over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_concurrent_runs: Option<u32>,
}

/// A day by the UTC calendar, counted from 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UtcDay(pub i64);

/// How long a UTC day is, in milliseconds.
const DAY_MS: i64 = 86_400_000;

impl UtcDay {
    /// Returns the day of a moment.
    pub const fn of(at: Timestamp) -> Self {
        Self(at.ms().div_euclid(DAY_MS))
    }

    /// Returns the moment at which the next day begins.
    pub const fn end(self) -> Timestamp {
        Timestamp::from_ms(self.0.saturating_add(1).saturating_mul(DAY_MS))
    }
}

/// Returns the next UTC midnight, which is after now.
pub const fn next_midnight(now: Timestamp) -> Timestamp {
    UtcDay::of(now).end()
}

/// What a project used on one UTC day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// The day.
    pub day: UtcDay,
    /// Runs that started.
    pub runs: u64,
    /// Tokens of runs that are over.
    pub tokens: u64,
    /// Cost of runs that are over.
    pub cost_usd: MicroUsd,
}

/// What is added to a day's usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Used {
    /// Runs that started.
    pub runs: u64,
    /// Tokens.
    pub tokens: u64,
    /// Cost.
    pub cost_usd: MicroUsd,
}

impl Used {
    /// Adds up; what no number holds stops at the largest.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            runs: self.runs.saturating_add(other.runs),
            tokens: self.tokens.saturating_add(other.tokens),
            cost_usd: self.cost_usd.plus(other.cost_usd),
        }
    }

    /// Returns what the start of a run uses.
    pub const fn start() -> Self {
        Self { runs: 1, tokens: 0, cost_usd: MicroUsd::ZERO }
    }

    /// Returns what the end of a run uses.
    pub const fn end(tokens: u64, cost_usd: MicroUsd) -> Self {
        Self { runs: 0, tokens, cost_usd }
    }
}

impl Usage {
    /// Returns a day on which nothing was used.
    pub const fn none(day: UtcDay) -> Self {
        Self { day, runs: 0, tokens: 0, cost_usd: MicroUsd::ZERO }
    }

    /// Returns the usage in force at a moment: none yet when the day is over. A day that has not begun still counts,
    /// for a clock that was put back gives nothing away.
    #[must_use]
    pub fn at(self, now: Timestamp) -> Self {
        let today = UtcDay::of(now);
        if self.day < today { Self::none(today) } else { self }
    }

    /// Returns the usage with something added at a moment; it stops at the largest numbers instead of wrapping.
    #[must_use]
    pub fn plus(self, used: Used, now: Timestamp) -> Self {
        let usage = self.at(now);
        Self {
            day: usage.day,
            runs: usage.runs.saturating_add(used.runs),
            tokens: usage.tokens.saturating_add(used.tokens),
            cost_usd: usage.cost_usd.plus(used.cost_usd),
        }
    }
}

/// A cap of a quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cap {
    /// Runs that start on one day.
    DailyRuns,
    /// Tokens used on one day.
    DailyTokens,
    /// Money spent on one day.
    DailyCostUsd,
    /// Runs that are not over.
    MaxConcurrentRuns,
}

impl Cap {
    /// Returns the name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DailyRuns => "daily_runs",
            Self::DailyTokens => "daily_tokens",
            Self::DailyCostUsd => "daily_cost_usd",
            Self::MaxConcurrentRuns => "max_concurrent_runs",
        }
    }
}

/// Why a run does not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The cap that is reached.
    pub which: Cap,
    /// When it is looked at anew if nobody raises it; none when a run that ends makes room.
    pub until: Option<Timestamp>,
}

/// The project's runs that are not over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Active {
    /// How many they are.
    pub runs: u32,
    /// The tokens that they were granted; nothing for a run without a budget.
    pub tokens: u64,
    /// The cost that they were granted.
    pub cost_usd: MicroUsd,
}

impl Active {
    /// Makes so many runs that were granted nothing in particular.
    pub const fn runs(runs: u32) -> Self {
        Self { runs, tokens: 0, cost_usd: MicroUsd::ZERO }
    }
}

/// Tells whether a quota holds a further run: one starts only while what was used and granted is below every cap.
pub fn hold(quota: &Quota, usage: Usage, active: Active, now: Timestamp) -> Option<Held> {
    let usage = usage.at(now);
    let granted = Used { runs: 0, tokens: active.tokens, cost_usd: active.cost_usd };
    if let Some(which) = reached(quota, usage) {
        return Some(Held { which, until: Some(usage.day.end()) });
    }
    let when_one_ends = |which| Held { which, until: None };
    if quota.max_concurrent_runs.is_some_and(|cap| active.runs >= cap) {
        return Some(when_one_ends(Cap::MaxConcurrentRuns));
    }
    reached(quota, usage.plus(granted, now)).map(when_one_ends)
}

/// Returns the first cap of a day that is reached.
fn reached(quota: &Quota, usage: Usage) -> Option<Cap> {
    if quota.daily_runs.is_some_and(|cap| usage.runs >= cap) {
        Some(Cap::DailyRuns)
    } else if quota.daily_tokens.is_some_and(|cap| usage.tokens >= cap) {
        Some(Cap::DailyTokens)
    } else if quota.daily_cost_usd.is_some_and(|cap| usage.cost_usd >= cap) {
        Some(Cap::DailyCostUsd)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOON: Timestamp = Timestamp::from_ms(20_000 * DAY_MS + DAY_MS / 2);
    const TODAY: UtcDay = UtcDay(20_000);

    fn usage(runs: u64, tokens: u64, cost: u64) -> Usage {
        Usage { day: TODAY, runs, tokens, cost_usd: MicroUsd::from_micros(cost).unwrap() }
    }

    #[test]
    fn a_day_ends_at_the_next_utc_midnight() {
        let midnight = Timestamp::from_ms(20_001 * DAY_MS);
        assert_eq!([next_midnight(NOON), next_midnight(midnight.plus_ms(-1))], [midnight; 2]);
        assert_eq!(next_midnight(midnight), midnight.plus_ms(DAY_MS));
        assert_eq!(UtcDay::of(Timestamp::from_ms(-1)), UtcDay(-1));
    }

    #[test]
    fn each_cap_holds_from_the_moment_it_is_reached() {
        let until = Some(next_midnight(NOON));
        let daily = Quota {
            daily_runs: Some(2),
            daily_tokens: Some(10),
            daily_cost_usd: Some(MicroUsd::from_micros(5).unwrap()),
            max_concurrent_runs: Some(1),
        };
        let which = |usage, active| {
            hold(&daily, usage, Active::runs(active), NOON).map(|held| (held.which, held.until))
        };
        assert_eq!(which(usage(1, 9, 4), 0), None);
        assert_eq!(which(usage(2, 9, 4), 0), Some((Cap::DailyRuns, until)));
        assert_eq!(which(usage(1, 10, 4), 0), Some((Cap::DailyTokens, until)));
        assert_eq!(which(usage(1, 9, 6), 0), Some((Cap::DailyCostUsd, until)));
        assert_eq!(which(usage(1, 9, 4), 1), Some((Cap::MaxConcurrentRuns, None)));
        assert_eq!(hold(&Quota::default(), usage(u64::MAX, u64::MAX, 9), Active::runs(u32::MAX), NOON), None);
    }

    #[test]
    fn what_is_granted_counts_until_its_run_ends() {
        let quota = Quota { daily_tokens: Some(10), ..Quota::default() };
        let going = |tokens| Active { tokens, ..Active::runs(1) };
        assert_eq!(hold(&quota, usage(1, 4, 0), going(5), NOON), None);
        let held = Held { which: Cap::DailyTokens, until: None };
        assert_eq!(hold(&quota, usage(1, 4, 0), going(6), NOON), Some(held));
    }

    #[test]
    fn a_day_that_is_over_holds_nothing_and_one_to_come_still_does() {
        let quota = Quota { daily_runs: Some(1), ..Quota::default() };
        let tomorrow = Usage { day: UtcDay(20_001), ..usage(1, 0, 0) };
        assert_eq!(
            hold(&quota, Usage { day: UtcDay(19_999), ..usage(1, 0, 0) }, Active::default(), NOON),
            None
        );
        assert_eq!(
            hold(&quota, tomorrow, Active::default(), NOON).unwrap().until,
            Some(UtcDay(20_001).end())
        );
    }

    #[test]
    fn a_quota_is_plain_json() {
        let text = r#"{"daily_runs":5,"daily_cost_usd":2.5}"#;
        let quota: Quota = serde_json::from_str(text).unwrap();
        assert_eq!(quota.daily_cost_usd, MicroUsd::from_micros(2_500_000));
        assert_eq!(serde_json::to_string(&quota).unwrap(), text);
        for bad in [r#"{"daily_runs":-1}"#, r#"{"daily_cost_usd":-0.5}"#, r#"{"weekly_runs":1}"#] {
            assert!(serde_json::from_str::<Quota>(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn tokens_and_cost_end_above_their_caps_by_one_run_only(
            tokens_max in 0..1_000_u64, cost_max in 0..1_000_u64,
            script in proptest::collection::vec((0..500_u64, 0..500_u64, any::<bool>()), 0..40),
        ) {
            let micros = |micros| MicroUsd::from_micros(micros).unwrap();
            let quota =
                Quota { daily_tokens: Some(tokens_max), daily_cost_usd: Some(micros(cost_max)), ..Quota::default() };
            let mut usage = Usage::none(TODAY);
            let mut going: Vec<(u64, u64)> = Vec::new();
            for (tokens, cost, ends) in script {
                if ends && let Some((tokens, cost)) = going.pop() {
                    usage = usage.plus(Used::end(tokens, micros(cost)), NOON);
                    continue;
                }
                let granted = going.iter().fold((0, 0), |sum, run| (sum.0 + run.0, sum.1 + run.1));
                let active = Active { runs: going.len() as u32, tokens: granted.0, cost_usd: micros(granted.1) };
                if hold(&quota, usage, active, NOON).is_none() {
                    prop_assert!(usage.tokens + granted.0 < tokens_max);
                    prop_assert!(usage.cost_usd.micros() + granted.1 < cost_max);
                    usage = usage.plus(Used::start(), NOON);
                    going.push((tokens, cost));
                }
            }
        }

        #[test]
        fn usage_only_grows_within_a_day_whatever_is_added(
            parts in proptest::collection::vec((any::<u64>(), any::<u64>(), 0..=MICRO_USD_MAX), 0..20),
        ) {
            let mut usage = Usage::none(TODAY);
            for (runs, tokens, cost) in parts {
                let used = Used { runs, tokens, cost_usd: MicroUsd::from_micros(cost).unwrap() };
                let more = usage.plus(used, NOON);
                prop_assert!(more.runs >= usage.runs.max(runs) && more.tokens >= usage.tokens.max(tokens));
                prop_assert!(more.cost_usd >= usage.cost_usd.max(used.cost_usd));
                usage = more;
            }
        }
    }
}
