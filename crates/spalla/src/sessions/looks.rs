//! Looks at work that goes on: the other agents are asked when one says that a part is done or that something stands in its way,
//! when it asks for it, and when nothing was heard of it for long. What follows is decided as after any review.

use super::advance::{Next, by_policy, is_over, item, reasons, vote_of};
use super::rounds;
use serde_json::{Value, json};
use spalla_domain::Timestamp;
use spalla_domain::review::{Decision, Policy};
use spalla_domain::session::{
    ItemKind, LOOKS_LABEL, Look, Session, SessionDecision, SessionItem, Trigger, Vote,
};

/// How often one piece of work is looked at while it goes on: each time costs as much as a review.
const LOOKS_MAX: usize = 5;

/// What is said to have decided where no reviewer answered.
const NOBODY: &str = "nobody looked";

/// Returns why an event wants a look; none where it does not. The end of a turn is followed by a review of its own.
pub(super) fn trigger(kind: &str, payload: &Value) -> Option<Trigger> {
    let says = |name: &str| payload[name] == true;
    if says("ends_turn") {
        return None;
    }
    match kind {
        "milestone" => Some(Trigger::Milestone),
        "blocker" => Some(Trigger::Blocker),
        _ => ["review", "needs_review"].into_iter().any(says).then_some(Trigger::Asked),
    }
}

/// Tells whether a piece of work may be looked at now: by somebody, not while that is done already, and not without end.
pub(super) fn may_look(session: &Session, work: &SessionItem) -> bool {
    let own: Vec<&Look> = session.looks.iter().filter(|look| look.work == work.key).collect();
    let is_open = own.iter().any(|look| decided(session, look).is_none());
    !is_open && own.len() < LOOKS_MAX && reviewers(session, work).next().is_some()
}

/// Returns the ordinal of the next look at a piece of work.
pub(super) fn number(session: &Session, work: &SessionItem) -> u32 {
    let own = session.looks.iter().filter(|look| look.work == work.key).count();
    u32::try_from(own).unwrap_or(u32::MAX).saturating_add(1)
}

/// Decides what comes next of the looks.
pub(super) fn advance(session: &Session, (policy, now): (&Policy, Timestamp), next: &mut Next) {
    for look in &session.looks {
        let is_looked_at = |item: &&SessionItem| item.kind == ItemKind::Work && item.key == look.work;
        let Some(work) = session.items.iter().find(is_looked_at) else { continue };
        match decided(session, look) {
            Some(decided) => follow(session, (work, look), decided, next),
            // What is over has its own review, or came to nothing.
            None if is_over(work) => {}
            None => look_at(session, (work, look), (policy, now), next),
        }
    }
}

/// Returns the label of an item that looks at work; none where it does something else.
pub(super) fn label_of(session: &Session, item: &SessionItem) -> Option<String> {
    let look = session.looks.iter().find(|look| is_of(item, look))?;
    let work = session.items.iter().find(|work| work.key == look.work)?.work_item_id?;
    let base = look.base.as_ref().map(|base| format!("@{base}")).unwrap_or_default();
    Some(format!("{LOOKS_LABEL}{work}{base}"))
}

/// Says why it is looked at, in words.
pub(super) const fn why(look: &Look) -> &'static str {
    match look.why {
        Trigger::Milestone => "a part is done",
        Trigger::Blocker => "something stands in its way",
        Trigger::Asked => "it asks for a review",
        Trigger::Silence => "nothing was heard of it for long",
    }
}

fn look_at(
    session: &Session,
    (work, look): (&SessionItem, &Look),
    (policy, now): (&Policy, Timestamp),
    next: &mut Next,
) {
    let wanted: Vec<SessionItem> =
        reviewers(session, work).map(|agent| review_of(session, work, look, agent)).collect();
    let find = |item: &SessionItem| session.items.iter().find(|known| known.key == item.key);
    let asked: Vec<&SessionItem> = wanted.iter().filter_map(find).collect();
    if asked.len() < wanted.len() {
        next.items.extend(wanted);
        return;
    }
    if !asked.iter().all(|item| is_over(item)) {
        return;
    }
    let votes: Vec<Vote> = asked.iter().map(|item| vote_of(item)).collect();
    let is_seen = votes.iter().any(|vote| vote.verdict.is_some());
    let mut decision = by_policy(policy, (look.key(), now), votes);
    if !is_seen {
        // Nobody saw it, and nobody has to: what it comes to is reviewed as any change is.
        (decision.decision, decision.rule) = (Decision::Continue, NOBODY.to_owned());
    }
    follow(session, (work, look), &decision, next);
    next.decisions.push(decision);
}

fn follow(
    session: &Session,
    (work, look): (&SessionItem, &Look),
    decided: &SessionDecision,
    next: &mut Next,
) {
    match decided.decision {
        // Its next milestone is looked at like this one.
        Decision::Continue | Decision::LogWarning => {}
        Decision::PauseAndClarify => {
            let seen = session.items.iter().filter(|item| is_of(item, look)).find_map(seen);
            let again = rounds::of_look(session, work, decided, seen.as_ref());
            let is_there = session.items.iter().any(|item| rounds::is_after(item, &work.key));
            // In its last round it goes on: what it comes to is reviewed, and then a person is asked where concerns are left.
            if again.is_some() || is_there {
                next.halt.extend((!is_over(work)).then(|| work.key.clone()));
                next.items.extend(again);
            }
        }
        Decision::StopAndEscalate => {
            next.stop = Some(format!(
                "\"{}\" must not go on like this ({}): {}",
                work.title,
                decided.rule,
                reasons(decided)
            ));
        }
    }
}

/// Returns what a reviewer saw of the work, in the form of a result.
fn seen(item: &SessionItem) -> Option<Value> {
    let looked_at = &item.runs.last()?.result.as_ref()?["looked_at"];
    looked_at.is_object().then(|| json!({ "change": looked_at }))
}

fn decided<'a>(session: &'a Session, look: &Look) -> Option<&'a SessionDecision> {
    let key = look.key();
    session.decisions.iter().rfind(|decision| decision.key == key)
}

fn reviewers<'a>(session: &'a Session, work: &'a SessionItem) -> impl Iterator<Item = &'a String> {
    session.agents.iter().filter(|agent| **agent != work.agent)
}

fn is_of(item: &SessionItem, look: &Look) -> bool {
    let key = item.key.strip_prefix(&look.key()).and_then(|rest| rest.strip_prefix('.'));
    item.kind == ItemKind::Review && key == Some(item.agent.as_str())
}

fn review_of(session: &Session, work: &SessionItem, look: &Look, agent: &str) -> SessionItem {
    let first = rounds::first_of(session, work);
    let acceptance = first.acceptance.as_ref().map(|text| format!("\n\nIt is done when:\n\n{text}"));
    let said = if look.text.is_empty() { "nothing" } else { &look.text };
    let prompt = format!(
        "You look at another agent's work while it goes on, because {}. You can look at everything and change nothing: the \
         working tree here has what is changed so far; `git show` shows that. It is not finished, and need not be.\n\nThe task \
         is:\n\n{}\n\nThe agent says:\n\n{said}{}\n\nAnswer with one JSON object and nothing else: {{\"verdict\": \"approved\" | \
         \"concern\" | \"blocker\", \"severity\": \"low\" | \"medium\" | \"high\" | \"critical\", \"text\": \"why, in at most 200 \
         words\"}}. \"blocker\" means that it must not go on like this; \"concern\" that something should be talked about first.",
        why(look),
        first.prompt,
        acceptance.unwrap_or_default(),
    );
    let title = format!("look by {agent}: {}", work.title);
    item(format!("{}.{agent}", look.key()), ItemKind::Review, title, prompt, agent)
}
