//! `spalla cleanup`: removes what earlier runs and sessions left and nobody needs: folders of runs, worktrees, mirrors,
//! scratchpads whose time is over, and the beginnings of long logs. It says first what and how much; `--dry-run` ends there.

mod act;
mod find;

use crate::cli::Global;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::output;
use crate::scratchpads::{failure, now, of, settle};
use clap::Args;
use find::{Found, Search};
use serde::Serialize;
use spalla_domain::Timestamp;
use std::path::Path;

/// The most hours that somebody may name: a hundred years.
const HOURS_MAX: i64 = 876_000;

/// How much is removed.
#[derive(Debug, Args)]
pub(crate) struct Cleanup {
    /// Only says what would be removed, and how much it is
    #[arg(long)]
    dry_run: bool,
    /// Keeps what was used in the last hours [default: scratchpad.retention_hours]
    #[arg(long, value_name = "HOURS", value_parser = clap::value_parser!(i64).range(0..=HOURS_MAX))]
    older_than: Option<i64>,
    /// How much of the end of a log stays, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 8, value_parser = clap::value_parser!(u64).range(0..=1_024))]
    log_mb: u64,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// What is said of a cleanup.
#[derive(Debug, Serialize)]
struct Report {
    dry_run: bool,
    files: u64,
    bytes: u64,
    notes: Vec<String>,
    items: Vec<Item>,
}

/// One thing that is removed.
#[derive(Debug, Serialize)]
struct Item {
    #[serde(flatten)]
    found: Found,
    is_done: bool,
    error: Option<String>,
}

impl Cleanup {
    pub(crate) fn run(self, global: &Global) -> Result<Exit> {
        let config = global.config(Vec::new())?;
        global.listen(&config, "warn")?;
        let (settings, scratchpads) = (&config.settings, of(&config.settings));
        let now = now();
        settle(&scratchpads, &settings.data, now).map_err(failure)?;
        let hours = self.older_than.map_or(settings.scratchpad.retention_hours, |hours| hours as f64);
        let kept_from = now.ms().saturating_sub((hours * 3_600_000.0) as i64);
        let search = Search {
            data: &settings.data,
            here: Path::new("."),
            kept_from: Timestamp::from_ms(kept_from),
            log_bytes: self.log_mb << 20,
        };
        // Whoever works on the folder needs its worktrees; held here, nobody begins to meanwhile.
        let owned = search.own();
        let mut notes = Vec::new();
        if owned.is_none() {
            notes.push(
                "a server or worker uses the data folder: its worktrees, mirrors and logs stay".to_owned(),
            );
        }
        let mut found = search.all(owned.is_some())?;
        found.extend(find::scratchpads(&scratchpads, now)?);
        let mut report = Report {
            dry_run: self.dry_run,
            files: found.iter().map(|found| found.files).sum(),
            bytes: found.iter().map(|found| found.bytes).sum(),
            notes,
            items: found.into_iter().map(|found| Item { found, is_done: false, error: None }).collect(),
        };
        if !self.json {
            say(&report)?;
        }
        if !self.dry_run {
            act::all(&mut report.items, &search, &scratchpads, now);
        }
        self.end(&report)
    }

    fn end(&self, report: &Report) -> Result<Exit> {
        if self.json {
            output::json(report)?;
        }
        let errors: Vec<&str> = report.items.iter().filter_map(|item| item.error.as_deref()).collect();
        if let Some(first) = errors.first() {
            return Err(Failure::failed(format!("{} of these could not be removed: {first}", errors.len())));
        }
        if !self.json && !self.dry_run && !report.items.is_empty() {
            output::line(output::good("done"))?;
        }
        Ok(Exit::Done)
    }
}

fn say(report: &Report) -> Result<()> {
    report.notes.iter().try_for_each(|note| output::line(output::quiet(note)))?;
    if report.items.is_empty() {
        return output::line(output::quiet("nothing to remove"));
    }
    let row = |item: &Item| {
        let Found { kind, path, files, bytes } = &item.found;
        let path = path.to_string_lossy().into_owned();
        vec![kind.in_words().to_owned(), files.to_string(), bytes.to_string(), path]
    };
    output::table(&["what", "files", "bytes", "path"], report.items.iter().map(row).collect())?;
    let verb = if report.dry_run { "would be removed" } else { "are removed" };
    output::line(format_args!(
        "{} files, {:.1} MiB {verb}",
        report.files,
        report.bytes as f64 / f64::from(1 << 20)
    ))
}
