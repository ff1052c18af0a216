//! Something that the issuer publishes, kept for a time: asked for by one at a time, and not again at once.

use spalla_domain::Timestamp;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// For how long what was found is not asked for again, in milliseconds.
const FRESH_MS: i64 = 60 * 60 * 1_000;
/// For how long it does where the issuer does not answer, in milliseconds.
const USABLE_MS: i64 = 24 * 60 * 60 * 1_000;
/// How long nobody asks after somebody did, in milliseconds, whatever came of it: strangers may make this server ask.
const REST_MS: i64 = 10_000;

/// Something that the issuer publishes.
#[derive(Debug)]
pub(super) struct Published<T> {
    state: Mutex<State<T>>,
    /// Who asks holds it, and whoever waits for it finds what was brought.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct State<T> {
    found: Option<(Timestamp, Arc<T>)>,
    asked_at: Option<Timestamp>,
    failure: String,
}

impl<T> Default for Published<T> {
    fn default() -> Self {
        let state = State { found: None, asked_at: None, failure: String::new() };
        Self { state: Mutex::new(state), turn: tokio::sync::Mutex::default() }
    }
}

impl<T> Published<T> {
    /// Returns it, asked for anew where that was long ago.
    pub(super) async fn get(
        &self,
        now: Timestamp,
        ask: impl Future<Output = Result<T, String>>,
    ) -> Result<Arc<T>, String> {
        self.found_since(now.plus_ms(-FRESH_MS), now, ask).await
    }

    /// Returns it as it is now: what was found earlier did not do. Where somebody asked a moment ago, it is what they found.
    pub(super) async fn get_anew(
        &self,
        now: Timestamp,
        ask: impl Future<Output = Result<T, String>>,
    ) -> Result<Arc<T>, String> {
        self.found_since(now, now, ask).await
    }

    async fn found_since(
        &self,
        since: Timestamp,
        now: Timestamp,
        ask: impl Future<Output = Result<T, String>>,
    ) -> Result<Arc<T>, String> {
        if let Some(known) = self.lock().known(since, now) {
            return known;
        }
        let _turn = self.turn.lock().await;
        if let Some(known) = self.lock().known(since, now) {
            return known;
        }
        let found = ask.await;
        self.lock().keep(found, now)
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    /// Returns what there is to say without asking; none where somebody has to.
    fn known(&self, since: Timestamp, now: Timestamp) -> Option<Result<Arc<T>, String>> {
        let is_fresh = |found: &&(Timestamp, Arc<T>)| since < found.0 && found.0 <= now;
        let fresh = self.found.as_ref().filter(is_fresh);
        // A clock that was turned back keeps nobody from asking.
        let rests = self.asked_at.is_some_and(|at| (0..REST_MS).contains(&(now.ms() - at.ms())));
        match fresh {
            Some((_, found)) => Some(Ok(Arc::clone(found))),
            None => rests.then(|| self.usable(now)),
        }
    }

    fn keep(&mut self, found: Result<T, String>, now: Timestamp) -> Result<Arc<T>, String> {
        self.asked_at = Some(now);
        match found {
            Ok(found) => self.found = Some((now, Arc::new(found))),
            Err(why) => {
                tracing::warn!(why, "the issuer could not be asked");
                self.failure = why;
            }
        }
        self.usable(now)
    }

    fn usable(&self, now: Timestamp) -> Result<Arc<T>, String> {
        let is_usable = |found: &&(Timestamp, Arc<T>)| now.ms() - found.0.ms() < USABLE_MS;
        let usable = self.found.as_ref().filter(is_usable);
        usable.map(|(_, found)| Arc::clone(found)).ok_or_else(|| self.failure.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// An issuer that counts how often it was asked, and answers with the count or not at all.
    #[derive(Default)]
    struct Asked(AtomicU32);

    impl Asked {
        async fn answer(&self, is_there: bool) -> Result<u32, String> {
            let count = self.0.fetch_add(1, Ordering::Relaxed) + 1;
            is_there.then_some(count).ok_or_else(|| "away".to_owned())
        }
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(1_000_000_000 + ms)
    }

    #[tokio::test]
    async fn what_was_found_is_asked_for_again_after_an_hour() {
        let (published, asked) = (Published::default(), Asked::default());
        for (ms, expected) in [(0, 1), (REST_MS, 1), (FRESH_MS - 1, 1), (FRESH_MS, 2), (FRESH_MS + 1, 2)] {
            assert_eq!(published.get(at(ms), asked.answer(true)).await.as_deref(), Ok(&expected), "{ms}");
        }
    }

    #[tokio::test]
    async fn an_issuer_that_is_away_is_asked_now_and_then_and_what_it_said_does_for_a_day() {
        let (published, asked) = (Published::default(), Asked::default());
        for ms in [0, 1, REST_MS - 1] {
            assert_eq!(published.get(at(ms), asked.answer(false)).await, Err("away".into()));
        }
        assert_eq!(asked.0.load(Ordering::Relaxed), 1);
        assert_eq!(published.get(at(REST_MS), asked.answer(true)).await.as_deref(), Ok(&2));
        let late = REST_MS + USABLE_MS - 1;
        assert_eq!(published.get(at(late), asked.answer(false)).await.as_deref(), Ok(&2));
        assert_eq!(published.get(at(late + 1), asked.answer(false)).await, Err("away".into()));
    }

    #[tokio::test]
    async fn what_does_not_do_is_asked_for_anew_and_not_twice_at_once() {
        let (published, asked) = (Published::default(), Asked::default());
        published.get(at(0), asked.answer(true)).await.unwrap();
        assert_eq!(published.get_anew(at(REST_MS - 1), asked.answer(true)).await.as_deref(), Ok(&1));
        assert_eq!(published.get_anew(at(REST_MS), asked.answer(true)).await.as_deref(), Ok(&2));
        assert_eq!(published.get_anew(at(REST_MS + 1), asked.answer(true)).await.as_deref(), Ok(&2));
    }

    #[tokio::test]
    async fn whoever_comes_while_somebody_asks_waits_for_what_is_brought() {
        let (published, asked) = (Published::default(), Asked::default());
        let slowly = async {
            tokio::task::yield_now().await;
            asked.answer(true).await
        };
        let (first, second) =
            tokio::join!(published.get(at(0), slowly), published.get(at(0), asked.answer(true)));
        assert_eq!((first.as_deref(), second.as_deref()), (Ok(&1), Ok(&1)));
    }
}
