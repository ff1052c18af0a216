//! Runs that try to leave a process behind, in every way that is known: none may be there when they are over.

use crate::bench::caller::{Caller, id};
use crate::bench::server::{Auth, House, Server};
use crate::bench::site::{Ground, Kind};
use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::{Value, json};
use std::process::ExitCode;
use std::time::Duration;

/// How many runs are asked for at once.
const BATCH: usize = 200;
const LOOK: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(300);
/// What every process that is left behind has among its arguments: nobody sleeps that long by chance.
const MARK: &str = "98765431";

/// How a process tries to outlive its run.
const WAYS: [&str; 6] = [
    "sleep 98765431 &",
    "(sleep 98765431 &) &",
    "setsid sleep 98765431 >/dev/null 2>&1 </dev/null &",
    "nohup setsid sh -c '(sleep 98765431 & sleep 98765431 &) & exit' >/dev/null 2>&1 &",
    "sh -c 'trap \"\" TERM HUP INT; (trap \"\" TERM; sleep 98765431 & wait) & exec sleep 0'",
    "i=0; while [ $i -lt 5 ]; do (setsid sh -c 'sleep 98765431 & exec sleep 98765431' &); i=$((i+1)); done",
];

/// How many.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// How many runs try
    #[arg(long, default_value_t = 600)]
    runs: usize,
    /// How many runs try at once: they wait more than they compute
    #[arg(long, default_value_t = 16)]
    at_once: u32,
    /// One line of JSON on stdout, which is all there is anyway
    #[arg(long)]
    json: bool,
}

/// Lets them try, prints one line of JSON, and fails where one is left.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (ended, left) = runtime.block_on(tried(arguments))?;
    println!("{}", json!({"runs": ended, "left": left}));
    Ok(if left == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn tried(arguments: &Arguments) -> Result<(usize, usize)> {
    let binary = crate::binary::spalla()?;
    let ground = Ground::prepare(Kind::Sqlite).await?;
    let (house, at_once) = (House::build(&binary)?, arguments.at_once.to_string());
    let server = house.up(&ground.fresh().await?, Auth::Token, &["--concurrency", &at_once]).await?;
    let tried = Box::pin(try_all(&server, arguments.runs)).await;
    server.stop().await?;
    tried
}

async fn try_all(server: &Server, runs: usize) -> Result<(usize, usize)> {
    let caller = Caller::of(server)?;
    let project = caller.make_project().await?;
    let (mut ended, mut left) = (0, 0);
    while ended < runs {
        let count = BATCH.min(runs - ended);
        let item = |number: usize| {
            let recipe = json!({"steps": [WAYS[number % WAYS.len()]]}).to_string();
            json!({"project_id": project, "title": "leave something", "recipe": recipe})
        };
        let items: Vec<Value> = (0..count).map(item).collect();
        let ids = caller.post("/work-items/bulk", &json!(items)).await?;
        let wishes: Vec<Value> =
            ids.as_array().into_iter().flatten().map(|id| json!({"work_item_id": id})).collect();
        caller.post("/scheduler/enqueue/bulk", &json!(wishes)).await?;
        let last = id(&json!({"id": ids[count - 1]}))?;
        wait_until_idle(&caller, last).await?;
        ended += count;
        // A run that is over has nothing left, at that very moment.
        left = left.max(marked());
        eprintln!("orphans: {ended} runs, {left} left");
    }
    Ok((ended, left))
}

/// Waits until nothing is in the queue and nothing runs.
async fn wait_until_idle(caller: &Caller, last: i64) -> Result<()> {
    let idle = async {
        loop {
            let item = caller.get(&format!("/work-items/{last}")).await?;
            let queue = caller.get("/scheduler/queue?limit=1").await?;
            let running = caller.get("/work-items/runs?status=running&limit=1").await?;
            let is_over = matches!(item["status"].as_str(), Some("succeeded" | "failed"));
            if is_over && [queue, running].iter().all(|list| list.as_array().is_some_and(Vec::is_empty)) {
                return anyhow::Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, idle).await.context("the runs do not end")?
}

/// Counts the processes with the mark among their arguments.
fn marked() -> usize {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let has_mark = |entry: &std::fs::DirEntry| {
        let text = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        text.split(|byte| *byte == 0).any(|word| word == MARK.as_bytes())
    };
    entries.filter(has_mark).count()
}
