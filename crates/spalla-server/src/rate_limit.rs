//! How many requests one client may make in a minute: a sliding window of whole seconds for each client.

use crate::auth::Client;
use crate::problem::Problem;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use spalla_domain::Timestamp;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How long the window is, in seconds.
const WINDOW_SECONDS: i64 = 60;
/// How many clients are counted apart: each costs a quarter of a KiB. Whoever comes beyond that is counted together.
const CLIENTS_MAX: usize = 10_000;
/// What workers send without end, in the rhythm that they are told: it is not counted.
const UNCOUNTED: [&str; 7] = [
    "/scheduler/tick",
    "/scheduler/claim",
    "/scheduler/exchange",
    "/work-items/runs/{id}/claim",
    "/work-items/runs/{id}/heartbeat",
    "/work-items/runs/{id}/logs",
    "/work-items/runs/{id}/events",
];
/// The headers that say where a client stands.
const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");

/// Tells whether a request is counted; the template is that of its path.
pub(crate) fn is_counted(method: &Method, template: &str) -> bool {
    !(*method == Method::POST && UNCOUNTED.contains(&template))
}

/// Counts requests.
#[derive(Debug)]
pub(crate) struct RateLimit {
    per_minute: u32,
    windows: Mutex<HashMap<Option<Client>, Window>>,
}

/// Where a client stands after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    limit: u32,
    remaining: u32,
    /// In how many seconds a refused request would be granted; none where it was granted.
    retry_after_seconds: Option<u32>,
}

impl RateLimit {
    /// Allows each client so many requests a minute.
    pub(crate) fn new(per_minute: u32) -> Self {
        Self { per_minute, windows: Mutex::default() }
    }

    /// Counts a request and tells where the client stands; none where nothing is limited.
    pub(crate) fn count(&self, client: Client, now: Timestamp) -> Option<Standing> {
        self.with(client, now, |window, limit| {
            let retry_after_seconds = window.take(limit);
            Standing { limit, remaining: limit.saturating_sub(window.total), retry_after_seconds }
        })
    }

    /// Tells where the client stands, without counting.
    pub(crate) fn look(&self, client: Client, now: Timestamp) -> Option<Standing> {
        self.with(client, now, |window, limit| Standing {
            limit,
            remaining: limit.saturating_sub(window.total),
            retry_after_seconds: None,
        })
    }

    /// Tells in how many seconds the client may make another request, without counting; none where it may now.
    pub(crate) fn wait_seconds(&self, client: Client, now: Timestamp) -> Option<u32> {
        let mut windows = self.lock();
        let is_full = windows.len() >= CLIENTS_MAX;
        let key = Some(client).filter(|client| !is_full || windows.contains_key(&Some(*client)));
        let window = windows.get_mut(&key).filter(|_| self.per_minute > 0)?;
        window.slide(now.ms().div_euclid(1_000));
        window.wait_seconds(self.per_minute)
    }

    fn with<T>(&self, client: Client, now: Timestamp, act: impl FnOnce(&mut Window, u32) -> T) -> Option<T> {
        if self.per_minute == 0 {
            return None;
        }
        let second = now.ms().div_euclid(1_000);
        let mut windows = self.lock();
        if windows.len() >= CLIENTS_MAX && !windows.contains_key(&Some(client)) {
            windows.retain(|_, window| !window.is_past(second));
        }
        let has_room = windows.len() < CLIENTS_MAX || windows.contains_key(&Some(client));
        let window = windows.entry(Some(client).filter(|_| has_room)).or_insert_with(|| Window::new(second));
        window.slide(second);
        Some(act(window, self.per_minute))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Option<Client>, Window>> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Standing {
    /// Refuses a request that is one too many.
    pub(crate) fn check(self) -> Result<(), Problem> {
        let Some(seconds) = self.retry_after_seconds else { return Ok(()) };
        let detail = format!("this client has made {} requests within a minute", self.limit);
        Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail)
            .mend("wait as long as Retry-After says; ORCH_RATE_LIMIT_PER_MIN sets the limit")
            .retry_after(seconds))
    }

    /// Says it in an answer's headers.
    pub(crate) fn add_headers(self, headers: &mut HeaderMap) {
        headers.insert(LIMIT, HeaderValue::from(self.limit));
        headers.insert(REMAINING, HeaderValue::from(self.remaining));
    }
}

/// The requests of one client, by the second in which they came.
#[derive(Debug)]
struct Window {
    newest: i64,
    counts: [u32; WINDOW_SECONDS as usize],
    total: u32,
}

impl Window {
    const fn new(second: i64) -> Self {
        Self { newest: second, counts: [0; WINDOW_SECONDS as usize], total: 0 }
    }

    /// Moves on to a second. A clock that was turned back stands still here until it is where it was.
    fn slide(&mut self, second: i64) {
        let steps = second.saturating_sub(self.newest).clamp(0, WINDOW_SECONDS);
        for step in 1..=steps {
            let place = place(second - steps + step);
            self.total -= std::mem::take(&mut self.counts[place]);
        }
        self.newest = self.newest.max(second);
    }

    /// Counts a request, or says in how many seconds there will be room for it.
    fn take(&mut self, limit: u32) -> Option<u32> {
        let wait = self.wait_seconds(limit);
        if wait.is_none() {
            self.counts[place(self.newest)] += 1;
            self.total += 1;
        }
        wait
    }

    /// Says in how many seconds there will be room for a request; none where there is.
    fn wait_seconds(&self, limit: u32) -> Option<u32> {
        if self.total < limit {
            return None;
        }
        let oldest = (1..=WINDOW_SECONDS).find(|ahead| self.counts[place(self.newest + ahead)] > 0);
        oldest.and_then(|ahead| u32::try_from(ahead).ok()).or(Some(1))
    }

    const fn is_past(&self, second: i64) -> bool {
        second.saturating_sub(self.newest) >= WINDOW_SECONDS
    }
}

fn place(second: i64) -> usize {
    usize::try_from(second.rem_euclid(WINDOW_SECONDS)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn client(number: u32) -> Client {
        Client::Address(number.to_be_bytes().into())
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    #[test]
    fn a_request_too_many_waits_until_the_oldest_is_a_minute_old() {
        let limit = RateLimit::new(3);
        let retry = |ms| limit.count(client(1), at(ms)).unwrap().retry_after_seconds;
        assert_eq!([retry(0), retry(10_000), retry(10_999)], [None; 3]);
        assert_eq!([retry(11_000), retry(59_999)], [Some(49), Some(1)]);
        assert_eq!(
            [retry(60_000), retry(60_001), retry(70_000), retry(70_000)],
            [None, Some(10), None, None]
        );
        assert_eq!(retry(70_000), Some(50));
        assert_eq!(retry(1_000_000), None);
    }

    #[test]
    fn clients_are_counted_apart_and_looking_costs_nothing() {
        let limit = RateLimit::new(1);
        assert_eq!(limit.count(client(1), at(0)).unwrap().remaining, 0);
        for _ in 0..3 {
            assert_eq!(limit.look(client(2), at(0)).unwrap().remaining, 1);
        }
        assert!(limit.count(client(2), at(0)).unwrap().check().is_ok());
        assert!(limit.count(client(2), at(0)).unwrap().check().is_err());
        let waits = [1, 2, 3].map(|number| limit.wait_seconds(client(number), at(1_000)));
        assert_eq!(waits, [Some(59), Some(59), None]);
        assert_eq!(RateLimit::new(0).count(client(1), at(0)), None);
    }

    #[test]
    fn more_clients_than_are_kept_share_what_is_left_and_idle_ones_make_room() {
        let limit = RateLimit::new(2);
        let count = |number, ms| limit.count(client(number), at(ms)).unwrap().retry_after_seconds;
        for number in 0..=CLIENTS_MAX as u32 {
            count(number, 0);
        }
        assert_eq!(count(CLIENTS_MAX as u32 + 1, 0), None);
        assert_eq!(count(CLIENTS_MAX as u32 + 2, 0), Some(60));
        assert_eq!(count(CLIENTS_MAX as u32 + 2, 60_000), None);
        assert_eq!(limit.lock().len(), 1);
    }

    #[test]
    fn what_a_worker_sends_all_the_time_is_not_counted_and_reading_is() {
        assert!(!is_counted(&Method::POST, "/scheduler/claim"));
        assert!(!is_counted(&Method::POST, "/scheduler/tick"));
        assert!(!is_counted(&Method::POST, "/work-items/runs/{id}/logs"));
        assert!(is_counted(&Method::GET, "/work-items/runs/{id}/logs"));
        assert!(is_counted(&Method::POST, "/work-items"));
    }

    proptest! {
        #[test]
        fn no_window_of_sixty_seconds_ever_holds_more_than_the_limit(
            steps in prop::collection::vec(0..5_000_i64, 1..300), per_minute in 1..20_u32,
        ) {
            let limit = RateLimit::new(per_minute);
            let (mut now, mut granted) = (0, vec![]);
            for step in steps {
                now += step;
                let standing = limit.count(client(1), at(now)).unwrap();
                match standing.retry_after_seconds {
                    None => granted.push(now / 1_000),
                    Some(seconds) => prop_assert!((1..=60).contains(&seconds)),
                }
                let held = granted.iter().filter(|second| now / 1_000 - **second < WINDOW_SECONDS).count();
                prop_assert!(held <= per_minute as usize);
                prop_assert_eq!(standing.remaining as usize, per_minute as usize - held);
            }
        }
    }
}
