//! The claims that hold on every store, by theme. Each claim is one function; `claims!` makes a test of it for each
//! store.

mod approvals;
mod archive;
mod cancel;
mod claims;
mod completion;
mod dependencies;
mod events;
mod idempotency;
mod leases;
mod lists;
mod logs;
mod parallel;
mod projects;
mod queue;
mod rank;
mod requeue;
mod restart;
mod retries;
mod runs;
mod takeovers;
mod texts;
mod work_items;
