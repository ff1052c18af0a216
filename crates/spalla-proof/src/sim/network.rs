//! The network between workers or people and servers: it delays, loses, doubles and reorders what they say. What is
//! said arrives at the real engine.

use super::dice::{Dice, Fault};
use super::servers::Servers;
use super::stall::Stall;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use spalla::Embedded;
use spalla_domain::claim::{Exchange, ExchangeReply, Heartbeat, LogBatch};
use spalla_engine::EngineHandle;
use spalla_worker::{Coordinator, CoordinatorError};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// After this a caller gives up on an answer, in milliseconds.
const PATIENCE_MS: u64 = 1_500;

/// Within this a server has done what a double asks for, or lets it wait.
const DONE: Duration = Duration::from_secs(1);

/// What all callers share.
pub(crate) struct Network {
    pub(crate) dice: Arc<Dice>,
    servers: Arc<Servers>,
    /// Doubles on their way, which nobody waits for.
    doubles: Mutex<JoinSet<()>>,
    /// How many of them may still change something.
    travelling: Arc<AtomicUsize>,
}

impl Network {
    /// Makes the network before some servers.
    pub(crate) fn new(dice: Arc<Dice>, servers: Arc<Servers>) -> Arc<Self> {
        Arc::new(Self { dice, servers, doubles: Mutex::new(JoinSet::new()), travelling: Arc::default() })
    }

    /// Tells whether nothing is on its way that was said long ago.
    pub(crate) fn is_silent(&self) -> bool {
        self.travelling.load(Ordering::Relaxed) == 0
    }
}

/// One caller's way into the network.
pub(crate) struct Line {
    network: Arc<Network>,
    /// Whether the caller stands still: it neither sends nor hears.
    stall: Stall,
    sent: AtomicU64,
    newest_arrived: AtomicU64,
}

/// A call that got no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoAnswer;

impl Line {
    /// Makes a line.
    pub(crate) fn new(network: Arc<Network>, stall: Stall) -> Self {
        Self { network, stall, sent: AtomicU64::new(0), newest_arrived: AtomicU64::new(0) }
    }

    /// Carries a call to some server and its answer back. `call` is what the server does with it.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        call: impl Fn(EngineHandle) -> BoxFuture<'static, T> + Send + Sync,
    ) -> Result<T, NoAnswer> {
        let dice = &self.network.dice;
        self.stall.moving().await;
        let number = self.sent.fetch_add(1, Ordering::Relaxed) + 1;
        self.travel().await;
        let Some((server, died)) = self.network.servers.some(dice) else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            return Err(NoAnswer);
        };
        if dice.strikes(Fault::MessageDropped, 12) {
            return self.give_up().await;
        }
        if dice.strikes(Fault::MessageDoubled, 12) {
            self.double(call(server.clone()), died.clone());
        }
        if self.newest_arrived.fetch_max(number, Ordering::Relaxed) > number {
            dice.count(Fault::MessageReordered);
        }
        let answer = tokio::select! {
            biased;
            () = died.cancelled() => return self.give_up().await,
            answer = call(server) => answer,
        };
        if dice.strikes(Fault::MessageDropped, 12) {
            return self.give_up().await;
        }
        self.travel().await;
        self.stall.moving().await;
        Ok(answer)
    }

    async fn travel(&self) {
        let dice = &self.network.dice;
        if dice.strikes(Fault::MessageLate, 8) {
            tokio::time::sleep(Duration::from_millis(dice.between(300, 3_000))).await;
        } else if dice.chance(300) {
            tokio::time::sleep(Duration::from_millis(dice.between(1, 20))).await;
        }
    }

    async fn give_up<T>(&self) -> Result<T, NoAnswer> {
        tokio::time::sleep(Duration::from_millis(PATIENCE_MS)).await;
        self.stall.moving().await;
        Err(NoAnswer)
    }

    fn double<T: Send + 'static>(&self, call: BoxFuture<'static, T>, died: CancellationToken) {
        let wait = Duration::from_millis(self.network.dice.between(0, 2_000));
        let travels = Travels::begin(&self.network.travelling);
        self.network.doubles.lock().unwrap_or_else(PoisonError::into_inner).spawn(async move {
            tokio::time::sleep(wait).await;
            tokio::select! {
                biased;
                () = died.cancelled() => {}
                () = arrive(call, travels) => {}
            }
        });
    }
}

/// Something on its way, for as long as it is not dropped.
struct Travels(Arc<AtomicUsize>);

impl Travels {
    fn begin(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Travels {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Carries out a double. A claim that finds nothing waits on, and changes nothing by it.
async fn arrive<T>(mut call: BoxFuture<'static, T>, travels: Travels) {
    if tokio::time::timeout(DONE, &mut call).await.is_err() {
        drop(travels);
        call.await;
    }
}

/// A worker speaks the claim protocol on its line.
impl Coordinator for Line {
    fn exchange(
        &self,
        exchange: Exchange,
        wait_ms: i64,
    ) -> BoxFuture<'_, Result<ExchangeReply, CoordinatorError>> {
        async move {
            let call = |server| {
                let exchange = exchange.clone();
                async move { Embedded(server).exchange(exchange, wait_ms).await }.boxed()
            };
            self.call(call).await.unwrap_or_else(unavailable)
        }
        .boxed()
    }

    fn append_logs(&self, batch: LogBatch) -> BoxFuture<'_, Result<(), CoordinatorError>> {
        async move {
            let call = |server| {
                let batch = batch.clone();
                async move { Embedded(server).append_logs(batch).await }.boxed()
            };
            self.call(call).await.unwrap_or_else(unavailable)
        }
        .boxed()
    }

    fn hand_back(&self, runs: Vec<Heartbeat>) -> BoxFuture<'_, Result<(), CoordinatorError>> {
        async move {
            let call = |server| {
                let runs = runs.clone();
                async move { Embedded(server).hand_back(runs).await }.boxed()
            };
            self.call(call).await.unwrap_or_else(unavailable)
        }
        .boxed()
    }
}

fn unavailable<T>(_: NoAnswer) -> Result<T, CoordinatorError> {
    Err(CoordinatorError::Unavailable { retry_after_ms: None, detail: "no answer".to_owned() })
}
