//! Measures the store and the engine that the server wires, and the program itself, with nothing of its own in between:
//! every figure is one line of JSON, in the form that the harness of `bench/peers/` reads beside those of other queues.

mod administrator;
mod caller;
mod client;
mod figure;
mod growth;
mod http;
mod queue;
mod server;
mod site;
mod startup;
mod step;

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
    /// How fast they pass through the HTTP API, and what a request costs
    Http(http::Arguments),
    /// How soon the program and a step are there, and what an idle server takes
    Startup(startup::Arguments),
    /// What a long history, a long queue and an old snapshot change
    Growth(growth::Arguments),
}

/// Measures what is asked for.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    match &arguments.what {
        What::Queue(arguments) => queue::run(arguments),
        What::Http(arguments) => http::run(arguments),
        What::Startup(arguments) => startup::run(arguments),
        What::Growth(arguments) => growth::run(arguments),
    }
}
