//! The proof that Spalla keeps its promises, one command each. `cargo xtask` starts it; nothing imports it.

mod bench;
mod binary;
mod commands;
mod crash_points;
mod orphans;
mod postgres;
mod process;
mod sim;
mod soak;

use clap::Parser;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<ExitCode> {
    commands::Arguments::parse().run()
}
