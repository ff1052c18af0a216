//! What is shown of a session's parts on the wire: its agents, reviews and recoveries, and all of it in figures.

use super::session::{Opinion, SessionEntry, SessionUsage};
use crate::sessions::Found;
use serde::{Deserialize, Serialize};
use spalla_domain::Timestamp;
use spalla_domain::review::Verdict;
use spalla_domain::session::{ItemKind, Session, SessionItem, SessionRun};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// What an agent of a session does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AgentStatus {
    /// Nothing.
    Idle,
    /// A run of it is not over.
    Busy,
    /// Its last run failed, and nothing of it is under way.
    Error,
    /// Nobody pursues its session.
    Offline,
}

/// An agent of a session.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionWorker {
    /// The session.
    session_id: String,
    /// Its name.
    agent: String,
    /// What it does now.
    status: AgentStatus,
    /// The key of what it works on, or did last.
    key: Option<String>,
    /// What that is called.
    title: Option<String>,
    /// The work item of that.
    work_item_id: Option<i64>,
    /// The newest run of that.
    run_id: Option<i64>,
    /// How many pieces of work and reviews it has.
    items: usize,
    /// How many of them are done.
    items_done: usize,
    /// What it used.
    usage: SessionUsage,
    /// When a run of it last began or ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_activity_at: Option<Timestamp>,
}

/// A review.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Review {
    /// The session.
    session_id: String,
    /// Its key.
    key: String,
    /// The key of the work that is reviewed.
    of: Option<String>,
    /// Who reviews.
    reviewer: String,
    /// The work item; null until it is made.
    work_item_id: Option<i64>,
    /// Its newest run.
    run_id: Option<i64>,
    /// The work item's status.
    status: Option<String>,
    /// What the reviewer thinks; null until it said so, and where it failed.
    verdict: Option<Opinion>,
    /// How bad it is, in its words.
    severity: Option<String>,
    /// Why.
    text: Option<String>,
    /// Why it failed, and counts as absent.
    error: Option<String>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
}

/// What was done about something that stopped an agent.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RecoveryEntry {
    /// The session.
    session_id: String,
    /// The key of the work.
    key: String,
    /// The work item.
    work_item_id: Option<i64>,
    /// The run.
    run_id: i64,
    /// Whom it stopped.
    agent: String,
    /// What stopped it; null where nobody knows.
    cause: Option<String>,
    /// What was done.
    action: String,
    /// The reason, in the program's words.
    reason: String,
}

/// All of it in figures.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionsSummary {
    /// How many sessions there are, by where they stand.
    sessions: BTreeMap<String, usize>,
    /// The newest session; null where there is none.
    newest: Option<SessionEntry>,
    /// How many pieces, reviews and merges there are, by their status.
    items: BTreeMap<String, usize>,
    /// How many decisions there are, by what follows from them.
    decisions: BTreeMap<String, usize>,
    /// How many reviews ended, by what the reviewer thinks; `absent` are those that failed.
    reviews: BTreeMap<String, usize>,
    /// How many recoveries there were.
    recoveries: usize,
    /// What it all used.
    usage: SessionUsage,
}

/// A recovery as a run's result has it.
#[derive(Debug, Deserialize)]
struct Told {
    agent: String,
    cause: Option<String>,
    action: String,
    reason: String,
}

/// Shows the agents of a session.
pub(crate) fn workers(found: &Found) -> Vec<SessionWorker> {
    found.session.agents.iter().map(|agent| worker(found, agent)).collect()
}

fn worker(found: &Found, agent: &str) -> SessionWorker {
    let session = &found.session;
    let own = || session.items.iter().filter(|item| doer(item) == agent && item.kind != ItemKind::Merge);
    let activity = |item: &SessionItem| item.runs.last().and_then(|run| run.ended_at.or(run.started_at));
    let now = own().find(|item| is_under_way(item));
    let last = now.or_else(|| own().filter(|item| !item.runs.is_empty()).max_by_key(|item| activity(item)));
    let has_failed = last.and_then(|item| item.runs.last()).is_some_and(|run| run.error.is_some());
    let status = match (found.is_pursued, now.is_some(), has_failed) {
        (_, true, _) => AgentStatus::Busy,
        (false, ..) => AgentStatus::Offline,
        (true, _, true) => AgentStatus::Error,
        (true, _, false) => AgentStatus::Idle,
    };
    let of_agent = Session { items: own().cloned().collect(), ..Session::clone(session) };
    SessionWorker {
        session_id: session.id.clone(),
        agent: agent.to_owned(),
        status,
        key: last.map(|item| item.key.clone()),
        title: last.map(|item| item.title.clone()),
        work_item_id: last.and_then(|item| item.work_item_id),
        run_id: last.and_then(|item| item.runs.last()).map(|run| run.run_id),
        items: own().count(),
        items_done: own().filter(|item| item.status.as_deref() == Some("succeeded")).count(),
        usage: of_agent.usage().into(),
        last_activity_at: own().filter_map(activity).max(),
    }
}

/// Returns who really did a piece: another agent may have gone on with it.
fn doer(item: &SessionItem) -> &str {
    let result = item.runs.last().and_then(|run| run.result.as_ref());
    result.and_then(|result| result["agent"].as_str()).unwrap_or(&item.agent)
}

fn is_under_way(item: &SessionItem) -> bool {
    item.runs.last().is_some_and(|run| run.started_at.is_some() && run.ended_at.is_none())
}

/// Shows the reviews of a session.
pub(crate) fn reviews(session: &Session) -> Vec<Review> {
    let reviews = session.items.iter().filter(|item| item.kind == ItemKind::Review);
    reviews.map(|item| review(session, item)).collect()
}

fn review(session: &Session, item: &SessionItem) -> Review {
    let run = item.runs.last();
    let verdict = run.and_then(verdict_of);
    Review {
        session_id: session.id.clone(),
        key: item.key.clone(),
        of: session.reviewed_by(item).map(str::to_owned),
        reviewer: item.agent.clone(),
        work_item_id: item.work_item_id,
        run_id: run.map(|run| run.run_id),
        status: item.status.clone(),
        verdict: verdict.as_ref().map(|verdict| verdict.verdict.into()),
        severity: verdict.as_ref().and_then(|verdict| verdict.severity.clone()),
        text: verdict.map(|verdict| verdict.text),
        error: run.and_then(|run| run.error.as_ref()).map(|error| error.message.clone()),
        ended_at: run.and_then(|run| run.ended_at),
    }
}

fn verdict_of(run: &SessionRun) -> Option<Verdict> {
    serde_json::from_value(run.result.as_ref()?["verdict"].clone()).ok()
}

/// Shows what was done about what stopped agents of a session.
pub(crate) fn recoveries(session: &Session) -> Vec<RecoveryEntry> {
    let runs = session.items.iter().flat_map(|item| item.runs.iter().map(move |run| (item, run)));
    let told = runs.flat_map(|(item, run)| of_run(run).into_iter().map(move |told| (item, run, told)));
    told.map(|(item, run, told)| RecoveryEntry {
        session_id: session.id.clone(),
        key: item.key.clone(),
        work_item_id: item.work_item_id,
        run_id: run.run_id,
        agent: told.agent,
        cause: told.cause,
        action: told.action,
        reason: told.reason,
    })
    .collect()
}

fn of_run(run: &SessionRun) -> Vec<Told> {
    let told = run.result.as_ref().map(|result| result["recoveries"].clone());
    told.and_then(|told| serde_json::from_value(told).ok()).unwrap_or_default()
}

/// Counts it all. The sessions come with the newest in front.
pub(crate) fn summary(all: &[Found]) -> SessionsSummary {
    let mut summary = SessionsSummary {
        sessions: BTreeMap::new(),
        newest: all.first().map(SessionEntry::from),
        items: BTreeMap::new(),
        decisions: BTreeMap::new(),
        reviews: BTreeMap::new(),
        recoveries: 0,
        usage: SessionUsage::default(),
    };
    let mut items = Vec::new();
    for Found { session, .. } in all {
        count(&mut summary.sessions, session.status.as_str());
        for item in &session.items {
            count(&mut summary.items, item.status.as_deref().unwrap_or("planned"));
        }
        for decision in &session.decisions {
            let word = serde_json::to_value(decision.decision).unwrap_or_default();
            count(&mut summary.decisions, word.as_str().unwrap_or_default());
        }
        for review in reviews(session).iter().filter(|review| review.ended_at.is_some()) {
            let word = review.verdict.map(|verdict| serde_json::to_value(verdict).unwrap_or_default());
            count(&mut summary.reviews, word.as_ref().and_then(|word| word.as_str()).unwrap_or("absent"));
        }
        summary.recoveries += recoveries(session).len();
        items.extend(session.items.iter().cloned());
    }
    if let Some(first) = all.first() {
        summary.usage = Session { items, ..Session::clone(&first.session) }.usage().into();
    }
    summary
}

fn count(counts: &mut BTreeMap<String, usize>, word: &str) {
    *counts.entry(word.to_owned()).or_default() += 1;
}
