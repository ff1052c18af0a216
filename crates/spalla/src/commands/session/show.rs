//! `spalla session show`: one session on one page. The words of agents and goals are foreign: they are shown, and steer
//! nothing.

use super::Which;
use super::list::{done_of, is_left, standing};
use crate::cli::Global;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::output::{self, plain};
use crate::sessions::SessionFolder;
use clap::Args;
use serde_json::{Value, json};
use spalla_domain::session::{ItemKind, Session, SessionItem, SessionStatus, UsageTotal};
use std::fmt::Write as _;

/// How many digits of a commit are shown.
const COMMIT_DIGITS: usize = 12;

/// Which session, and how it is shown.
#[derive(Debug, Args)]
pub(crate) struct Show {
    #[command(flatten)]
    which: Which,
    /// Prints the session as JSON
    #[arg(long)]
    json: bool,
}

impl Show {
    pub(super) fn run(self, global: &Global) -> Result<Exit> {
        let folder = self.which.find(global)?;
        let session = folder.read()?;
        if self.json {
            output::json(&as_json(&session, &folder)?)?;
        } else {
            page(&session, &folder)?;
        }
        Ok(Exit::Done)
    }
}

/// Returns the record, and what follows from it.
fn as_json(session: &Session, folder: &SessionFolder) -> Result<Value> {
    let mut value = serde_json::to_value(session)
        .map_err(|error| Failure::failed(format!("writing the session as JSON: {error}")))?;
    value["usage"] = json!(session.usage());
    value["sandbox"] = json!(session.sandbox());
    value["is_pursued"] = json!(folder.is_pursued());
    value["branch"] = json!(session.base.is_some().then(|| session.branch()));
    value["repository"] = json!(session.base.is_some().then(|| folder.repository()));
    Ok(value)
}

fn page(session: &Session, folder: &SessionFolder) -> Result<()> {
    let facts = facts(session, folder);
    let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    for (name, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
        output::line(format_args!("{name:width$}  {}", plain(value)))?;
    }
    output::line("\ngoal:")?;
    session.goal.lines().try_for_each(|line| output::line(format_args!("  {}", plain(line))))?;
    if !session.items.is_empty() {
        output::line("")?;
        let headings = ["key", "kind", "status", "runs", "agent", "title"];
        output::table(&headings, session.items.iter().map(row).collect())?;
    }
    complaints(session)?;
    if is_left(folder, session) {
        let id = &session.id;
        output::line(output::quiet(format_args!("\ngo on with it: spalla session resume {id}")))?;
    }
    next(session)
}

fn facts(session: &Session, folder: &SessionFolder) -> Vec<(&'static str, String)> {
    let (done, all) = done_of(session);
    let has_branch = session.base.is_some();
    let only = |text: String| if has_branch { text } else { String::new() };
    let mut facts = vec![
        ("session", session.id.clone()),
        ("status", format!("{}, {done} of {all} done", standing(folder, session))),
        ("began", session.created_at.to_string()),
        ("ended", session.ended_at.map(|at| at.to_string()).unwrap_or_default()),
        ("tier", session.tier.to_string()),
        ("agents", session.agents.join(", ")),
        ("target", session.target.clone()),
        ("base", base(session)),
        ("branch", only(session.branch())),
        ("repository", only(folder.repository().display().to_string())),
        ("workspace", session.workspace.clone()),
        ("report", session.report.clone().unwrap_or_default()),
        ("usage", usage(&session.usage())),
        ("sandbox", walls(session)),
    ];
    for applied in &session.applied {
        let as_what = applied.target_commit.as_deref().map(|commit| format!(" as {}", short(commit)));
        let what = format!("{} at {}{}", short(&applied.commit), applied.at, as_what.unwrap_or_default());
        facts.push(("applied", what));
    }
    facts
}

fn base(session: &Session) -> String {
    let Some(base) = &session.base else { return "none: this session changes nothing".to_owned() };
    let place = match (&base.branch, base.is_git) {
        (Some(branch), _) => format!(" of branch {branch}"),
        (None, true) => String::new(),
        (None, false) => " of a copy: the target is no repository".to_owned(),
    };
    format!("{}{place}", short(&base.commit))
}

fn usage(usage: &UsageTotal) -> String {
    let mut text = String::new();
    if let Some(total) = usage.total_tokens {
        let of = |part: Option<u64>| part.map_or_else(|| "unknown".to_owned(), |count| count.to_string());
        let (read, written) = (of(usage.input_tokens), of(usage.output_tokens));
        let _ = write!(text, "{total} tokens ({read} read, {written} written)");
    }
    if let Some(cost) = usage.cost_usd {
        let comma = if text.is_empty() { "" } else { ", " };
        let _ = write!(text, "{comma}{cost:.4} USD");
    }
    if usage.unknown_runs > 0 {
        let comma = if text.is_empty() { "" } else { "; " };
        let _ = write!(text, "{comma}unknown of {} runs", usage.unknown_runs);
    }
    text
}

fn walls(session: &Session) -> String {
    let Some(attested) = session.sandbox() else { return String::new() };
    let state = |state| serde_json::to_value(state).unwrap_or_default();
    let layers = attested.layers.iter().map(|layer| {
        let state = output::cell(&state(layer.state));
        format!("{} {state}", layer.layer)
    });
    let layers: Vec<_> = layers.collect();
    let refused = match attested.refused_hosts.len() {
        0 => String::new(),
        count => format!("; {count} hosts refused"),
    };
    format!("{}: {}{refused}", attested.preset, layers.join(", "))
}

fn row(item: &SessionItem) -> Vec<String> {
    let kind = match item.kind {
        ItemKind::Work => "work",
        ItemKind::Merge => "merge",
        ItemKind::Review => "review",
        ItemKind::Plan => "plan",
    };
    let status = item.status.clone().unwrap_or_else(|| "not made yet".to_owned());
    let runs = item.runs.len().to_string();
    let agent = match &item.definition {
        Some(chosen) => format!("{} as {}", item.agent, chosen.alias.as_ref().unwrap_or(&chosen.id)),
        None => item.agent.clone(),
    };
    vec![item.key.clone(), kind.to_owned(), status, runs, agent, item.title.clone()]
}

/// Says of each item why its last run failed, where it did.
fn complaints(session: &Session) -> Result<()> {
    for item in &session.items {
        let Some(error) = item.runs.last().and_then(|run| run.error.as_ref()) else { continue };
        output::line(format_args!("\n{}: {}", plain(&item.key), output::bad(plain(&error.message))))?;
    }
    Ok(())
}

/// Says what a person can do with it.
fn next(session: &Session) -> Result<()> {
    let is_over =
        matches!(session.status, SessionStatus::Done | SessionStatus::Failed | SessionStatus::Stopped);
    if session.base.is_none() || !is_over {
        return Ok(());
    }
    let id = &session.id;
    output::line(output::quiet(format_args!("\nlook at it: spalla session diff {id}")))?;
    if !session.applied.is_empty() {
        return Ok(());
    }
    output::line(output::quiet(format_args!("bring it in: spalla session apply {id}")))
}

/// Returns a commit as people write it.
pub(super) fn short(commit: &str) -> &str {
    commit.get(..COMMIT_DIGITS).unwrap_or(commit)
}
