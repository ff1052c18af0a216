//! From a request to wire types: path, query, headers, body. Whatever does not fit becomes a problem that names
//! the place.

pub(crate) mod body;
mod bulk;
mod complaint;
mod depth;
mod duplicate;
#[cfg(test)]
mod fuzz;
mod id;
mod idempotency;
mod json;
mod last_event;
mod params;
mod run_file;
mod wish;

pub(crate) use bulk::Bulk;
pub(crate) use complaint::complaint;
pub(crate) use id::{Id, Ids};
pub(crate) use idempotency::PendingKey;
pub(crate) use json::{ContentKind, check_message, content_kind, parse};
pub(crate) use last_event::last_event_id;
pub(crate) use params::{NoParams, Params};
pub(crate) use run_file::RunFile;
pub(crate) use wish::{Batch, Wish};
