//! `spalla item`: makes, lists, starts, queues and stops work items.

mod create;

use super::ServerArgs;
use crate::cli::Global;
use crate::client::{Client, query};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::output::{self, cell, elements};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

/// What can be done with work items.
#[derive(Debug, Subcommand)]
pub(crate) enum Item {
    /// Makes a work item
    Create(create::Create),
    /// Lists work items, newest first
    List(List),
    /// Shows one work item
    Show(One),
    /// Gives a work item a run at once, if nothing holds it
    Start(One),
    /// Puts a work item into the queue
    Enqueue(Enqueue),
    /// Brings a work item back into the queue, whatever became of it
    Requeue(Requeue),
    /// Stops the run of a work item, and the work item with it
    Cancel(One),
    /// Puts a work item away
    Archive(One),
}

/// Which work items are listed.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only of this project
    #[arg(long, value_name = "ID")]
    project: Option<i64>,
    /// Only in this state, such as queued or failed
    #[arg(long)]
    status: Option<String>,
    /// Only with this label
    #[arg(long)]
    label: Option<String>,
    /// Only with this text in title, description or prompt
    #[arg(long, value_name = "TEXT")]
    q: Option<String>,
    /// How many at most
    #[arg(long, default_value_t = 50, value_name = "N")]
    limit: u32,
    /// Prints the list as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// One work item.
#[derive(Debug, Args)]
pub(crate) struct One {
    /// The work item's id
    id: i64,
    /// Prints the answer as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// How a work item is queued.
#[derive(Debug, Args)]
pub(crate) struct Enqueue {
    /// The work item's id
    id: i64,
    /// Another work item that it waits for in addition
    #[arg(long, value_name = "ID")]
    after: Option<i64>,
    /// 0 to 9, 9 is the most urgent [default: the work item's own]
    #[arg(long, value_name = "N")]
    priority: Option<u8>,
    /// Not before this many seconds from now
    #[arg(long, value_name = "SECONDS")]
    delay: Option<f64>,
    /// Prints the answer as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// How a work item comes back into the queue.
#[derive(Debug, Args)]
pub(crate) struct Requeue {
    /// The work item's id
    id: i64,
    /// 0 to 9, 9 is the most urgent [default: the work item's own]
    #[arg(long, value_name = "N")]
    priority: Option<u8>,
    /// Not before this many seconds from now
    #[arg(long, value_name = "SECONDS", conflicts_with = "backoff")]
    delay: Option<f64>,
    /// After the delay that the retry policy would give
    #[arg(long)]
    backoff: bool,
    /// Prints the answer as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

impl Item {
    pub(crate) fn run(self, global: &Global) -> Result<Exit> {
        match self {
            Self::Create(args) => args.run(global),
            Self::List(args) => args.server.clone().talk(global, |client| args.list(client)),
            Self::Show(args) => args.server.clone().talk(global, |client| args.show(client)),
            Self::Start(args) => args.server.clone().talk(global, |client| args.start(client)),
            Self::Enqueue(args) => args.server.clone().talk(global, |client| args.enqueue(client)),
            Self::Requeue(args) => args.server.clone().talk(global, |client| args.requeue(client)),
            Self::Cancel(args) => args.server.clone().talk(global, |client| args.cancel(client)),
            Self::Archive(args) => args.server.clone().talk(global, |client| args.archive(client)),
        }
    }
}

impl List {
    async fn list(self, client: Client) -> Result<Exit> {
        let filter = query(&[
            ("project_id", self.project.map(|id| id.to_string())),
            ("status", self.status),
            ("label", self.label),
            ("q", self.q),
            ("limit", Some(self.limit.to_string())),
        ]);
        let items = client.get(&format!("/work-items/{filter}")).await?;
        if self.json {
            output::json(&items)?;
        } else {
            let columns = ["id", "project_id", "status", "reason", "priority", "title"];
            output::rows(&items, &columns, "no work items")?;
        }
        Ok(Exit::Done)
    }
}

impl One {
    async fn show(self, client: Client) -> Result<Exit> {
        let item = client.get(&format!("/work-items/{}", self.id)).await?;
        if self.json { output::json(&item) } else { output::members(&item) }?;
        Ok(Exit::Done)
    }

    async fn start(self, client: Client) -> Result<Exit> {
        let run = client.post(&format!("/work-items/{}/start", self.id), &json!({})).await?;
        let id = run.get("id").or(run.get("run_id")).map(cell).unwrap_or_default();
        say(self.json, &run, format!("run {id} of work item {}", self.id))
    }

    async fn cancel(self, client: Client) -> Result<Exit> {
        let runs = client.get(&format!("/work-items/{}/runs?limit=1", self.id)).await?;
        let is_over = |run: &Value| !run["ended_at"].is_null();
        let Some(run) = elements(&runs).first().filter(|run| !is_over(run)) else {
            let failure =
                Failure::new(Exit::Stopped, format!("work item {} has no run that is not over", self.id));
            return Err(failure.mend(format!("put it away with `spalla item archive {}`", self.id)));
        };
        let id = cell(&run["id"]);
        let run = client.post(&format!("/work-items/runs/{id}/cancel"), &json!({})).await?;
        say(self.json, &run, format!("run {id} of work item {} is cancelled", self.id))
    }

    async fn archive(self, client: Client) -> Result<Exit> {
        let path = format!("/work-items/{}", self.id);
        client.delete(&path).await?;
        let item = client.get(&path).await?;
        say(self.json, &item, format!("work item {} is archived", self.id))
    }
}

impl Enqueue {
    async fn enqueue(self, client: Client) -> Result<Exit> {
        let body = given([
            ("work_item_id", Some(self.id.into())),
            ("depends_on_work_item_id", self.after.map(Into::into)),
            ("priority", self.priority.map(Into::into)),
            ("delay_seconds", self.delay.map(Into::into)),
        ]);
        let entry = client.post("/scheduler/enqueue", &body).await?;
        say(self.json, &entry, format!("work item {} is in the queue", self.id))
    }
}

impl Requeue {
    async fn requeue(self, client: Client) -> Result<Exit> {
        let body = given([
            ("work_item_id", Some(self.id.into())),
            ("priority", self.priority.map(Into::into)),
            ("delay_seconds", self.delay.map(Into::into)),
            ("backoff", self.backoff.then_some(Value::Bool(true))),
        ]);
        let entry = client.post("/scheduler/requeue/work-item", &body).await?;
        say(self.json, &entry, format!("work item {} is in the queue again", self.id))
    }
}

/// Makes a JSON object of the members that are there.
fn given<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    let there = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(there.collect())
}

fn say(as_json: bool, answer: &Value, words: String) -> Result<Exit> {
    if as_json { output::json(answer) } else { output::line(words) }.map(|()| Exit::Done)
}
