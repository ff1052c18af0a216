//! Measures the store and the engine that the server wires, and the program itself, with nothing of its own in between:
//! every figure is one line of JSON, in the form that the harness of `bench/peers/` reads beside those of other queues.

mod administrator;
pub(crate) mod caller;
mod client;
mod figure;
mod floods;
mod growth;
mod http;
mod queue;
pub(crate) mod server;
pub(crate) mod site;
mod spawn;
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
    /// How soon a command does something behind the walls, cold and warm
    Spawn(spawn::Arguments),
    /// What a run that says too much does to the server and to other runs
    Floods(floods::Arguments),
    /// What a long history, a long queue and an old snapshot change
    Growth(growth::Arguments),
}

/// Measures what is asked for.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match &arguments.what {
            What::Queue(arguments) => queue::measure(arguments).await,
            What::Http(arguments) => http::measure(arguments).await,
            What::Startup(arguments) => startup::measure(arguments).await,
            What::Spawn(arguments) => spawn::measure(arguments).await,
            What::Floods(arguments) => floods::measure(arguments).await,
            What::Growth(arguments) => growth::measure(arguments).await,
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Tells whether a part is asked for: all of them are where none is named.
fn is_wanted(only: &[String], part: &str) -> bool {
    only.is_empty() || only.iter().any(|only| only == part)
}
