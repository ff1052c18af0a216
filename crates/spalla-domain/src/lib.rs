//! The words and the rules of Spalla: what a work item, a queue entry, a run, a lease and an approval are, and
//! every change they may go through. Pure: no clock, no randomness, no input or output; `now` is an argument.

pub mod access;
pub mod adapter;
pub mod agent_event;
pub mod agent_policy;
pub mod agent_pool;
pub mod agent_state;
pub mod alias;
pub mod approval;
pub mod approval_policy;
pub mod artifact;
pub mod audit;
pub mod balance;
pub mod chosen;
pub mod claim;
pub mod cloud;
pub mod concurrency;
#[cfg(test)]
#[path = "../../../fuzz/damage.rs"]
mod damage;
pub mod event;
pub mod fernet;
pub mod found_command;
#[cfg(test)]
mod fuzz;
pub mod github;
pub mod id;
pub mod info_request;
pub mod lease;
pub mod limits;
pub mod log;
pub mod message;
pub mod network;
pub mod notice;
pub mod notified;
pub mod plan;
#[cfg(debug_assertions)]
pub mod plant;
pub mod problem;
pub mod project;
pub mod queue;
pub mod quota;
pub mod recipe;
pub mod recovery;
pub mod redact;
pub mod refused_host;
pub mod registry_news;
pub mod requirements;
pub mod resources;
pub mod retry;
pub mod review;
pub mod run;
pub mod run_event;
pub mod sandbox;
pub mod schedule;
pub mod scorecard;
pub mod secret;
pub mod session;
pub mod session_event;
pub mod slo;
pub mod tier;
pub mod time;
pub mod trace;
pub mod webhook;
pub mod work_item;
pub mod yaml;

pub use id::{
    AliasId, ApprovalId, ArtifactId, AuditId, DraftId, EntryId, EventSeq, Fence, InfoRequestId, MessageId,
    ProjectId, QueueId, RunId, ScheduleId, TokenId, WebhookId, WorkItemId, WorkerId,
};
pub use problem::{Code, Refusal};
pub use time::Timestamp;
