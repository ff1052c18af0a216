//! The measured record of an agent, and of each way that led work to it. What is long ago counts less: half of it after a week.

mod utilization;

pub use utilization::{Mean, Utilization};

use crate::claim::Usage;
use crate::review::Opinion;
use crate::sandbox::Used;
use crate::slo::{RECENT_MS, Slo};
use crate::{ProjectId, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// After what time a run counts half, in milliseconds: a week.
pub const HALF_LIFE_MS: i64 = 7 * 86_400_000;
/// How many agents, and how many ways to them, a project's record has; of more, the one that was idle longest goes.
pub const CARDS_MAX: usize = 1_000;
/// Over how many of the newest runs the rate of failures is looked at.
pub const WINDOW: usize = 20;
/// Of how few nothing is concluded.
pub const WINDOW_MIN: usize = 5;
/// How many runs weigh as much as knowing nothing: so many without a failure are needed for trust to be half-way to full.
const TRUST_PRIOR: f64 = 5.0;
/// The trust in whoever nothing is known of.
pub const TRUST_UNKNOWN: f64 = 0.5;
/// By how much two durations in one bucket differ at most.
const GAMMA: f64 = 1.1;
/// The last bucket: more than the longest run in milliseconds.
const BUCKET_MAX: u16 = 256;

/// The measured record of one project's agents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scorecards {
    /// Whose.
    pub project_id: ProjectId,
    /// Each agent's, by its name.
    pub agents: BTreeMap<String, Scorecard>,
    /// What led work to an agent, by both names: `trigger → agent`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub triggers: BTreeMap<String, Scorecard>,
}

/// The measured record of one agent. Counts are sums of weights: a run counts 1 when it ends, and less from then on.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Scorecard {
    /// How many runs ended at all, whenever.
    pub task_count: u64,
    /// How many runs.
    pub runs: f64,
    /// How many of them succeeded.
    pub successes: f64,
    /// How many were not the first of their work item.
    pub retries: f64,
    /// How long they took together, in milliseconds.
    pub latency_ms: f64,
    /// Calls of tools that failed, or were refused.
    pub tool_errors: f64,
    /// Tokens, read and written.
    pub tokens: f64,
    /// What they cost, in US dollars.
    pub cost_usd: f64,
    /// How often a peer approved.
    pub approved: f64,
    /// How often a peer had a concern.
    pub concerns: f64,
    /// How often a peer saw a blocker.
    pub blockers: f64,
    /// How often a person had to help.
    pub interventions: f64,
    /// What of machines they used, of those of which somebody measured it.
    pub utilization: Utilization,
    /// How many took how long, by the logarithm of the time.
    pub durations: BTreeMap<u16, f64>,
    /// How the newest runs ended, the oldest first: whether they succeeded.
    pub newest: VecDeque<bool>,
    /// How long the newest runs took, in milliseconds, the oldest first.
    pub newest_ms: VecDeque<u64>,
    /// When the newest runs ended, the oldest first; of records that do not say so yet, fewer than there are runs.
    pub newest_at: VecDeque<Timestamp>,
    /// Whether it was told that too many fail; it is told again once fewer did in between.
    pub is_alarmed: bool,
    /// Whether it was told that they take longer than was promised, in the same way.
    pub is_slow: bool,
    /// Whether it was told that fewer succeed than was promised, in the same way.
    pub is_unreliable: bool,
    /// When a run ended last.
    pub last_updated_at: Timestamp,
}

/// One run of an agent, once it is over.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    /// The agent.
    pub agent: String,
    /// What led the work to it.
    pub trigger: Option<String>,
    /// Whether it succeeded.
    pub has_succeeded: bool,
    /// Whether it was not the first of its work item.
    pub is_retry: bool,
    /// How long it took, in milliseconds.
    pub latency_ms: i64,
    /// Calls of tools that failed, or were refused.
    pub tool_errors: u64,
    /// How often a person had to help.
    pub interventions: u64,
    /// What it used.
    pub usage: Usage,
    /// What its commands used of the machine.
    pub used: Used,
    /// Above which share of failures somebody is told, in thousandths.
    pub failure_rate_permille: Option<u16>,
    /// What is promised of its runs.
    pub slo: Slo,
    /// Who is told.
    pub notify: Vec<String>,
}

/// That the newest runs of an agent are not as they should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// Which agent.
    pub agent: String,
    /// What is wrong with them.
    pub breach: Breach,
    /// Who is told.
    pub notify: Vec<String>,
}

/// What is wrong with the newest runs of an agent. Shares are in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breach {
    /// More of them failed than the agent's definition lets pass.
    Failures {
        /// The share that failed.
        permille: u16,
        /// The share above which that is told.
        threshold_permille: u16,
    },
    /// They take longer than was promised.
    Latency {
        /// Within what time 95 of 100 were over, in milliseconds.
        p95_ms: u64,
        /// Within what time they are to be.
        promised_ms: u64,
    },
    /// Fewer of them succeeded than was promised.
    Success {
        /// The share that succeeded.
        permille: u16,
        /// The share that is to.
        promised_permille: u16,
    },
}

impl Scorecards {
    /// Begins with nothing known.
    pub const fn new(project_id: ProjectId) -> Self {
        Self { project_id, agents: BTreeMap::new(), triggers: BTreeMap::new() }
    }

    /// Takes note of a run that is over; returns what somebody is to be told.
    pub fn take(&mut self, scored: &Scored, now: Timestamp) -> Vec<Alarm> {
        if let Some(trigger) = &scored.trigger {
            let name = format!("{trigger} → {}", scored.agent);
            card(&mut self.triggers, &name).take(scored, now);
        }
        let card = card(&mut self.agents, &scored.agent);
        card.take(scored, now);
        let alarm = |breach| Alarm { agent: scored.agent.clone(), breach, notify: scored.notify.clone() };
        card.breaches(scored).into_iter().flatten().map(alarm).collect()
    }

    /// Takes note of what a peer thinks of an agent's work.
    pub fn judge(&mut self, agent: &str, opinion: Opinion, now: Timestamp) {
        let card = card(&mut self.agents, agent);
        card.fade(now);
        match opinion {
            Opinion::Approved => card.approved += 1.0,
            Opinion::Concern => card.concerns += 1.0,
            Opinion::Blocker => card.blockers += 1.0,
        }
    }
}

/// Returns the record under a name. Where there is no room for another, the one that was idle longest makes room.
fn card<'a>(cards: &'a mut BTreeMap<String, Scorecard>, name: &str) -> &'a mut Scorecard {
    if !cards.contains_key(name) && cards.len() >= CARDS_MAX {
        let oldest = cards.iter().min_by_key(|(_, card)| card.last_updated_at).map(|(name, _)| name.clone());
        oldest.and_then(|oldest| cards.remove(&oldest));
    }
    cards.entry(name.to_owned()).or_default()
}

impl Scorecard {
    fn take(&mut self, scored: &Scored, now: Timestamp) {
        self.fade(now);
        let ms = scored.latency_ms.max(0) as f64;
        let Usage { input_tokens, output_tokens, cost_usd } = &scored.usage;
        self.task_count = self.task_count.saturating_add(1);
        self.runs += 1.0;
        self.successes += f64::from(u8::from(scored.has_succeeded));
        self.retries += f64::from(u8::from(scored.is_retry));
        self.latency_ms += ms;
        self.tool_errors += scored.tool_errors as f64;
        self.interventions += scored.interventions as f64;
        self.tokens += input_tokens.unwrap_or(0).saturating_add(output_tokens.unwrap_or(0)) as f64;
        self.cost_usd += cost_usd.filter(|cost| cost.is_finite()).unwrap_or(0.0);
        self.utilization.take(&scored.used, ms);
        *self.durations.entry(bucket_of(ms)).or_default() += 1.0;
        self.newest.push_back(scored.has_succeeded);
        self.newest_ms.push_back(scored.latency_ms.max(0).unsigned_abs());
        self.newest_at.push_back(now);
        self.keep_newest();
    }

    fn keep_newest(&mut self) {
        while self.newest.len() > WINDOW {
            self.newest.pop_front();
        }
        while self.newest_ms.len() > WINDOW {
            self.newest_ms.pop_front();
        }
        while self.newest_at.len() > WINDOW {
            self.newest_at.pop_front();
        }
    }

    /// Returns a record that has the newest runs of several, and nothing else: those of one agent in all projects.
    pub fn newest_of<'a>(cards: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut runs: Vec<(Timestamp, bool, u64)> = cards.into_iter().flat_map(Self::newest_runs).collect();
        runs.sort_by_key(|(at, ..)| *at);
        let mut all = Self::default();
        for (at, has_succeeded, ms) in runs {
            all.newest.push_back(has_succeeded);
            all.newest_ms.push_back(ms);
            all.newest_at.push_back(at);
            all.last_updated_at = at;
        }
        all.keep_newest();
        all
    }

    /// Returns the newest runs: when each ended, whether it succeeded, and how long it took. One of which is not known when ended
    /// before those of which it is.
    fn newest_runs(&self) -> impl Iterator<Item = (Timestamp, bool, u64)> {
        let known = self.newest_at.len();
        let first = self.newest_at.front().copied().unwrap_or(self.last_updated_at);
        let unknown = self.newest.len().saturating_sub(known);
        let at = std::iter::repeat_n(first, unknown).chain(self.newest_at.iter().copied());
        let ends = self.newest.iter().copied().zip(self.newest_ms.iter().copied());
        at.zip(ends).map(|(at, (has_succeeded, ms))| (at, has_succeeded, ms))
    }

    /// Returns what is wrong with the newest runs and was not before.
    fn breaches(&mut self, scored: &Scored) -> [Option<Breach>; 3] {
        let failures = self.failures(scored.failure_rate_permille);
        let [latency, success] = self.broken(&scored.slo);
        let is_news = |was: &mut bool, breach: Option<Breach>| {
            let was_told = std::mem::replace(was, breach.is_some());
            breach.filter(|_| !was_told)
        };
        [
            is_news(&mut self.is_alarmed, failures),
            is_news(&mut self.is_slow, latency),
            is_news(&mut self.is_unreliable, success),
        ]
    }

    fn failures(&self, threshold_permille: Option<u16>) -> Option<Breach> {
        let (threshold_permille, permille) = (threshold_permille?, self.failure_rate_permille()?);
        (permille > threshold_permille).then_some(Breach::Failures { permille, threshold_permille })
    }

    /// Returns how the newest runs break what was promised.
    fn broken(&self, slo: &Slo) -> [Option<Breach>; 2] {
        let latency = || {
            let (p95_ms, promised_ms) = (self.newest_p95_ms()?, slo.latency_ms?);
            (p95_ms > promised_ms).then_some(Breach::Latency { p95_ms, promised_ms })
        };
        let success = || {
            let (failed, promised_permille) = (self.failure_rate_permille()?, slo.success_permille?);
            let permille = 1_000_u16.saturating_sub(failed);
            (permille < promised_permille).then_some(Breach::Success { permille, promised_permille })
        };
        [latency(), success()]
    }

    /// Tells whether the newest runs break what was promised, and are so new that it says something of the next one.
    pub fn breaks(&self, slo: &Slo, now: Timestamp) -> bool {
        let age = now.ms().saturating_sub(self.last_updated_at.ms());
        age < RECENT_MS && self.broken(slo).iter().any(Option::is_some)
    }

    /// Returns within what time 95 of 100 of the newest runs were over; none of too few.
    fn newest_p95_ms(&self) -> Option<u64> {
        let mut sorted: Vec<u64> = self.newest_ms.iter().copied().collect();
        sorted.sort_unstable();
        let rank = (sorted.len() * 95).div_ceil(100);
        sorted.get(rank.saturating_sub(1)).copied().filter(|_| sorted.len() >= WINDOW_MIN)
    }

    /// Lets everything before now weigh what it weighs by now.
    pub fn fade(&mut self, now: Timestamp) {
        let passed = now.ms().saturating_sub(self.last_updated_at.ms()).max(0);
        self.last_updated_at = self.last_updated_at.max(now);
        let left = 0.5_f64.powf(passed as f64 / HALF_LIFE_MS as f64);
        let sums = [
            &mut self.runs,
            &mut self.successes,
            &mut self.retries,
            &mut self.latency_ms,
            &mut self.tool_errors,
            &mut self.tokens,
            &mut self.cost_usd,
            &mut self.approved,
            &mut self.concerns,
            &mut self.blockers,
            &mut self.interventions,
        ];
        sums.into_iter().chain(self.durations.values_mut()).for_each(|sum| *sum *= left);
        self.durations.retain(|_, weight| *weight > 1e-6);
        self.utilization.all().into_iter().for_each(|mean| mean.fade(left));
    }

    /// Adds the record of the same agent in another project, both faded to one moment.
    pub fn join(&mut self, other: &Self) {
        self.task_count = self.task_count.saturating_add(other.task_count);
        self.runs += other.runs;
        self.successes += other.successes;
        self.retries += other.retries;
        self.latency_ms += other.latency_ms;
        self.tool_errors += other.tool_errors;
        self.tokens += other.tokens;
        self.cost_usd += other.cost_usd;
        self.approved += other.approved;
        self.concerns += other.concerns;
        self.blockers += other.blockers;
        self.interventions += other.interventions;
        let mut theirs = other.utilization;
        for (mean, other) in self.utilization.all().into_iter().zip(theirs.all()) {
            mean.join(*other);
        }
        for (bucket, weight) in &other.durations {
            *self.durations.entry(*bucket).or_default() += weight;
        }
        self.last_updated_at = self.last_updated_at.max(other.last_updated_at);
    }

    /// Returns a share of the runs, from 0 to 1; none where there is none.
    pub fn share(&self, of: f64) -> Option<f64> {
        (self.runs > 0.0).then(|| (of / self.runs).clamp(0.0, 1.0))
    }

    /// Returns how far an agent is to be trusted, from 0 to 1: by how many of its runs succeed, and by what its peers think of its
    /// work. Little that is known moves it little from the middle.
    pub fn trust(&self) -> f64 {
        let succeed = (self.successes + TRUST_UNKNOWN * TRUST_PRIOR) / (self.runs + TRUST_PRIOR);
        let judged = self.approved + self.concerns + self.blockers;
        let peers = (self.approved + 0.5 * self.concerns + 1.0) / (judged + 1.0);
        (succeed * peers).clamp(0.0, 1.0)
    }

    /// Returns how long a run takes on the average, in milliseconds.
    pub fn mean_ms(&self) -> Option<f64> {
        (self.runs > 0.0).then(|| self.latency_ms / self.runs)
    }

    /// Returns within what time a share of the runs is over, in milliseconds and to a twentieth.
    pub fn quantile_ms(&self, share: f64) -> Option<f64> {
        let all: f64 = self.durations.values().sum();
        let mut seen = 0.0;
        let found = self.durations.iter().find(|(_, weight)| {
            seen += **weight;
            seen >= share * all
        });
        let last = || self.durations.last_key_value();
        found.or_else(last).map(|(bucket, _)| middle_of(*bucket))
    }

    /// Returns which share of the newest runs failed, in thousandths; none of too few.
    fn failure_rate_permille(&self) -> Option<u16> {
        let failed = self.newest.iter().filter(|succeeded| !**succeeded).count();
        (self.newest.len() >= WINDOW_MIN)
            .then(|| u16::try_from(failed * 1_000 / self.newest.len()).unwrap_or(1_000))
    }
}

fn bucket_of(ms: f64) -> u16 {
    let bucket = ms.max(1.0).ln() / GAMMA.ln();
    bucket.ceil().clamp(0.0, f64::from(BUCKET_MAX)) as u16
}

fn middle_of(bucket: u16) -> f64 {
    2.0 * GAMMA.powi(i32::from(bucket)) / (GAMMA + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_000_000_000_000);

    fn scored(has_succeeded: bool, latency_ms: i64) -> Scored {
        Scored {
            agent: "a".into(),
            trigger: None,
            has_succeeded,
            is_retry: false,
            latency_ms,
            tool_errors: 0,
            interventions: 0,
            usage: Usage { input_tokens: Some(10), output_tokens: None, cost_usd: Some(0.5) },
            used: Used::default(),
            failure_rate_permille: Some(250),
            slo: Slo::default(),
            notify: vec!["ops".into()],
        }
    }

    fn close(one: f64, other: f64) -> bool {
        (one - other).abs() <= other.abs() * 0.06 + 1e-9
    }

    #[test]
    fn trust_begins_in_the_middle_grows_with_what_succeeds_and_falls_with_what_fails_or_peers_refuse() {
        let card = |runs: f64, successes: f64, [approved, concerns, blockers]: [f64; 3]| Scorecard {
            runs,
            successes,
            approved,
            concerns,
            blockers,
            ..Scorecard::default()
        };
        let none = [0.0; 3];
        assert!(close(Scorecard::default().trust(), TRUST_UNKNOWN));
        let trust = |runs, successes, said| card(runs, successes, said).trust();
        assert!(trust(1.0, 1.0, none) > TRUST_UNKNOWN && trust(1.0, 1.0, none) < trust(20.0, 20.0, none));
        assert!(trust(20.0, 0.0, none) < trust(1.0, 0.0, none) && trust(20.0, 0.0, none) > 0.0);
        assert!(trust(20.0, 20.0, [0.0, 0.0, 9.0]) < trust(20.0, 20.0, [0.0, 9.0, 0.0]));
        assert!(trust(20.0, 20.0, [0.0, 9.0, 0.0]) < trust(20.0, 20.0, [9.0, 0.0, 0.0]));
        assert!(trust(1e9, 1e9, [1e9, 0.0, 0.0]) <= 1.0);
    }

    #[test]
    fn quantiles_are_told_to_a_twentieth_and_the_sketch_stays_small() {
        let mut cards = Scorecards::new(ProjectId(1));
        for ms in 1..=10_000 {
            cards.take(&scored(true, ms), NOW);
        }
        cards.take(&scored(true, i64::MAX), NOW);
        let card = &cards.agents["a"];
        for (share, wanted) in [(0.5, 5_000.0), (0.95, 9_500.0), (0.99, 9_900.0)] {
            let told = card.quantile_ms(share).unwrap();
            assert!(close(told, wanted), "{share}: {told}");
        }
        assert!(card.durations.len() <= usize::from(BUCKET_MAX) + 1);
        assert_eq!(card.task_count, 10_001);
    }

    #[test]
    fn what_is_a_week_ago_counts_half() {
        let mut cards = Scorecards::new(ProjectId(1));
        cards.take(&scored(false, 100), NOW);
        cards.take(&scored(true, 100), NOW.plus_ms(HALF_LIFE_MS));
        let card = &cards.agents["a"];
        assert!(
            close(card.runs, 1.5) && close(card.successes, 1.0) && close(card.cost_usd, 0.75),
            "{card:?}"
        );
        assert!(close(card.share(card.successes).unwrap(), 2.0 / 3.0));
        assert!(close(card.mean_ms().unwrap(), 100.0));
    }

    #[test]
    fn too_many_failures_are_told_once_and_again_after_it_was_better() {
        let mut cards = Scorecards::new(ProjectId(1));
        let mut told = Vec::new();
        for round in 0..60 {
            // Ten fail, twenty-five succeed, and the rest fail again.
            let has_succeeded = (10..35).contains(&round);
            told.extend(cards.take(&scored(has_succeeded, 5), NOW).into_iter().map(|alarm| (round, alarm)));
        }
        let rounds: Vec<i32> = told.iter().map(|(round, _)| *round).collect();
        assert_eq!(rounds, [4, 40]);
        let breach = Breach::Failures { permille: 1_000, threshold_permille: 250 };
        assert_eq!((told[0].1.breach, &told[0].1.notify[..]), (breach, &["ops".to_owned()][..]));
    }

    #[test]
    fn what_was_promised_and_is_not_kept_is_told_once_for_each_promise() {
        let slo = Slo { latency_ms: Some(1_000), success_permille: Some(900) };
        let mut cards = Scorecards::new(ProjectId(1));
        let mut told = Vec::new();
        for round in 0..45 {
            // The first four are good, the next fail slowly, and from the eleventh on all is well again, until the end.
            let is_bad = (4..10).contains(&round) || round >= 40;
            let scored = Scored {
                slo,
                failure_rate_permille: None,
                ..scored(!is_bad, if is_bad { 5_000 } else { 1_000 })
            };
            told.extend(cards.take(&scored, NOW).into_iter().map(|alarm| (round, alarm.breach)));
        }
        let slow = Breach::Latency { p95_ms: 5_000, promised_ms: 1_000 };
        let failing = |permille| Breach::Success { permille, promised_permille: 900 };
        // In a full window one slow run, and two that fail, are within the promise.
        assert_eq!(told, [(4, slow), (4, failing(800)), (41, slow), (42, failing(850))]);
    }

    #[test]
    fn nothing_is_concluded_of_few_runs_or_old_ones_or_without_a_promise() {
        let slo = Slo { latency_ms: Some(10), success_permille: None };
        let mut card = Scorecard::default();
        for count in 1..=WINDOW_MIN {
            card.take(&scored(true, 11), NOW);
            assert_eq!(card.breaks(&slo, NOW), count == WINDOW_MIN);
        }
        assert!(!card.breaks(&Slo::default(), NOW));
        assert!(!card.breaks(&Slo { success_permille: Some(1_000), ..Slo::default() }, NOW));
        assert!(!card.breaks(&slo, NOW.plus_ms(RECENT_MS)));
    }

    #[test]
    fn a_way_to_an_agent_has_a_record_of_its_own() {
        let mut cards = Scorecards::new(ProjectId(1));
        cards.take(&Scored { trigger: Some("docker".into()), ..scored(true, 5) }, NOW);
        cards.take(&scored(false, 5), NOW);
        assert_eq!((cards.agents["a"].task_count, cards.triggers["docker → a"].task_count), (2, 1));
        cards.judge("a", Opinion::Concern, NOW);
        assert!(close(cards.agents["a"].concerns, 1.0));
    }

    #[test]
    fn there_is_room_for_so_many_and_the_idle_make_room() {
        let mut cards = Scorecards::new(ProjectId(1));
        for n in 0..i64::try_from(CARDS_MAX).unwrap() + 5 {
            cards.take(&Scored { agent: n.to_string(), ..scored(true, 5) }, NOW.plus_ms(n));
        }
        assert_eq!(cards.agents.len(), CARDS_MAX);
        assert!(!cards.agents.contains_key("0") && cards.agents.contains_key("1004"));
    }
}
