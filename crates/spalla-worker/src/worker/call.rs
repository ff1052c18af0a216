//! One call of the worker's loop to the server: at most one of each kind is on its way, and one that failed waits.

use super::Randomness;
use crate::backoff::Backoff;
use crate::coordinator::CoordinatorError;
use futures_util::future::BoxFuture;
use spalla_domain::claim::{Exchange, ExchangeReply};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// What a call is answered with.
pub(super) type Answer<T = ExchangeReply> = Result<T, CoordinatorError>;

/// A call to the server that may be on its way.
pub(super) struct Call<T = ExchangeReply> {
    pub(super) answer: Option<BoxFuture<'static, Answer<T>>>,
    sent_at: Option<Instant>,
    pub(super) not_before: Option<Instant>,
    pub(super) reserved: u32,
    pub(super) backoff: Backoff,
}

impl<T> Call<T> {
    pub(super) fn new(first_ms: u64) -> Self {
        let backoff = Backoff::from_ms(first_ms);
        Self { answer: None, sent_at: None, not_before: None, reserved: 0, backoff }
    }

    pub(super) fn is_free(&self) -> bool {
        self.answer.is_none() && self.not_before.is_none_or(|at| Instant::now() >= at)
    }

    pub(super) fn place(&mut self, answer: BoxFuture<'static, Answer<T>>, reserved: u32) {
        self.answer = Some(answer);
        self.sent_at = Some(Instant::now());
        self.not_before = None;
        self.reserved = reserved;
    }

    pub(super) async fn answered(answer: &mut Option<BoxFuture<'static, Answer<T>>>) -> Answer<T> {
        match answer {
            Some(answer) => answer.await,
            None => std::future::pending().await,
        }
    }

    /// Forgets the call that was answered; returns how long it took.
    pub(super) fn finish(&mut self) -> Duration {
        self.answer = None;
        self.reserved = 0;
        self.sent_at.take().map(|at| at.elapsed()).unwrap_or_default()
    }

    pub(super) fn succeeded(&mut self) {
        self.backoff.reset();
    }

    pub(super) fn failed(&mut self, doing: &str, error: &CoordinatorError, randomness: &Randomness) {
        let asked = match error {
            CoordinatorError::Unavailable { retry_after_ms, .. } => *retry_after_ms,
            CoordinatorError::Refused { .. } | CoordinatorError::Rejected { .. } => None,
        };
        if self.backoff.is_calm() {
            tracing::warn!(doing, %error, "the server does not answer as it should; it is tried again");
        }
        self.pause(asked, randomness);
    }

    pub(super) fn pause(&mut self, asked_ms: Option<i64>, randomness: &Randomness) {
        self.not_before = Some(Instant::now() + self.backoff.next(asked_ms, randomness));
    }
}

/// Completes, extends and claims in one call that owns all it needs.
pub(super) fn exchange_owned(
    coordinator: &Arc<dyn crate::coordinator::Coordinator>,
    exchange: Exchange,
    wait_ms: i64,
) -> BoxFuture<'static, Answer> {
    let coordinator = Arc::clone(coordinator);
    Box::pin(async move { coordinator.exchange(exchange, wait_ms).await })
}
