//! What the tools do: calls of the server's interface, with the run in whose name they are made. A refusal is told in the
//! server's own words.

use super::{Asked, Extensions, Way};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// The longest wait for a message, in seconds: as long as most agents let a tool take.
pub(super) const WAIT_SECONDS_MAX: u64 = 600;
/// How often it is looked whether there is one.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What a tool comes to: a value, or why not.
pub(super) type Called = Result<Value, String>;

/// The calls of one tool, in the name of one run.
#[derive(Debug)]
pub(super) struct Calls<'a, W> {
    way: &'a W,
    call: &'a Extensions,
    run: Option<i64>,
}

/// What `spalla_send_message` takes.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct NewMessage {
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    #[serde(rename = "type", default = "notification")]
    kind: String,
    payload: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_reply_to: Option<i64>,
}

fn notification() -> String {
    "notification".to_owned()
}

/// What `spalla_read_messages` takes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reading {
    #[serde(default)]
    acknowledge: Vec<i64>,
    limit: Option<i64>,
    #[serde(default)]
    wait_seconds: u64,
}

/// What `spalla_emit` takes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Emit {
    #[serde(rename = "type")]
    kind: String,
    payload: Map<String, Value>,
}

/// What `spalla_get_item` takes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// What `spalla_create_item` takes.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct NewItem {
    title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<i64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    depends_on: Vec<i64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    labels: Vec<String>,
}

/// What `spalla_list_items` takes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    status: Option<String>,
    label: Option<String>,
    q: Option<String>,
    limit: Option<i64>,
}

impl<'a, W: Way> Calls<'a, W> {
    /// Calls the server in the name of a run; where none is named, of the run whose token it is.
    pub(super) const fn new(way: &'a W, call: &'a Extensions, run: Option<i64>) -> Self {
        Self { way, call, run }
    }

    /// Shows something.
    pub(super) async fn get(&self, path: &str) -> Called {
        self.way.ask(self.call, path, Asked::Get).await
    }

    /// Does something.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Called {
        self.way.ask(self.call, path, Asked::Post(body)).await
    }

    /// Tells an event of the run.
    pub(super) async fn emit(&self, arguments: Value) -> Called {
        let Emit { kind, payload } = taken(arguments)?;
        let path = format!("/work-items/runs/{}/events", self.run().await?);
        let told = self.post(&path, &json!({"type": kind, "payload": payload})).await?;
        match told["kept"].as_i64() {
            Some(0) => Err("the event is not kept: the run has told as much as a run may".to_owned()),
            _ => Ok(told),
        }
    }

    /// Shows the work item of the run.
    pub(super) async fn item(&self, arguments: Value) -> Called {
        let Nothing {} = taken(arguments)?;
        let run = self.shown_run().await?;
        let path = format!("/work-items/{}", run["work_item_id"]);
        let mut item = short(&self.get(&path).await?);
        item["run_id"] = run["id"].clone();
        item["attempt"] = run["attempt"].clone();
        Ok(item)
    }

    /// Makes a work item in the project of the run.
    pub(super) async fn create_item(&self, arguments: Value) -> Called {
        let new: NewItem = taken(arguments)?;
        let project = self.shown_run().await?["project_id"].clone();
        let is_agents = new.agent.is_some();
        let mut body = serde_json::to_value(new).map_err(|error| error.to_string())?;
        body["project_id"] = project;
        if is_agents {
            body["executor"] = "agent".into();
        }
        self.post("/work-items/", &body).await.map(|item| short(&item))
    }

    /// Lists the work items of the run's project.
    pub(super) async fn items(&self, arguments: Value) -> Called {
        let Wanted { status, label, q, limit } = taken(arguments)?;
        let project = self.shown_run().await?["project_id"].to_string();
        let limit = limit.map(|limit| limit.to_string());
        let query = query(&[
            ("project_id", Some(project)),
            ("status", status),
            ("label", label),
            ("q", q),
            ("limit", limit),
        ]);
        let listed = self.get(&format!("/work-items/{query}")).await?;
        let items: Vec<Value> = listed.as_array().into_iter().flatten().map(short).collect();
        Ok(json!({ "items": items }))
    }

    /// Sends a message to another agent, or to people.
    pub(super) async fn send_message(&self, arguments: Value) -> Called {
        let new: NewMessage = taken(arguments)?;
        let body = serde_json::to_value(new).map_err(|error| error.to_string())?;
        self.post("/api/messages", &body).await
    }

    /// Acknowledges messages, and reads those that wait; waits for one where none does.
    pub(super) async fn read_messages(&self, arguments: Value) -> Called {
        let Reading { acknowledge, limit, wait_seconds } = taken(arguments)?;
        if wait_seconds > WAIT_SECONDS_MAX {
            return Err(format!("wait_seconds: {wait_seconds} is not between 0 and {WAIT_SECONDS_MAX}"));
        }
        let until = Instant::now() + Duration::from_secs(wait_seconds);
        for id in acknowledge {
            self.post(&format!("/api/messages/{id}/ack"), &json!({})).await?;
        }
        let path =
            format!("/api/messages/inbox{}", query(&[("limit", limit.map(|limit| limit.to_string()))]));
        loop {
            let messages = self.get(&path).await?;
            let is_something = messages.as_array().is_some_and(|messages| !messages.is_empty());
            if is_something || Instant::now() >= until {
                return Ok(json!({ "messages": messages }));
            }
            tokio::time::sleep_until(until.min(Instant::now() + LOOK_EVERY)).await;
        }
    }

    /// Returns the run in whose name calls are made.
    pub(super) async fn run(&self) -> Result<i64, String> {
        if let Some(run) = self.run {
            return Ok(run);
        }
        let me = self.get("/whoami").await?;
        me["run_id"].as_i64().ok_or_else(|| {
            "the token is not that of a run, so that it is not known in whose name to speak: \
             start this server with a run's token, or with --run ID"
                .to_owned()
        })
    }

    async fn shown_run(&self) -> Called {
        let path = format!("/work-items/runs/{}", self.run().await?);
        self.get(&path).await
    }
}

/// Returns what follows a path where parameters are given; nothing where there are none.
fn query(parameters: &[(&str, Option<String>)]) -> String {
    let given = parameters.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(given).finish();
    if query.is_empty() { query } else { format!("?{query}") }
}

/// Reads what a tool was given.
pub(super) fn taken<T: DeserializeOwned>(arguments: Value) -> Result<T, String> {
    serde_json::from_value(arguments).map_err(|error| format!("the arguments do not fit: {error}"))
}

/// Returns what of a work item matters to an agent.
fn short(item: &Value) -> Value {
    const MEMBERS: [&str; 11] = [
        "id",
        "project_id",
        "title",
        "description",
        "prompt",
        "status",
        "executor",
        "agent",
        "category",
        "priority",
        "labels",
    ];
    let kept = MEMBERS.iter().filter_map(|name| Some(((*name).to_owned(), item.get(name)?.clone())));
    Value::Object(kept.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_tool_does_not_know_is_refused_by_its_name() {
        let odd = taken::<Emit>(json!({"type": "status", "payload": {}, "more": 1})).unwrap_err();
        assert!(odd.contains("unknown field `more`"), "{odd}");
        let lacking = taken::<Emit>(json!({"type": "status"})).unwrap_err();
        assert!(lacking.contains("missing field `payload`"), "{lacking}");
        assert!(taken::<Nothing>(json!({})).is_ok());
    }

    #[test]
    fn an_agent_sees_of_an_item_what_it_is_to_do() {
        let shown =
            short(&json!({"id": 1, "title": "t", "prompt": null, "recipe": "steps: []", "created_at": "x"}));
        assert_eq!(shown, json!({"id": 1, "title": "t", "prompt": null}));
    }
}
