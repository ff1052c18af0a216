//! `spalla runs`: lists, shows and stops runs.

use super::ServerArgs;
use crate::cli::Global;
use crate::client::query;
use crate::exit::Exit;
use crate::failure::Result;
use crate::output;
use clap::{Args, Subcommand};
use serde_json::json;

/// What can be done with runs.
#[derive(Debug, Subcommand)]
pub(crate) enum Runs {
    /// Lists runs, newest first
    List(List),
    /// Shows one run
    Show(One),
    /// Stops a run, and its work item with it
    Cancel(One),
}

/// Which runs are listed.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only of this work item
    #[arg(long, value_name = "ID", conflicts_with_all = ["project", "status", "agent"])]
    item: Option<i64>,
    /// Only of this project
    #[arg(long, value_name = "ID")]
    project: Option<i64>,
    /// Only in this state, such as running or failed
    #[arg(long)]
    status: Option<String>,
    /// Only of this agent
    #[arg(long)]
    agent: Option<String>,
    /// How many at most
    #[arg(long, default_value_t = 50, value_name = "N")]
    limit: u32,
    /// Prints the list as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// One run.
#[derive(Debug, Args)]
pub(crate) struct One {
    /// The run's id
    id: i64,
    /// Prints the run as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

impl Runs {
    pub(crate) fn run(self, global: &Global) -> Result<Exit> {
        match self {
            Self::List(args) => args.server.clone().talk(global, |client| async move {
                let filter = query(&[
                    ("project_id", args.project.map(|id| id.to_string())),
                    ("status", args.status),
                    ("agent", args.agent),
                    ("limit", Some(args.limit.to_string())),
                ]);
                let path = match args.item {
                    Some(item) => format!("/work-items/{item}/runs{filter}"),
                    None => format!("/work-items/runs{filter}"),
                };
                let runs = client.get(&path).await?;
                if args.json {
                    return output::json(&runs).map(|()| Exit::Done);
                }
                let columns =
                    ["id", "work_item_id", "status", "attempt", "worker_id", "duration_ms", "title"];
                output::rows(&runs, &columns, "no runs")?;
                Ok(Exit::Done)
            }),
            Self::Show(args) => args.server.clone().talk(global, |client| async move {
                let run = client.get(&format!("/work-items/runs/{}", args.id)).await?;
                if args.json { output::json(&run) } else { output::members(&run) }?;
                Ok(Exit::Done)
            }),
            Self::Cancel(args) => args.server.clone().talk(global, |client| async move {
                let answer = client.post(&format!("/work-items/runs/{}/cancel", args.id), &json!({})).await?;
                if args.json {
                    return output::json(&answer).map(|()| Exit::Done);
                }
                output::line(format_args!("run {} is cancelled", args.id))?;
                Ok(Exit::Done)
            }),
        }
    }
}
