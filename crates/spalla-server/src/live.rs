//! Events as they happen: one follower of the store, and one cursor for each client.

mod event_stream;
mod sse;
mod subscription;

pub(crate) use event_stream::EventStream;
pub(crate) use sse::response;
pub(crate) use subscription::{Filter, Subscription};
