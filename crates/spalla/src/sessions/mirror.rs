//! What agents told, mirrored into the session's workspace: one file for each agent, one event on a line; and one file for each
//! review, with what the reviewer said.

use super::advance::{is_over, vote_of};
use super::workspace::Workspace;
use crate::failure::{Result, file};
use serde_json::{Value, json};
use spalla_crash::crash_point;
use spalla_domain::session::{ItemKind, Session};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The folder of the reviews.
const REVIEWS: &str = "reviews";

/// Writes the events of all runs that are known, agent by agent, in the order of the items, and the reviews. Doing so again gives
/// the same.
pub(super) fn write(workspace: &Workspace, session: &Session) -> Result<()> {
    write_events(workspace, session)?;
    write_reviews(workspace, session)
}

fn write_reviews(workspace: &Workspace, session: &Session) -> Result<()> {
    let reviews: Vec<_> =
        session.items.iter().filter(|item| item.kind == ItemKind::Review && is_over(item)).collect();
    if reviews.is_empty() {
        return Ok(());
    }
    let folder = workspace.folder(REVIEWS)?;
    for review in reviews {
        let vote = vote_of(review);
        let told = json!({
            "session_id": session.id, "key": review.key, "title": review.title, "reviewer": vote.reviewer,
            "about": review.depends_on.first(), "run_id": review.runs.last().map(|run| run.run_id),
            "verdict": vote.verdict, "absent": vote.absent,
        });
        write_file(&folder.join(format!("{}.json", name_of(&review.key))), &format!("{told:#}\n"))?;
    }
    Ok(())
}

/// Returns a key as the name of a file: whatever else stands in it is an underscore.
fn name_of(key: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    key.chars().map(|c| if is_plain(c) { c } else { '_' }).collect()
}

fn write_events(workspace: &Workspace, session: &Session) -> Result<()> {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for run in session.items.iter().flat_map(|item| &item.runs) {
        let Some(path) = run.result.as_ref().and_then(|result| result["events"].as_str()) else { continue };
        let Ok(text) = fs::read_to_string(path) else { continue };
        for line in text.lines() {
            let Ok(mut event) = serde_json::from_str::<Value>(line) else { continue };
            event["session_id"] = Value::from(session.id.as_str());
            let agent = event["agent"].as_str().filter(|name| is_plain(name)).unwrap_or("agent").to_owned();
            let lines = files.entry(agent).or_default();
            lines.push_str(&event.to_string());
            lines.push('\n');
        }
    }
    for (agent, lines) in files {
        let path = workspace.path().join(format!("{agent}.jsonl"));
        write_file(&path, &(of_others(&path, &session.id) + &lines))?;
    }
    Ok(())
}

/// Returns what stands in a file of events of other sessions, which had the same folder as their workspace.
fn of_others(path: &Path, session: &str) -> String {
    let Ok(text) = fs::read_to_string(path) else { return String::new() };
    let is_other = |line: &&str| {
        let event: Option<Value> = serde_json::from_str(line).ok();
        event.is_some_and(|event| event["session_id"].as_str().is_some_and(|id| id != session))
    };
    text.lines().filter(is_other).map(|line| format!("{line}\n")).collect()
}

fn write_file(path: &Path, lines: &str) -> Result<()> {
    crash_point!("orchestrate.mirror.write", fs::write(path, lines)).map_err(file("writing", path))
}

/// The name of an agent is that of a file here.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}
