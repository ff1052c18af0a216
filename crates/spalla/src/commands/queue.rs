//! `spalla queue`: shows what waits, in the order in which it will start, and what holds it.

use super::ServerArgs;
use crate::cli::Global;
use crate::client::query;
use crate::exit::Exit;
use crate::failure::Result;
use crate::output;
use clap::{Args, Subcommand};

/// Shows what waits.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Queue {
    #[command(subcommand)]
    command: Option<QueueCommand>,
    #[command(flatten)]
    list: List,
}

/// What can be done with the queue.
#[derive(Debug, Subcommand)]
pub(crate) enum QueueCommand {
    /// Lists what waits
    List(List),
}

/// Which entries are listed.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only of this project
    #[arg(long, value_name = "ID")]
    project: Option<i64>,
    /// Only what is held for this reason, such as approval_pending
    #[arg(long)]
    reason: Option<String>,
    /// How many at most
    #[arg(long, default_value_t = 50, value_name = "N")]
    limit: u32,
    /// Prints the list as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

impl Queue {
    pub(crate) fn run(self, global: &Global) -> Result<Exit> {
        let list = match self.command {
            Some(QueueCommand::List(list)) => list,
            None => self.list,
        };
        list.server.clone().talk(global, |client| async move {
            let filter = query(&[
                ("limit", Some(list.limit.to_string())),
                ("project_id", list.project.map(|id| id.to_string())),
                ("reason", list.reason),
            ]);
            let entries = client.get(&format!("/scheduler/queue{filter}")).await?;
            if list.json {
                return output::json(&entries).map(|()| Exit::Done);
            }
            let columns = ["work_item_id", "rank", "priority", "unmet_dependencies", "reason", "title"];
            output::rows(&entries, &columns, "nothing waits")?;
            Ok(Exit::Done)
        })
    }
}
