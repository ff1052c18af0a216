//! Workers and pools on the wire.

use super::resources::Resources;
use super::work_item::Executor;
use serde::Serialize;
use spalla_domain::Timestamp;
use spalla_store::view::{PoolView, WorkerView};
use utoipa::ToSchema;

/// A worker that was heard of lately.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Worker {
    /// Who.
    worker_id: String,
    /// When it was last heard of; what it says is noted every twenty seconds.
    #[schema(value_type = String, format = DateTime)]
    last_heartbeat_at: Timestamp,
    /// How many runs it holds.
    leases: u32,
    /// The executors that it can carry out; empty means any.
    executors: Vec<Executor>,
    /// Takes only items that bear at least one of these labels; empty means any.
    labels: Vec<String>,
    /// What it has for all its runs together; null where nothing is counted.
    #[schema(inline)]
    capacity: Option<Resources>,
    /// What its runs need of that.
    #[schema(inline)]
    reserved: Resources,
}

impl From<WorkerView> for Worker {
    fn from(view: WorkerView) -> Self {
        Self {
            worker_id: view.name.into(),
            last_heartbeat_at: view.heard_at,
            leases: view.leases,
            executors: view.offer.executors.into_iter().map(Into::into).collect(),
            labels: view.offer.labels,
            capacity: view.offer.resources.as_ref().map(Resources::from),
            reserved: Resources::from(&view.reserved),
        }
    }
}

/// What is configured that runs of an agent may take together.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ResourcePool {
    /// The agent; `*` is all that have no pool of their own.
    agent: String,
    /// What there is.
    #[schema(inline)]
    capacity: Resources,
    /// What runs that go on need of it.
    #[schema(inline)]
    reserved: Resources,
}

impl From<PoolView> for ResourcePool {
    fn from(view: PoolView) -> Self {
        let (capacity, reserved) =
            (Resources::from(&view.pool.capacity), Resources::from(&view.pool.reserved));
        Self { agent: view.name, capacity, reserved }
    }
}
