//! What comes next in a session, decided from its record alone: reviews of what an agent changed, what follows from them, and
//! the merging. Whoever asks again, also after a crash, gets the same answer, and nothing twice.
//!
//! ```text
//! work ─▶ change ─▶ reviews by the other agents, or by rules ─▶ decision ─┬─ continue, or warn ─▶ merge ─▶ branch
//!                                                                          ├─ pause ─▶ the agent gets the concerns
//!                                                                          └─ stop ─▶ nothing more begins
//! ```

use super::{contest, looks, rounds};
use serde_json::Value;
use spalla_domain::Timestamp;
use spalla_domain::plan::{OnError, Part, Wishes};
use spalla_domain::review::{A_PERSON, Decided, Decision, Looks, Policy, Verdict, by_rules};
use spalla_domain::session::{INTEGRATOR, ItemKind, Session, SessionDecision, SessionItem, SessionRun, Vote};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;

/// The longest patch that is handed to an agent in words, in bytes. What is longer is looked at in the worktree.
const PATCH_BYTES_MAX: u64 = 128 * 1024;

/// What comes next.
#[derive(Debug, Default)]
pub(super) struct Next {
    /// Items that are to be made.
    pub(super) items: Vec<SessionItem>,
    /// The keys of work that must not go on as it does.
    pub(super) halt: Vec<String>,
    /// What was decided just now.
    pub(super) decisions: Vec<SessionDecision>,
    /// Why nothing more may begin.
    pub(super) stop: Option<String>,
    /// Why a person has to say how it goes on.
    pub(super) person: Option<String>,
}

/// Decides what comes next.
pub(super) fn advance(session: &Session, policy: &Policy, now: Timestamp) -> Next {
    let mut next = Next::default();
    for work in session.items.iter().filter(|item| item.kind == ItemKind::Work && is_done(item)) {
        let Some(run) = with_change(work) else { continue };
        // What was done again is no matter any more, whoever asks about everything.
        if rounds::is_replaced(session, work) {
            continue;
        }
        let of_work = || session.decisions.iter().filter(|decision| decision.key == work.key);
        let round = of_work().filter(|decision| decision.rule != A_PERSON).count();
        match of_work().next_back() {
            Some(decided) if round > asked_of(session, work, run) => {
                follow(session, work, decided, &mut next)
            }
            _ => review(session, (work, run, round), (policy, now), &mut next),
        }
    }
    looks::advance(session, (policy, now), &mut next);
    contest::advance(session, &mut next);
    let is_given_back =
        |item: &&SessionItem| item.kind == ItemKind::Merge && contest::of(session, item).is_none();
    for merge in session.items.iter().filter(is_given_back) {
        next.items.extend(rounds::of_failed_merge(session, merge));
    }
    let is_new = |item: &SessionItem| session.items.iter().all(|known| known.key != item.key);
    next.items.retain(is_new);
    let stops = |item: &&SessionItem| item.wishes.on_error == Some(OnError::Stop) && rounds::is_first(item);
    if let Some(lost) = planned(session)
        .filter(stops)
        .find(|item| is_lost(session, item.part.contest.as_ref().unwrap_or(&item.key), &next))
    {
        next.stop = Some(format!("\"{}\" failed, and the plan says to stop then", lost.title));
    }
    next
}

/// Asks the other agents; decides once all have said what they think, or at once where there is none.
fn review(
    session: &Session,
    (work, run, round): (&SessionItem, &SessionRun, usize),
    (policy, now): (&Policy, Timestamp),
    next: &mut Next,
) {
    let result = run.result.as_ref().unwrap_or(&Value::Null);
    let reviewers = session.agents.iter().filter(|agent| *agent != author(work, run));
    let wanted: Vec<_> = reviewers.map(|agent| review_of(session, work, (result, round), agent)).collect();
    let find = |item: &SessionItem| session.items.iter().find(|known| known.key == item.key);
    let asked: Vec<&SessionItem> = wanted.iter().filter_map(find).collect();
    if asked.len() < wanted.len() {
        next.items.extend(wanted);
        return;
    }
    if !asked.iter().all(|item| is_over(item)) {
        return;
    }
    let mut votes: Vec<Vote> = asked.iter().map(|item| vote_of(item)).collect();
    let is_by_rules = votes.iter().all(|vote| vote.verdict.is_none());
    if is_by_rules {
        let own = looked_at(result).into_iter().map(|verdict| Vote {
            reviewer: "rules".to_owned(),
            weight: 1.0,
            verdict: Some(verdict),
            absent: None,
        });
        votes.extend(own);
    }
    // What a team asks of its reviewers is not asked of rules, which see less.
    let own = Policy::default();
    let policy = if is_by_rules { &own } else { policy };
    let decision =
        SessionDecision { by_rules: is_by_rules, ..by_policy(policy, (work.key.clone(), now), votes) };
    follow(session, work, &decision, next);
    next.decisions.push(decision);
}

/// Returns what follows from what reviewers say.
pub(super) fn by_policy(
    policy: &Policy,
    (key, at): (String, Timestamp),
    mut votes: Vec<Vote>,
) -> SessionDecision {
    for vote in &mut votes {
        vote.weight = policy.weight(&vote.reviewer);
    }
    let said = votes.iter().filter_map(|vote| Some((vote.reviewer.as_str(), vote.verdict.as_ref()?)));
    let Decided { decision, rule } = policy.decide(&said.collect::<Vec<_>>());
    SessionDecision { key, at, decision, rule, votes, by_rules: false }
}

/// Counts the reviews that people asked for since the change was there.
fn asked_of(session: &Session, work: &SessionItem, run: &SessionRun) -> usize {
    let is_about = |worker: &Option<String>| worker.as_ref().is_none_or(|name| name == author(work, run));
    let is_later = |at: Timestamp| run.ended_at.is_none_or(|ended| at >= ended);
    session.asked.iter().filter(|asked| is_about(&asked.worker) && is_later(asked.at)).count()
}

/// Returns who changed what a run changed: not whoever was asked first, where another agent went on.
fn author<'a>(work: &'a SessionItem, run: &'a SessionRun) -> &'a str {
    run.result.as_ref().and_then(|result| result["agent"].as_str()).unwrap_or(&work.agent)
}

fn follow(session: &Session, work: &SessionItem, decided: &SessionDecision, next: &mut Next) {
    // Which of several tries is merged follows from all of them.
    if contest::is_try(work) {
        return;
    }
    match decided.decision {
        Decision::Continue | Decision::LogWarning => next.items.push(merge_of(work)),
        Decision::PauseAndClarify => match rounds::of_concerns(session, work, decided) {
            Some(again) => next.items.push(again),
            None => next.person = Some(format!("\"{}\" still has concerns after every round", work.title)),
        },
        Decision::StopAndEscalate => {
            next.stop = Some(format!(
                "\"{}\" must not be merged ({}): {}",
                work.title,
                decided.rule,
                reasons(decided)
            ));
        }
    }
}

/// Tells whether an item can be made: a piece of work waits for what it builds on to be on the session's branch, and for room
/// in its group.
pub(super) fn is_ready(session: &Session, item: &SessionItem) -> bool {
    let is_there = |key: &String| is_delivered(session, key) || may_do_without(session, key);
    item.kind != ItemKind::Work || (has_room(session, item) && item.depends_on.iter().all(is_there))
}

fn has_room(session: &Session, item: &SessionItem) -> bool {
    let Some(group) = &item.wishes.group else { return true };
    let is_beside = |other: &&SessionItem| {
        let is_same = other.wishes.group.as_ref().is_some_and(|other| other.name == group.name);
        is_same && other.key != item.key && other.work_item_id.is_some() && !is_over(other)
    };
    let busy = planned(session).filter(is_beside).count();
    group.concurrency.is_none_or(|most| busy < most as usize)
}

fn planned(session: &Session) -> impl Iterator<Item = &SessionItem> {
    session.items.iter().filter(|item| item.kind == ItemKind::Work)
}

/// Tells whether a piece failed for good, and its plan lets what builds on it begin all the same.
fn may_do_without(session: &Session, key: &str) -> bool {
    let may_fail = planned(session).any(|item| is_of(item, key) && item.wishes.may_fail());
    may_fail && is_lost(session, key, &Next::default())
}

/// Tells whether no round of a piece came to anything, and none is left.
fn is_lost(session: &Session, key: &str, next: &Next) -> bool {
    let is_of = |item: &&SessionItem| item.kind == ItemKind::Work && is_of(item, key);
    let is_spent = |work: &SessionItem| {
        let merge = format!("{}.merge", work.key);
        let merge = session.items.iter().find(|item| item.key == merge);
        is_over(work) && (!is_done(work) || merge.is_some_and(is_over))
    };
    !is_delivered(session, key)
        && !next.items.iter().any(|item| is_of(&item))
        && session.items.iter().filter(is_of).all(is_spent)
}

/// Tells whether an item is a round of a piece, or a try at it.
fn is_of(item: &SessionItem, key: &str) -> bool {
    rounds::is_of(item, key) || contest::is_try_at(item, key)
}

/// Tells whether a piece is done in one of its rounds: merged, or an answer that needs no merging.
pub(super) fn is_delivered(session: &Session, key: &str) -> bool {
    let rounds = session.items.iter().filter(|item| item.kind == ItemKind::Work && is_of(item, key));
    rounds.filter(|item| is_done(item)).any(|work| {
        let merge = format!("{}.merge", work.key);
        with_change(work).is_none() || session.items.iter().any(|item| item.key == merge && is_done(item))
    })
}

/// Returns what a person decides about everything that reviewers, or rules, keep from being merged: that it goes on.
pub(crate) fn overruled(session: &Session, now: Timestamp) -> Vec<SessionDecision> {
    let mut last: BTreeMap<&str, &SessionDecision> = BTreeMap::new();
    for decision in &session.decisions {
        last.insert(&decision.key, decision);
    }
    let is_held = |decision: &&&SessionDecision| match decision.decision {
        Decision::StopAndEscalate => true,
        // One that had its rounds is not done again, so that only a person is left.
        Decision::PauseAndClarify => !session.items.iter().any(|item| rounds::is_after(item, &decision.key)),
        Decision::Continue | Decision::LogWarning => false,
    };
    let over = |decision: &&SessionDecision| SessionDecision {
        key: decision.key.clone(),
        at: now,
        decision: Decision::Continue,
        rule: A_PERSON.to_owned(),
        votes: Vec::new(),
        by_rules: false,
    };
    last.values().filter(is_held).map(over).collect()
}

/// Returns why, in the reviewers' words.
pub(super) fn reasons(decided: &SessionDecision) -> String {
    let said = decided.votes.iter().filter_map(|vote| {
        let verdict = vote.verdict.as_ref()?;
        Some(format!("{} says: {}", vote.reviewer, verdict.text))
    });
    said.collect::<Vec<_>>().join("; ")
}

/// Returns the item that makes another one's change part of the session's branch.
pub(super) fn merge_of(work: &SessionItem) -> SessionItem {
    let title = format!("merge: {}", work.title);
    let depends_on = vec![work.key.clone()];
    // What the plan wants of the result is what the integrator is told.
    let validator = work.wishes.validator.clone().unwrap_or_default();
    item(format!("{}.merge", work.key), ItemKind::Merge, title, validator, INTEGRATOR).after(depends_on)
}

fn review_of(
    session: &Session,
    work: &SessionItem,
    (result, round): (&Value, usize),
    agent: &str,
) -> SessionItem {
    let first = rounds::first_of(session, work);
    let acceptance =
        first.acceptance.as_ref().map(|text| format!("\n\nIt is done when:\n\n{text}")).unwrap_or_default();
    let prompt = format!(
        "You review another agent's work. You can look at everything and change nothing: the working tree here has the change \
         already.\n\nThe task was:\n\n{}\n\nThe agent says:\n\n{}\n\nThe change:\n\n{}{}\n\nAnswer with one JSON object and \
         nothing else: {{\"verdict\": \"approved\" | \"concern\" | \"blocker\", \"severity\": \"low\" | \"medium\" | \"high\" | \
         \"critical\", \"text\": \"why, in at most 200 words\"}}. \"blocker\" means that it must not be merged; \"concern\" that \
         something should be talked about first.",
        first.prompt,
        result["answer"].as_str().unwrap_or("nothing"),
        change_of(result),
        acceptance,
    );
    let title = format!("review by {agent}: {}", work.title);
    let again = if round == 0 { String::new() } else { format!("-{}", round + 1) };
    let key = format!("{}.review{again}.{agent}", work.key);
    item(key, ItemKind::Review, title, prompt, agent).after(vec![work.key.clone()])
}

/// Makes an item that nobody has made yet.
pub(super) fn item(key: String, kind: ItemKind, title: String, prompt: String, agent: &str) -> SessionItem {
    SessionItem {
        key,
        kind,
        title,
        prompt,
        agent: agent.to_owned(),
        why: None,
        model: None,
        depends_on: Vec::new(),
        acceptance: None,
        timeout_ms: None,
        definition: None,
        wishes: Wishes::default(),
        part: Part::default(),
        tag: None,
        work_item_id: None,
        status: None,
        runs: Vec::new(),
    }
}

trait After {
    fn after(self, keys: Vec<String>) -> Self;
}

impl After for SessionItem {
    fn after(mut self, keys: Vec<String>) -> Self {
        self.depends_on = keys;
        self
    }
}

/// Returns the change in words: as a patch where that is short, and otherwise the files.
pub(super) fn change_of(result: &Value) -> String {
    patch_of(result).unwrap_or_else(|| {
        let files = result["change"]["files"].as_array().into_iter().flatten();
        let lines =
            files.filter_map(|file| Some(format!("{} {}", file["status"].as_str()?, file["path"].as_str()?)));
        lines.collect::<Vec<_>>().join("\n")
    })
}

fn patch_of(result: &Value) -> Option<String> {
    let file = File::open(result["change"]["patch"].as_str()?).ok()?;
    let is_short = file.metadata().is_ok_and(|data| data.len() <= PATCH_BYTES_MAX);
    let mut bytes = Vec::new();
    (is_short && file.take(PATCH_BYTES_MAX).read_to_end(&mut bytes).is_ok())
        .then(|| String::from_utf8_lossy(&bytes).into_owned())
}

fn looked_at(result: &Value) -> Vec<Verdict> {
    let change = &result["change"];
    let files = change["files"].as_array().into_iter().flatten();
    let patch = patch_of(result).unwrap_or_default();
    let number = |name: &str| change[name].as_u64().unwrap_or(0);
    by_rules(&Looks {
        paths: files.filter_map(|file| file["path"].as_str()).collect(),
        lines: number("insertions").saturating_add(number("deletions")),
        added: patch.lines().filter_map(|line| line.strip_prefix('+')).collect(),
    })
}

pub(super) fn vote_of(item: &SessionItem) -> Vote {
    let run = item.runs.last();
    let said = run.and_then(|run| run.result.as_ref()).map(|result| result["verdict"].clone());
    let verdict = said.and_then(|verdict| serde_json::from_value(verdict).ok());
    let why = || {
        run.and_then(|run| run.error.as_ref())
            .map_or_else(|| "it did not answer".to_owned(), |error| error.message.clone())
    };
    let absent = if verdict.is_none() { Some(why()) } else { None };
    Vote { reviewer: item.agent.clone(), weight: 1.0, verdict, absent }
}

pub(super) fn with_change(work: &SessionItem) -> Option<&SessionRun> {
    work.runs.last().filter(|run| run.result.as_ref().is_some_and(|result| result["change"].is_object()))
}

pub(super) fn is_done(item: &SessionItem) -> bool {
    item.status.as_deref() == Some("succeeded")
}

pub(super) fn is_over(item: &SessionItem) -> bool {
    matches!(item.status.as_deref(), Some("succeeded" | "failed" | "cancelled" | "archived" | "blocked"))
}

#[cfg(test)]
mod tests;
