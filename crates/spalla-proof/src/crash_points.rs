//! Kills the real binary at every crash point of the source, starts it again, and checks that nothing that was
//! acknowledged is lost and nothing half-made is taken for whole.
//!
//! ```text
//! trace    each kind of scenario once without a death: which points it passes, and how often
//! kill     each point, at a random one of those passages: the process kills itself, and is started again
//! check    what the clients were told, against what is there when everything has ended
//! ```
//! A point that no scenario passes is a failure too: nobody knows what a death there would do.

mod audit;
mod client;
mod scenario;
mod site;
mod spawned;
mod trace;
mod workload;

use clap::Args;
use futures_util::StreamExt as _;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use scenario::{Arming, Kind, Played};
use serde::Serialize;
use site::Store;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;
use trace::Target;

/// How many scenarios go on beside each other.
const BESIDE: usize = 2;
/// How often a death that did not come is tried again, at another passage: the last ones of a scenario depend on time.
const TRIES_MAX: u32 = 4;

/// Kill the real binary at every crash point and check what is left
#[derive(Debug, Args)]
pub(crate) struct CrashPoints {
    /// The points of the source, divided by commas; `cargo xtask crash-points` fills this in
    #[arg(long, hide = true, value_delimiter = ',', required = true)]
    points: Vec<String>,
    /// How often each point is died at
    #[arg(long, default_value_t = 20)]
    rounds: u32,
    /// Only the points whose names begin so
    #[arg(long, value_name = "NAME")]
    point: Option<String>,
    /// Everything on this store [default: Postgres for its own points, SQLite for all others]
    #[arg(long)]
    store: Option<Store>,
    /// Decides at which passages the deaths come
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Prints one line of JSON
    #[arg(long)]
    json: bool,
}

/// What came of it all.
#[derive(Debug, Default, Serialize)]
struct Summary {
    points: usize,
    reached: usize,
    kills: u32,
    violations: usize,
    unreached: Vec<String>,
    seconds: u64,
    seed: u64,
    details: Vec<Detail>,
}

/// Something that is not as it should be.
#[derive(Debug, Serialize)]
struct Detail {
    point: String,
    nth: u64,
    store: Store,
    what: String,
}

/// Does it all.
pub(crate) fn run(asked: &CrashPoints) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(BESIDE).enable_all().build()?;
    let summary = runtime.block_on(prove(asked))?;
    if asked.json {
        println!("{}", serde_json::to_string(&summary)?);
    } else {
        summary.print();
    }
    Ok(if summary.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn prove(asked: &CrashPoints) -> anyhow::Result<Summary> {
    let started = Instant::now();
    let binary = crate::binary::spalla()?;
    let wanted: BTreeSet<&str> =
        asked.points.iter().map(String::as_str).filter(|name| asked.wants(name)).collect();
    let mut summary = Summary { points: wanted.len(), seed: asked.seed, ..Summary::default() };
    let targets = find_targets(asked, &binary, &wanted, &mut summary).await?;
    let is_known = |name: &&&str| targets.iter().any(|target| target.point == **name);
    summary.reached = wanted.iter().filter(is_known).count();
    summary.unreached = wanted.iter().filter(|name| !is_known(name)).map(|name| (*name).to_owned()).collect();

    let rounds = (0..asked.rounds).flat_map(|round| targets.iter().map(move |target| (round, target)));
    let deaths = rounds.map(|(round, target)| die_at(target, &binary, asked.seed, round));
    let mut deaths = futures_util::stream::iter(deaths).buffer_unordered(BESIDE);
    while let Some(death) = deaths.next().await {
        let (target, nth, played) = death?;
        summary.kills += u32::from(played.died);
        if !asked.json {
            println!("{} at passage {nth} on {:?}", target.point, target.store);
        }
        if !played.died {
            summary.note(target, nth, "it never came to this passage".to_owned());
        }
        for what in played.violations {
            summary.note(target, nth, what);
        }
    }
    summary.seconds = started.elapsed().as_secs();
    Ok(summary)
}

/// Plays each kind of scenario once, and finds for each point the first that passes it.
async fn find_targets(
    asked: &CrashPoints,
    binary: &Path,
    wanted: &BTreeSet<&str>,
    summary: &mut Summary,
) -> anyhow::Result<Vec<Target>> {
    let stores = asked.store.map_or(vec![Store::Sqlite, Store::Postgres], |store| vec![store]);
    let plays = stores.iter().flat_map(|store| Kind::ALL.map(|kind| (*store, kind)));
    // On the second store only what is its own is of interest.
    let plays =
        plays.filter(|(store, kind)| asked.store.is_some() || *store == Store::Sqlite || kind.is_main());
    let traces = plays.map(|(store, kind)| async move {
        (store, kind, scenario::play(kind, store, binary, &Arming::Trace).await)
    });
    let mut traces = futures_util::stream::iter(traces).buffered(BESIDE);
    let mut targets: Vec<Target> = Vec::new();
    while let Some((store, kind, played)) = traces.next().await {
        let played = played?;
        for what in &played.violations {
            let point = format!("none ({kind:?})");
            summary.add(Detail { point, nth: 0, store, what: what.clone() });
        }
        for found in trace::targets(store, kind, &played.passages) {
            let is_new = !targets.iter().any(|target| target.point == found.point);
            if is_new && wanted.contains(found.point.as_str()) {
                targets.push(found);
            }
        }
    }
    Ok(targets)
}

/// Lets a process die at a point, at a passage that seed and round decide.
async fn die_at<'t>(
    target: &'t Target,
    binary: &Path,
    seed: u64,
    round: u32,
) -> anyhow::Result<(&'t Target, u64, Played)> {
    let mut random = StdRng::seed_from_u64(seed ^ trace::number_of(&target.point, round));
    let mut most = target.passages;
    for _ in 0..TRIES_MAX {
        let nth = random.random_range(1..=most);
        let played = scenario::play(target.kind, target.store, binary, &target.arming(nth)).await?;
        if played.died || !played.violations.is_empty() {
            return Ok((target, nth, played));
        }
        most = (nth / 2).max(1);
    }
    Ok((target, most, Played::default()))
}

impl CrashPoints {
    fn wants(&self, name: &str) -> bool {
        let foreign = match self.store {
            Some(Store::Sqlite) => "store.postgres.",
            Some(Store::Postgres) => "store.sqlite.",
            None => "-",
        };
        !name.starts_with(foreign) && self.point.as_ref().is_none_or(|begin| name.starts_with(begin))
    }
}

impl Summary {
    fn note(&mut self, target: &Target, nth: u64, what: String) {
        self.add(Detail { point: target.point.clone(), nth, store: target.store, what });
    }

    fn add(&mut self, detail: Detail) {
        eprintln!("{} at passage {} on {:?}: {}", detail.point, detail.nth, detail.store, detail.what);
        self.violations += 1;
        self.details.push(detail);
    }

    fn is_good(&self) -> bool {
        self.violations == 0 && self.unreached.is_empty() && self.points > 0
    }

    fn print(&self) {
        for name in &self.unreached {
            println!("{name}: no scenario passes it");
        }
        println!(
            "{} points, {} reached, {} kills, {} violations in {} s",
            self.points, self.reached, self.kills, self.violations, self.seconds
        );
    }
}
