//! A plain HTTP client of the server under test, with the few calls that the tests make again and again.

use crate::process::{PATIENCE, until};
use serde_json::{Value, json};

/// A client of one server.
#[derive(Clone)]
pub(crate) struct Rest {
    http: reqwest::Client,
    pub(crate) url: String,
    token: Option<String>,
}

impl Rest {
    pub(crate) fn new(url: String, token: Option<String>) -> Self {
        Self { http: reqwest::Client::new(), url, token }
    }

    fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Sends a body, where there is one, and returns status and answer; none when nobody answers.
    pub(crate) async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Option<(u16, Value)> {
        let method = method.parse().expect("a method");
        let request = self.request(method, path);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        let response = request.send().await.ok()?;
        let status = response.status().as_u16();
        let text = response.text().await.ok()?;
        Some((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.expect("GET", path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        self.expect("POST", path, Some(body)).await
    }

    async fn expect(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let (status, answer) =
            self.call(method, path, body).await.unwrap_or_else(|| panic!("{method} {path}: no answer"));
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    /// Sends a body and returns the status with the problem's code.
    pub(crate) async fn refused(&self, path: &str, body: Value) -> (u16, String) {
        let (status, answer) = self.call("POST", path, Some(body)).await.expect("an answer");
        (status, answer["code"].as_str().unwrap_or_default().to_owned())
    }

    /// Sends log lines as text under a token, and returns the status with the problem's code.
    pub(crate) async fn append_text(&self, run: i64, fence: i64, text: &str) -> (u16, String) {
        let request = self.request(reqwest::Method::POST, &format!("/work-items/runs/{run}/logs"));
        let request = request.header("content-type", "text/plain").header("x-fencing-token", fence);
        let response = request.body(text.to_owned()).send().await.expect("an answer");
        let status = response.status().as_u16();
        let answer: Value = response.json().await.unwrap_or_default();
        (status, answer["code"].as_str().unwrap_or_default().to_owned())
    }

    /// Returns the first event of a type, which is waited for.
    pub(crate) async fn event(&self, kind: &str) -> Value {
        let request = self.request(reqwest::Method::GET, &format!("/events?after=0&type={kind}"));
        let first = async {
            let mut response = request.send().await.expect("an answer");
            let mut text = String::new();
            loop {
                let whole = text.rfind("\n\n").unwrap_or(0);
                if let Some(data) = text[..whole].lines().find_map(|line| line.strip_prefix("data: ")) {
                    return serde_json::from_str(data).expect("an event");
                }
                let chunk = response.chunk().await.expect("the stream goes on").expect("the stream goes on");
                text.push_str(&String::from_utf8_lossy(&chunk));
            }
        };
        tokio::time::timeout(PATIENCE, first).await.expect("an event in time")
    }

    pub(crate) async fn project(&self, repository: Option<&str>) -> i64 {
        id(&self.post("/projects/", json!({"name": "test", "repository": repository})).await)
    }

    pub(crate) async fn item(&self, body: Value) -> i64 {
        id(&self.post("/work-items/", body).await)
    }

    /// Makes a work item with steps and puts it into the queue.
    pub(crate) async fn queued(&self, project: i64, title: &str, steps: &[&str], after: &[i64]) -> i64 {
        let steps: Vec<String> = steps.iter().map(|step| format!("  - {}\n", json!(step))).collect();
        let recipe = format!("steps:\n{}", steps.concat());
        let item = self
            .item(json!({"project_id": project, "title": title, "recipe": recipe, "depends_on": after}))
            .await;
        self.enqueue(item).await;
        item
    }

    pub(crate) async fn enqueue(&self, item: i64) {
        self.post("/scheduler/enqueue", json!({"work_item_id": item})).await;
    }

    pub(crate) async fn status(&self, item: i64) -> String {
        string(&self.get(&format!("/work-items/{item}")).await["status"])
    }

    /// Waits until a work item stands somewhere, whoever has to come back for that.
    pub(crate) async fn until_status(&self, item: i64, wanted: &str) {
        let path = format!("/work-items/{item}");
        until(&format!("work item {item} is {wanted}"), || async {
            let (status, answer) = self.call("GET", &path, None).await?;
            (status == 200 && answer["status"] == wanted).then_some(())
        })
        .await;
    }

    pub(crate) async fn runs(&self, item: i64) -> Vec<Value> {
        self.get(&format!("/work-items/{item}/runs")).await.as_array().cloned().unwrap_or_default()
    }

    pub(crate) async fn log(&self, run: i64) -> String {
        string(&self.get(&format!("/work-items/runs/{run}/logs")).await)
    }

    /// Waits until a run's log has a line, and returns the log.
    pub(crate) async fn until_log(&self, item: i64, wanted: &str) -> String {
        until(&format!("work item {item} says {wanted:?}"), || async {
            let (_, runs) = self.call("GET", &format!("/work-items/{item}/runs"), None).await?;
            let run = runs.get(0)?["id"].as_i64()?;
            let (status, log) = self.call("GET", &format!("/work-items/runs/{run}/logs"), None).await?;
            let log = log.as_str()?.to_owned();
            (status == 200 && log.lines().any(|line| line == wanted)).then_some(log)
        })
        .await
    }
}

pub(crate) fn id(resource: &Value) -> i64 {
    resource["id"].as_i64().unwrap_or_else(|| panic!("no id in {resource}"))
}

pub(crate) fn string(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text but {value}")).to_owned()
}
