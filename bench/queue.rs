//! How fast work items pass through the store, beside what the same disk gives a bare loop of commits in the same
//! run. Prints one JSON object a line; figures are ratios, because machines differ and are noisy.
//!
//! `make bench` measures SQLite; with `SPALLA_BENCH_POSTGRES=postgres://…` an empty Postgres
//! database as well.

use spalla_domain::claim::{ClaimRequest, Completion, Exchange};
use spalla_domain::project::NewProject;
use spalla_domain::work_item::{Executor, NewWorkItem, Spec};
use spalla_domain::{ProjectId, Timestamp, WorkItemId, WorkerId};
use spalla_store::{Clock, Command, Location, Options, Randomness, Reply, Settings, Store};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many items one round moves.
const ITEMS: usize = 5_000;
/// How many rounds; the median is printed.
const ROUNDS: usize = 3;
/// How many runs one exchange claims.
const BATCH: u32 = 100;

struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "a bench measures against the real clock")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

struct NoRandomness;

impl Randomness for NoRandomness {
    fn next(&self) -> u64 {
        0
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let mut figures = vec![];
    for round in 0..ROUNDS {
        let file = folder.path().join(format!("{round}.db"));
        let raw = raw_commits(&folder.path().join(format!("raw-{round}.db")))?;
        figures.extend(measure("sqlite", Location::Sqlite(file), raw).await?);
        if let Ok(url) = std::env::var("SPALLA_BENCH_POSTGRES") {
            figures.extend(measure("postgres", Location::Postgres(url), raw).await?);
        }
    }
    print_medians(figures);
    Ok(())
}

/// Returns how many one-row transactions a second the disk gives a bare loop with full synchronisation.
fn raw_commits(file: &Path) -> Result<f64, rusqlite::Error> {
    let connection = rusqlite::Connection::open(file)?;
    connection.execute_batch(
        "pragma journal_mode=wal; pragma synchronous=full; create table t(id integer primary key, v text)",
    )?;
    let mut insert = connection.prepare("insert into t(v) values (?1)")?;
    let began = Instant::now();
    let mut commits = 0_u32;
    while began.elapsed() < Duration::from_secs(1) {
        insert.execute(["x".repeat(100)])?;
        commits += 1;
    }
    Ok(f64::from(commits) / began.elapsed().as_secs_f64())
}

struct Figure {
    store: &'static str,
    metric: &'static str,
    per_second: f64,
    over_raw: f64,
}

async fn measure(
    store_name: &'static str,
    location: Location,
    raw: f64,
) -> Result<Vec<Figure>, Box<dyn std::error::Error>> {
    let options = Options {
        location,
        settings: Settings::default(),
        clock: Arc::new(SystemClock),
        randomness: Arc::new(NoRandomness),
        gate: None,
    };
    let store = Store::open(options).await?;
    let new = NewProject { name: "bench".into(), description: None, repository: None };
    let Reply::Project(project) = store.execute(Command::CreateProject(new)).await? else {
        return Err("project".into());
    };
    let items = (0..ITEMS).map(|_| item(project).into()).collect();
    let create = Command::CreateWorkItems { items, enqueue: false };
    let Reply::WorkItems(ids) = store.execute(create).await? else { return Err("items".into()) };
    let (alone, crowd) = ids.split_at(ITEMS / 10);
    let figure = |metric, count: usize, began: Instant| {
        let per_second = count as f64 / began.elapsed().as_secs_f64();
        Figure { store: store_name, metric, per_second, over_raw: per_second / raw }
    };

    let began = Instant::now();
    enqueue(&store, alone).await?;
    let seq = figure("enqueue_seq", alone.len(), began);
    let began = Instant::now();
    let callers = crowd.chunks(crowd.len().div_ceil(16)).map(|part| enqueue(&store, part));
    futures_util::future::try_join_all(callers).await?;
    let conc = figure("enqueue_conc16", crowd.len(), began);
    let began = Instant::now();
    drain(&store).await?;
    let drained = figure("drain", ITEMS, began);
    store.close().await;
    Ok(vec![seq, conc, drained])
}

fn item(project_id: ProjectId) -> NewWorkItem {
    let spec = Spec { prompt: Some("x".repeat(100)), executor: Executor::External, ..Spec::new("no-op") };
    NewWorkItem { project_id, spec, depends_on: vec![] }
}

async fn enqueue(store: &Store, ids: &[WorkItemId]) -> Result<(), spalla_store::ExecuteError> {
    for id in ids {
        let command = Command::Enqueue { work_item_id: *id, depends_on: None, priority: None, delay_ms: 0 };
        store.execute(command).await?;
    }
    Ok(())
}

async fn drain(store: &Store) -> Result<(), Box<dyn std::error::Error>> {
    let worker_id = WorkerId::new("bench")?;
    let mut completed: Vec<Completion> = vec![];
    loop {
        let claim = ClaimRequest {
            worker_id: worker_id.clone(),
            max: BATCH,
            ttl_ms: 60_000,
            executors: vec![],
            labels: vec![],
        };
        let exchange = Exchange { completed: std::mem::take(&mut completed), heartbeats: vec![], claim };
        let Reply::Exchanged(reply) = store.execute(Command::Exchange(exchange)).await? else {
            return Err("exchange".into());
        };
        if reply.runs.is_empty() {
            return Ok(());
        }
        completed.extend(reply.runs.iter().map(|run| Completion {
            run_id: run.run_id,
            fencing_token: run.fencing_token,
            success: true,
            exit_code: Some(0),
            result: None,
            usage: None,
            error: None,
        }));
    }
}

fn print_medians(figures: Vec<Figure>) {
    for store in ["sqlite", "postgres"] {
        for metric in ["enqueue_seq", "enqueue_conc16", "drain"] {
            let mut rounds: Vec<_> =
                figures.iter().filter(|figure| figure.store == store && figure.metric == metric).collect();
            rounds.sort_by(|a, b| a.over_raw.total_cmp(&b.over_raw));
            if let Some(median) = rounds.get(rounds.len() / 2) {
                println!(
                    r#"{{"store":"{store}","metric":"{metric}","per_second":{:.0},"over_raw_commits":{:.2}}}"#,
                    median.per_second, median.over_raw
                );
            }
        }
    }
}
