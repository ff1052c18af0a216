//! `spalla scratchpad diff`: what was made in a scratchpad, file by file, or as a patch of what its repository had.

use super::{Place, patch};
use crate::commands::block_on;
use crate::failure::Result;
use crate::output;
use crate::scratchpads::{failure, now};
use clap::Args;
use spalla_scratchpad::Change;

/// Of which scratchpad, and how.
#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// The scratchpad's name, or latest for the newest one
    id: String,
    /// Prints JSON, with the hash of each file
    #[arg(long, conflicts_with = "patch")]
    json: bool,
    /// Prints what differs in work/ as git does; only of one that was made of a repository
    #[arg(long)]
    patch: bool,
}

impl Diff {
    pub(super) fn run(self, place: &Place) -> Result<()> {
        let id = place.id(&self.id)?;
        if self.patch {
            let made = patch::text(&place.scratchpads, &id);
            let (_, text) = block_on(tokio::runtime::Builder::new_current_thread(), made)?;
            return output::bytes(&text);
        }
        let changes = place.scratchpads.changes(&id, now()).map_err(failure)?;
        if self.json {
            return output::json(&changes);
        }
        if changes.is_empty() {
            output::line(output::quiet("nothing was made"))?;
        }
        for (sign, list) in [("A", &changes.created), ("M", &changes.changed), ("D", &changes.deleted)] {
            list.iter().try_for_each(|change| line(sign, change))?;
        }
        if !changes.is_whole {
            output::line(output::notable(
                "not everything was looked at: it is too deep, too much, or closed",
            ))?;
        }
        Ok(())
    }
}

fn line(sign: &str, change: &Change) -> Result<()> {
    let text = format!("{sign}  {:>10}  {}", change.size, output::plain(&change.path));
    match sign {
        "A" => output::line(output::good(text)),
        "D" => output::line(output::bad(text)),
        _ => output::line(output::notable(text)),
    }
}
