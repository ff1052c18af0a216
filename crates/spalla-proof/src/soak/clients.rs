//! The clients: each submits one small story after another, and asks again until every part of it is acknowledged.

use super::ledger::{Nature, Promise};
use super::load::Load;
use super::rest::{Rest, Wish};
use anyhow::Result;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long a client waits for an item to come to where it wants to disturb it.
const WATCH: Duration = Duration::from_secs(6);
const LOOK: Duration = Duration::from_millis(60);
const HELD: Duration = Duration::from_millis(40);

/// One client.
pub(crate) struct Client {
    load: Arc<Load>,
    rest: Rest,
    random: StdRng,
    name: String,
    calls: u64,
}

/// A work item to be submitted.
struct Draft {
    nature: Nature,
    step: Option<&'static str>,
    parents: Vec<Value>,
}

/// Leaves the line and says so.
const WORK: &str = "true";
/// Fails at the first attempt.
const FLAKY: &str = r#"test "$SPALLA_ATTEMPT" -ge 2"#;
const FAIL: &str = "exit 3";
/// Long enough to be cancelled, unless it is tried again.
const LONG: &str = r#"test "$SPALLA_ATTEMPT" -ge 2 || sleep 4"#;

impl Draft {
    fn new(nature: Nature, step: &'static str) -> Self {
        Self { nature, step: Some(step), parents: vec![] }
    }

    fn sound() -> Self {
        Self::new(Nature::Sound, WORK)
    }

    fn after(mut self, parents: &[i64], when: &str) -> Self {
        self.parents = parents.iter().map(|id| json!({"id": id, "when": when})).collect();
        self
    }
}

impl Client {
    /// Makes a client with a random sequence of its own.
    pub(crate) fn new(load: Arc<Load>, number: u64) -> Result<Self> {
        let mut bases = load.bases.clone();
        let turn = usize::try_from(number).unwrap_or_default() % bases.len();
        bases.rotate_left(turn);
        let random = StdRng::seed_from_u64(load.seed.wrapping_mul(1_000).wrapping_add(number));
        let name = format!("{}-{number}", load.seed);
        Ok(Self { rest: Rest::new(bases)?, load, random, name, calls: 0 })
    }

    /// Submits until the load is over.
    pub(crate) async fn run(mut self) -> Result<()> {
        while !self.load.is_over() {
            if self.load.is_held() {
                tokio::time::sleep(HELD).await;
                continue;
            }
            self.tell_story().await?;
        }
        Ok(())
    }

    async fn tell_story(&mut self) -> Result<()> {
        match self.random.random_range(0..100) {
            0..30 => self.submit(Draft::sound()).await.map(drop),
            30..45 => self.chain().await,
            45..58 => self.fan_in().await,
            58..66 => self.submit(Draft::new(Nature::Sound, FLAKY)).await.map(drop),
            66..74 => self.approval().await,
            74..82 => self.external().await,
            82..90 => self.doomed().await,
            90..95 => self.requeue().await,
            _ => self.cancel().await,
        }
    }

    async fn chain(&mut self) -> Result<()> {
        let mut before = self.submit(Draft::sound()).await?;
        for _ in 0..self.random.random_range(1..4) {
            before = self.submit(Draft::sound().after(&[before], "success")).await?;
        }
        Ok(())
    }

    async fn fan_in(&mut self) -> Result<()> {
        let mut parents = Vec::new();
        for _ in 0..self.random.random_range(2..5) {
            parents.push(self.make(Draft::sound()).await?);
        }
        // The child stands in line before any of its parents does.
        self.submit(Draft::sound().after(&parents, "success")).await?;
        for parent in parents {
            self.enqueue(parent).await?;
        }
        Ok(())
    }

    async fn approval(&mut self) -> Result<()> {
        let item = self.make(Draft::sound()).await?;
        let ask = self.post(format!("/work-items/{item}/approvals"), json!({"kind": "deploy"}));
        let approval = self.rest.obtain(&ask).await?.number("id")?;
        self.load.note(|ledger| ledger.approved.insert(item));
        self.enqueue(item).await?;
        let say = self.post(format!("/work-items/approvals/{approval}/approve"), json!({"by": "soak"}));
        self.rest.obtain(&say).await.map(drop)
    }

    async fn external(&mut self) -> Result<()> {
        let parent = self.submit(Draft { nature: Nature::Sound, step: None, parents: vec![] }).await?;
        self.submit(Draft::sound().after(&[parent], "success")).await.map(drop)
    }

    /// Fails for good, with one item that waits for its success and one that waits for its failure.
    async fn doomed(&mut self) -> Result<()> {
        let parent = self.submit(Draft::new(Nature::Doomed, FAIL)).await?;
        self.submit(Draft::new(Nature::Barred, WORK).after(&[parent], "success")).await?;
        self.submit(Draft::sound().after(&[parent], "failure")).await.map(drop)
    }

    /// Brings a dead letter back.
    async fn requeue(&mut self) -> Result<()> {
        let item = self.submit(Draft::new(Nature::Doomed, FAIL)).await?;
        if self.watch(format!("/work-items/{item}"), |item| item["status"] == "failed").await.is_some() {
            self.ask_requeue(item).await?;
        }
        Ok(())
    }

    async fn ask_requeue(&mut self, item: i64) -> Result<()> {
        let ask = self.post("/scheduler/requeue/work-item".into(), json!({"work_item_id": item}));
        if self.rest.insist(&ask).await?.is_good() {
            self.load.note(|ledger| *ledger.requeued.entry(item).or_default() += 1);
        }
        Ok(())
    }

    /// Stops an item in the middle, and sometimes wants it done after all.
    async fn cancel(&mut self) -> Result<()> {
        let item = self.submit(Draft::new(Nature::Slow, LONG)).await?;
        let is_running = |runs: &Value| runs[0]["status"] == "running";
        let Some(runs) = self.watch(format!("/work-items/{item}/runs"), is_running).await else {
            return Ok(());
        };
        let Some(run) = runs[0]["id"].as_i64() else { return Ok(()) };
        let ask = self.post(format!("/work-items/runs/{run}/cancel"), json!({}));
        if !self.rest.insist(&ask).await?.is_good() {
            return Ok(());
        }
        self.load.note(|ledger| ledger.cancelled.push((run, item)));
        if self.random.random_bool(0.5) {
            self.ask_requeue(item).await?;
        }
        Ok(())
    }

    async fn submit(&mut self, draft: Draft) -> Result<i64> {
        let item = self.make(draft).await?;
        self.enqueue(item).await?;
        Ok(item)
    }

    async fn make(&mut self, draft: Draft) -> Result<i64> {
        let title = format!("soak {} {}", self.name, self.calls);
        let mut body = json!({
            "project_id": self.load.project, "title": title, "depends_on": draft.parents,
            "priority": self.random.random_range(0..10),
        });
        match draft.step {
            Some(step) => body["recipe"] = self.recipe(step).into(),
            None => body["executor"] = "external".into(),
        }
        if self.random.random_bool(0.2) {
            body["labels"] = json!(["soaked"]);
        }
        let wish = self.post("/work-items/".into(), body);
        let item = self.rest.obtain(&wish).await?.number("id")?;
        let parents = draft.parents.iter().filter_map(|edge| edge["id"].as_i64()).collect();
        let (nature, leaves_line) = (draft.nature, draft.step.is_some());
        self.load.note(|ledger| ledger.promises.push(Promise { item, title, nature, parents, leaves_line }));
        self.load.count();
        if draft.nature == Nature::Doomed {
            let wish = self.post(format!("/work-items/{item}/policy"), json!({"max_retries": 1}));
            self.rest.obtain(&wish).await?;
        }
        Ok(item)
    }

    async fn enqueue(&mut self, item: i64) -> Result<()> {
        let wish = self.post("/scheduler/enqueue".into(), json!({"work_item_id": item}));
        self.rest.obtain(&wish).await.map(drop)
    }

    /// Every execution leaves its line first, in one write, and says so in its log.
    fn recipe(&self, step: &str) -> String {
        let journal = self.load.journal.display();
        let line = format!(
            r#"echo "$SPALLA_WORK_ITEM_ID $SPALLA_RUN_ID $SPALLA_ATTEMPT" >> {journal}; echo did $SPALLA_WORK_ITEM_ID; {step}"#
        );
        format!("steps:\n  - {}\n", json!(line))
    }

    fn post(&mut self, path: String, body: Value) -> Wish {
        self.calls += 1;
        Wish::post(path, body).key(format!("{}-{}", self.name, self.calls))
    }

    async fn watch(&self, path: String, is_so: impl Fn(&Value) -> bool) -> Option<Value> {
        let (wish, begun) = (Wish::get(path), Instant::now());
        while begun.elapsed() < WATCH {
            if let Some(answer) = self.rest.ask(&wish).await.filter(|answer| answer.is_good())
                && is_so(&answer.body)
            {
                return Some(answer.body);
            }
            tokio::time::sleep(LOOK).await;
        }
        None
    }
}
