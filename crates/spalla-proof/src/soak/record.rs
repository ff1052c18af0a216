//! Reads the whole record back: work items, runs, events, logs, and the journal of what was really executed.

use super::judgement::event;
use super::ledger::{Event, Item, Ledger, Record, Run};
use super::load::Load;
use super::rest::{Rest, Wish};
use anyhow::{Context as _, Result};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// As many as a page may have.
const PAGE: usize = 500;
/// After this long without an event there is none any more: nothing changes while the record is read.
const SILENCE: Duration = Duration::from_secs(2);
/// So many logs are read beside those that have to be.
const LOGS_SAMPLED: usize = 1_000;

/// Reads everything.
pub(crate) async fn read(rest: &Rest, load: &Load) -> Result<Record> {
    let mut record = Record {
        items: pages(rest, "/work-items/", |item| {
            Some(Item { title: text(item, "title")?, status: text(item, "status")? })
        })
        .await?,
        runs: pages(rest, "/work-items/runs", |run| {
            Some(Run { item: run["work_item_id"].as_i64()?, status: text(run, "status")? })
        })
        .await?,
        events: events(rest).await?,
        executions: executions(load)?,
        ..Record::default()
    };
    let wanted = load.note(|ledger| wanted_logs(ledger, &record));
    for run in wanted {
        let answer = rest.obtain(&Wish::get(format!("/work-items/runs/{run}/logs"))).await?;
        record.logs.insert(run, answer.body.as_str().unwrap_or_default().to_owned());
    }
    Ok(record)
}

fn text(value: &Value, name: &str) -> Option<String> {
    value[name].as_str().map(str::to_owned)
}

async fn pages<T>(rest: &Rest, path: &str, read: impl Fn(&Value) -> Option<T>) -> Result<BTreeMap<i64, T>> {
    let mut all = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let answer = rest.obtain(&Wish::get(format!("{path}?limit={PAGE}{cursor}"))).await?;
        let page = answer.body.as_array().cloned().with_context(|| format!("{path} is no list"))?;
        for entry in &page {
            let id = entry["id"].as_i64().with_context(|| format!("no id in {entry}"))?;
            all.insert(id, read(entry).with_context(|| format!("reading {entry}"))?);
            cursor = format!("&cursor={id}");
        }
        if page.len() < PAGE {
            return Ok(all);
        }
    }
}

async fn events(rest: &Rest) -> Result<Vec<Event>> {
    let mut stream = rest.events().await?;
    let (mut events, mut rest_of_line) = (Vec::new(), Vec::new());
    // No event for a while ends the reading; a server that keeps the connection alive sends comments.
    while let Ok(chunk) = tokio::time::timeout(SILENCE, stream.chunk()).await {
        let Some(chunk) = chunk.context("reading the events")? else { break };
        rest_of_line.extend_from_slice(&chunk);
        let before = events.len();
        while let Some(end) = rest_of_line.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest_of_line.drain(..=end).collect();
            if let Some(data) = line.strip_prefix(b"data: ") {
                let data = serde_json::from_slice(data).context("reading an event")?;
                events.push(event(&data).with_context(|| format!("reading {data}"))?);
            }
        }
        if events.len() == before && chunk.starts_with(b":") {
            break;
        }
    }
    Ok(events)
}

fn executions(load: &Load) -> Result<BTreeMap<i64, usize>> {
    let text = std::fs::read_to_string(&load.journal).context("reading the journal")?;
    let mut executions = BTreeMap::new();
    for line in text.lines() {
        let item = line.split(' ').next().and_then(|id| id.parse().ok());
        let item: i64 = item.with_context(|| format!("the journal has the line {line:?}"))?;
        *executions.entry(item).or_default() += 1;
    }
    Ok(executions)
}

/// Chooses the logs in which something has to be or must not be, and some others.
fn wanted_logs(ledger: &mut Ledger, record: &Record) -> BTreeSet<i64> {
    let lines = ledger.lines.iter().map(|(run, _)| *run);
    let mut wanted: BTreeSet<i64> = lines.chain(ledger.stale_tried.iter().map(|(run, _)| *run)).collect();
    let carried_out: Vec<(i64, i64)> = record
        .runs
        .iter()
        .filter(|(_, run)| run.status == "succeeded" && record.executions.contains_key(&run.item))
        .map(|(id, run)| (*id, run.item))
        .collect();
    let step = carried_out.len().div_ceil(LOGS_SAMPLED).max(1);
    for (run, item) in carried_out.into_iter().step_by(step) {
        // A worker reports an end only after its log is on the server.
        ledger.lines.push((run, format!("did {item}")));
        wanted.insert(run);
    }
    wanted
}
