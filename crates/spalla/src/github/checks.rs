//! A check run for what the verifier found: one for each commit, with its places as annotations.

use super::api::Api;
use super::place::Repository;
use crate::ci::{Found, Gathered, Hidden, Level, Verdict};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use serde_json::{Value, json};
use spalla_domain::github::inline;
use spalla_domain::session::{ItemKind, Session};
use std::fmt::Write as _;

/// What the check is called.
const NAME: &str = "Spalla verifier";
/// How many annotations GitHub takes in one call.
const AT_ONCE: usize = 50;
/// How many are written at all.
const ANNOTATIONS_MAX: usize = 500;
/// The longest message of one, in bytes; GitHub takes 64 KiB.
const MESSAGE_BYTES_MAX: usize = 8 * 1024;
/// How many cases the summary names.
const CASES_SHOWN: usize = 100;

/// Writes the check run of a commit, or changes the one that is there. Where the token may not, a status says at least how it
/// ended: check runs are for apps alone.
pub(super) async fn write(
    api: &Api,
    repository: &Repository,
    session: &Session,
    commit: &str,
    hidden: &Hidden,
) -> Result<()> {
    let gathered = Gathered::of(session, Exit::Done);
    let conclusion = conclusion(session);
    let annotations: Vec<Value> =
        gathered.found.iter().filter_map(|found| annotation(found, hidden)).collect();
    let annotations = &annotations[..annotations.len().min(ANNOTATIONS_MAX)];
    let summary = summary(&gathered, hidden);
    let mut parts = annotations.chunks(AT_ONCE);
    let output = |part: &[Value]| json!({"title": format!("Spalla: {conclusion}"), "summary": summary, "annotations": part});
    let first = json!({"name": NAME, "head_sha": commit, "external_id": session.id, "status": "completed",
        "conclusion": conclusion, "output": output(parts.next().unwrap_or_default())});
    let id = match put(api, repository, session, commit, &first).await {
        Ok(id) => id,
        Err(refused) => return status(api, repository, commit, conclusion).await.map_err(|_| refused),
    };
    for part in parts {
        let more = json!({"output": output(part)});
        api.patch(&repository.path(&format!("/check-runs/{id}")), &more).await?;
    }
    Ok(())
}

async fn put(
    api: &Api,
    repository: &Repository,
    session: &Session,
    commit: &str,
    run: &Value,
) -> Result<u64> {
    let name: String = url::form_urlencoded::byte_serialize(NAME.as_bytes()).collect();
    let path = repository.path(&format!("/commits/{commit}/check-runs?per_page=100&check_name={name}"));
    let known = api.list(&path).await?;
    let known =
        known.iter().find(|known| known["external_id"] == session.id.as_str() && known["name"] == NAME);
    let answer = match known.and_then(|known| known["id"].as_u64()) {
        // Its annotations would be added to those that are there.
        Some(id) => {
            let mut run = run.clone();
            if known.is_some_and(|known| known["output"]["annotations_count"].as_u64() > Some(0)) {
                run["output"]["annotations"] = json!([]);
            }
            api.patch(&repository.path(&format!("/check-runs/{id}")), &run).await?
        }
        None => api.post(&repository.path("/check-runs"), run).await?,
    };
    answer["id"].as_u64().ok_or_else(|| Failure::failed("GitHub's check run has no id"))
}

async fn status(api: &Api, repository: &Repository, commit: &str, conclusion: &str) -> Result<()> {
    let state = match conclusion {
        "success" | "neutral" => "success",
        _ => "failure",
    };
    let wish = json!({"state": state, "context": NAME, "description": format!("Spalla: {conclusion}")});
    api.post(&repository.path(&format!("/statuses/{commit}")), &wish).await.map(drop)
}

/// Red where a merge's checks were red for good, green where all were green, and neutral where they could not be made.
fn conclusion(session: &Session) -> &'static str {
    let merges = session.items.iter().filter(|item| item.kind == ItemKind::Merge);
    let newest = merges.filter_map(|item| Some((item, item.runs.last()?)));
    let mut all = (false, false);
    for (item, run) in newest {
        let state = run.result.as_ref().and_then(|result| result["verified"]["state"].as_str());
        match (item.status.as_deref(), state) {
            (Some("succeeded"), Some("verified")) => all.0 = true,
            (Some("succeeded"), _) => all.1 = true,
            // One that was done again stands beside the next.
            _ => {}
        }
    }
    match (session.status.as_str(), all) {
        ("failed" | "stopped", _) => "failure",
        (_, (true, false)) => "success",
        _ => "neutral",
    }
}

fn annotation(found: &Found, hidden: &Hidden) -> Option<Value> {
    let level = match found.level {
        Level::Error => "failure",
        Level::Warning => "warning",
        Level::Note => "notice",
    };
    let line = found.line?;
    let message = hidden.text(&found.message);
    let message = &message[..message.floor_char_boundary(MESSAGE_BYTES_MAX)];
    let message = if message.trim().is_empty() { found.rule.as_str() } else { message };
    Some(
        json!({"path": found.file.as_ref()?, "start_line": line, "end_line": line, "annotation_level": level,
        "title": found.rule, "message": message}),
    )
}

fn summary(gathered: &Gathered, hidden: &Hidden) -> String {
    let mut text = format!("Session `{}`\n\n", gathered.session);
    let shown = |name: &str| inline(&hidden.text(name));
    for case in gathered.cases().take(CASES_SHOWN) {
        let word = match case.verdict {
            Verdict::Passed => "passed",
            Verdict::Failed(_) => "**failed**",
            Verdict::Broken(_) => "**not done**",
            Verdict::Skipped(_) => "left out",
        };
        let name = &case.name[..case.name.floor_char_boundary(300)];
        let _ = writeln!(text, "- {word}: {}", shown(name));
    }
    let without = gathered.found.iter().filter(|found| found.file.is_none() || found.line.is_none());
    for found in without.take(CASES_SHOWN) {
        let message = &found.message[..found.message.floor_char_boundary(300)];
        let _ = writeln!(text, "- {}: {}", found.level.as_str(), shown(message));
    }
    text
}
