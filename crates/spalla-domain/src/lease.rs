//! A lease: exclusive, expiring ownership of a run.

#[cfg(debug_assertions)]
use crate::plant::{self, Plant};
use crate::{Timestamp, WorkerId};
use serde::{Deserialize, Serialize};

/// Who holds a run, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The holder.
    pub worker: WorkerId,
    /// From this moment on anybody may take the run over.
    pub until: Timestamp,
}

impl Lease {
    /// Makes a lease that lasts `ttl_ms` milliseconds from now.
    pub fn new(worker: WorkerId, ttl_ms: i64, now: Timestamp) -> Self {
        Self { worker, until: now.plus_ms(ttl_ms) }
    }

    /// Tells whether the holder's time is over.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        #[cfg(debug_assertions)]
        let now = now.plus_ms(i64::from(plant::is(Plant::LeaseOffByOne)));
        self.until <= now
    }
}
