//! The command policy: what a step's script would do, and whether that is allowed, watched, needs a person's yes, or is
//! refused. It reads scripts as shell and opens no file; the wall is the kernel's sandbox, this drives approvals and audit.
//!
//! ```text
//! text ─ rewrite ─► without substitutions ─ nesting ─► tree ─ reader ─► commands ─ rules ─► findings ─► Verdict
//!            └────► parts, each read on its own  ◄─ expand, words ┘  └─ wrappers, shells: back to text
//! ```

mod arguments;
mod builtins;
mod commands;
mod compound;
mod expand;
mod forkbomb;
mod freedom;
mod marks;
mod nesting;
mod output;
mod pattern;
mod policy;
mod reader;
mod rewrite;
mod rules;
mod simple;
mod state;
mod targets;
mod verdict;
mod words;
mod wrappers;

pub use freedom::Freedom;
pub use nesting::SCRIPT_BYTES_MAX;
pub use policy::{POLICY_BYTES_MAX, PRESETS, Policy, Problem, Problems, RULES_MAX, Script};
pub use verdict::{COMMAND_CHARS_MAX, FINDINGS_MAX, Finding, Level, Verdict, confirmation_hash};
