//! How soon the program is there, and what it costs while nothing happens.

use super::administrator::Administrator;
use super::caller::Caller;
use super::figure::Figures;
use super::is_wanted;
use super::server::{Auth, House, Server};
use super::site::{Ground, Kind};
use super::step;
use anyhow::{Context as _, Result, ensure};
use clap::Args;
use serde_json::json;
use spalla_store::Location;
use std::time::{Duration, Instant};

/// How often the program is started with an empty data folder.
const COLD_STARTS: usize = 5;
/// How often a command is timed.
const CALLS: usize = 11;
/// What a start leaves to do is over by then.
const SETTLED_AFTER: Duration = Duration::from_secs(15);
/// How long an idle server's time on a core is counted.
const IDLE_FOR: Duration = Duration::from_secs(10);
/// How long its queries are counted: Postgres tells of an idle connection's only after up to ten seconds.
const QUERIES_FOR: Duration = Duration::from_secs(15);
/// How many such windows there are.
const WINDOWS: usize = 3;
/// In which the kernel counts for everybody outside of it.
const TICKS_PER_SECOND: f64 = 100.0;
/// What the list of work items has to show.
const LISTED: usize = 50;

/// What can be measured by itself.
const PARTS: [&str; 4] = ["start", "command", "idle", "step"];

#[derive(Args)]
pub(crate) struct Arguments {
    /// Only with the rows kept here; both when left out
    #[arg(long, value_enum)]
    store: Option<Kind>,
    /// Measures only these parts
    #[arg(long, value_delimiter = ',', value_parser = PARTS)]
    only: Vec<String>,
}

/// Measures everything.
pub(crate) async fn measure(arguments: &Arguments) -> Result<()> {
    let binary = crate::binary::spalla()?;
    for kind in [Kind::Sqlite, Kind::Postgres] {
        if arguments.store.is_none_or(|only| only == kind) {
            let ground = Ground::prepare(kind).await?;
            measure_on(arguments, &ground, &binary, Figures { store: kind.name() }).await?;
        }
    }
    Ok(())
}

async fn measure_on(
    arguments: &Arguments,
    ground: &Ground,
    binary: &std::path::Path,
    figures: Figures,
) -> Result<()> {
    if is_wanted(&arguments.only, "start") {
        time_starts(ground, binary, figures).await?;
    }
    let location = ground.fresh().await?;
    let house = House::build(binary)?;
    let server = house.up(&location, Auth::Token, &[]).await?;
    if is_wanted(&arguments.only, "command") {
        time_commands(&house, &server, figures).await?;
    }
    if is_wanted(&arguments.only, "idle") {
        watch_idle(&server, &location, figures).await?;
    }
    if is_wanted(&arguments.only, "step") {
        step::measure(&server, figures).await?;
    }
    server.stop().await
}

/// From the start of the process to the first good answer: with nothing there, and with the data of a killed server.
async fn time_starts(ground: &Ground, binary: &std::path::Path, figures: Figures) -> Result<()> {
    let (mut cold, mut again) = (vec![], vec![]);
    for _ in 0..COLD_STARTS {
        let house = House::build(binary)?;
        let location = ground.fresh().await?;
        for times in [&mut cold, &mut again] {
            let server = house.up(&location, Auth::Token, &[]).await?;
            times.push(in_ms(server.ready_after));
            server.stop().await?;
        }
    }
    figures.print("cold_start", median(cold), "ms");
    figures.print("start_again", median(again), "ms");
    Ok(())
}

async fn time_commands(house: &House, server: &Server, figures: Figures) -> Result<()> {
    let caller = Caller::of(server)?;
    let project = caller.make_project().await?;
    for number in 0..LISTED {
        let body = json!({"project_id": project, "title": format!("number {number}")});
        caller.post("/work-items/", &body).await?;
    }
    figures.print("version", time_command(house, &["--version"]).await?, "ms");
    let list = ["item", "list", "--server", &server.url];
    figures.print("item_list", time_command(house, &list).await?, "ms");
    Ok(())
}

async fn time_command(house: &House, arguments: &[&str]) -> Result<f64> {
    let mut times = vec![];
    for _ in 0..CALLS {
        let mut command = house.command();
        command.args(arguments).kill_on_drop(true);
        let began = Instant::now();
        let output = command.output().await?;
        times.push(in_ms(began.elapsed()));
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "spalla {arguments:?}: {}: {complaint}", output.status);
    }
    Ok(median(times))
}

/// What a server takes while nobody wants anything.
async fn watch_idle(server: &Server, location: &Location, figures: Figures) -> Result<()> {
    tokio::time::sleep(SETTLED_AFTER).await;
    figures.print("idle_rss", rss_mib(server.pid())?, "MiB");
    let (before, began) = (time_on_cores(server.pid())?, Instant::now());
    tokio::time::sleep(IDLE_FOR).await;
    let spent = time_on_cores(server.pid())? - before;
    figures.print("idle_cpu", 100.0 * spent / began.elapsed().as_secs_f64(), "%");
    let administrator = Administrator::of(location);
    if administrator.is_postgres() {
        figures.print("idle_queries", idle_queries(&administrator).await?, "1/s");
    }
    Ok(())
}

/// Transactions a second while nobody wants anything. Autovacuum, which comes once a minute, counts among them: a window
/// that it falls into is not the middle one.
async fn idle_queries(administrator: &Administrator) -> Result<f64> {
    let mut rates = vec![];
    for _ in 0..WINDOWS {
        let (before, began) = (commits(administrator).await?, Instant::now());
        tokio::time::sleep(QUERIES_FOR).await;
        // The first look is itself a query.
        let queries = commits(administrator).await? - before - 1;
        rates.push(queries as f64 / began.elapsed().as_secs_f64());
    }
    Ok(median(rates))
}

async fn commits(administrator: &Administrator) -> Result<i64> {
    let look = "select xact_commit + xact_rollback from pg_stat_database where datname = current_database()";
    administrator.number(look).await
}

fn rss_mib(pid: i32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).context("looking at a server")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    Ok(kib.context("a server without memory")? / 1_024.0)
}

/// Returns for how many seconds a process was on a core, of its own accord and for the kernel.
fn time_on_cores(pid: i32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).context("looking at a server")?;
    // The name, which may have spaces in it, ends with the last bracket; the state is the third field.
    let (_, fields) = stat.rsplit_once(')').context("a process without a name")?;
    let ticks: Vec<f64> = fields.split_whitespace().skip(11).take(2).filter_map(|n| n.parse().ok()).collect();
    ensure!(ticks.len() == 2, "a process without times: {stat}");
    Ok(ticks.iter().sum::<f64>() / TICKS_PER_SECOND)
}

fn in_ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// Returns the middle one.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
