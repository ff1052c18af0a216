//! Keeps floods of wrong tokens from the store: whoever shows too many is told to wait before anything is looked up, and
//! no more than a few tokens that nobody knows yet are looked up at once. A token that opened a moment ago is looked up
//! whatever else comes from its address; that it opened is remembered for this alone.

use crate::auth::Client;
use crate::problem::Problem;
use crate::rate_limit::RateLimit;
use axum::http::StatusCode;
use spalla_domain::Timestamp;
use std::collections::{HashSet, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::{Semaphore, SemaphorePermit};

/// How many tokens that open nothing are looked up for one address in a minute: more than anybody mistypes, and as
/// nothing beside the possible ones.
const WRONG_PER_MINUTE: u32 = 100;
/// How many unknown tokens are looked up at once; others wait, in their order.
const LOOKUPS_MAX: usize = 32;
/// How many tokens that opened are remembered, 32 bytes each; the oldest go first.
const OPENED_MAX: usize = 10_000;

/// What of a token is remembered.
type Digest = [u8; 32];

/// Knows the tokens that opened lately, and counts those that did not.
#[derive(Debug)]
pub(crate) struct Strangers {
    wrong: RateLimit,
    lookups: Semaphore,
    opened: Mutex<Opened>,
}

#[derive(Debug, Default)]
struct Opened {
    known: HashSet<Digest>,
    order: VecDeque<Digest>,
}

/// The leave to look a token up.
#[derive(Debug)]
pub(crate) struct Leave<'a> {
    strangers: &'a Strangers,
    digest: Digest,
    client: Client,
    _lookup: Option<SemaphorePermit<'a>>,
}

impl Default for Strangers {
    fn default() -> Self {
        let (wrong, lookups) = (RateLimit::new(WRONG_PER_MINUTE), Semaphore::new(LOOKUPS_MAX));
        Self { wrong, lookups, opened: Mutex::default() }
    }
}

impl Strangers {
    /// Gives leave to look a token up, or says when to come back.
    pub(crate) async fn admit(
        &self,
        token: &str,
        from: IpAddr,
        now: Timestamp,
    ) -> Result<Leave<'_>, Problem> {
        let digest = *blake3::hash(token.as_bytes()).as_bytes();
        let leave = Leave { strangers: self, digest, client: Client::Address(network(from)), _lookup: None };
        if self.opened().known.contains(&digest) {
            return Ok(leave);
        }
        self.check(leave.client, now)?;
        // It is never closed.
        let lookup = self.lookups.acquire().await.ok();
        // Those before may have been too many.
        self.check(leave.client, now)?;
        Ok(Leave { _lookup: lookup, ..leave })
    }

    fn check(&self, client: Client, now: Timestamp) -> Result<(), Problem> {
        let Some(seconds) = self.wrong.wait_seconds(client, now) else { return Ok(()) };
        let detail = "too many tokens that open nothing came from this address within a minute";
        Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail)
            .mend("wait as long as Retry-After says, and send a valid token")
            .retry_after(seconds))
    }

    fn opened(&self) -> MutexGuard<'_, Opened> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Leave<'_> {
    /// Takes note that the token opened.
    pub(crate) fn opened(self) {
        let mut opened = self.strangers.opened();
        if opened.known.insert(self.digest) {
            opened.order.push_back(self.digest);
        }
        if opened.order.len() > OPENED_MAX
            && let Some(oldest) = opened.order.pop_front()
        {
            opened.known.remove(&oldest);
        }
    }

    /// Takes note that it did not, or does not any more.
    pub(crate) fn opened_nothing(self, now: Timestamp) {
        self.strangers.wrong.count(self.client, now);
        let mut opened = self.strangers.opened();
        if opened.known.remove(&self.digest) {
            opened.order.retain(|digest| *digest != self.digest);
        }
    }
}

/// Returns what stands for an address: whoever has one of the sixth version mostly has the 64 bits behind it as well.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_000_000);

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    async fn wrong(strangers: &Strangers, from: &str, count: u32) {
        for number in 0..count {
            strangers.admit(&number.to_string(), address(from), NOW).await.unwrap().opened_nothing(NOW);
        }
    }

    #[tokio::test]
    async fn a_flood_ends_at_the_door_and_holds_up_neither_others_nor_who_is_known() {
        let strangers = Strangers::default();
        strangers.admit("known", address("10.0.0.1"), NOW).await.unwrap().opened();
        wrong(&strangers, "10.0.0.1", WRONG_PER_MINUTE).await;
        let refused = strangers.admit("new", address("10.0.0.1"), NOW).await.unwrap_err();
        assert_eq!((refused.status().as_u16(), refused.code()), (429, "rate_limited"));
        assert!(strangers.admit("known", address("10.0.0.1"), NOW).await.is_ok());
        assert!(strangers.admit("new", address("10.0.0.2"), NOW).await.is_ok());
        assert!(strangers.admit("new", address("10.0.0.1"), NOW.plus_ms(60_000)).await.is_ok());
    }

    #[tokio::test]
    async fn a_token_that_opens_no_longer_is_a_wrong_one() {
        let strangers = Strangers::default();
        strangers.admit("known", address("10.0.0.1"), NOW).await.unwrap().opened();
        strangers.admit("known", address("10.0.0.1"), NOW).await.unwrap().opened_nothing(NOW);
        wrong(&strangers, "10.0.0.1", WRONG_PER_MINUTE - 1).await;
        assert!(strangers.admit("known", address("10.0.0.1"), NOW).await.is_err());
    }

    #[tokio::test]
    async fn a_network_of_the_sixth_version_counts_as_one_address() {
        let strangers = Strangers::default();
        wrong(&strangers, "2001:db8::1", WRONG_PER_MINUTE).await;
        assert!(strangers.admit("new", address("2001:db8::2"), NOW).await.is_err());
        assert!(strangers.admit("new", address("2001:db8:0:1::2"), NOW).await.is_ok());
        assert_eq!(network(address("::ffff:10.0.0.1")), address("10.0.0.1"));
    }

    #[tokio::test]
    async fn no_more_tokens_are_remembered_than_there_is_room_for() {
        let strangers = Strangers::default();
        for number in 0..=OPENED_MAX {
            strangers.admit(&number.to_string(), address("10.0.0.1"), NOW).await.unwrap().opened();
        }
        let opened = strangers.opened();
        assert_eq!((opened.known.len(), opened.order.len()), (OPENED_MAX, OPENED_MAX));
    }

    #[tokio::test]
    async fn only_some_unknown_tokens_are_looked_up_at_once() {
        let strangers = Strangers::default();
        let mut leaves = vec![];
        for number in 0..LOOKUPS_MAX {
            leaves.push(strangers.admit(&number.to_string(), address("10.0.0.1"), NOW).await.unwrap());
        }
        let next = strangers.admit("next", address("10.0.0.2"), NOW);
        let mut next = std::pin::pin!(next);
        assert!(futures_util::poll!(next.as_mut()).is_pending());
        leaves.pop().unwrap().opened_nothing(NOW);
        assert!(futures_util::poll!(next.as_mut()).is_ready());
    }
}
