//! The program `spalla`: command line, settings, wiring and shutdown. It has no rules of its own.
//!
//! ```text
//! cli ─► commands ─► client ──────────── HTTP ───────────► a running server
//!           │
//!           └─► app: data_folder ─► store ─► engine ─► server │ embedded worker     (supervisor owns both)
//! ```
//! Settings come from `config`, once; every part gets its own options from them.

mod adapters;
mod app;
mod ci;
mod cli;
mod client;
mod clock;
mod commands;
mod config;
mod control;
#[cfg(test)]
#[path = "../../../fuzz/damage.rs"]
mod damage;
mod data_folder;
mod definitions;
mod embedded;
mod escapes;
mod exit;
mod failure;
mod git;
mod github;
mod keychain;
mod likeness;
mod masked;
mod no_core;
#[cfg(feature = "otlp")]
mod otlp;
mod output;
mod pipeline;
mod programs;
mod routing;
mod saved;
mod scratchpads;
mod secret_key;
mod session_log;
mod sessions;
mod signals;
mod supervisor;
mod telemetry;
mod worker_options;

pub use embedded::Embedded;
use spalla_sandbox::{HIDDEN_ARG, hidden_main};
use spalla_worker::{LOOK_ARG, look_main};
use std::process::ExitCode;

/// Does what the command line says. The hidden argument of the sandbox comes before everything else, because
/// nothing may be open or running in a supervisor.
pub fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1).peekable();
    if args.next_if(|arg| arg == HIDDEN_ARG).is_some() {
        return hidden_main(args);
    }
    if args.next_if(|arg| arg == LOOK_ARG).is_some() {
        return look_main(args);
    }
    cli::run()
}
