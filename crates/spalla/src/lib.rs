//! The program `spalla`: command line, settings, wiring and shutdown. It has no rules of its own.
//!
//! ```text
//! cli ─► commands ─► client ──────────── HTTP ───────────► a running server
//!           │
//!           └─► app: data_folder ─► store ─► engine ─► server │ embedded worker     (supervisor owns both)
//! ```
//! Settings come from `config`, once; every part gets its own options from them.

mod app;
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
mod embedded;
mod exit;
mod failure;
mod git;
mod likeness;
mod masked;
mod output;
mod pipeline;
mod programs;
mod secret_key;
mod signals;
mod supervisor;
mod telemetry;
mod worker_options;

pub use embedded::Embedded;
use spalla_worker::sandbox::{SUPERVISE_ARG, supervise_main};
use std::process::ExitCode;

/// Does what the command line says. The hidden argument of the sandbox comes before everything else, because
/// nothing may be open or running in a supervisor.
pub fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1).peekable();
    if args.next_if(|arg| arg == SUPERVISE_ARG).is_some() {
        return supervise_main(args);
    }
    cli::run()
}
