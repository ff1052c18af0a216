//! How agents stand just now, as far as the router has to know: whose newest runs break what was promised of them, and whose
//! definitions failed their tests and serve nobody. It enters each question as it is, under a version of its own, so that
//! answers stay functions of what is asked.

use super::Serving;
use sha1::{Digest as _, Sha1};
use spalla_domain::Timestamp;
use spalla_domain::scorecard::{Scorecard, Scorecards};
use spalla_domain::slo::{Slo, Slos};
use spalla_router::{Condition, Micro};
use spalla_store::document::Kept;
use spalla_store::view::{DocumentFilter, Page};
use spalla_store::{Clock, Read, Store, StoreError};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// How often the measured records are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// How many projects' records are read at once.
const AT_ONCE: u32 = 100;
/// How many letters of a digest are a version.
const VERSION_CHARS: usize = 16;

/// How agents stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// The version: others that stand otherwise have another one; none where everybody stands well.
    pub(crate) version: Option<String>,
    /// How, by the ids of those who do not stand well.
    pub(crate) conditions: BTreeMap<String, Condition>,
}

impl Standing {
    /// Says that some agents break what was promised of them, and that others serve nobody.
    pub(crate) fn of(breakers: &BTreeSet<String>, down: &BTreeSet<String>) -> Self {
        if breakers.is_empty() && down.is_empty() {
            return Self::default();
        }
        let names = |all: &BTreeSet<String>| all.iter().cloned().collect::<Vec<_>>().join("\n");
        let digest = Sha1::digest(format!("{}\n\n{}", names(breakers), names(down)));
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut conditions = BTreeMap::<String, Condition>::new();
        for name in breakers {
            conditions.entry(name.clone()).or_default().failing = Micro::ONE;
        }
        for name in down {
            conditions.entry(name.clone()).or_default().is_down = true;
        }
        Self { version: Some(digest[..VERSION_CHARS].to_owned()), conditions }
    }
}

/// Returns whose newest runs break what is promised: those of all projects, since it is promised of the agent.
fn breakers(all: &[Scorecards], slos: &Slos, now: Timestamp) -> BTreeSet<String> {
    let breaks = |name: &str, slo: &Slo| {
        Scorecard::newest_of(all.iter().filter_map(|cards| cards.agents.get(name))).breaks(slo, now)
    };
    slos.iter().filter(|(name, slo)| breaks(name, slo)).map(|(name, _)| name.clone()).collect()
}

/// Looks at the measured records until the server leaves, and lets the router know who does not stand well.
pub(crate) async fn follow(
    serving: Arc<Serving>,
    (store, clock): (Store, Arc<dyn Clock>),
    slos: Slos,
    leave: CancellationToken,
) -> crate::failure::Result<()> {
    let mut rhythm = tokio::time::interval(LOOK_EVERY);
    rhythm.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = leave.cancelled() => return Ok(()),
            _ = rhythm.tick() => {}
        }
        match scorecards(store.read()).await {
            Ok(all) => serving.note_breakers(breakers(&all, &slos, clock.now())),
            Err(error) => tracing::warn!(%error, "the records of agents can't be read; it is tried again"),
        }
    }
}

/// Returns the measured records of all projects.
pub(crate) async fn scorecards(read: &dyn Read) -> Result<Vec<Scorecards>, StoreError> {
    let filter = DocumentFilter { kind: Scorecards::KIND, owner: None, status: None };
    let mut all: Vec<Scorecards> = Vec::new();
    let mut page = Page { limit: AT_ONCE, before: None, offset: 0 };
    loop {
        let found = read.documents(filter, page).await?;
        for document in &found {
            all.push(document.read()?);
        }
        page.before = found.last().map(|document| document.id);
        if found.len() < AT_ONCE as usize {
            return Ok(all);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spalla_domain::ProjectId;
    use spalla_domain::claim::Usage;
    use spalla_domain::sandbox::Used;
    use spalla_domain::scorecard::Scored;
    use spalla_domain::slo::RECENT_MS;

    const NOW: Timestamp = Timestamp::from_ms(1_000_000_000_000);

    fn cards(agent: &str, latency_ms: i64) -> Scorecards {
        some_cards(agent, latency_ms, 5)
    }

    fn some_cards(agent: &str, latency_ms: i64, runs: usize) -> Scorecards {
        let mut cards = Scorecards::new(ProjectId(1));
        for _ in 0..runs {
            let scored = Scored {
                agent: agent.into(),
                trigger: None,
                has_succeeded: true,
                is_retry: false,
                latency_ms,
                tool_errors: 0,
                interventions: 0,
                usage: Usage::default(),
                used: Used::default(),
                failure_rate_permille: None,
                slo: Slo::default(),
                notify: vec![],
            };
            cards.take(&scored, NOW);
        }
        cards
    }

    #[test]
    fn runs_of_all_projects_are_looked_at_together() {
        let slo = Slo { latency_ms: Some(100), success_permille: None };
        let slos = Slos::from([("slow".to_owned(), slo)]);
        let few = [some_cards("slow", 150, 3), some_cards("slow", 150, 1)];
        assert_eq!(breakers(&few, &slos, NOW), BTreeSet::new(), "of four nothing is concluded");
        let enough = [some_cards("slow", 150, 3), some_cards("slow", 150, 2)];
        assert_eq!(breakers(&enough, &slos, NOW), BTreeSet::from(["slow".to_owned()]));
    }

    #[test]
    fn who_breaks_a_promise_is_named_for_a_day() {
        let slo = Slo { latency_ms: Some(100), success_permille: None };
        let slos = Slos::from(["slow", "quick", "idle"].map(|name| (name.to_owned(), slo)));
        let all = [cards("slow", 50), cards("slow", 150), cards("quick", 100), cards("unpromised", 999)];
        assert_eq!(breakers(&all, &slos, NOW), BTreeSet::from(["slow".to_owned()]));
        assert_eq!(breakers(&all, &slos, NOW.plus_ms(RECENT_MS)), BTreeSet::new());
    }

    #[test]
    fn the_same_who_do_not_stand_well_are_one_version_and_others_another() {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let of = |breakers: &[&str], down: &[&str]| Standing::of(&set(breakers), &set(down));
        assert_eq!(of(&[], &[]), Standing::default());
        assert_eq!(of(&["a", "b"], &[]), of(&["b", "a"], &[]));
        let versions = [of(&["a"], &[]), of(&["b"], &[]), of(&[], &["a"])].map(|standing| standing.version);
        assert!(versions[0] != versions[1] && versions[0] != versions[2] && versions[1] != versions[2]);
        let both = of(&["a"], &["a", "b"]).conditions;
        assert_eq!((both["a"].failing, both["a"].is_down), (Micro::ONE, true));
        assert_eq!((both["b"].failing, both["b"].is_down), (Micro::ZERO, true));
    }
}
