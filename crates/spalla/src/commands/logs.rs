//! `spalla logs`: prints a run's log, and follows it while the run goes on.

use super::ServerArgs;
use crate::cli::Global;
use crate::client::{Client, LogFollow, query};
use crate::exit::Exit;
use crate::failure::Result;
use crate::output::{self, cell, elements, plain};
use clap::Args;
use serde_json::Value;

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

impl Logs {
    pub(crate) fn run(self, global: &Global) -> Result<Exit> {
        self.server.clone().talk(global, |client| async move {
            if self.follow {
                self.follow(&client).await?
            } else {
                self.read(&client).await?
            }
            Ok(Exit::Done)
        })
    }

    async fn read(&self, client: &Client) -> Result<()> {
        let mut reader = LogReader::new(self.run, self.q.clone());
        loop {
            let lines = reader.page(client).await?;
            if !lines.is_empty() {
                self.print(&lines)?;
            }
            if lines.len() < PAGE {
                return Ok(());
            }
        }
    }

    async fn follow(&self, client: &Client) -> Result<()> {
        let wanted = self.q.as_ref().map(|q| q.to_lowercase());
        let mut log = LogFollow::new(client, self.run, 0);
        while let Some(line) = log.next().await? {
            if wanted.as_ref().is_none_or(|q| cell(&line["text"]).to_lowercase().contains(q)) {
                self.print(&[line])?;
            }
        }
        Ok(())
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
}

impl LogReader {
    /// Begins at the first line.
    pub(crate) const fn new(run: i64, q: Option<String>) -> Self {
        Self { run, q, next_seq: 0 }
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
}
