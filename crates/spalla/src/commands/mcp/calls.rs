//! What the tools do: calls of the server's interface, with the run in whose name they are made. A refusal is told in the
//! server's own words.

use crate::client::{Client, query};
use crate::failure::Failure;
use crate::output::elements;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// What a tool comes to: a value, or why not.
pub(super) type Called = Result<Value, String>;

/// The calls in the name of one run.
#[derive(Debug)]
pub(super) struct Calls {
    pub(super) client: Client,
    run: Option<i64>,
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

impl Calls {
    /// Calls the server in the name of a run; where none is named, of the run whose token it is.
    pub(super) const fn new(client: Client, run: Option<i64>) -> Self {
        Self { client, run }
    }

    /// Tells an event of the run.
    pub(super) async fn emit(&self, arguments: Value) -> Called {
        let Emit { kind, payload } = taken(arguments)?;
        let path = format!("/work-items/runs/{}/events", self.run().await?);
        let told =
            self.client.post(&path, &json!({"type": kind, "payload": payload})).await.map_err(words)?;
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
        let mut item = short(&self.client.get(&path).await.map_err(words)?);
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
        self.client.post("/work-items/", &body).await.map(|item| short(&item)).map_err(words)
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
        let listed = self.client.get(&format!("/work-items/{query}")).await.map_err(words)?;
        let items: Vec<Value> = elements(&listed).iter().map(short).collect();
        Ok(json!({ "items": items }))
    }

    /// Returns the run in whose name calls are made.
    pub(super) async fn run(&self) -> Result<i64, String> {
        if let Some(run) = self.run {
            return Ok(run);
        }
        let me = self.client.get("/whoami").await.map_err(words)?;
        me["run_id"].as_i64().ok_or_else(|| {
            "the token is not that of a run, so that it is not known in whose name to speak: \
             start this server with a run's token, or with --run ID"
                .to_owned()
        })
    }

    async fn shown_run(&self) -> Called {
        let path = format!("/work-items/runs/{}", self.run().await?);
        self.client.get(&path).await.map_err(words)
    }
}

/// Reads what a tool was given.
pub(super) fn taken<T: DeserializeOwned>(arguments: Value) -> Result<T, String> {
    serde_json::from_value(arguments).map_err(|error| format!("the arguments do not fit: {error}"))
}

/// Says why a call came to nothing.
pub(super) fn words(failure: Failure) -> String {
    failure.to_string()
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
