//! `spalla answer`: gives a run the values that it asks a person for, and lists what is asked.

use super::ServerArgs;
use crate::cli::Global;
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::output::{self, cell, elements};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use std::io::Read as _;

/// Answers an info request.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Answer {
    #[command(subcommand)]
    command: Option<AnswerCommand>,
    /// The info request's id
    #[arg(required = true)]
    id: Option<i64>,
    /// A value: NAME=VALUE, or NAME=@FILE for what stands in a file, which no list of processes shows
    #[arg(value_name = "NAME=VALUE")]
    values: Vec<String>,
    /// Reads further values from standard input, one NAME=VALUE a line
    #[arg(long)]
    stdin: bool,
    /// Who answers
    #[arg(long, value_name = "NAME", env = "USER")]
    by: Option<String>,
    /// Prints the info request as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// What else can be done with info requests.
#[derive(Debug, Subcommand)]
pub(crate) enum AnswerCommand {
    /// Lists what runs ask for and nobody has answered
    List(List),
}

/// What is asked.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Prints the list as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

impl Answer {
    pub(crate) fn run(self, global: &Global) -> Result<Exit> {
        match self.command {
            Some(AnswerCommand::List(list)) => list.run(global),
            None => self.answer(global),
        }
    }

    fn answer(self, global: &Global) -> Result<Exit> {
        let values = values(&self.values, self.stdin)?;
        self.server.clone().talk(global, |client| async move {
            let id = self.id.unwrap_or_default();
            let body = json!({"values": values, "by": self.by});
            let path = format!("/work-items/runs/info-requests/{id}/respond");
            let request = client.post(&path, &body).await?;
            if self.json {
                return output::json(&request).map(|()| Exit::Done);
            }
            let (status, run) = (cell(&request["status"]), cell(&request["run_id"]));
            output::line(format_args!("info request {id} is {status}; run {run} goes on"))?;
            Ok(Exit::Done)
        })
    }
}

/// Reads the values; what is wrong with one is told by its name alone.
fn values(given: &[String], stdin: bool) -> Result<Map<String, Value>> {
    let mut lines = given.to_vec();
    if stdin {
        let mut text = String::new();
        let read = std::io::stdin().read_to_string(&mut text);
        read.map_err(|error| Failure::usage(format!("standard input can't be read: {error}")))?;
        lines.extend(text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned));
    }
    let mut values = Map::new();
    for (place, line) in (1..).zip(lines) {
        let Some((name, value)) = line.split_once('=') else {
            return Err(Failure::usage(format!("value {place} has no name: write NAME=VALUE or NAME=@FILE")));
        };
        let value = match value.strip_prefix('@') {
            None => value.to_owned(),
            Some(file) => std::fs::read_to_string(file)
                .map_err(|error| Failure::usage(format!("{name}: the file {file} can't be read: {error}")))?,
        };
        if values.insert(name.to_owned(), value.into()).is_some() {
            return Err(Failure::usage(format!("{name} is given twice")));
        }
    }
    Ok(values)
}

impl List {
    fn run(self, global: &Global) -> Result<Exit> {
        self.server.clone().talk(global, |client| async move { self.show(&client).await })
    }

    async fn show(self, client: &Client) -> Result<Exit> {
        let list = client.get("/work-items/runs/info-requests?status=pending&limit=500").await?;
        if self.json {
            return output::json(&list).map(|()| Exit::Done);
        }
        let row = |request: &Value| {
            let names: Vec<String> =
                elements(&request["fields"]).iter().map(|field| cell(&field["name"])).collect();
            vec![cell(&request["id"]), cell(&request["run_id"]), names.join(" "), cell(&request["reason"])]
        };
        let rows: Vec<_> = elements(&list).iter().map(row).collect();
        if rows.is_empty() {
            output::line("nothing is asked")?;
        } else {
            output::table(&["id", "run", "asks for", "why"], rows)?;
        }
        Ok(Exit::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(given: &[&str]) -> std::result::Result<Map<String, Value>, String> {
        let given: Vec<String> = given.iter().map(|value| (*value).to_owned()).collect();
        values(&given, false).map_err(|failure| failure.to_string())
    }

    #[test]
    fn values_are_given_in_words_or_as_files() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        std::fs::write(&file, "a\nb").unwrap();
        let values = read(&["A=1=2", &format!("B=@{}", file.display()), "C="]).unwrap();
        assert_eq!(Value::from(values), json!({"A": "1=2", "B": "a\nb", "C": ""}));
    }

    #[test]
    fn what_is_wrong_is_told_without_the_value() {
        let no_name = read(&["hunter2"]).unwrap_err();
        assert!(no_name.starts_with("value 1 has no name") && !no_name.contains("hunter2"), "{no_name}");
        assert!(read(&["A=1", "A=2"]).unwrap_err().starts_with("A is given twice"));
        assert!(read(&["A=@/no/such/file"]).unwrap_err().starts_with("A: the file /no/such/file"));
    }
}
