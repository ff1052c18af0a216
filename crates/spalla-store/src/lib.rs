//! The durable state of Spalla: every operation is one transaction and one whole decision.
//!
//! ```text
//!  Request ──► combiner (writer) ──► batch: desk loads rows, operations apply pure rules, one write ──► commit ──► Reply
//!                                     │                                                    │
//!                                     └─ Tx: memory │ SQL over SQLite │ SQL over Postgres  └─ Committed ──► wake-ups
//!  reads go straight to the database, beside the writer
//! ```

mod batch;
pub mod command;
mod crew;
#[cfg(test)]
#[path = "../../../fuzz/damage.rs"]
mod damage;
mod desk;
pub mod document;
pub mod error;
mod event_chunk;
#[cfg(test)]
mod fuzz;
mod log_chunk;
mod memory;
mod operations;
pub mod read;
mod sql;
mod store;
mod supply;
mod timekeeper;
mod trace;
mod tx;
pub mod view;
mod zstd_frame;

pub use command::{Command, Reply, Request};
pub use error::{ExecuteError, StoreError};
pub use memory::Memory;
pub use read::Read;
pub use store::{
    Clock, CommitGate, Committed, Location, Options, Outcome, Randomness, Settings, Store, Writer,
};
pub use tx::Result;
