//! What clients see of Spalla: commands come in over HTTP, state and events go out. It decides nothing itself:
//! commands go to the engine, reads to the store, and the rules are the domain's.
//!
//! ```text
//!  socket ─► server (connections, head_watch) ─► entrance (host_guard, auth, principal, access, rate_limit, cors, request id, metrics, problems)
//!                                                   │
//!                             extract (path, query, body → wire types) ─► routes ─► engine | store's reads
//!                                                                           │ └─ backpressure, vault, oidc
//!  store's commits, engine's logs ─► live (one follower each, one cursor per client) ─► SSE, WebSocket
//! ```

mod access;
mod agents;
mod alias_queues;
mod api;
mod artifacts;
mod audit;
mod auth;
mod backpressure;
mod chosen;
mod cors;
#[cfg(test)]
#[path = "../../../fuzz/damage.rs"]
mod damage;
mod definitions;
mod documents;
mod entrance;
mod extract;
#[cfg(test)]
mod fuzz;
mod github;
mod health;
mod host_guard;
mod live;
pub mod mcp;
mod meters;
mod oidc;
mod openapi;
mod principal;
mod problem;
mod rate_limit;
mod routes;
mod routing;
mod scratchpads;
mod server;
mod sessions;
mod state;
mod strangers;
mod vault;
mod webhooks;
mod wire;

pub use artifacts::{ArtifactError, Artifacts, Incoming};
pub use auth::{Access, Token};
pub use cors::Cors;
pub use definitions::Definitions;
pub use github::GitHubHook;
pub use health::{Builtin, Check, HealthCheck, HealthOptions, Runner};
pub use oidc::{Grant, Oidc};
pub use routing::{Choice, NoRouting, Routing, Unchosen, Unrouted, Work};
pub use server::{Error, Options, Server};
pub use sessions::{Control, Found, NoSessions, Sessions, Unfollowed, Wanted};
pub use vault::{Answers, Rotated, Vault};
pub use webhooks::WebhookTrust;
