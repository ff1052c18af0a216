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

/// Why something that was asked is not done, in the server's own words.
#[derive(Debug)]
pub struct Refused {
    /// The words.
    pub why: String,
    /// What the server answered.
    pub answer: Answered,
}

/// What a server answered that did not do what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// Nothing: there was no way to it.
    Nothing,
    /// Something that can't be read, or nothing that could have been asked.
    Odd,
    /// A refusal with this status of HTTP.
    Status(u16),
}

impl Refused {
    /// Tells whether it may be another answer soon, with nothing to be changed by whoever asks.
    fn passes(&self) -> bool {
        matches!(self.answer, Answered::Nothing | Answered::Status(429 | 502..=504))
    }

    /// Tells whether what was asked for is not there.
    fn is_not_found(&self) -> bool {
        self.answer == Answered::Status(404)
    }
}

impl From<Refused> for String {
    fn from(refused: Refused) -> Self {
        refused.why
    }
}

/// A way to the interface.
pub trait Way: Send + Sync + 'static {
    /// Asks, in the name of whom a call of a tool comes from, and returns the answer, or why there is none.
    fn ask(
        &self,
        call: &Extensions,
        path: &str,
        asked: Asked<'_>,
    ) -> impl Future<Output = Result<Value, Refused>> + Send;
}
