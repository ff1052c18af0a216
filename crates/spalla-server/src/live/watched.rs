//! A feed that ends when whoever follows it would no longer be let in.

use super::feed::{Feed, Next};
use crate::principal::Caller;
use crate::state::App;
use spalla_store::StoreError;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// How often somebody is looked at anew: a revocation through another server, and the end of a token's time, are noticed
/// within this. One through this server is noticed at once.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// A feed with whoever follows it.
pub(crate) struct Watched<F> {
    feed: F,
    app: App,
    /// None where somebody can't lose what lets them in.
    caller: Option<Caller>,
    revoked: watch::Receiver<()>,
    look: Interval,
    /// Whether a look is due. It outlives a wait that is given up half way.
    is_due: bool,
}

impl<F: Feed> Watched<F> {
    /// Watches over a feed.
    pub(crate) fn new(feed: F, app: &App, caller: Caller) -> Self {
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (revoked, caller) = (app.revoked.subscribe(), caller.known().is_some().then_some(caller));
        Self { feed, app: app.clone(), caller, revoked, look, is_due: false }
    }
}

impl<F: Feed> Feed for Watched<F> {
    async fn next(&mut self) -> Result<Next, StoreError> {
        let Some(caller) = &self.caller else { return self.feed.next().await };
        loop {
            // Where the store can't say, the stream ends as it does for every fault of the store.
            if self.is_due && !self.app.is_still_let_in(caller).await.unwrap_or(false) {
                return Ok(Next::Over("the token opens no longer".to_owned()));
            }
            self.is_due = false;
            tokio::select! {
                biased;
                // The sender lives as long as the server.
                _ = self.revoked.changed() => self.is_due = true,
                _ = self.look.tick() => self.is_due = true,
                next = self.feed.next() => return next,
            }
        }
    }
}
