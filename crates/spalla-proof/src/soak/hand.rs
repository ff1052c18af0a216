//! Workers by hand: honest ones that carry out external items, and zombies that sleep past their lease on purpose and
//! then write with their old token. What a zombie writes too late has to be refused and leave no trace.

use super::load::Load;
use super::rest::{Rest, Wish};
use anyhow::Result;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const HONEST_LEASE_SECONDS: f64 = 5.0;
const ZOMBIE_LEASE_SECONDS: f64 = 0.25;
/// How long a zombie waits for its heir.
const HEIR_WITHIN: Duration = Duration::from_secs(6);
const LOOK: Duration = Duration::from_millis(80);
/// A zombie's runs are not done by anybody else for a while, so there are not many of them.
const ZOMBIE_REST: Duration = Duration::from_millis(700);
const AWAY: Duration = Duration::from_millis(100);

/// A worker without a process.
pub(crate) struct Hand {
    load: Arc<Load>,
    rest: Rest,
    name: String,
    is_zombie: bool,
    late: u64,
}

impl Hand {
    /// Makes one.
    pub(crate) fn new(load: Arc<Load>, number: usize, is_zombie: bool) -> Result<Self> {
        let mut bases = load.bases.clone();
        let turn = number % bases.len();
        bases.rotate_left(turn);
        let name = format!("{}-{number}", if is_zombie { "zombie" } else { "hand" });
        Ok(Self { rest: Rest::new(bases)?, load, name, is_zombie, late: 0 })
    }

    /// Works until it is dismissed.
    pub(crate) async fn run(mut self) -> Result<()> {
        while !self.load.hands_leave() {
            // A zombie that goes on after the load would keep the last items from their end.
            if self.is_zombie && self.load.is_over() {
                return Ok(());
            }
            let Some(runs) = self.claim().await else {
                tokio::time::sleep(AWAY).await;
                continue;
            };
            for run in runs {
                let (Some(id), Some(token)) = (run["run_id"].as_i64(), run["fencing_token"].as_i64()) else {
                    continue;
                };
                if self.is_zombie { self.haunt(id, token).await? } else { self.carry_out(id, token).await? }
            }
            if self.is_zombie {
                tokio::time::sleep(ZOMBIE_REST).await;
            }
        }
        Ok(())
    }

    async fn claim(&self) -> Option<Vec<Value>> {
        let (max, ttl) = if self.is_zombie { (1, ZOMBIE_LEASE_SECONDS) } else { (4, HONEST_LEASE_SECONDS) };
        let mut body = json!({"worker_id": self.name, "max": max, "wait_seconds": 1, "ttl_seconds": ttl});
        if !self.is_zombie {
            body["executors"] = json!(["external"]);
        }
        let answer = self.rest.ask(&Wish::post("/scheduler/claim", body)).await?;
        answer.is_good().then(|| answer.body["runs"].as_array().cloned().unwrap_or_default())
    }

    async fn write(&self, run: i64, token: i64, text: String) {
        let answer = self.rest.ask(&Wish::log(run, token, format!("{text}\n"))).await;
        if answer.is_some_and(|answer| answer.is_good()) {
            self.load.note(|ledger| ledger.lines.push((run, text)));
        }
    }

    /// Writes a line, and reports the end until it is confirmed or refused.
    async fn carry_out(&self, run: i64, token: i64) -> Result<()> {
        self.write(run, token, format!("{} carries out {run} under {token}", self.name)).await;
        let wish = Wish::post(
            "/scheduler/exchange",
            self.exchange(json!({"completed": [{
                "run_id": run, "fencing_token": token, "success": true, "result": {"by": self.name}
            }]})),
        );
        let answer = self.rest.obtain(&wish).await?;
        if names(&answer.body["completed"], run) {
            self.load.note(|ledger| ledger.completed.push((run, token)));
        }
        Ok(())
    }

    fn exchange(&self, mut body: Value) -> Value {
        body["worker_id"] = json!(self.name);
        body["max"] = json!(0);
        body
    }

    /// Writes in time, sleeps until somebody else has the run, and then writes whatever a worker may write.
    async fn haunt(&mut self, run: i64, token: i64) -> Result<()> {
        self.write(run, token, format!("{} in time on {run} under {token}", self.name)).await;
        if !self.is_succeeded(run, token).await {
            return Ok(());
        }
        self.late += 1;
        let text = format!("{} too late, {} time", self.name, self.late);
        self.load.note(|ledger| ledger.stale_tried.push((run, text.clone())));
        let path = |verb: &str| format!("/work-items/runs/{run}/{verb}");
        let beat = json!({"worker_id": self.name, "fencing_token": token});
        let end = json!({"fencing_token": token, "result": {"by": text}});
        let lease = json!({"run_id": run, "fencing_token": token});
        let mut done = lease.clone();
        done["success"] = json!(false);
        let both = self.exchange(json!({"completed": [done], "heartbeats": [lease]}));
        let writes = [
            ("log", Wish::log(run, token, format!("{text}\n"))),
            ("heartbeat", Wish::post(path("heartbeat"), beat.clone())),
            ("complete", Wish::post(path("complete?success=false"), end)),
            ("release", Wish::post(path("release"), beat)),
            ("exchange", Wish::post("/scheduler/exchange", both)),
        ];
        for (what, wish) in writes {
            self.write_late(run, token, what, &wish).await;
        }
        Ok(())
    }

    async fn write_late(&self, run: i64, token: i64, what: &str, wish: &Wish) {
        // Silence and a server's own trouble say nothing; a trace of it would still be found in the end.
        let Some(answer) = self.rest.ask(wish).await else { return };
        let body = &answer.body;
        let is_accepted = answer.is_good()
            && (what != "exchange"
                || names(&body["completed"], run)
                || body["heartbeats"].as_array().is_some_and(|beats| !beats.is_empty()));
        self.load.note(|ledger| match answer.status {
            _ if is_accepted => {
                ledger
                    .stale_accepted
                    .push(format!("{what} of run {run} under the old token {token}: {body}"));
            }
            200 | 409 => ledger.stale_refused += 1,
            500.. => {}
            status => ledger.faults.push(format!("a late {what} of run {run} was answered {status} {body}")),
        });
    }

    /// Waits until the run has a newer token, or is over under another one.
    async fn is_succeeded(&self, run: i64, token: i64) -> bool {
        let (wish, begun) = (Wish::get(format!("/work-items/runs/{run}")), Instant::now());
        while begun.elapsed() < HEIR_WITHIN {
            if let Some(answer) = self.rest.ask(&wish).await
                && answer.body["fencing_token"].as_i64().is_some_and(|newest| newest > token)
            {
                return true;
            }
            tokio::time::sleep(LOOK).await;
        }
        false
    }
}

fn names(list: &Value, run: i64) -> bool {
    list.as_array().is_some_and(|list| list.iter().any(|id| *id == run))
}
