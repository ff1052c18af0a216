//! The words and the rules of Spalla: what a work item, a queue entry, a run, a lease and an approval are, and
//! every change they may go through. Pure: no clock, no randomness, no input or output; `now` is an argument.

pub mod approval;
pub mod approval_policy;
pub mod claim;
pub mod cloud;
pub mod concurrency;
#[cfg(test)]
#[path = "../../../fuzz/damage.rs"]
mod damage;
pub mod event;
pub mod fernet;
#[cfg(test)]
mod fuzz;
pub mod id;
pub mod info_request;
pub mod lease;
pub mod log;
pub mod plan;
#[cfg(feature = "plant")]
pub mod plant;
pub mod problem;
pub mod project;
pub mod queue;
pub mod quota;
pub mod recipe;
pub mod redact;
pub mod requirements;
pub mod resources;
pub mod retry;
pub mod run;
pub mod schedule;
pub mod secret;
pub mod time;
pub mod work_item;

pub use id::{
    ApprovalId, DraftId, EntryId, EventSeq, Fence, InfoRequestId, ProjectId, QueueId, RunId, ScheduleId,
    WorkItemId, WorkerId,
};
pub use problem::{Code, Refusal};
pub use time::Timestamp;
