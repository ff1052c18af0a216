//! Scratchpads: a folder for one task, with what it was made of, for how long it is kept, and what was made in it.
//! It starts no program; whoever has git fills `work/` through a draft.
//!
//! ```text
//! <data>/scratchpad/<task>_<unix time>/README.md  test/  output/  drafts/  work/     what an agent may write
//! <data>/scratchpad/.records/<id>.json            state and times, written at once or not at all
//!                            <id>.manifest.json   what stood there when it was made: sizes and hashes
//!                            <id>.git/            git's own side of `work/`, which no agent writes
//!                            <id>.lock            held by whoever is in the scratchpad
//! ```
//! Whatever stands in a scratchpad is foreign: it is walked folder by folder, no link is followed, nothing of it is
//! believed.

mod changes;
mod check;
mod clean;
mod copy;
mod create;
mod error;
mod export;
mod folder;
mod id;
mod lock;
mod manifest;
mod once;
mod readme;
mod record;
mod remove;
mod scratchpads;
mod state;
mod stats;
mod stream;
mod template;
mod walk;

pub use changes::{Change, Changes};
pub use check::Fault;
pub use clean::{Cleaned, Why};
pub use create::{Draft, New};
pub use error::{Error, Kind};
pub use export::Exported;
pub use id::Id;
pub use lock::Held;
pub use manifest::FileKind;
pub use once::Once;
pub use record::{Record, Target};
pub use remove::remove;
pub use scratchpads::{Options, Quota, Scratchpads, View};
pub use state::{State, Step};
pub use stats::{FolderStats, Stats, measure};
pub use stream::Stream;
