//! Stock: what there is of resources while runs are handed out. A run needs its share of what the worker has, and of the
//! pool that is configured for its agent; both count what the runs under a lease need, so that nothing has to be given
//! back.

use crate::desk::{Desk, Need};
use crate::tx::{Result, Tx};
use spalla_domain::QueueId;
use spalla_domain::claim::ClaimRequest;
use spalla_domain::resources::{Amounts, Pool, Pools};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is left of what is counted.
#[derive(Default)]
pub(crate) struct Stock {
    worker: Option<Pool>,
    pools: Arc<Pools>,
    /// The pools that were asked for, by their names.
    left: BTreeMap<String, Pool>,
}

impl Stock {
    /// Counts what is reserved, if any run needs something of what is counted.
    pub(crate) async fn take<T: Tx>(desk: &mut Desk<'_, T>, request: &ClaimRequest) -> Result<Self> {
        desk.queues().await?;
        let pools = Arc::clone(&desk.context.settings.pools);
        if !desk.has_needs() || (request.resources.is_none() && pools.0.is_empty()) {
            return Ok(Self::default());
        }
        let mut worker = request.resources.as_deref().cloned().map(Pool::new);
        let mut left: BTreeMap<_, _> =
            pools.0.iter().map(|(name, capacity)| (name.clone(), Pool::new(capacity.clone()))).collect();
        for held in desk.tx.reserved().await? {
            let (agent, Some(wish)) = (&held.agent, &held.wish) else { continue };
            for _ in 0..held.runs {
                if let Some(pool) =
                    worker.as_mut().filter(|_| held.worker.as_ref() == Some(&request.worker_id))
                {
                    pool.hold(wish);
                }
                let name = pools.of(agent.as_deref()).map(|(name, _)| name);
                if let Some(pool) = name.and_then(|name| left.get_mut(name)) {
                    pool.hold(wish);
                }
            }
        }
        Ok(Self { worker, pools, left })
    }

    /// Tells whether what a run needs is counted anywhere.
    pub(crate) fn counts(&self, need: &Need) -> bool {
        self.worker.is_some() || self.pools.of(need.agent.as_deref()).is_some()
    }

    /// Returns the queues whose runs find what they need.
    pub(crate) fn sift<T: Tx>(&self, desk: &Desk<'_, T>, mut queues: Vec<QueueId>) -> Vec<QueueId> {
        if self.worker.is_some() || !self.pools.0.is_empty() {
            queues.retain(|queue| self.fit_at_most(desk.need(*queue), 1) > 0);
        }
        queues
    }

    /// Returns how many runs that need so much can start, up to so many.
    pub(crate) fn fit_at_most(&self, need: Option<&Need>, most: u32) -> u32 {
        let Some(Need { agent, wish }) = need else { return most };
        let pool = self.pools.of(agent.as_deref()).and_then(|(name, _)| self.left.get(name));
        let most = self.worker.as_ref().map_or(most, |pool| pool.fit_at_most(wish, most));
        pool.map_or(most, |pool| pool.fit_at_most(wish, most))
    }

    /// Reserves what a run needs, if it is there.
    pub(crate) fn reserve(&mut self, need: Option<&Need>) -> bool {
        if self.fit_at_most(need, 1) == 0 {
            return false;
        }
        let Some(Need { agent, wish }) = need else { return true };
        let hold = |pool: &mut Pool, wish: &Amounts| pool.hold(wish);
        if let Some(pool) = &mut self.worker {
            hold(pool, wish);
        }
        let name = self.pools.of(agent.as_deref()).map(|(name, _)| name);
        if let Some(pool) = name.and_then(|name| self.left.get_mut(name)) {
            hold(pool, wish);
        }
        true
    }
}
