//! `spalla scratchpad clean`: removes the scratchpads whose time is over; what is in use stays.

use super::Place;
use crate::failure::{Failure, Result};
use crate::output;
use crate::scratchpads::{failure, now};
use clap::Args;
use spalla_scratchpad::{Cleaned, Why};

/// How much is removed.
#[derive(Debug, Args)]
pub(crate) struct Clean {
    /// Only says what would be removed
    #[arg(long)]
    dry_run: bool,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

impl Clean {
    pub(super) fn run(self, place: &Place) -> Result<()> {
        let cleaned = place.scratchpads.clean(now(), self.dry_run).map_err(failure)?;
        if self.json {
            output::json(&cleaned)?;
        } else if cleaned.is_empty() {
            output::line(output::quiet("nothing to remove"))?;
        } else {
            output::table(&["id", "why", "files", "bytes", "end"], cleaned.iter().map(row).collect())?;
        }
        match cleaned.iter().find_map(|one| one.error.as_ref()) {
            Some(error) => Err(Failure::failed(error.clone())),
            None => Ok(()),
        }
    }
}

fn row(one: &Cleaned) -> Vec<String> {
    let why = match one.why {
        Why::Expired => "its time is over",
        Why::HalfMade => "its making was interrupted",
        Why::HalfRemoved => "its removal was interrupted",
    };
    let end = match (one.is_removed, one.is_in_use, &one.error) {
        (true, ..) => "removed".to_owned(),
        (_, true, _) => "in use: stays".to_owned(),
        (.., Some(error)) => error.clone(),
        (.., None) => "would be removed".to_owned(),
    };
    vec![one.id.to_string(), why.to_owned(), one.files.to_string(), one.bytes.to_string(), end]
}
