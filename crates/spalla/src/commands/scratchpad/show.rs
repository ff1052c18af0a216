//! `spalla scratchpad list|show|stats`: which there are, how one is, and how much is in it.

use super::{One, Place};
use crate::failure::Result;
use crate::output;
use crate::scratchpads::{failure, now};
use clap::Args;
use serde_json::{Value, json};
use spalla_scratchpad::{Stats, View};

/// How they are listed.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Prints the list as JSON
    #[arg(long)]
    json: bool,
}

impl List {
    pub(super) fn run(self, place: &Place) -> Result<()> {
        let (views, errors) = place.scratchpads.list(now()).map_err(failure)?;
        errors.iter().for_each(|error| tracing::warn!("{error}"));
        if self.json {
            return output::json(&views.iter().map(as_json).collect::<Vec<_>>());
        }
        if views.is_empty() {
            return output::line(output::quiet("no scratchpads; `spalla scratchpad create` makes one"));
        }
        output::table(
            &["id", "state", "created", "expires", "session", "agent", "task"],
            views.iter().map(row).collect(),
        )
    }
}

fn row(view: &View) -> Vec<String> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    vec![
        view.id.to_string(),
        view.state.as_str().to_owned(),
        view.created_at.to_string(),
        view.expires_at.map(|at| at.to_string()).unwrap_or_default(),
        text(&view.session),
        text(&view.agent),
        view.task.split_whitespace().collect::<Vec<_>>().join(" "),
    ]
}

/// Returns a scratchpad as programs read it.
pub(super) fn as_json(view: &View) -> Value {
    let target = view.target.as_ref();
    json!({
        "id": view.id, "task": view.task, "state": view.state, "path": view.path, "template": view.template,
        "session": view.session, "agent": view.agent, "created_at": view.created_at,
        "updated_at": view.updated_at, "expires_at": view.expires_at, "exported_to": view.exported_to,
        "target": target.map(|target| &target.path),
        "target_commit": target.and_then(|target| target.commit.as_ref()),
        "target_branch": target.and_then(|target| target.branch.as_ref()),
    })
}

/// Prints one.
pub(super) fn print(view: &View, as_json_text: bool) -> Result<()> {
    if as_json_text { output::json(&as_json(view)) } else { output::members(&as_json(view)) }
}

/// Prints the folder of a new one alone, for scripts.
pub(super) fn made(view: &View) -> Result<()> {
    output::line(output::plain(&view.path.to_string_lossy()))
}

/// Shows one.
pub(super) fn show(place: &Place, one: &One) -> Result<()> {
    let view = place.scratchpads.show(&place.id(&one.id)?, now()).map_err(failure)?;
    print(&view, one.json)
}

/// Counts what is in one.
pub(super) fn stats(place: &Place, one: &One) -> Result<()> {
    let stats = place.scratchpads.stats(&place.id(&one.id)?, now()).map_err(failure)?;
    if one.json { output::json(&stats) } else { table(&stats) }
}

fn table(stats: &Stats) -> Result<()> {
    let row =
        |name: &str, files: u64, size_kb: u64| vec![name.to_owned(), files.to_string(), size_kb.to_string()];
    let mut rows: Vec<_> = stats
        .folders
        .iter()
        .map(|(name, folder)| row(&format!("{name}/"), folder.files, folder.size_kb))
        .collect();
    rows.push(row("in all", stats.total_files, stats.workspace_size_kb));
    output::table(&["folder", "files", "size_kb"], rows)?;
    if !stats.is_whole {
        output::line(output::notable("not everything was counted: it is too deep, too much, or closed"))?;
    }
    if stats.is_over_quota {
        let (files, megabytes) = (stats.quota_files, stats.quota_bytes >> 20);
        output::line(output::bad(format!("over its quota of {files} files and {megabytes} MiB")))?;
    }
    Ok(())
}
