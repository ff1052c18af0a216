//! `spalla approve`: says yes or no to what waits for a person, and lists what does.

use super::ServerArgs;
use crate::cli::Global;
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Result;
use crate::output::{self, cell, elements};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

/// Says yes or no to an approval.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Approve {
    #[command(subcommand)]
    command: Option<ApproveCommand>,
    /// The approval's id
    #[arg(required = true)]
    id: Option<i64>,
    /// Says no instead of yes
    #[arg(long)]
    reject: bool,
    /// Who says it
    #[arg(long, value_name = "NAME", env = "USER")]
    by: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Prints the approval as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// What else can be done with approvals.
#[derive(Debug, Subcommand)]
pub(crate) enum ApproveCommand {
    /// Lists what waits in the queue for a person's yes or no
    List(List),
}

/// What waits for a person.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Prints the list as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

impl Approve {
    pub(crate) fn run(self, global: &Global) -> Result<Exit> {
        match self.command {
            Some(ApproveCommand::List(list)) => list.run(global),
            None => self.decide(global),
        }
    }

    fn decide(self, global: &Global) -> Result<Exit> {
        self.server.clone().talk(global, |client| async move {
            let id = self.id.unwrap_or_default();
            let verb = if self.reject { "reject" } else { "approve" };
            let body = json!({"by": self.by, "note": self.note});
            let approval = client.post(&format!("/work-items/approvals/{id}/{verb}"), &body).await?;
            if self.json {
                return output::json(&approval).map(|()| Exit::Done);
            }
            output::line(format_args!("approval {id} is {}", cell(&approval["status"])))?;
            Ok(Exit::Done)
        })
    }
}

/// How many entries of the queue are looked at: the first that would start.
const ENTRIES_MAX: usize = 500;

impl List {
    fn run(self, global: &Global) -> Result<Exit> {
        self.server.clone().talk(global, |client| async move {
            let approvals = pending(&client).await?;
            if self.json {
                return output::json(&approvals).map(|()| Exit::Done);
            }
            let columns = ["id", "kind", "work_item_id", "title", "requested_at"];
            output::rows(&Value::from(approvals), &columns, "nothing waits for a person")?;
            Ok(Exit::Done)
        })
    }
}

/// Returns the undecided approvals of what is in the queue, each with the title of what waits for it.
async fn pending(client: &Client) -> Result<Vec<Value>> {
    let entries = client.get(&format!("/scheduler/queue?limit={ENTRIES_MAX}")).await?;
    let waits = |entry: &&Value| entry["pending_approvals"].as_u64().unwrap_or_default() > 0;
    let mut found = Vec::new();
    for entry in elements(&entries).iter().filter(waits) {
        let approvals =
            client.get(&format!("/work-items/{}/approvals", cell(&entry["work_item_id"]))).await?;
        for approval in elements(&approvals).iter().filter(|approval| approval["status"] == "pending") {
            let mut approval = approval.clone();
            approval["title"] = entry["title"].clone();
            found.push(approval);
        }
    }
    Ok(found)
}
