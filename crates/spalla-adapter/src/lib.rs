//! Agent command lines as data: how each is found, called, read and understood when it fails. Pure: programs are started
//! and their output is brought by somebody else.
//!
//! ```text
//! adapters/*.toml ─▶ Definition ─┐
//! --help, --version ─▶ Installed ┼─▶ CommandLine (arguments, input, variables)
//! what an item wishes ───────────┘
//! a line of output ─▶ Listener ─▶ Heard: events, words, usage, denials, troubles, the end of a turn
//! what a turn came to ─▶ diagnose ─▶ Diagnosis: its cause, and what is done about it within what policy allows
//! ```

pub mod act;
pub mod command_line;
pub mod definition;
pub mod heard;
pub mod installed;
pub mod library;
pub mod listen;
mod named;
pub mod pattern;
mod place;
pub mod recovery;
pub mod reset;
pub mod tools;
pub mod trouble;
pub mod way;
