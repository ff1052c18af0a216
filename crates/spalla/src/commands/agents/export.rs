//! `spalla agents export`: definitions as files of an agent's command line.

use crate::cli::Global;
use crate::definitions::{PublishedArgs, brief, find};
use crate::exit::Exit;
use crate::failure::{Failure, Result, file};
use crate::saved::Saved;
use crate::{output, telemetry};
use clap::{Args, ValueEnum};
use serde_json::json;
use spalla_crash::crash_point;
use spalla_registry::export::{self, Exported, Target};
use std::path::{Path, PathBuf};

/// How many losses are named where people read them.
const LOSSES_SHOWN_MAX: usize = 40;

/// Writes definitions as files of an agent's command line, and tells what those can't say.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The ids of some agents; none is all that are published
    ids: Vec<String>,
    #[command(flatten)]
    published: PublishedArgs,
    /// Whose files are written
    #[arg(long, value_enum, value_name = "CLI")]
    to: To,
    /// The folder that they are written into [default: exported/ and what the command line itself reads]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Prints the report as JSON
    #[arg(long)]
    json: bool,
}

/// Whose files are written.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum To {
    /// Claude Code's
    Claude,
    /// Codex's
    Codex,
    /// The Gemini CLI's
    Gemini,
}

impl Export {
    pub(crate) fn run(self, global: &Global) -> Result<Exit> {
        telemetry::start(global.plain_telemetry("error"))?;
        let registry = self.published.open()?;
        let target = match self.to {
            To::Claude => Target::Claude,
            To::Codex => Target::Codex,
            To::Gemini => Target::Gemini,
        };
        let out = self.out.clone().unwrap_or_else(|| Path::new("exported").join(target.folder()));
        let snapshot = registry.snapshot();
        let published = snapshot.index().agents.iter().map(|entry| entry.id.clone());
        let ids: Vec<String> = if self.ids.is_empty() { published.collect() } else { self.ids.clone() };
        let mut done = Vec::new();
        for id in ids {
            let loaded = find(&registry, &id)?;
            let brief = brief(&registry, &loaded.definition.agent.id)?;
            let made = export::export(target, &loaded.definition, &brief);
            let exported = made.map_err(|error| Failure::failed(error.to_string()))?;
            write(&out, &exported)?;
            done.push(exported);
        }
        self.tell(global, &out, &done)?;
        Ok(Exit::Done)
    }

    fn tell(&self, global: &Global, out: &Path, done: &[Exported]) -> Result<()> {
        let losses: Vec<_> = done.iter().flat_map(|exported| &exported.losses).collect();
        if self.json {
            let files: Vec<_> = done.iter().map(|exported| &exported.path).collect();
            return output::json(&json!({ "out": out, "files": files, "losses": losses }));
        }
        if global.is_quiet() {
            return Ok(());
        }
        for loss in losses.iter().take(LOSSES_SHOWN_MAX) {
            let text = format!("{}: {} is lost: {}", loss.id, loss.field, loss.why);
            anstream::eprintln!("{} {}", output::notable("note:"), output::plain(&text));
        }
        if losses.len() > LOSSES_SHOWN_MAX {
            let more = losses.len() - LOSSES_SHOWN_MAX;
            anstream::eprintln!("{} and {more} more; --json lists all", output::notable("note:"));
        }
        output::line(format!("{} files in {}; {} fields are lost", done.len(), out.display(), losses.len()))
    }
}

fn write(out: &Path, exported: &Exported) -> Result<()> {
    let place = exported.path.split('/').fold(out.to_owned(), |place, part| place.join(part));
    let folder = place.parent().unwrap_or(out);
    crash_point!("agents.export.folder", std::fs::create_dir_all(folder)).map_err(file("making", folder))?;
    let mut saved = Saved::begin(&place)?;
    saved.write(exported.text.as_bytes())?;
    saved.finish()
}
