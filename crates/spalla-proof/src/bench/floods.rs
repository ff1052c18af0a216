//! What a flood does to a server and to other runs: a gibibyte of output, one endless line, and JSON without a bottom.

use super::caller::{Caller, id};
use super::figure::{Figures, percentile};
use super::server::{Auth, House, Server};
use super::site::{Ground, Kind};
use anyhow::{Context as _, Result, ensure};
use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// How many small runs are timed in quiet, and at most beside a flood.
const SMALL_RUNS: usize = 100;
/// How often one flood comes at most.
const FLOODS_MAX: u32 = 50;
const LOOK: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(600);

/// The floods: a name, and the step that makes one.
const FLOODS: [(&str, &str); 4] = [
    (
        "output_1gib",
        "yes 'a line like those of a build that says too much about what it does' | head -c 1073741824",
    ),
    ("line_64mib", "head -c 67108864 /dev/zero | tr '\\0' x"),
    ("deep_json_5m", "head -c 5000000 /dev/zero | tr '\\0' '['"),
    ("bytes_64mib", "head -c 67108864 /dev/urandom"),
];

#[derive(Args)]
pub(crate) struct Arguments {
    /// Where the server keeps its rows
    #[arg(long, value_enum, default_value_t = Kind::Sqlite)]
    store: Kind,
}

/// Measures every flood on a server of its own.
pub(crate) async fn measure(arguments: &Arguments) -> Result<()> {
    let binary = crate::binary::spalla()?;
    let ground = Ground::prepare(arguments.store).await?;
    let figures = Figures { store: arguments.store.name() };
    for (name, step) in FLOODS {
        let house = House::build(&binary)?;
        let server = house.up(&ground.fresh().await?, Auth::Token, &[]).await?;
        flood(&server, figures, name, step).await?;
        server.stop().await?;
    }
    let house = House::build(&binary)?;
    let server = house.up(&ground.fresh().await?, Auth::Token, &[]).await?;
    deep_body(&server, figures).await?;
    server.stop().await
}

async fn flood(server: &Server, figures: Figures, name: &str, step: &str) -> Result<()> {
    let caller = Caller::of(server)?;
    let project = caller.make_project().await?;
    // The first runs make folders and read programs into memory.
    small_runs(&caller, project, 10, None).await?;
    let quiet = small_runs(&caller, project, SMALL_RUNS, None).await?;
    forget_peak(server.pid())?;
    let before = peak_rss_mib(server.pid())?;
    // A short flood comes again and again, so that there are as many runs beside it as in quiet: of a few, the 95th of a
    // hundred is the slowest.
    let (mut beside, mut floods) = (vec![], 0_u32);
    while beside.len() < SMALL_RUNS && floods < FLOODS_MAX {
        let flooding = enqueue(&caller, project, step).await?;
        beside.extend(small_runs(&caller, project, SMALL_RUNS - beside.len(), Some(flooding)).await?);
        wait_for(&caller, flooding).await?;
        floods += 1;
    }
    figures.print(&format!("{name}_rss_growth"), peak_rss_mib(server.pid())? - before, "MiB");
    let ratio = p95(beside)? / p95(quiet)?;
    figures.print(&format!("{name}_p95_ratio"), ratio, "x");
    figures.print(&format!("{name}_floods"), f64::from(floods), "floods");
    Ok(())
}

/// A request whose body is brackets alone, in every place that takes JSON.
async fn deep_body(server: &Server, figures: Figures) -> Result<()> {
    let caller = Caller::of(server)?;
    let project = caller.make_project().await?;
    small_runs(&caller, project, 10, None).await?;
    forget_peak(server.pid())?;
    let before = peak_rss_mib(server.pid())?;
    let body = "[".repeat(5_000_000);
    for path in ["/work-items/", "/work-items/bulk", "/scheduler/exchange", "/projects/"] {
        let status = caller.send_text(Method::POST, path, body.clone()).await?;
        ensure!(status.is_client_error(), "{path} answered {status} to brackets");
    }
    figures.print("deep_body_5m_rss_growth", peak_rss_mib(server.pid())? - before, "MiB");
    Ok(())
}

/// Carries small runs out one after another, at most so many, or until the other item is over; returns how long each
/// took from the wish to the end, in milliseconds.
async fn small_runs(caller: &Caller, project: i64, most: usize, until: Option<i64>) -> Result<Vec<f64>> {
    let mut times = vec![];
    for _ in 0..most {
        let began = Instant::now();
        let item = enqueue(caller, project, "true").await?;
        wait_for(caller, item).await?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
        if let Some(other) = until
            && is_over(&caller.get(&format!("/work-items/{other}")).await?)
        {
            break;
        }
    }
    Ok(times)
}

async fn enqueue(caller: &Caller, project: i64, step: &str) -> Result<i64> {
    let recipe = serde_json::to_string(&json!({"steps": [step]}))?;
    let body = json!({"project_id": project, "title": "flood", "recipe": recipe});
    let item = id(&caller.post("/work-items/", &body).await?)?;
    caller.post("/scheduler/enqueue", &json!({"work_item_id": item})).await?;
    Ok(item)
}

async fn wait_for(caller: &Caller, item: i64) -> Result<()> {
    let ended = async {
        while !is_over(&caller.get(&format!("/work-items/{item}")).await?) {
            tokio::time::sleep(LOOK).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(PATIENCE, ended).await.with_context(|| format!("item {item} does not end"))?
}

fn is_over(item: &Value) -> bool {
    matches!(item["status"].as_str(), Some("succeeded" | "failed" | "cancelled"))
}

fn p95(mut times: Vec<f64>) -> Result<f64> {
    times.sort_by(f64::total_cmp);
    percentile(&times, 95).context("nothing was timed")
}

/// Lets the kernel count a process's peak anew.
fn forget_peak(pid: i32) -> Result<()> {
    std::fs::write(format!("/proc/{pid}/clear_refs"), "5").context("forgetting a peak")
}

fn peak_rss_mib(pid: i32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).context("looking at a server")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    Ok(kib.context("a server without memory")? / 1_024.0)
}
