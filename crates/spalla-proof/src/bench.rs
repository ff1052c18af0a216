//! Measures the store and the engine that the server wires, with nothing of its own in between: every figure is one
//! line of JSON, in the form that the harness of `bench/peers/` reads beside those of other queues.

mod client;
mod figure;
mod queue;
mod site;

use clap::{Args, Subcommand};
use std::process::ExitCode;

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// How fast work items pass through the store and the engine
    Queue(queue::Arguments),
}

/// Measures what is asked for.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    match &arguments.what {
        What::Queue(arguments) => queue::run(arguments),
    }
}
