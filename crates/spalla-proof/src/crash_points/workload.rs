//! What the clients do: work of every kind, small. Everything that was answered is written down.

use super::client::{Client, PATIENCE, REST};
use super::scenario::Kind;
use super::site::Site;
use futures_util::StreamExt as _;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How many work items are made so that the store has something to tidy up.
const BULK: usize = 360;
/// How many of them are on their way at once.
const BULK_BESIDE: usize = 40;
/// The store tidies up when nothing has come for a while; this is longer.
const QUIET: Duration = Duration::from_millis(600);
/// How many lines a run prints that is ahead of its log.
const NOISE: u32 = 160_000;

/// The ends that a work item may come to.
pub(super) type Ends = &'static [&'static str];
const SUCCEEDS: Ends = &["succeeded"];
const FAILS: Ends = &["failed"];

/// What the clients were told.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Work items, and how they have to end.
    pub(super) items: Vec<(i64, Ends)>,
    /// The log of a run as far as it was shown.
    pub(super) logs: BTreeMap<i64, String>,
}

/// Does the work of a kind of scenario to its end.
pub(super) async fn drive(kind: Kind, client: &Client, site: &Site, told: &mut Told) -> anyhow::Result<()> {
    let project = json!({"name": "proof", "repository": site.checkout()});
    let mut work = Work { client, project: id(&client.post("/projects/", &project).await?)?, told };
    match kind {
        Kind::Bulk => work.bulk().await,
        Kind::Noisy => work.noise(site).await,
        Kind::Remote | Kind::Surviving => work.some(site).await,
        _ => work.everything(site).await,
    }
}

struct Work<'a> {
    client: &'a Client,
    project: i64,
    told: &'a mut Told,
}

impl Work<'_> {
    async fn everything(&mut self, site: &Site) -> anyhow::Result<()> {
        // No step sees what its server was ordered to do.
        let blind = "! env | grep SPALLA_CRASH_";
        let first = self.item("first", &[blind, "cat src/main.rs", "echo first >&2"], &[], SUCCEEDS).await?;
        let second = self.item("second", &["echo second"], &[first], SUCCEEDS).await?;
        let approval = self.client.post(&format!("/work-items/{second}/approvals"), &json!({})).await?;
        let once = site.path("shared/once").display().to_string();
        let flaky = format!("test -e {once} || {{ touch {once} stray; exit 1; }}");
        let flaky = self.item("flaky", &[&flaky], &[], SUCCEEDS).await?;
        let hopeless = self.item("hopeless", &["echo no; exit 1"], &[], FAILS).await?;
        self.client.post(&format!("/work-items/{hopeless}/policy"), &json!({"max_retries": 0})).await?;
        let survey = json!({"project_id": self.project, "title": "survey", "executor": "agent", "agent": "surveyor",
            "prompt": "Analyze the codebase structure"});
        let survey = self.make(&survey, SUCCEEDS).await?;
        for item in [second, first, flaky, hopeless, survey] {
            self.enqueue(item).await?;
        }
        let held = self.held(site).await?;
        self.see_log(first, &["first"]).await?;
        let yes = format!("/work-items/approvals/{}/approve", id(&approval)?);
        self.client.post(&yes, &json!({"by": "me"})).await?;
        self.cancel_and_requeue(held).await?;
        self.all_end().await
    }

    /// What a worker of its own is given.
    async fn some(&mut self, site: &Site) -> anyhow::Result<()> {
        let first = self.item("first", &["echo first"], &[], SUCCEEDS).await?;
        let second = self.item("second", &["cat src/main.rs"], &[first], SUCCEEDS).await?;
        self.enqueue(second).await?;
        self.enqueue(first).await?;
        let held = self.held(site).await?;
        self.see_log(first, &["first"]).await?;
        self.cancel_and_requeue(held).await?;
        self.all_end().await
    }

    async fn bulk(&mut self) -> anyhow::Result<()> {
        let (client, project) = (self.client, self.project);
        let make = |number: usize| async move {
            let body =
                json!({"project_id": project, "title": format!("number {number}"), "executor": "external"});
            client.post("/work-items/", &body).await
        };
        let mut made = futures_util::stream::iter((0..BULK).map(make)).buffer_unordered(BULK_BESIDE);
        while let Some(made) = made.next().await {
            self.told.items.push((id(&made?)?, &["open"]));
        }
        tokio::time::sleep(QUIET).await;
        Ok(())
    }

    /// A run prints while its server does not answer: the worker keeps its lines in a file until it does.
    async fn noise(&mut self, site: &Site) -> anyhow::Result<()> {
        let go = site.path("shared/go").display().to_string();
        let step = format!("echo begun; until test -e {go}; do sleep 0.02; done; seq {NOISE}");
        let item = self.item("noise", &[&step], &[], SUCCEEDS).await?;
        self.enqueue(item).await?;
        self.see_log(item, &["begun"]).await?;
        site.stall_server().await?;
        self.all_end().await
    }

    /// Queues an item whose first attempt goes on until somebody stops it.
    async fn held(&mut self, site: &Site) -> anyhow::Result<i64> {
        let held = site.path("shared/held").display().to_string();
        let wait =
            format!("if test -e {held}; then echo again; else touch {held}; echo waiting; sleep 600; fi");
        let item = self.item("held", &[&wait], &[], SUCCEEDS).await?;
        self.enqueue(item).await?;
        Ok(item)
    }

    async fn cancel_and_requeue(&mut self, item: i64) -> anyhow::Result<()> {
        self.see_log(item, &["waiting", "again"]).await?;
        let runs = self.client.get(&format!("/work-items/{item}/runs")).await?;
        let run = id(&runs[0])?;
        // After a death the second attempt may be over already: then there is nothing to cancel.
        let cancel = format!("/work-items/runs/{run}/cancel");
        let (status, answer) = self.client.ask(Method::POST, &cancel, Some(&json!({}))).await?;
        anyhow::ensure!((200..300).contains(&status) || status == 409, "{cancel}: {status} {answer}");
        self.until_status(item, &["cancelled", "succeeded"]).await?;
        self.client.post("/scheduler/requeue/work-item", &json!({"work_item_id": item})).await.map(drop)
    }

    async fn item(&mut self, title: &str, steps: &[&str], after: &[i64], ends: Ends) -> anyhow::Result<i64> {
        let steps: Vec<String> = steps.iter().map(|step| format!("  - {}\n", json!(step))).collect();
        let recipe = format!("steps:\n{}", steps.concat());
        let body = json!({"project_id": self.project, "title": title, "recipe": recipe, "depends_on": after});
        self.make(&body, ends).await
    }

    async fn make(&mut self, body: &Value, ends: Ends) -> anyhow::Result<i64> {
        let item = id(&self.client.post("/work-items/", body).await?)?;
        self.told.items.push((item, ends));
        Ok(item)
    }

    async fn enqueue(&self, item: i64) -> anyhow::Result<()> {
        self.client.post("/scheduler/enqueue", &json!({"work_item_id": item})).await.map(drop)
    }

    /// Waits until the newest run of an item has printed one of these lines, and remembers what was shown. Which run is
    /// the newest may change meanwhile: a death ends one before it says anything.
    async fn see_log(&mut self, item: i64, lines: &[&str]) -> anyhow::Result<()> {
        let newest = |runs: &Value| runs[0]["id"].as_i64();
        let says = |log: &&str| log.lines().any(|line| lines.contains(&line));
        let began = Instant::now();
        loop {
            let run = self.client.until("it has a run", &format!("/work-items/{item}/runs"), newest).await?;
            let log = self.client.get(&format!("/work-items/runs/{run}/logs")).await?;
            if let Some(log) = log.as_str().filter(says) {
                self.told.logs.insert(run, log.to_owned());
                return Ok(());
            }
            anyhow::ensure!(
                began.elapsed() < PATIENCE,
                "no run of item {item} says {lines:?}; {run} says {log}"
            );
            tokio::time::sleep(REST).await;
        }
    }

    async fn all_end(&mut self) -> anyhow::Result<()> {
        for (item, ends) in self.told.items.clone() {
            self.until_status(item, ends).await?;
        }
        Ok(())
    }

    async fn until_status(&self, item: i64, wanted: Ends) -> anyhow::Result<()> {
        let is_wanted = |item: &Value| wanted.contains(&item["status"].as_str()?).then_some(());
        self.client.until(&format!("it is {wanted:?}"), &format!("/work-items/{item}"), is_wanted).await
    }
}

fn id(resource: &Value) -> anyhow::Result<i64> {
    resource["id"].as_i64().ok_or_else(|| anyhow::anyhow!("there is no id in {resource}"))
}
