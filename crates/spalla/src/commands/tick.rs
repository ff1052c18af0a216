//! `spalla tick`: gives every eligible work item a run, and says what could not start.

use super::ServerArgs;
use crate::cli::Global;
use crate::exit::Exit;
use crate::failure::Result;
use crate::output::{self, cell, elements};
use clap::Args;
use serde_json::json;

/// Gives every eligible work item a run.
#[derive(Debug, Args)]
pub(crate) struct Tick {
    /// Prints the answer as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

impl Tick {
    pub(crate) fn run(self, global: &Global) -> Result<Exit> {
        self.server.clone().talk(global, |client| async move {
            let answer = client.post("/scheduler/tick", &json!({})).await?;
            if self.json {
                return output::json(&answer).map(|()| Exit::Done);
            }
            for run in elements(&answer["started"]) {
                output::line(format_args!(
                    "started run {} of work item {}",
                    cell(&run["run_id"]),
                    cell(&run["work_item_id"])
                ))?;
            }
            for held in elements(&answer["blocked"]) {
                output::line(format_args!(
                    "work item {} waits: {}",
                    cell(&held["work_item_id"]),
                    cell(&held["reason"])
                ))?;
            }
            if elements(&answer["started"]).is_empty() && elements(&answer["blocked"]).is_empty() {
                output::line("nothing waits for a tick")?;
            }
            Ok(Exit::Done)
        })
    }
}
