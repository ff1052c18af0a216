//! What the HTTP API adds: the same queue behind JSON, a token and events, beside the engine in the same run.

use super::caller::{Caller, id};
use super::client::{item, make_project, submit};
use super::figure::Figures;
use super::queue;
use super::server::{Auth, House, Server};
use super::site::{Ground, Kind, Node};
use anyhow::{Result, bail, ensure};
use clap::Args;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Instant;
use tokio::task::JoinSet;

/// Callers that submit beside one another.
const CALLERS: usize = 16;
/// The slots of one worker.
const SLOTS: u32 = 250;
/// How many items one bulk call brings.
const BULK: usize = 1_000;
/// At most so many items are submitted in calls of their own; the others in bulk, where the API can.
const SUBMITTED_SINGLY: usize = 8_000;
/// How many work items are claimed one by one.
const CLAIMED_ALONE: usize = 500;
/// The calls before a measurement, which open connections and prepare statements.
const WARM_UP: usize = 50;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Where the rows are kept
    #[arg(long, value_enum)]
    store: Kind,
    /// How many items are drained
    #[arg(long, default_value_t = 20_000)]
    jobs: usize,
    /// How many workers drain
    #[arg(long, default_value_t = 4)]
    workers: usize,
    /// How many single requests of each kind are timed
    #[arg(long, default_value_t = 2_000)]
    requests: usize,
}

/// Measures everything.
pub(crate) async fn measure(arguments: &Arguments) -> Result<()> {
    let binary = crate::binary::spalla()?;
    let ground = Ground::prepare(arguments.store).await?;
    let figures = Figures { store: arguments.store.name() };

    let node = Node::start(ground.fresh().await?).await?;
    let engine_drain = queue::drain(&node, arguments.jobs, figures).await?;
    time_engine(&node, arguments.requests, figures).await?;
    node.stop().await;

    for auth in [Auth::Token, Auth::None] {
        let house = House::build(&binary)?;
        let server = house.up(&ground.fresh().await?, auth, &["--no-worker"]).await?;
        time_requests(&server, arguments.requests, auth, figures).await?;
        if auth == Auth::Token {
            let drained = drain(&server, arguments, figures).await?;
            figures.print("http_drain_over_engine", drained / engine_drain, "ratio");
            time_claims(&server, figures).await?;
        }
        server.stop().await?;
    }
    Ok(())
}

/// The same requests without HTTP.
async fn time_engine(node: &Node, count: usize, figures: Figures) -> Result<()> {
    let project = make_project(&node.engine, "single").await?;
    let (mut creates, mut reads) = (vec![], vec![]);
    for number in 0..WARM_UP + count {
        let began = Instant::now();
        let ids = submit(&node.engine, project, 1).await?;
        let made = began.elapsed();
        let Some(&id) = ids.first() else { bail!("nothing was made") };
        let began = Instant::now();
        ensure!(node.engine.store().read().work_item(id).await?.is_some(), "work item {id} is not there");
        if number >= WARM_UP {
            creates.push(made.as_secs_f64() * 1_000.0);
            reads.push(began.elapsed().as_secs_f64() * 1_000.0);
        }
    }
    figures.print_latency("engine_create", creates);
    figures.print_latency("engine_get_item", reads);
    Ok(())
}

/// Single requests of one caller, one after the other.
async fn time_requests(server: &Server, count: usize, auth: Auth, figures: Figures) -> Result<()> {
    let caller = Caller::of(server)?;
    let project = caller.make_project().await?;
    let (mut health, mut creates, mut reads) = (vec![], vec![], vec![]);
    for number in 0..WARM_UP + count {
        let (made, create) = caller.time_post("/work-items/", &body(project)).await?;
        let read = caller.time_get(&format!("/work-items/{}", id(&made)?)).await?;
        let healthy = caller.time_get("/health").await?;
        if number >= WARM_UP {
            creates.push(create);
            reads.push(read);
            health.push(healthy);
        }
    }
    let suffix = if auth == Auth::Token { "" } else { "_without_auth" };
    figures.print_latency(&format!("http_create{suffix}"), creates);
    figures.print_latency(&format!("http_get_item{suffix}"), reads);
    figures.print_latency(&format!("http_health{suffix}"), health);
    Ok(())
}

/// Returns what a client sends for an item that has nothing to do.
fn body(project: i64) -> Value {
    let spec = item(spalla_domain::ProjectId(project)).spec;
    json!({"project_id": project, "title": spec.title, "prompt": spec.prompt, "executor": spec.executor})
}

/// Submits the items and lets workers take and end them all; returns how many a second.
async fn drain(server: &Server, arguments: &Arguments, figures: Figures) -> Result<f64> {
    let caller = Caller::of(server)?;
    let project = caller.make_project().await?;
    let singles = arguments.jobs.min(SUBMITTED_SINGLY);
    submit_beside(server, project, singles, figures).await?;
    let rest = arguments.jobs - singles;
    if rest > 0 && !submit_in_bulk(&caller, project, rest, figures).await? {
        submit_beside(server, project, rest, figures).await?;
    }
    let (mut workers, began) = (JoinSet::new(), Instant::now());
    for number in 0..arguments.workers {
        workers.spawn(drain_alone(Caller::of(server)?, format!("bench-{number}")));
    }
    let (mut drained, mut times) = (0, vec![]);
    while let Some(worker) = workers.join_next().await {
        let (count, took) = worker??;
        drained += count;
        times.extend(took);
    }
    let per_second = drained as f64 / began.elapsed().as_secs_f64();
    ensure!(drained == arguments.jobs, "{drained} of {} items were drained", arguments.jobs);
    figures.print("http_drain", per_second, "jobs/s");
    figures.print_latency(&format!("http_exchange_of_{SLOTS}"), times);
    Ok(per_second)
}

async fn drain_alone(caller: Caller, worker: String) -> Result<(usize, Vec<f64>)> {
    let (mut completed, mut drained, mut times) = (vec![], 0, vec![]);
    loop {
        let (next, took) = exchange(&caller, &worker, &completed, SLOTS).await?;
        times.push(took);
        if next.is_empty() {
            return Ok((drained, times));
        }
        drained += next.len();
        completed = next;
    }
}

/// Ends runs and takes the next ones; returns what ends those, and the time that it took.
async fn exchange(caller: &Caller, worker: &str, completed: &[Value], max: u32) -> Result<(Vec<Value>, f64)> {
    let body = json!({"worker_id": worker, "completed": completed, "max": max});
    let (answer, took) = caller.time_post("/scheduler/exchange", &body).await?;
    let ended = answer["completed"].as_array().map_or(0, Vec::len);
    ensure!(
        ended == completed.len(),
        "{ended} of {} runs were ended: {}",
        completed.len(),
        answer["refused"]
    );
    let runs = answer["runs"].as_array().map(Vec::as_slice).unwrap_or_default();
    let end = |run: &Value| json!({"run_id": run["run_id"], "fencing_token": run["fencing_token"], "success": true, "exit_code": 0});
    Ok((runs.iter().map(end).collect(), took))
}

/// Claims one after the other, each with the end of the one before.
async fn time_claims(server: &Server, figures: Figures) -> Result<()> {
    let caller = Arc::new(Caller::of(server)?);
    let project = caller.make_project().await?;
    let total = WARM_UP + CLAIMED_ALONE;
    for _ in 0..total {
        let made = id(&caller.post("/work-items/", &body(project)).await?)?;
        caller.post("/scheduler/enqueue", &json!({"work_item_id": made})).await?;
    }
    let (mut completed, mut times) = (vec![], vec![]);
    for number in 0..total {
        let (next, took) = exchange(&caller, "bench", &completed, 1).await?;
        ensure!(next.len() == 1, "claim {number} of {total} got {} runs", next.len());
        completed = next;
        times.push(took);
    }
    figures.print_latency("http_exchange", times.split_off(WARM_UP));
    exchange(&caller, "bench", &completed, 0).await?;
    Ok(())
}

/// Callers that each make an item and put it into the queue, two calls for each.
async fn submit_beside(server: &Server, project: i64, count: usize, figures: Figures) -> Result<()> {
    let made = beside(server, share(count), move |caller, share| async move {
        let mut made = vec![];
        for _ in 0..share {
            made.push(id(&caller.post("/work-items/", &body(project)).await?)?);
        }
        Ok(made)
    });
    let began = Instant::now();
    let made = made.await?;
    let created = began.elapsed();
    let shares = made.chunks(count.div_ceil(CALLERS).max(1)).map(<[i64]>::to_vec).collect();
    let began = Instant::now();
    beside(server, shares, |caller, share: Vec<i64>| async move {
        for &id in &share {
            caller.post("/scheduler/enqueue", &json!({"work_item_id": id})).await?;
        }
        Ok(share)
    })
    .await?;
    let enqueued = began.elapsed();
    figures.print("http_create_conc16", count as f64 / created.as_secs_f64(), "calls/s");
    figures.print("http_enqueue_conc16", count as f64 / enqueued.as_secs_f64(), "calls/s");
    figures.print(
        "http_submit_conc16_two_calls",
        count as f64 / (created + enqueued).as_secs_f64(),
        "jobs/s",
    );
    Ok(())
}

/// Divides a number among the callers.
fn share(count: usize) -> Vec<usize> {
    (0..CALLERS).map(|caller| count / CALLERS + usize::from(caller < count % CALLERS)).collect()
}

/// Lets callers work beside one another, each on its share, and returns what all of them made.
async fn beside<S, W, F>(server: &Server, shares: Vec<S>, work: W) -> Result<Vec<i64>>
where
    W: Fn(Caller, S) -> F,
    F: Future<Output = Result<Vec<i64>>> + Send + 'static,
{
    let mut callers = JoinSet::new();
    for share in shares {
        callers.spawn(work(Caller::of(server)?, share));
    }
    let mut made = vec![];
    while let Some(caller) = callers.join_next().await {
        made.extend(caller??);
    }
    Ok(made)
}

/// Submits in bulk; returns false where the API has no such call.
async fn submit_in_bulk(caller: &Caller, project: i64, count: usize, figures: Figures) -> Result<bool> {
    let began = Instant::now();
    for start in (0..count).step_by(BULK) {
        let bodies = Value::from(vec![body(project); BULK.min(count - start)]);
        let (status, text) = caller.ask(Method::POST, "/work-items/bulk", Some(&bodies)).await?;
        if matches!(status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) {
            return Ok(false);
        }
        ensure!(status.is_success(), "making items in bulk: {status} {text}");
        let ids: Vec<i64> = serde_json::from_str(&text)?;
        let entries: Vec<Value> = ids.iter().map(|id| json!({"work_item_id": id})).collect();
        caller.post("/scheduler/enqueue/bulk", &Value::from(entries)).await?;
    }
    figures.print("http_submit_bulk1000_two_calls", count as f64 / began.elapsed().as_secs_f64(), "jobs/s");
    Ok(true)
}
