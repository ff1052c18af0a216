//! What clients see of Spalla: commands come in over HTTP, state and events go out. It decides nothing itself:
//! commands go to the engine, reads to the store, and the rules are the domain's.
//!
//! ```text
//!  socket ─► server (connections, head_watch) ─► entrance (host_guard, auth, request id, metrics, problems)
//!                                                   │
//!                             extract (path, query, body → wire types) ─► routes ─► engine | store's reads
//!                                                                           │
//!  store's commits ─► live/event_stream (one follower) ─► live/sse (one cursor per client)
//! ```

mod api;
mod auth;
#[cfg(test)]
#[path = "../../../fuzz/damage.rs"]
mod damage;
mod entrance;
mod extract;
#[cfg(test)]
mod fuzz;
mod host_guard;
mod live;
mod meters;
mod openapi;
mod problem;
mod routes;
mod server;
mod state;
mod wire;

pub use auth::{Access, Token};
pub use server::{Error, Options, Server};
