//! How soon a step of a recipe does something: from the wish to have its item done, through the queue, the claim, the
//! scratchpad and the sandbox, to the moment at which the step tells the time.

use super::caller::{Caller, id};
use super::figure::Figures;
use super::server::Server;
use anyhow::{Context as _, Result, ensure};
use futures_util::future::try_join_all;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What the step says: nanoseconds since 1970.
const TELL_TIME: &str = "date +%s%N";
const RATE: u32 = 20;
const SECONDS: u32 = 5;
/// The first runs make folders and read programs into memory.
const WARM_UP: usize = 20;
const LOOK: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(60);

/// A wish that was granted: its item, and when it was said and answered.
struct Wished {
    item: i64,
    called: i128,
    answered: i128,
}

/// Measures it on a server with a worker inside.
pub(crate) async fn measure(server: &Server, figures: Figures) -> Result<()> {
    let caller = Caller::of(server)?;
    let project = caller.make_project().await?;
    let total = (RATE * SECONDS) as usize;
    let mut items = vec![];
    for _ in 0..WARM_UP + total {
        let recipe = format!("steps: [\"{TELL_TIME}\"]");
        let body = json!({"project_id": project, "title": "tell the time", "recipe": recipe});
        items.push(id(&caller.post("/work-items/", &body).await?)?);
    }
    let timed = items.split_off(WARM_UP);
    try_join_all(items.iter().map(|&item| wish(&caller, item))).await?;
    wait_for(&caller, project, WARM_UP).await?;
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / RATE);
    let mut wishes = vec![];
    for item in timed {
        ticks.tick().await;
        // An answer comes long before the next tick.
        wishes.push(wish(&caller, item).await?);
    }
    wait_for(&caller, project, WARM_UP + total).await?;
    let (mut from_answer, mut from_call) = (vec![], vec![]);
    for wished in wishes {
        let started = told(&caller, wished.item).await?;
        from_answer.push(in_ms(started - wished.answered));
        from_call.push(in_ms(started - wished.called));
    }
    figures.print_latency("step", from_answer);
    figures.print_latency("step_from_call", from_call);
    figures.print_latency("step_by_hand", by_hand().await?);
    Ok(())
}

async fn wish(caller: &Caller, item: i64) -> Result<Wished> {
    let called = now();
    caller.post("/scheduler/enqueue", &json!({"work_item_id": item})).await?;
    Ok(Wished { item, called, answered: now() })
}

async fn wait_for(caller: &Caller, project: i64, count: usize) -> Result<()> {
    let ended = async {
        loop {
            let path = format!("/work-items/?project_id={project}&status=succeeded&limit=500");
            let done = caller.get(&path).await?.as_array().map_or(0, Vec::len);
            if done >= count {
                return anyhow::Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.with_context(|| format!("not all {count} items succeeded"))?
}

/// Returns the time that an item's step told.
async fn told(caller: &Caller, item: i64) -> Result<i128> {
    let runs = caller.get(&format!("/work-items/{item}/runs")).await?;
    let run = id(&runs[0])?;
    let lines = caller.get(&format!("/work-items/runs/{run}/logs?format=json&stream=stdout")).await?;
    let lines = lines.as_array().map(Vec::as_slice).unwrap_or_default();
    let time = lines.iter().find_map(|line: &Value| line["text"].as_str()?.trim().parse().ok());
    time.with_context(|| format!("run {run} told no time: {lines:?}"))
}

/// The same step in a shell of our own: what remains when nothing is orchestrated.
async fn by_hand() -> Result<Vec<f64>> {
    let mut times = vec![];
    for _ in 0..RATE * SECONDS {
        let mut shell = tokio::process::Command::new("/bin/sh");
        shell.args(["-c", TELL_TIME]).kill_on_drop(true);
        let called = now();
        let output = shell.output().await?;
        ensure!(output.status.success(), "{TELL_TIME}: {}", output.status);
        times.push(in_ms(String::from_utf8_lossy(&output.stdout).trim().parse::<i128>()? - called));
    }
    Ok(times)
}

#[expect(clippy::disallowed_methods, reason = "a bench measures against the real clock")]
pub(super) fn now() -> i128 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i128::try_from(since_epoch.as_nanos()).unwrap_or(i128::MAX)
}

pub(super) fn in_ms(nanoseconds: i128) -> f64 {
    nanoseconds as f64 / 1e6
}
