//! What happens, as it happens: one follower of the events and one of each log that somebody looks at, a cursor for
//! each client, and transports that know nothing of what they carry.
//!
//! ```text
//!  store's commits ─► event_stream ─► subscription ──────┐          ┌─► sse
//!                                                        ├─► feed ──┤
//!  engine's logs   ─► log_stream ───► log_subscription ──┘          └─► web_socket
//! ```

mod dialogue;
mod event_stream;
mod feed;
mod log_stream;
mod log_subscription;
mod page_lines;
mod places;
mod sse;
mod subscription;
mod watched;
mod web_socket;

pub(crate) use dialogue::{Follows, Party, Said};
pub(crate) use event_stream::EventStream;
pub(crate) use log_stream::{LogFollower, LogStream};
pub(crate) use log_subscription::{LogSubscription, Start};
pub(crate) use page_lines::PageLines;
pub(crate) use places::Places;
pub(crate) use sse::response;
pub(crate) use subscription::{Filter, Subscription};
pub(crate) use watched::Watched;
pub(crate) use web_socket::{converse, upgrade};
