//! Moves work items through their life: wakes waiting claimers when something becomes eligible, and keeps time for
//! leases, delays and the background tick. It decides nothing itself: every decision is an operation of the store.

mod engine;
mod handle;
pub mod history;
mod input;
mod stages;
mod waiting_room;

pub use engine::{Engine, Options};
pub use handle::EngineHandle;
