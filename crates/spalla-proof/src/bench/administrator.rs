//! The database as an administrator sees it, past the store: through the database's own command line, because SQL
//! drivers belong to the store.

use crate::postgres::find_programs;
use crate::process::bound;
use anyhow::{Context as _, Result, bail, ensure};
use spalla_store::Location;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// Somebody with the database's own client.
#[derive(Debug, Clone)]
pub(crate) struct Administrator {
    location: Location,
}

/// A connection that sees the database as it was, until this is dropped.
pub(crate) struct Snapshot {
    _client: Child,
    _input: ChildStdin,
    _output: BufReader<ChildStdout>,
}

impl Administrator {
    /// Makes one of a database.
    pub(crate) fn of(location: &Location) -> Self {
        Self { location: location.clone() }
    }

    /// Tells whether it is Postgres.
    pub(crate) const fn is_postgres(&self) -> bool {
        matches!(self.location, Location::Postgres(_))
    }

    /// Runs statements, each on its own, and returns what they print: a line for each row, columns between bars.
    pub(crate) async fn ask(&self, statements: &str) -> Result<String> {
        let mut client = self.client()?.spawn().context("starting the database's client")?;
        let mut input = client.stdin.take().context("the database's client reads nothing")?;
        let said = async {
            input.write_all(statements.as_bytes()).await?;
            drop(input);
            std::io::Result::Ok(())
        };
        let (said, output) = tokio::join!(said, client.wait_with_output());
        let output = output?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "the database's client: {}: {complaint}", output.status);
        said.context("talking to the database's client")?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Runs statements that answer with one number.
    pub(crate) async fn number(&self, statements: &str) -> Result<i64> {
        let answer = self.ask(statements).await?;
        answer.parse().with_context(|| format!("the database answered {answer:?} instead of a number"))
    }

    /// Opens a snapshot and holds it.
    pub(crate) async fn hold_snapshot(&self) -> Result<Snapshot> {
        let begin = if self.is_postgres() {
            "begin isolation level repeatable read;\nselect count(*) from project;\n"
        } else {
            "begin;\nselect count(*) from project;\n"
        };
        let mut client = self.client()?.spawn().context("starting the database's client")?;
        let mut input = client.stdin.take().context("the database's client reads nothing")?;
        input.write_all(begin.as_bytes()).await?;
        input.flush().await?;
        let mut output =
            BufReader::new(client.stdout.take().context("the database's client prints nothing")?);
        let mut line = String::new();
        output.read_line(&mut line).await?;
        // The answer is there, so the snapshot is taken.
        line.trim().parse::<u64>().with_context(|| format!("holding a snapshot answered {line:?}"))?;
        Ok(Snapshot { _client: client, _input: input, _output: output })
    }

    fn client(&self) -> Result<Command> {
        let mut command = match &self.location {
            Location::Sqlite(path) => {
                let mut command = bound("sqlite3");
                command.args(["-batch", "-bail", "-noheader"]).arg(path);
                command
            }
            Location::Postgres(url) => {
                let mut command = bound(find_programs()?.join("psql"));
                command.args(["-qAtX", "-v", "ON_ERROR_STOP=1", url]);
                command
            }
            Location::Memory(_) => bail!("nobody but the store reaches memory"),
        };
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        Ok(command)
    }
}
