//! Scorecards: what came of each run of an agent is added to the record of its project's agents, once for each batch, after
//! all items are written: whoever holds the record waits for no item any more.

use super::work_items;
use crate::desk::{Answer, Desk};
use crate::tx::{EndedRun, Result, Tx};
use serde_json::Value;
use spalla_domain::agent_event::{AgentEvent, AgentEventType};
use spalla_domain::event::Fact;
use spalla_domain::review::{Opinion, Verdict};
use spalla_domain::run::Outcome;
use spalla_domain::run_event::{RunEvent, Told};
use spalla_domain::scorecard::{Alarm, Breach, Scorecards, Scored};
use spalla_domain::session::{REVIEWS_LABEL, session_of};
use spalla_domain::work_item::{Executor, WorkItem};
use spalla_domain::{ProjectId, RunId, WorkItemId};
use std::collections::BTreeMap;

/// What a batch has to add to a record.
#[derive(Debug, Clone)]
pub(crate) enum Note {
    /// A run of an agent is over.
    Ended { item: WorkItemId, run: RunId, session: Option<String>, scored: Box<Scored> },
    /// A peer said what it thinks of an agent's work.
    Judged { agent: String, opinion: Opinion },
}

/// Takes note of a run that ended, where an agent carried it out.
pub(crate) async fn note<T: Tx>(desk: &mut Desk<'_, T>, record: &EndedRun) -> Answer<()> {
    if !may_be_of_agent(desk, record).await? {
        return Ok(());
    }
    let item = work_items::body(desk, record.work_item_id).await?;
    let Some(agent) = agent_of(&item) else { return Ok(()) };
    let result: Value =
        record.result.as_ref().and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
    let project = record.project_id;
    if let Some(opinion) = reviewed(&result) {
        for reviewed in reviewed_by(&item) {
            // What was reviewed may be gone, and a label may name anything.
            let Ok(reviewed) = work_items::body(desk, reviewed).await else { continue };
            if let Some(agent) = agent_of(&reviewed).filter(|_| reviewed.project_id == project) {
                desk.scored.push((project, Note::Judged { agent, opinion }));
            }
        }
    }
    let policy = item.spec.adapter.as_ref().and_then(|adapter| adapter.policy.as_deref());
    let count = |name: &str| result[name].as_array().map_or(0, |all| all.len() as u64);
    let refused = result["refused_tools"]["count"].as_u64().unwrap_or(0);
    let asked = |one: &&Value| one["action"] == "ask_a_person";
    let interventions = result["recoveries"].as_array().into_iter().flatten().filter(asked).count() as u64;
    let began = record.started_at.unwrap_or(record.created_at);
    let slo = desk.context.settings.slos.get(&agent).copied().unwrap_or_default();
    let scored = Scored {
        agent,
        slo,
        trigger: policy.and_then(|policy| policy.trigger.clone()),
        has_succeeded: record.outcome == Outcome::Succeeded,
        is_retry: record.attempt > 1,
        latency_ms: record.ended_at.ms().saturating_sub(began.ms()),
        tool_errors: count("denied").saturating_add(refused),
        interventions,
        usage: record.usage.clone().unwrap_or_default(),
        used: record.sandbox.as_ref().and_then(|walls| walls.used).unwrap_or_default(),
        failure_rate_permille: policy.and_then(|policy| policy.failure_rate_permille),
        notify: policy.map(|policy| policy.notify.clone()).unwrap_or_default(),
    };
    let session = session_of(&item.spec.labels).map(str::to_owned);
    let note = Note::Ended { item: item.id, run: record.id, session, scored: Box::new(scored) };
    desk.scored.push((project, note));
    Ok(())
}

/// Tells, without reading the item, whether an agent may have carried a run out: its result says so, or else its queue.
async fn may_be_of_agent<T: Tx>(desk: &mut Desk<'_, T>, record: &EndedRun) -> Answer<bool> {
    if record.outcome == Outcome::Cancelled {
        return Ok(false);
    }
    if let Some(raw) = &record.result {
        return Ok(["\"agent\"", "\"definition\""].iter().any(|name| raw.get().contains(name)));
    }
    let queue = desk.item(record.work_item_id).await?.head.queue;
    desk.know_queue(queue).await?;
    Ok(desk.is_of_agent(queue))
}

/// Returns by which name an item's runs are measured: the definition, or else whose command line it is.
fn agent_of(item: &WorkItem) -> Option<String> {
    let policy = item.spec.adapter.as_ref().and_then(|adapter| adapter.policy.as_ref());
    let named = policy.map(|policy| policy.name().to_owned()).or_else(|| item.spec.agent.clone());
    named.filter(|_| item.spec.executor == Executor::Agent)
}

fn reviewed(result: &Value) -> Option<Opinion> {
    serde_json::from_value::<Verdict>(result.get("verdict")?.clone()).ok().map(|verdict| verdict.verdict)
}

fn reviewed_by(item: &WorkItem) -> Vec<WorkItemId> {
    let of = |label: &String| label.strip_prefix(REVIEWS_LABEL)?.parse().ok().map(WorkItemId);
    item.spec.labels.iter().filter_map(of).collect()
}

/// Writes what the batch noted, and tells where too many runs fail, or are not as was promised.
pub(crate) async fn keep<T: Tx>(desk: &mut Desk<'_, T>) -> Result<()> {
    if desk.scored.is_empty() {
        return Ok(());
    }
    desk.write_rows().await?;
    let now = desk.context.now;
    let mut by_project = BTreeMap::<ProjectId, Vec<Note>>::new();
    for (project, note) in std::mem::take(&mut desk.scored) {
        by_project.entry(project).or_default().push(note);
    }
    // In the order of their numbers, so that two servers never wait for each other in a circle.
    for (project, notes) in by_project {
        let known: Option<Scorecards> = desk.document_to_make(project.0).await?;
        let mut cards = known.unwrap_or_else(|| Scorecards::new(project));
        for note in notes {
            match note {
                Note::Judged { agent, opinion } => cards.judge(&agent, opinion, now),
                Note::Ended { item, run, session, scored } => {
                    for alarm in cards.take(&scored, now) {
                        let told = Fact::AgentTold(Box::new(told(alarm, session.clone())));
                        desk.fact(project, Some(item), Some(run), told);
                    }
                }
            }
        }
        desk.keep(&cards)?;
    }
    Ok(())
}

fn told(alarm: Alarm, session_id: Option<String>) -> Told {
    let Alarm { agent, breach, notify } = alarm;
    let percent = |permille: u16| f64::from(permille) / 10.0;
    let of = |alert: &str, text: String| {
        AgentEvent::new(AgentEventType::Error, format!("{alert}: {text}")).with("alert", alert)
    };
    let event = match breach {
        Breach::Failures { permille, threshold_permille } => {
            let (rate, most) = (percent(permille), percent(threshold_permille));
            let text = format!("{rate} % of the newest runs of {agent} failed; above {most} % it is told");
            of("failure_rate_pct", text).with("failure_rate_pct", rate).with("threshold_pct", most)
        }
        Breach::Latency { p95_ms, promised_ms } => {
            let text = format!(
                "95 of 100 of the newest runs of {agent} took up to {p95_ms} ms; promised are {promised_ms} ms"
            );
            of("slo_latency_ms", text).with("latency_ms", p95_ms).with("threshold_ms", promised_ms)
        }
        Breach::Success { permille, promised_permille } => {
            let (rate, least) = (percent(permille), percent(promised_permille));
            let text = format!("{rate} % of the newest runs of {agent} succeeded; promised are {least} %");
            of("slo_success_pct", text).with("success_pct", rate).with("threshold_pct", least)
        }
    };
    let RunEvent { kind, payload, .. } = RunEvent::of(&event.with("notify", notify));
    Told { kind, agent: Some(agent), session_id, payload }
}
