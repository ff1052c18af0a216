//! A double of paid models, for tests alone: it speaks the protocols of OpenAI, Anthropic and Gemini to the real agent
//! CLIs, answers as a script says, and fails in the providers' ways. `docs/fake-model.md` explains the script.
//!
//! ```text
//! request ─► routes ─► provider::…::read ─► Asked ─► decide ─► Answer ─► provider::…::answer ─► Reply ─► response
//!                                                     │  ▲                  or ::fail
//!                                           position ◄┘  └─ script, counters, tools
//! ```

mod answer;
mod arguments;
mod asked;
mod clock;
mod counters;
mod decide;
mod journal;
mod position;
mod provider;
mod reply;
mod routes;
mod script;
mod server;
mod service;
mod tools;

pub use arguments::run;
pub use journal::Entry;
pub use provider::{Dialect, Provider};
pub use script::{Act, Error, Fail, Hang, Kind, Pattern, Rule, Scope, Script, Spell, Tokens, When};
pub use server::{FakeModel, Options};
