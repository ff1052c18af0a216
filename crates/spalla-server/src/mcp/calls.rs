//! What the tools do: calls of the server's interface, with the run in whose name they are made. A refusal is told in the
//! server's own words.

use super::{Asked, Extensions, Refused, Way};
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
        Ok(self.way.ask(self.call, path, Asked::Get).await?)
    }

    /// Shows something, and tries again until a time where what keeps it from being shown passes by itself.
    pub(super) async fn get_until(&self, path: &str, until: Instant) -> Called {
        loop {
            match self.way.ask(self.call, path, Asked::Get).await {
                Err(refused) if refused.passes() && Instant::now() < until => {
                    tokio::time::sleep_until(until.min(Instant::now() + LOOK_EVERY)).await;
                }
                shown => return Ok(shown?),
            }
        }
    }

    /// Does something.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Called {
        Ok(self.way.ask(self.call, path, Asked::Post(body)).await?)
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
        let mut unknown = vec![];
        for id in acknowledge {
            if !self.acknowledge(id).await? {
                unknown.push(id);
            }
        }
        let path =
            format!("/api/messages/inbox{}", query(&[("limit", limit.map(|limit| limit.to_string()))]));
        loop {
            let messages = self.get_until(&path, until).await?;
            let is_something = messages.as_array().is_some_and(|messages| !messages.is_empty());
            if is_something || Instant::now() >= until {
                let mut read = json!({ "messages": messages });
                if !unknown.is_empty() {
                    read["not_found"] = json!(unknown);
                }
                return Ok(read);
            }
            tokio::time::sleep_until(until.min(Instant::now() + LOOK_EVERY)).await;
        }
    }

    /// Acknowledges a message; tells whether there is one for the run's agent. One whose time is over is as good as acknowledged.
    async fn acknowledge(&self, id: i64) -> Result<bool, Refused> {
        let path = format!("/api/messages/{id}/ack");
        match self.way.ask(self.call, &path, Asked::Post(&json!({}))).await {
            Ok(_) => Ok(true),
            Err(refused) if refused.is_not_found() => Ok(false),
            Err(refused) => Err(refused),
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
    use super::super::Answered;
    use super::*;
    use std::sync::Mutex;

    type AnswersAndAsked = (Vec<Result<Value, u16>>, Vec<String>);

    /// A way that gives these answers one after the other, and keeps what was asked.
    #[derive(Debug)]
    struct Scripted(Mutex<AnswersAndAsked>);

    impl Scripted {
        fn new(mut answers: Vec<Result<Value, u16>>) -> Self {
            answers.reverse();
            Self(Mutex::new((answers, vec![])))
        }
    }

    impl Way for Scripted {
        async fn ask(&self, _: &Extensions, path: &str, _: Asked<'_>) -> Result<Value, Refused> {
            let mut script = self.0.lock().unwrap();
            script.1.push(path.to_owned());
            let refused = |status| match status {
                0 => Refused { why: "nobody answers".to_owned(), answer: Answered::Nothing },
                status => Refused { why: format!("refused: {status}"), answer: Answered::Status(status) },
            };
            script.0.pop().unwrap().map_err(refused)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_goes_on_after_refusals_that_pass_and_ends_with_others() {
        let pending = || Ok(json!({"id": 7, "status": "pending"}));
        let answered = || Ok(json!({"id": 7, "status": "answered", "values": {"ANSWER": "yes"}}));
        let call = Extensions::new();
        let asked = async |answers: Vec<_>| {
            let way = Scripted::new([vec![Ok(json!({"id": 7}))], answers].concat());
            Calls::new(&way, &call, Some(1)).ask(json!({"question": "?", "timeout_seconds": 60})).await
        };
        let passing = vec![Err(503), pending(), Err(429), Err(0), Err(502), answered()];
        assert_eq!(asked(passing).await.unwrap()["answer"], "yes");
        assert_eq!(asked(vec![pending(), Err(401)]).await.unwrap_err(), "refused: 401");
        assert_eq!(asked(vec![Err(503); 100]).await.unwrap_err(), "refused: 503", "until the time is over");
        let way = Scripted::new(vec![Ok(json!([])), Err(503), Err(0), Ok(json!([{"id": 1}]))]);
        let read = Calls::new(&way, &call, Some(1)).read_messages(json!({"wait_seconds": 60})).await;
        assert_eq!(read.unwrap(), json!({"messages": [{"id": 1}]}));
    }

    #[tokio::test(start_paused = true)]
    async fn messages_are_read_although_one_that_is_acknowledged_is_gone() {
        let call = Extensions::new();
        let way = Scripted::new(vec![Ok(json!({})), Err(404), Ok(json!({})), Ok(json!([{"id": 9}]))]);
        let read = Calls::new(&way, &call, Some(1)).read_messages(json!({"acknowledge": [1, 2, 3]})).await;
        assert_eq!(read.unwrap(), json!({"messages": [{"id": 9}], "not_found": [2]}));
        let asked = way.0.lock().unwrap().1.clone();
        assert_eq!(asked[..3], [1, 2, 3].map(|id| format!("/api/messages/{id}/ack")));
        let way = Scripted::new(vec![Err(403)]);
        let read = Calls::new(&way, &call, Some(1)).read_messages(json!({"acknowledge": [1]})).await;
        assert_eq!(read.unwrap_err(), "refused: 403");
    }

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
