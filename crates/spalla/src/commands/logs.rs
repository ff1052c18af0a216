//! `spalla logs`: prints a run's log, and follows it while the run goes on.

use super::ServerArgs;
use crate::cli::Global;
use crate::client::{Client, query};
use crate::exit::Exit;
use crate::failure::Result;
use crate::output::{self, cell, elements, plain};
use clap::Args;
use serde_json::Value;
use std::time::Duration;

/// Prints a run's log.
#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// The run's id
    run: i64,
    /// Goes on until the run is over
    #[arg(short, long)]
    follow: bool,
    /// Only lines with this text, in either case
    #[arg(long, value_name = "TEXT")]
    q: Option<String>,
    /// Prints each line as a JSON object, with its number, time, stream and step
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// How many lines are asked for at once.
const PAGE: usize = 1_000;
/// How often a log that grows is looked at: seldom enough for the server, often enough for the eye.
pub(crate) const LOOK: Duration = Duration::from_millis(200);

impl Logs {
    pub(crate) fn run(self, global: &Global) -> Result<Exit> {
        self.server.clone().talk(global, |client| async move {
            let mut reader = LogReader::new(self.run, self.q.clone());
            while let Some(lines) = reader.next(&client, self.follow).await? {
                self.print(&lines)?;
            }
            Ok(Exit::Done)
        })
    }

    fn print(&self, lines: &[Value]) -> Result<()> {
        let shown = |line: &Value| if self.json { line.to_string() } else { plain(&cell(&line["text"])) };
        output::line(lines.iter().map(shown).collect::<Vec<_>>().join("\n"))
    }
}

/// Reads the log of one run from its first line on, each line once.
#[derive(Debug)]
pub(crate) struct LogReader {
    run: i64,
    q: Option<String>,
    /// The number of the first line that was not read yet.
    next_seq: i64,
    is_complete: bool,
}

impl LogReader {
    /// Begins at the first line.
    pub(crate) const fn new(run: i64, q: Option<String>) -> Self {
        Self { run, q, next_seq: 0, is_complete: false }
    }

    /// Returns the next lines; none at the end of the log, or, where it is followed, at the end of the run.
    async fn next(&mut self, client: &Client, follow: bool) -> Result<Option<Vec<Value>>> {
        while !self.is_complete {
            // The end of the run is looked for before its lines: what is read afterwards is then all of them.
            let is_over = !follow || self.run_is_over(client).await?;
            let lines = self.page(client).await?;
            self.is_complete = is_over && lines.len() < PAGE;
            if !lines.is_empty() {
                return Ok(Some(lines));
            }
            if !self.is_complete {
                tokio::time::sleep(LOOK).await;
            }
        }
        Ok(None)
    }

    /// Returns lines that have not been read yet; fewer than a page are all that there are now.
    pub(crate) async fn page(&mut self, client: &Client) -> Result<Vec<Value>> {
        let window = query(&[
            ("format", Some("json".into())),
            ("q", self.q.clone()),
            ("from", Some(self.next_seq.to_string())),
            ("limit", Some(PAGE.to_string())),
        ]);
        let lines = client.get(&format!("/work-items/runs/{}/logs{window}", self.run)).await?;
        let lines = elements(&lines).to_vec();
        self.next_seq =
            lines.last().and_then(|line| line["seq"].as_i64()).map_or(self.next_seq, |seq| seq + 1);
        Ok(lines)
    }

    async fn run_is_over(&self, client: &Client) -> Result<bool> {
        let run = client.get(&format!("/work-items/runs/{}", self.run)).await?;
        Ok(!run["ended_at"].is_null())
    }
}
