//! The store in a Postgres database, which several servers may share.
//!
//! ```text
//!  Queue ─► flusher ─┬─► commit ─► answers, Committed ─► bell ─► one notice per 5 ms ─► other servers
//!        └► flusher ─┘                      ▲
//!                                           └── notices of other servers, a poll every 2 to 4 s
//! ```

mod fault;
mod flusher;
mod readers;
mod session;
mod target;
mod value;
mod wakeup;

use super::combiner::Queue;
use super::migrate;
use super::statement::{Answer, Call, Statement};
use super::transact::{Commands, Transact};
use crate::command::Request;
use crate::store::{COMMITTED_BACKLOG, Committed, Options, Outcome, Randomness, Store, Writer};
use crate::supply::Bounds;
use crate::timekeeper::Timekeeper;
use crate::tx::Result;
use flusher::Flusher;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use readers::Readers;
use session::{Purpose, Session};
use spalla_crash::crash_point;
use std::sync::{Arc, Mutex, PoisonError};
use target::Target;
use tokio::sync::{Notify, broadcast};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use wakeup::Wakeup;

/// While one batch commits the next one fills; a third connection would only make smaller batches.
const FLUSHERS: usize = 2;

static HOLD: Statement = Statement {
    name: "schema_migration/hold",
    sqlite: "",
    postgres: include_str!("../../sql/schema_migration/hold.postgres.sql"),
};

/// Opens the store that a URL names: migrates it where needed, and starts its writer.
pub(crate) async fn open(url: &str, options: Options) -> Result<Store> {
    let target = Arc::new(Target::parse(url)?);
    let mut session = Session::connect(&target, Purpose::Setup).await?;
    migrate::run(&mut session, migrate::POSTGRES, options.clock.now()).await?;
    let store_id = migrate::store_id(&mut session, &*options.randomness).await?;
    session.end().await;

    let committed = broadcast::Sender::new(COMMITTED_BACKLOG);
    let readers = Readers::new(Arc::clone(&target));
    let randomness = Arc::clone(&options.randomness);
    let timekeeper = Arc::new(Timekeeper::new());
    let (bounds, rules) = (Bounds::from(&options.settings), options.settings.rules());
    let work = Commands::new(options, Arc::clone(&timekeeper), store_id.clone());
    let writer = PostgresWriter::start(&target, readers.clone(), work, randomness, committed.clone());
    let reads = super::reads::SqlReads::new(readers, store_id, bounds);
    Ok(Store { writer: Arc::new(writer), reads: Arc::new(reads), committed, timekeeper, rules })
}

impl migrate::Migrated for Session {
    async fn begin_alone(&mut self) -> Result<()> {
        self.begin();
        let hold = Call { statement: &HOLD, scalars: vec![], rows: vec![], writes_all: false };
        self.run_calls(&[hold]).await.map(drop)
    }

    async fn call(&mut self, call: Call) -> Result<Answer> {
        let mut answers = crash_point!("store.postgres.migration.statement", self.run_calls(&[call]).await)?;
        Ok(answers.pop().unwrap_or_default())
    }

    async fn script(&mut self, script: &str, doing: &str) -> Result<()> {
        crash_point!("store.postgres.migration.script", self.run_script(script, doing).await)
    }

    async fn commit(&mut self) -> Result<()> {
        Self::commit(self).await
    }

    async fn rollback(&mut self) -> Result<()> {
        Self::rollback(self).await
    }
}

/// The writer as the store holds it; it owns every task.
struct PostgresWriter {
    queue: Arc<Queue>,
    readers: Readers,
    tasks: Mutex<Option<Tasks>>,
    closed: CancellationToken,
}

struct Tasks {
    flushers: JoinSet<()>,
    wakeups: JoinSet<()>,
    stop_wakeups: CancellationToken,
}

impl PostgresWriter {
    fn start<T: Transact>(
        target: &Arc<Target>,
        readers: Readers,
        work: T,
        randomness: Arc<dyn Randomness>,
        committed: broadcast::Sender<Committed>,
    ) -> Self {
        let (queue, bell, work) = (Queue::new(), Arc::new(Notify::new()), Arc::new(work));
        let mut flushers = JoinSet::new();
        for _ in 0..FLUSHERS {
            let flusher = Flusher {
                target: Arc::clone(target),
                work: Arc::clone(&work),
                committed: committed.clone(),
                randomness: Arc::clone(&randomness),
                bell: Arc::clone(&bell),
                session: None,
                down_since: None,
            };
            flushers.spawn(flusher.run(queue.taker()));
        }
        let node = format!("{:016x}", randomness.next());
        let (target, readers_too) = (Arc::clone(target), readers.clone());
        let wakeup = Arc::new(Wakeup { target, readers: readers_too, committed, randomness, bell, node });
        let (mut wakeups, stop_wakeups) = (JoinSet::new(), CancellationToken::new());
        wakeups.spawn(Arc::clone(&wakeup).run(stop_wakeups.clone()));
        wakeups.spawn(wakeup.poll(stop_wakeups.clone()));
        let tasks = Mutex::new(Some(Tasks { flushers, wakeups, stop_wakeups }));
        Self { queue, readers, tasks, closed: CancellationToken::new() }
    }

    async fn close_once(&self, mut tasks: Tasks) {
        let _closed = self.closed.clone().drop_guard();
        while tasks.flushers.join_next().await.is_some() {}
        tasks.stop_wakeups.cancel();
        while tasks.wakeups.join_next().await.is_some() {}
        self.readers.close().await;
    }
}

impl Writer for PostgresWriter {
    fn execute(&self, request: Request) -> BoxFuture<'_, Outcome> {
        self.queue.execute(request).boxed()
    }

    fn execute_all(&self, requests: Vec<Request>) -> BoxFuture<'_, Vec<Outcome>> {
        self.queue.execute_all(requests).boxed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        async {
            self.queue.close();
            let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner).take();
            match tasks {
                Some(tasks) => self.close_once(tasks).await,
                None => self.closed.cancelled().await,
            }
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests;
