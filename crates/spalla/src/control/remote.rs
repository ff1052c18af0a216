//! The control plane over HTTP.

use super::{ItemState, LOG_LINES_MAX, NewItem, RunState, ToldEvent};
use crate::client::{Client, query};
use crate::failure::{Failure, Result};
use crate::output::{cell, elements};
use serde_json::{Value, json};
use spalla_domain::session_event::SessionChange;
use std::collections::BTreeMap;

/// How many projects are looked at for one with the repository: the newest, in one call.
const PROJECTS_MAX: usize = 500;

pub(super) async fn project(client: &Client, name: &str, repository: &str) -> Result<i64> {
    let projects = client.get(&format!("/projects/?limit={PROJECTS_MAX}")).await?;
    if let Some(known) = elements(&projects).iter().find(|project| project["repository"] == repository) {
        return id(known);
    }
    id(&client.post("/projects/", &json!({"name": name, "repository": repository})).await?)
}

pub(super) async fn tell_session(
    client: &Client,
    session: &str,
    change: SessionChange,
    why: Option<&str>,
) -> Result<()> {
    let mut body = json!({"session_id": session, "change": change});
    if let Some(why) = why {
        body["why"] = Value::from(why);
    }
    client.post("/api/session/changes", &body).await.map(drop)
}

pub(super) async fn create(client: &Client, item: &NewItem) -> Result<i64> {
    let mut body = json!({
        "project_id": item.project_id, "title": item.title, "executor": item.executor, "depends_on": item.depends_on,
    });
    let texts = [("prompt", &item.prompt), ("agent", &item.agent), ("recipe", &item.recipe)];
    for (name, text) in texts.into_iter().filter_map(|(name, text)| Some((name, text.as_ref()?))) {
        body[name] = Value::from(text.as_str());
    }
    if !item.labels.is_empty() {
        body["labels"] = json!(item.labels);
    }
    if let Some(ms) = item.timeout_ms {
        body["timeout_seconds"] = json!(ms as f64 / 1e3);
    }
    if let Some(category) = &item.category {
        body["category"] = json!(category);
    }
    if let Some(resources) = &item.resources {
        body["resources"] = json!(resources.named());
    }
    if !item.fallback.is_empty() {
        body["adapter"]["fallback"] = json!(item.fallback);
    }
    if let Some(model) = &item.model {
        body["adapter"]["model"] = json!(model);
    }
    if let Some(definition) = &item.definition {
        body["definition"] = json!(definition);
    }
    if let Some(policy) = &item.agent_policy {
        body["adapter"]["policy"] = json!(policy);
    }
    let id = id(&client.post("/work-items/", &body).await?)?;
    let mut policy = json!({});
    if let Some(max_retries) = item.policy.max_retries {
        policy["max_retries"] = json!(max_retries);
    }
    if let Some(backoff) = item.policy.backoff {
        policy["backoff"] = json!(backoff);
    }
    if let Some(base) = item.policy.backoff_base_ms {
        policy["backoff_base_seconds"] = json!(base as f64 / 1e3);
    }
    if policy != json!({}) {
        client.post(&format!("/work-items/{id}/policy"), &policy).await?;
    }
    Ok(id)
}

pub(super) async fn labelled(client: &Client, project: i64, label: &str) -> Result<Option<i64>> {
    let wanted =
        [("project_id", project.to_string()), ("label", label.to_owned()), ("limit", "1".to_owned())];
    let wanted = query(&wanted.map(|(name, value)| (name, Some(value))));
    let found = client.get(&format!("/work-items/{wanted}")).await?;
    elements(&found).first().map(id).transpose()
}

pub(super) async fn enqueue(client: &Client, item: i64) -> Result<()> {
    client.post("/scheduler/enqueue", &json!({"work_item_id": item})).await.map(drop)
}

pub(super) async fn requeue(client: &Client, item: i64) -> Result<()> {
    client.post("/scheduler/requeue/work-item", &json!({"work_item_id": item})).await.map(drop)
}

pub(super) async fn hold_run(client: &Client, run: i64, held: bool) -> Result<()> {
    let verb = if held { "pause" } else { "resume" };
    client.post(&format!("/work-items/runs/{run}/{verb}"), &json!({})).await.map(drop)
}

pub(super) async fn item(client: &Client, item: i64) -> Result<ItemState> {
    client.get_as(&format!("/work-items/{item}")).await
}

pub(super) async fn runs(client: &Client, item: i64, most: u32) -> Result<Vec<RunState>> {
    client.get_as(&format!("/work-items/{item}/runs?limit={most}")).await
}

pub(super) async fn trust(client: &Client) -> Result<BTreeMap<String, f64>> {
    let known = client.get("/api/scorecards").await?;
    let of = |card: &Value| Some((card["agent"].as_str()?.to_owned(), card["trust"].as_f64()?));
    Ok(elements(&known["agents"]).iter().filter_map(of).collect())
}

pub(super) async fn events(client: &Client, run: i64, after: i64) -> Result<Vec<ToldEvent>> {
    client.get_as(&format!("/work-items/runs/{run}/events?after={after}")).await
}

pub(super) async fn log(client: &Client, run: i64, from: usize) -> Result<Vec<String>> {
    let window =
        [("format", "json".to_owned()), ("from", from.to_string()), ("limit", LOG_LINES_MAX.to_string())];
    let window = query(&window.map(|(name, value)| (name, Some(value))));
    let lines = client.get(&format!("/work-items/runs/{run}/logs{window}")).await?;
    Ok(elements(&lines).iter().map(|line| cell(&line["text"])).collect())
}

pub(super) async fn cancel_run(client: &Client, run: i64) -> Result<()> {
    client.post(&format!("/work-items/runs/{run}/cancel"), &json!({})).await.map(drop)
}

pub(super) async fn archive(client: &Client, item: i64) -> Result<()> {
    client.delete(&format!("/work-items/{item}")).await
}

fn id(resource: &Value) -> Result<i64> {
    resource["id"].as_i64().ok_or_else(|| Failure::failed("the server's answer has no id"))
}
