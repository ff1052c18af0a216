//! Tools for agents over the Model Context Protocol. What a tool does is calls of this interface, made by whatever way there
//! is: `spalla mcp` calls over HTTP, and `/mcp` carries each out as the request that it stands for, in the name of its caller.
//!
//! ```text
//!  agent ─ standard input ─► spalla mcp ─ HTTP ─┐
//!  agent ─ streamable HTTP ─► /mcp ─ in here ───┴─► routes, with the caller's own token
//! ```

mod ask;
mod calls;
mod inside;
mod server;
mod sessions;
mod tools;

pub(crate) use inside::Endpoint;
pub use rmcp::model::Extensions;
pub use server::Server;

use serde_json::Value;

/// What is asked of the interface.
#[derive(Debug, Clone, Copy)]
pub enum Asked<'a> {
    /// To show something.
    Get,
    /// To do something.
    Post(&'a Value),
}

/// A way to the interface.
pub trait Way: Send + Sync + 'static {
    /// Asks, in the name of whom a call of a tool comes from, and returns the answer, or why there is none in the server's own
    /// words.
    fn ask(
        &self,
        call: &Extensions,
        path: &str,
        asked: Asked<'_>,
    ) -> impl Future<Output = Result<Value, String>> + Send;
}
