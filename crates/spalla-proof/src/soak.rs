//! The kill soak: real servers and workers under load are killed, stopped, starved and cut off. In the end everything
//! that was acknowledged has to be in the record, once, and nothing that was written under an old token.
//!
//! ```text
//!  clients, hands, zombies ─► proxies ─► servers ─► SQLite or Postgres on a small disk
//!            │                   ▲          ▲                 ▲
//!         ledger             workers     director: one fault after the other
//!            └───────────► judgement ◄──── record, read back when all is quiet
//! ```

mod clients;
mod director;
mod drain;
mod faults;
mod hand;
mod judgement;
mod ledger;
mod load;
mod proxy;
mod record;
mod report;
mod rest;
mod site;
mod volume;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use clients::Client;
use director::{Director, Toll};
use hand::Hand;
use load::Load;
use report::Report;
use rest::{Rest, Wish};
use serde_json::json;
use site::Site;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// However few the kills, the load is worth its name.
const SUBMITTED_MIN: u64 = 1_000;
const CLIENTS: u64 = 6;
const HANDS: usize = 2;
const ZOMBIES: usize = 2;
/// With so many items waiting for a worker, clients wait too: the workers' pace is the soak's.
const READY_MAX: u64 = 40;
/// How long the load may go on after the last kill.
const LOADED_WITHIN: Duration = Duration::from_secs(240);
const PACE: Duration = Duration::from_millis(250);
const PROGRESS_EVERY: Duration = Duration::from_secs(10);
/// How many findings of a kind are printed.
const SHOWN: usize = 20;

/// Where the servers keep their rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Store {
    /// One server with a SQLite file.
    Sqlite,
    /// Two servers on one Postgres.
    Postgres,
}

/// How long and on what.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// How many kills, stops and restarts
    #[arg(long, default_value_t = 50)]
    kills: u64,
    /// The database of the servers
    #[arg(long, value_enum, default_value_t = Store::Sqlite)]
    store: Store,
    /// Chooses faults and load; the same seed chooses the same
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// One line of JSON on stdout, which is all there is anyway
    #[arg(long)]
    json: bool,
}

/// Soaks, prints one line of JSON, and fails unless nothing was found.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).context("listening to signals")?;
        tokio::select! {
            ended = soak(arguments) => ended,
            _ = terminate.recv() => anyhow::bail!("told to end"),
            _ = tokio::signal::ctrl_c() => anyhow::bail!("told to end"),
        }
    })
}

async fn soak(arguments: &Arguments) -> Result<ExitCode> {
    let binary = crate::binary::spalla()?;
    let mut site = Site::start(arguments.store, binary).await?;
    eprintln!("soak: {} kills on {:?}, in {}", arguments.kills, arguments.store, site.root().display());
    let soaked = Box::pin(soak_site(&mut site, arguments)).await;
    let is_clean = soaked.as_ref().is_ok_and(Report::is_clean);
    if !is_clean {
        eprintln!("soak: data and logs are kept in {}", site.keep().await?.display());
    }
    let report = soaked?;
    report.explain(SHOWN);
    println!("{}", report.line());
    Ok(if is_clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn soak_site(site: &mut Site, arguments: &Arguments) -> Result<Report> {
    let begun = Instant::now();
    let quiet = site.servers[0].direct()?;
    let project = quiet.obtain(&Wish::post("/projects/", json!({"name": "soak"}))).await?.number("id")?;
    let bases = site.servers.iter().map(|server| server.proxy.url.clone()).collect();
    let journal = site.root().join("shared/journal");
    std::fs::write(&journal, "").context("making the journal")?;
    let load = Arc::new(Load::new(bases, project, journal, arguments.seed));
    let (mut clients, mut hands) = start_load(&load)?;

    let toll = tokio::select! {
        toll = disturb(site, &load, arguments) => toll?,
        // Nobody of them leaves before the end unless something is wrong.
        Some(ended) = clients.join_next() => return Err(gone(ended)),
        Some(ended) = hands.join_next() => return Err(gone(ended)),
    };
    load.end();
    while let Some(ended) = clients.join_next().await {
        ended.context("a client panicked")??;
    }
    eprintln!("soak: {} submitted, {} kills; draining", load.submitted(), toll.kills);
    let drained = drain::drain(site, &quiet).await?;
    load.dismiss_hands();
    while let Some(ended) = hands.join_next().await {
        ended.context("a worker by hand panicked")??;
    }
    let record = record::read(&quiet, &load).await?;
    let mut judgement = load.note(|ledger| judgement::judge(ledger, &record));
    judgement.violations.extend(site.check_history().await?);
    let facts = report::Facts { arguments, load: &load, toll, drained, took: begun.elapsed() };
    Ok(Report::new(facts, &record, judgement))
}

type Crew = JoinSet<Result<()>>;

fn gone(ended: std::result::Result<Result<()>, tokio::task::JoinError>) -> anyhow::Error {
    match ended {
        Ok(Err(error)) => error.context("making load"),
        Ok(Ok(())) => anyhow::anyhow!("somebody who makes load went away"),
        Err(panic) => anyhow::Error::new(panic).context("making load"),
    }
}

fn start_load(load: &Arc<Load>) -> Result<(Crew, Crew)> {
    let (mut clients, mut hands) = (JoinSet::new(), JoinSet::new());
    for number in 0..CLIENTS {
        clients.spawn(Client::new(Arc::clone(load), number)?.run());
    }
    // Whoever keeps the pace goes with the clients.
    clients.spawn(keep_pace(Arc::clone(load)));
    for number in 0..HANDS + ZOMBIES {
        hands.spawn(Hand::new(Arc::clone(load), number, number >= HANDS)?.run());
    }
    Ok((clients, hands))
}

/// Lets clients wait while the workers have enough to do.
async fn keep_pace(load: Arc<Load>) -> Result<()> {
    let rest = Rest::new(load.bases.clone())?;
    let wish = Wish::get("/scheduler/queue?reason=none&limit=1&count=true");
    while !load.is_over() {
        if let Some(ready) = rest.ask(&wish).await.and_then(|answer| answer.total) {
            load.hold(ready > READY_MAX);
        }
        tokio::time::sleep(PACE).await;
    }
    Ok(())
}

/// Makes faults until there were enough kills, and waits until enough was submitted.
async fn disturb(site: &mut Site, load: &Load, arguments: &Arguments) -> Result<Toll> {
    let mut director = Director::new(site, arguments.store, arguments.seed);
    let (mut said_at, mut undisturbed) = (Instant::now(), None);
    loop {
        if director.toll.kills < arguments.kills {
            director.next().await?;
        } else if load.submitted() < SUBMITTED_MIN {
            let since: &mut Instant = undisturbed.get_or_insert_with(Instant::now);
            anyhow::ensure!(
                since.elapsed() < LOADED_WITHIN,
                "only {} items were submitted",
                load.submitted()
            );
            tokio::time::sleep(PACE).await;
        } else {
            return director.heal();
        }
        if said_at.elapsed() > PROGRESS_EVERY {
            said_at = Instant::now();
            eprintln!("soak: {} kills, {} submitted", director.toll.kills, load.submitted());
        }
    }
}
