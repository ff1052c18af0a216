//! GitHub: pull requests and check runs from sessions, and issues that become sessions. What is read there is hostile; what is
//! written there stands once and is changed in its place.
//!
//! ```text
//! issue with the label ─► watch ─► session ─► comments ─► closed where that is allowed
//! session ─► push ─► pull request ─► check run
//!                 all over: api (limits, pages, refusals) ─► exchange (one request over a connection)
//! ```

mod api;
mod checks;
mod comments;
mod exchange;
mod place;
mod pull;
mod push;
mod token;
mod told;
mod watch;

pub(crate) use place::Repository;
pub(crate) use pull::{Opened, Wanted, open};
pub(crate) use watch::{Watch, watch};
