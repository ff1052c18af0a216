//! One connection to Postgres: how it is set up, how statements are pipelined on it, and the three steps of a
//! transaction.

use super::fault::{commit_fault, connect_fault, fault};
use super::target::Target;
use super::value::{parameters, row};
use crate::error::StoreError;
use crate::sql::driver::Driver;
use crate::sql::statement::{Answer, Call, Compiled, Same};
use crate::tx::Result;
use futures_util::TryStreamExt as _;
use futures_util::future::{join_all, maybe_done, poll_immediate};
use spalla_crash::crash_point;
use std::collections::{BTreeMap, HashMap};
use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_postgres::{AsyncMessage, Client, Connection, NoTls, Socket};

/// Greeting and set-up together; a host that takes the connection and says nothing is not waited for longer.
const GREETING_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the server may take to hear a goodbye.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(1);
/// Notices say only that something happened; who has this many before it needs no more.
const NOTICES_MAX: usize = 64;

/// Locks are held for one batch and its commit, so that whoever waits longer waits for a server that hangs; ours must
/// not become that one either. Answers are on disk, whatever the database's default is. Every statement of a writer
/// goes by keys: planned once, by the indexes. What the planner makes of a table that it has never counted, or has
/// counted empty, sorts all that is ready to find the best of it.
const WRITER: &str = "
    set lock_timeout = '5s';
    set statement_timeout = '30s';
    set idle_in_transaction_session_timeout = '30s';
    set jit = off;
    set plan_cache_mode = force_generic_plan;
    set enable_seqscan = off;
    set enable_bitmapscan = off;
    set enable_hashjoin = off;
    set enable_mergejoin = off;
    do $$ begin
        if current_setting('synchronous_commit') = 'off' then set synchronous_commit = on; end if;
    end $$;
";

/// A read that takes longer than this has lost its reader.
const READER: &str = "
    set default_transaction_read_only = on;
    set statement_timeout = '30s';
    set jit = off;
";

/// A notice is a transaction of its own, and goes out once that is committed. What it tells of is on disk already, so that
/// it waits for no disk itself.
const LISTENER: &str = "set synchronous_commit = off";

/// What a session is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Migrations, which may wait for each other and take their time.
    Setup,
    /// Batches.
    Write,
    /// Reads.
    Read,
    /// To tell other servers, and to be told.
    Listen,
}

/// A connection.
pub(super) struct Session {
    client: Client,
    /// Drives the socket; ends with the session.
    connection: JoinSet<()>,
    prepared: HashMap<Key, Prepared>,
    /// In which shapes a statement is prepared.
    shapes: HashMap<(&'static str, bool), Vec<Same>>,
    /// The transaction begins with its first statements, which saves it a round trip.
    begins: bool,
    /// It was committed with its last statements, which saves another one.
    is_committed: bool,
    has_failed: bool,
}

/// In how many shapes a statement is prepared at most; further ones are served by what is closest. Rows differ from batch to
/// batch in few ways, and each shape takes some room in the database's process.
const SHAPES_MAX: usize = 6;

/// A statement's name, whether it has to write all its rows, and which columns of these are the same.
type Key = (&'static str, bool, Same);

/// Lets a statement that writes fail by itself where it did not write as many rows as it was given: what is behind it may
/// be on its way already, and has to fail with it.
fn writing_all(compiled: &Compiled) -> String {
    let count = compiled.scalars.len() + compiled.columns.as_ref().map_or(0, Vec::len) + 1;
    format!(
        "with written as ({} returning 1) select 1 / (case (select count(*) from written) when ${count}::bigint then 1 \
         else 0 end)",
        compiled.sql
    )
}

struct Prepared {
    statement: tokio_postgres::Statement,
    compiled: Compiled,
}

impl Session {
    /// Connects.
    pub(super) async fn connect(target: &Target, purpose: Purpose) -> Result<Self> {
        let (session, _) = Self::connect_listening(target, purpose).await?;
        Ok(session)
    }

    /// Connects, and returns where notices arrive; the payloads of other channels' notices are left out.
    pub(super) async fn connect_listening(
        target: &Target,
        purpose: Purpose,
    ) -> Result<(Self, mpsc::Receiver<String>)> {
        let greeting = timeout(GREETING_TIMEOUT, Self::greet(target, purpose)).await;
        greeting.unwrap_or_else(|_| {
            let (target, seconds) = (target.words(), GREETING_TIMEOUT.as_secs());
            let detail = format!("connecting to Postgres at {target}: no greeting within {seconds} s");
            Err(StoreError::Unavailable { detail })
        })
    }

    async fn greet(target: &Target, purpose: Purpose) -> Result<(Self, mpsc::Receiver<String>)> {
        let connected = target.config.connect(NoTls).await;
        let (client, connection) = connected.map_err(|error| connect_fault(target.words(), &error))?;
        let (notices, noticed) = mpsc::channel(NOTICES_MAX);
        let mut tasks = JoinSet::new();
        tasks.spawn(drive(connection, notices));
        let mut session = Self {
            client,
            connection: tasks,
            prepared: HashMap::new(),
            shapes: HashMap::new(),
            begins: false,
            is_committed: false,
            has_failed: false,
        };
        match purpose {
            Purpose::Setup => {}
            Purpose::Write => session.run_script(WRITER, "setting up a writing connection").await?,
            Purpose::Read => session.run_script(READER, "setting up a reading connection").await?,
            Purpose::Listen => {
                session.run_script(LISTENER, "setting up a listening connection").await?;
                session.run_script("listen spalla", "listening to other servers").await?;
            }
        }
        Ok((session, noticed))
    }

    /// Tells whether the connection is known to be gone.
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Says goodbye, so that the server does not have to find out.
    pub(super) async fn end(mut self) {
        drop(self.prepared);
        drop(self.client);
        // Whoever does not hear it finds out later; the task ends with the set.
        let _ = timeout(GOODBYE_TIMEOUT, self.connection.join_next()).await;
    }

    /// Begins a transaction that may write, together with whatever comes next.
    pub(super) fn begin(&mut self) {
        (self.begins, self.is_committed, self.has_failed) = (true, false, false);
    }

    /// Commits; on an error the transaction is to be rolled back, or its fate is not known.
    pub(super) async fn commit(&mut self) -> Result<()> {
        if self.has_failed {
            return Err(StoreError::Corrupt(
                "a batch went on after one of its statements had failed".to_owned(),
            ));
        }
        if self.is_committed {
            return Ok(());
        }
        if self.is_closed() {
            let detail = "the connection broke before the commit".to_owned();
            return Err(StoreError::Unavailable { detail });
        }
        if std::mem::take(&mut self.begins) {
            return Ok(());
        }
        let committed = crash_point!("store.postgres.commit", self.client.batch_execute("commit").await);
        committed.map_err(|error| commit_fault(&error))
    }

    /// Rolls back.
    pub(super) async fn rollback(&mut self) -> Result<()> {
        if std::mem::take(&mut self.begins) {
            return Ok(());
        }
        self.run_script("rollback", "rolling back").await
    }

    /// Tells the other servers, by this one's name, that something was committed.
    pub(super) async fn notify(&mut self, node: &str) -> Result<()> {
        let notify = format!("notify spalla, '{node}'");
        crash_point!("store.postgres.notify", self.run_script(&notify, "telling other servers").await)
    }

    /// Runs a script of several statements.
    pub(super) async fn run_script(&mut self, script: &str, doing: &str) -> Result<()> {
        if std::mem::take(&mut self.begins) {
            self.send_begin().await?;
        }
        self.client.batch_execute(script).await.map_err(|error| fault(doing, &error))
    }

    /// Sends all calls at once and returns the answers in order.
    pub(super) async fn run_calls(&mut self, calls: &[Call]) -> Result<Vec<Answer>> {
        let answers = match self.prepare(calls).await {
            Ok(keys) => self.pipeline(calls, &keys, false).await,
            Err(error) => Err(error),
        };
        self.has_failed |= answers.is_err();
        answers
    }

    /// Sends all calls and the commit at once. A call that fails makes the database roll back instead; where the
    /// connection breaks meanwhile, nobody knows what happened.
    pub(super) async fn run_last_calls(&mut self, calls: &[Call]) -> Result<Vec<Answer>> {
        let answers = match self.prepare(calls).await {
            Ok(keys) => self.pipeline(calls, &keys, true).await.map_err(maybe_committed),
            Err(error) => Err(error),
        };
        (self.has_failed, self.is_committed) = (self.has_failed || answers.is_err(), answers.is_ok());
        answers
    }

    async fn pipeline(&mut self, calls: &[Call], keys: &[Key], commits: bool) -> Result<Vec<Answer>> {
        let begins = std::mem::take(&mut self.begins);
        let mut begun = pin!(maybe_done(self.send_begin()));
        if begins {
            poll_immediate(begun.as_mut()).await;
        }
        let mut sent = Vec::with_capacity(calls.len());
        for (call, key) in calls.iter().zip(keys) {
            let mut answer = Box::pin(maybe_done(self.answer(call, *key)));
            // The first look sends the call: all of them are on their way, in order, before the first answer is
            // waited for.
            poll_immediate(answer.as_mut()).await;
            sent.push(answer);
        }
        let mut committed = pin!(maybe_done(self.client.batch_execute("commit")));
        if commits {
            poll_immediate(committed.as_mut()).await;
        }
        if begins {
            begun.as_mut().await;
            begun.as_mut().take_output().unwrap_or(Ok(()))?;
        }
        let mut answers = Vec::with_capacity(calls.len());
        for mut answer in sent {
            answer.as_mut().await;
            // The first error is the cause; what follows it says only that the transaction is aborted.
            answers.push(answer.as_mut().take_output().unwrap_or_else(|| Ok(Answer::default()))?);
        }
        if commits {
            committed.as_mut().await;
            committed.as_mut().take_output().unwrap_or(Ok(())).map_err(|error| commit_fault(&error))?;
        }
        Ok(answers)
    }

    async fn send_begin(&self) -> Result<()> {
        const BEGIN: &str = "begin isolation level read committed read write";
        let begun = crash_point!("store.postgres.begin", self.client.batch_execute(BEGIN).await);
        begun.map_err(|error| fault("beginning a transaction", &error))
    }

    /// Prepares what is new, all at once: the transaction may hold locks meanwhile. Returns what each call runs.
    async fn prepare(&mut self, calls: &[Call]) -> Result<Vec<Key>> {
        let mut compiled = BTreeMap::new();
        let mut keys = Vec::with_capacity(calls.len());
        for call in calls {
            let key = self.key(call, &compiled);
            keys.push(key);
            if !self.prepared.contains_key(&key) && !compiled.contains_key(&key) {
                let mut statement = call.statement.compile_for(key.2)?;
                if call.writes_all {
                    statement.sql = writing_all(&statement);
                }
                compiled.insert(key, statement);
            }
        }
        let statements = join_all(compiled.values().map(|compiled| self.client.prepare(&compiled.sql))).await;
        for ((key, compiled), statement) in compiled.into_iter().zip(statements) {
            // The first error is the cause; what follows it says only that the transaction is aborted.
            let statement = statement.map_err(|error| fault(&format!("preparing {}", key.0), &error))?;
            self.shapes.entry((key.0, key.1)).or_default().push(key.2);
            self.prepared.insert(key, Prepared { statement, compiled });
        }
        for (call, key) in calls.iter().zip(&keys) {
            if let Some(why) = self.prepared[key].compiled.misfit(call) {
                return Err(StoreError::Corrupt(format!("statement {}: {why}", call.statement.name)));
            }
        }
        Ok(keys)
    }

    /// Chooses the shape of a call: its own, or the closest one where there are enough.
    fn key(&self, call: &Call, new: &BTreeMap<Key, Compiled>) -> Key {
        let (name, writes_all) = (call.statement.name, call.writes_all);
        // Where rows are joined with a table, a column that is the same in all would lead the planner to everything in the
        // table that has it, for each of them.
        let may_be_same = call.rows.len() == 1 || call.statement.adds_values();
        let wanted = if may_be_same { Same::of(&call.rows) } else { Same::NONE };
        let known = self.shapes.get(&(name, writes_all)).map_or(&[][..], Vec::as_slice);
        let is_new = |same| new.contains_key(&(name, writes_all, same));
        // One row is what most batches of a quiet server bring.
        let may_be_new = known.len() < SHAPES_MAX || call.rows.len() == 1 || is_new(wanted);
        let same = if may_be_new { wanted } else { wanted.closest(known.iter().copied()) };
        (name, writes_all, same)
    }

    async fn answer(&self, call: &Call, key: Key) -> Result<Answer> {
        let name = call.statement.name;
        let Prepared { statement, compiled } = &self.prepared[&key];
        if compiled.columns.is_some() && call.rows.is_empty() {
            return Ok(Answer::default());
        }
        let odd = |why: String| StoreError::Corrupt(format!("statement {name}: {why}"));
        let doing = |error: &tokio_postgres::Error| fault(&format!("statement {name}"), error);
        let mut parameters = parameters(compiled, statement.params(), call, key.2).map_err(odd)?;
        if call.writes_all {
            parameters.push(Box::new(call.rows.len() as i64));
        }
        let stream = match call.statement.is_list() {
            false => self.client.query_raw(statement, parameters).await,
            true => {
                let typed = parameters.into_iter().zip(statement.params().iter().cloned());
                self.client.query_typed_raw(&compiled.sql, typed).await
            }
        };
        let stream = stream.map_err(|error| doing(&error))?;
        let mut stream = pin!(stream);
        let mut rows = Vec::new();
        while let Some(found) = stream.try_next().await.map_err(|error| doing(&error))? {
            rows.push(row(&found).map_err(odd)?);
        }
        let written = stream.rows_affected().unwrap_or_default();
        // It would have failed otherwise.
        let written = if call.writes_all { call.rows.len() as u64 } else { written };
        Ok(Answer { rows, written })
    }
}

/// An error while the commit was on its way already: unless the database itself refused a statement, and so the commit,
/// it may have happened.
fn maybe_committed(error: StoreError) -> StoreError {
    match error {
        StoreError::Unavailable { detail } | StoreError::Corrupt(detail) => StoreError::Unknown { detail },
        refused => refused,
    }
}

/// Drives a connection to its end and hands on its notices.
async fn drive<T>(mut connection: Connection<Socket, T>, notices: mpsc::Sender<String>)
where
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    loop {
        match poll_fn(|context| connection.poll_message(context)).await {
            Some(Ok(AsyncMessage::Notification(notice))) => {
                // When there is no room left, enough are waiting.
                let _ = notices.try_send(notice.payload().to_owned());
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "a connection to Postgres broke");
                return;
            }
            None => return,
        }
    }
}

/// The open transaction of a session.
pub(super) struct Transaction<'a>(pub(super) &'a mut Session);

impl Driver for Transaction<'_> {
    async fn run(&mut self, calls: Vec<Call>) -> Result<Vec<Answer>> {
        crash_point!("store.postgres.statements", self.0.run_calls(&calls).await)
    }

    async fn run_last(&mut self, calls: Vec<Call>) -> Result<Vec<Answer>> {
        crash_point!("store.postgres.last_statements", self.0.run_last_calls(&calls).await)
    }

    fn is_shared(&self) -> bool {
        true
    }
}
