//! The real agent CLIs against the fake model: each does what the script says, and tells its own story of each failure.
//! `make test-agents` installs the CLIs and runs this where only loopback can be reached.

mod claude;
mod claude_failures;
mod codex;
mod codex_app_server;
mod codex_failures;
mod dialogue;
mod gemini;
mod gemini_failures;
mod world;
