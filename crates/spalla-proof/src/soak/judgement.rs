//! Holds what was acknowledged against what is recorded. Pure, so that its tests can show that it finds what it is for.

use super::ledger::{Event, Ledger, Nature, Promise, Record};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Judgement {
    /// How many submissions reached their end.
    pub(crate) completed: usize,
    /// Acknowledged things that are not there, or came to no end.
    pub(crate) lost: Vec<String>,
    /// Things that happened twice.
    pub(crate) doubled: Vec<String>,
    /// Writes under an old token that left a trace.
    pub(crate) stale: Vec<String>,
    /// Whatever else the record can't explain.
    pub(crate) violations: Vec<String>,
}

/// Compares the two.
pub(crate) fn judge(ledger: &Ledger, record: &Record) -> Judgement {
    let mut judgement = Judgement::default();
    let history = History::of(record, &mut judgement);
    for promise in &ledger.promises {
        match end_of(promise, record, &history) {
            End::Reached => judgement.completed += 1,
            End::Odd(why) => {
                judgement.completed += 1;
                judgement.violations.push(why);
            }
            End::Lost(why) => judgement.lost.push(why),
        }
    }
    judgement.submissions(ledger, record);
    judgement.acknowledged(ledger, record, &history);
    judgement.logs(ledger, record);
    judgement.tokens(record);
    judgement.order(ledger, &history);
    judgement.runs(record, &history);
    judgement.violations.extend(ledger.faults.iter().cloned());
    judgement.stale.extend(ledger.stale_accepted.iter().cloned());
    judgement
}

/// What the events tell of each item and run.
#[derive(Default)]
struct History {
    /// The numbers at which a run of the item was first made or claimed.
    begun: BTreeMap<i64, i64>,
    /// The number of the item's first success.
    succeeded: BTreeMap<i64, i64>,
    approved: BTreeMap<i64, i64>,
    requeued: BTreeMap<i64, usize>,
    ends: BTreeMap<i64, Vec<(String, Option<i64>)>>,
    lost_items: BTreeSet<i64>,
}

impl History {
    fn of(record: &Record, judgement: &mut Judgement) -> Self {
        let mut history = Self::default();
        let (mut last, mut done) = (0, BTreeSet::new());
        for event in &record.events {
            if event.id <= last {
                judgement.violations.push(format!("event {} came after event {last}", event.id));
            }
            last = event.id;
            history.take(event, &mut done, judgement);
        }
        history
    }

    fn take(&mut self, event: &Event, done: &mut BTreeSet<i64>, judgement: &mut Judgement) {
        let (item, run) = (event.item.unwrap_or_default(), event.run.unwrap_or_default());
        match event.kind.as_str() {
            "run.created" | "run.claimed" => {
                self.begun.entry(item).or_insert(event.id);
                if done.contains(&item) {
                    let what = format!("item {item} was begun again by {} after its success", event.id);
                    judgement.doubled.push(what);
                }
            }
            "approval.decided" if event.payload["status"] == "approved" => {
                self.approved.insert(item, event.id);
            }
            "work_item.requeued" => {
                *self.requeued.entry(item).or_default() += 1;
                done.remove(&item);
            }
            "run.succeeded" => {
                self.succeeded.entry(item).or_insert(event.id);
                if !done.insert(item) {
                    let what = format!("item {item} succeeded again with run {run}, event {}", event.id);
                    judgement.doubled.push(what);
                }
                self.end(run, event);
            }
            "run.lost" => {
                self.lost_items.insert(item);
                self.end(run, event);
            }
            "run.failed" | "run.cancelled" => self.end(run, event),
            _ => {}
        }
    }

    fn end(&mut self, run: i64, event: &Event) {
        let status = event.kind.trim_start_matches("run.").to_owned();
        self.ends.entry(run).or_default().push((status, event.payload["fence"].as_i64()));
    }
}

enum End {
    Reached,
    /// An end, but none that the item was made for.
    Odd(String),
    Lost(String),
}

fn end_of(promise: &Promise, record: &Record, history: &History) -> End {
    let Promise { item, title, nature, .. } = promise;
    let Some(found) = record.items.get(item) else {
        return End::Lost(format!("item {item} ({title}) does not exist"));
    };
    if found.title != *title {
        return End::Lost(format!("item {item} is {:?}, not {title:?}", found.title));
    }
    let status = found.status.as_str();
    let over_parents = ["failed", "cancelled", "blocked", "archived"];
    let is_stuck = |parent: &i64| {
        record.items.get(parent).is_some_and(|parent| over_parents.contains(&parent.status.as_str()))
    };
    let has_cause = promise.parents.iter().any(is_stuck);
    let as_made = match (status, nature) {
        ("succeeded", Nature::Sound | Nature::Slow) => true,
        ("failed", Nature::Doomed) | ("cancelled", Nature::Slow) => true,
        // Barred by its nature, or because what it waits for was given up.
        ("blocked", _) => has_cause,
        // After too many holders vanished an attempt is lost like a failure.
        ("failed", _) => history.lost_items.contains(item),
        _ => false,
    };
    match status {
        "succeeded" if promise.leaves_line && !record.executions.contains_key(item) => {
            End::Lost(format!("item {item} ({title}) succeeded, and was never carried out"))
        }
        "blocked" if !has_cause => End::Lost(format!("item {item} ({title}) is blocked by nothing")),
        "succeeded" | "failed" | "cancelled" | "blocked" if as_made => End::Reached,
        "succeeded" | "failed" | "cancelled" => {
            End::Odd(format!("item {item} ({title}, {nature:?}) ended as {status}"))
        }
        _ => End::Lost(format!("item {item} ({title}) is still {status}")),
    }
}

impl Judgement {
    /// Each submission made one item, however often it was sent.
    fn submissions(&mut self, ledger: &Ledger, record: &Record) {
        let mut titles: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
        for (id, item) in &record.items {
            titles.entry(&item.title).or_default().push(*id);
        }
        for promise in &ledger.promises {
            let made = titles.get(promise.title.as_str()).map_or(&[][..], Vec::as_slice);
            if made.len() > 1 {
                self.doubled.push(format!("{} made the items {made:?}", promise.title));
            }
        }
    }

    fn acknowledged(&mut self, ledger: &Ledger, record: &Record, history: &History) {
        for (run, token) in &ledger.completed {
            let ends = history.ends.get(run).map_or(&[][..], Vec::as_slice);
            if !ends.contains(&("succeeded".to_owned(), Some(*token))) {
                self.lost.push(format!("the good end of run {run} under token {token}; recorded: {ends:?}"));
            }
        }
        for (run, item) in &ledger.cancelled {
            if record.runs.get(run).is_none_or(|run| run.status != "cancelled") {
                self.lost.push(format!("the cancel of run {run} of item {item}"));
            }
        }
        for (item, count) in &ledger.requeued {
            let recorded = history.requeued.get(item).copied().unwrap_or_default();
            if recorded < *count {
                self.lost
                    .push(format!("{count} requeues of item {item} were confirmed, {recorded} recorded"));
            }
            if recorded > *count {
                let what = format!("{count} requeues of item {item} were asked for, {recorded} recorded");
                self.doubled.push(what);
            }
        }
    }

    fn logs(&mut self, ledger: &Ledger, record: &Record) {
        for (run, line) in &ledger.lines {
            let Some(log) = record.logs.get(run) else { continue };
            if !log.lines().any(|found| found == line) {
                self.lost.push(format!("the line {line:?} of run {run}"));
            }
        }
        for (run, text) in &ledger.stale_tried {
            if record.logs.get(run).is_some_and(|log| log.contains(text)) {
                self.stale.push(format!("the log of run {run} has {text:?}"));
            }
        }
    }

    /// Whoever has a run writes its token; an older one never comes after a newer one.
    fn tokens(&mut self, record: &Record) {
        for (run, log) in &record.logs {
            let mut newest = 0;
            for line in log.lines() {
                let Some(token) = token_of(line) else { continue };
                if token < newest {
                    self.stale.push(format!("the log of run {run} has {line:?} after token {newest}"));
                }
                newest = newest.max(token);
            }
        }
    }

    /// Nothing began before what it waits for.
    fn order(&mut self, ledger: &Ledger, history: &History) {
        let sound: BTreeSet<i64> =
            ledger.promises.iter().filter(|p| p.nature == Nature::Sound).map(|p| p.item).collect();
        for promise in &ledger.promises {
            let Some(begun) = history.begun.get(&promise.item) else { continue };
            for parent in promise.parents.iter().filter(|parent| sound.contains(parent)) {
                if history.succeeded.get(parent).is_none_or(|done| done > begun) {
                    let what = format!("item {} began at {begun}, before its parent {parent}", promise.item);
                    self.violations.push(what);
                }
            }
        }
        for item in &ledger.approved {
            let (begun, approved) = (history.begun.get(item), history.approved.get(item));
            if begun.is_some_and(|begun| approved.is_none_or(|approved| approved > begun)) {
                self.violations.push(format!("item {item} began without approval"));
            }
        }
    }

    /// Each run ended once, and as the events say.
    fn runs(&mut self, record: &Record, history: &History) {
        for (id, run) in &record.runs {
            let ends = history.ends.get(id).map_or(&[][..], Vec::as_slice);
            match ends {
                [] => self.violations.push(format!("run {id} is {} and no event says so", run.status)),
                [(status, _)] if *status == run.status => {}
                [(status, _)] => {
                    self.violations.push(format!("run {id} is {}, its event says {status}", run.status));
                }
                several => self.doubled.push(format!("run {id} ended several times: {several:?}")),
            }
        }
        for run in history.ends.keys().filter(|run| !record.runs.contains_key(run)) {
            self.lost.push(format!("run {run}, whose end is an event"));
        }
        let mut successes: BTreeMap<i64, usize> = BTreeMap::new();
        for run in record.runs.values().filter(|run| run.status == "succeeded") {
            *successes.entry(run.item).or_default() += 1;
        }
        for (item, count) in successes {
            let allowed = 1 + history.requeued.get(&item).copied().unwrap_or_default();
            if count > allowed {
                self.doubled
                    .push(format!("item {item} has {count} successful runs, {allowed} are explained"));
            }
        }
    }
}

/// Returns the token under which a worker, real or by hand, says that it is at work.
fn token_of(line: &str) -> Option<i64> {
    let (_, under) = line.rsplit_once(" under ")?;
    under.trim_start_matches("token ").parse().ok()
}

/// Reads an event from the data of a server-sent one.
pub(crate) fn event(data: &Value) -> Option<Event> {
    Some(Event {
        id: data["id"].as_i64()?,
        kind: data["type"].as_str()?.to_owned(),
        item: data["work_item_id"].as_i64(),
        run: data["run_id"].as_i64(),
        payload: data["payload"].clone(),
    })
}

#[cfg(test)]
mod tests;
