//! `spalla message`: messages to agents and from them, as a person reads and writes them.

use super::ServerArgs;
use crate::cli::Global;
use crate::client::query;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::output;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value, json};

/// What can be done with messages.
#[derive(Debug, Subcommand)]
pub(crate) enum Message {
    /// Sends a message to an agent
    Send(Send),
    /// Lists messages, newest first
    List(List),
    /// Reads what waits for an agent or for people, the most urgent first
    Read(Read),
    /// Acknowledges messages: their receiver has taken them
    Ack(Acknowledge),
}

/// What a message is.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    Request,
    Response,
    Notification,
}

/// How urgent a message is.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Priority {
    Low,
    Medium,
    High,
    Critical,
}

/// What is sent, to whom.
#[derive(Debug, Args)]
pub(crate) struct Send {
    /// What it says
    #[arg(value_name = "TEXT", required_unless_present = "payload")]
    text: Option<String>,
    /// To which agent; whoever sent what it answers, when left out
    #[arg(long, value_name = "AGENT", required_unless_present = "reply_to")]
    to: Option<String>,
    /// Under which name [default: people]
    #[arg(long, value_name = "NAME")]
    from: Option<String>,
    /// In which project
    #[arg(long, value_name = "ID", required_unless_present = "reply_to")]
    project: Option<i64>,
    /// In which session
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// What it is
    #[arg(long = "type", value_enum, default_value = "request")]
    kind: Kind,
    /// How urgent it is
    #[arg(long, value_enum, default_value = "medium")]
    priority: Priority,
    /// The message that it answers
    #[arg(long, value_name = "ID")]
    reply_to: Option<i64>,
    /// Further members of what it says, as a JSON object
    #[arg(long, value_name = "JSON")]
    payload: Option<String>,
    /// Prints the message as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// Which messages are listed.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only of this project
    #[arg(long, value_name = "ID")]
    project: Option<i64>,
    /// Only of this session
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Only from this agent, or from people
    #[arg(long, value_name = "NAME")]
    from: Option<String>,
    /// Only to this agent, or to people
    #[arg(long, value_name = "NAME")]
    to: Option<String>,
    /// Only pending or acknowledged ones
    #[arg(long, value_name = "STATUS")]
    status: Option<String>,
    /// How many at most
    #[arg(long, default_value_t = 50, value_name = "N")]
    limit: u32,
    /// Prints the list as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// Whose messages are read.
#[derive(Debug, Args)]
pub(crate) struct Read {
    /// Of which project
    #[arg(long, value_name = "ID")]
    project: i64,
    /// Of which session
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Of which agent [default: people]
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// How many at most
    #[arg(long, default_value_t = 50, value_name = "N")]
    limit: u32,
    /// Prints the messages as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// Which messages are acknowledged.
#[derive(Debug, Args)]
pub(crate) struct Acknowledge {
    /// The messages
    #[arg(value_name = "ID", required = true)]
    ids: Vec<i64>,
    #[command(flatten)]
    server: ServerArgs,
}

/// What of messages is shown in a table.
const COLUMNS: [&str; 8] = ["id", "from", "to", "type", "priority", "status", "session_id", "payload"];

impl Message {
    pub(crate) fn run(self, global: &Global) -> Result<Exit> {
        match self {
            Self::Send(send) => send.run(global),
            Self::List(list) => list.run(global),
            Self::Read(read) => read.run(global),
            Self::Ack(acknowledge) => acknowledge.run(global),
        }
    }
}

impl Send {
    fn run(self, global: &Global) -> Result<Exit> {
        let mut body = Map::new();
        let mut put =
            |name: &str, value: Option<Value>| body.extend(value.map(|value| (name.to_owned(), value)));
        put("payload", Some(payload(self.text, self.payload.as_deref())?));
        put("type", Some(word(self.kind).into()));
        put("priority", Some(word(self.priority).into()));
        put("to", self.to.map(Into::into));
        put("from", self.from.map(Into::into));
        put("project_id", self.project.map(Into::into));
        put("session_id", self.session.map(Into::into));
        put("in_reply_to", self.reply_to.map(Into::into));
        let is_json = self.json;
        self.server.talk(global, |client| async move {
            let sent = client.post("/api/messages", &Value::Object(body)).await?;
            match is_json {
                true => output::json(&sent)?,
                false => {
                    output::line(format!("message {} waits for {}", sent["id"], output::cell(&sent["to"])))?
                }
            }
            Ok(Exit::Done)
        })
    }
}

impl List {
    fn run(self, global: &Global) -> Result<Exit> {
        let filter = query(&[
            ("limit", Some(self.limit.to_string())),
            ("project_id", self.project.map(|id| id.to_string())),
            ("session_id", self.session),
            ("from", self.from),
            ("to", self.to),
            ("status", self.status),
        ]);
        show(global, &self.server, format!("/api/messages{filter}"), self.json)
    }
}

impl Read {
    fn run(self, global: &Global) -> Result<Exit> {
        let filter = query(&[
            ("limit", Some(self.limit.to_string())),
            ("project_id", Some(self.project.to_string())),
            ("session_id", self.session),
            ("agent", self.agent),
        ]);
        show(global, &self.server, format!("/api/messages/inbox{filter}"), self.json)
    }
}

impl Acknowledge {
    fn run(self, global: &Global) -> Result<Exit> {
        let ids = self.ids;
        self.server.talk(global, |client| async move {
            for id in ids {
                client.post(&format!("/api/messages/{id}/ack"), &json!({})).await?;
                output::line(format!("message {id} is acknowledged"))?;
            }
            Ok(Exit::Done)
        })
    }
}

fn show(global: &Global, server: &ServerArgs, path: String, is_json: bool) -> Result<Exit> {
    server.talk(global, |client| async move {
        let messages = client.get(&path).await?;
        match is_json {
            true => output::json(&messages)?,
            false => output::rows(&messages, &COLUMNS, "no messages")?,
        }
        Ok(Exit::Done)
    })
}

/// Puts together what a message says.
fn payload(text: Option<String>, more: Option<&str>) -> Result<Value> {
    let mut members: Map<String, Value> = match more {
        Some(more) => serde_json::from_str(more)
            .map_err(|error| Failure::usage(format!("--payload is no JSON object: {error}")))?,
        None => Map::new(),
    };
    members.extend(text.map(|text| ("text".to_owned(), text.into())));
    Ok(Value::Object(members))
}

fn word(value: impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_joins_the_members_of_a_payload() {
        let both = payload(Some("x".into()), Some(r#"{"file": "a.rs"}"#)).unwrap();
        assert_eq!(both, json!({"text": "x", "file": "a.rs"}));
        assert!(payload(None, Some("[1]")).is_err());
        assert_eq!(word(Kind::Response), "response");
    }
}
