//! The program's flags, and how it ends: on a signal, or when whoever started it lets go of its standard input.

use crate::script::Script;
use crate::server::{FakeModel, Options};
use anyhow::Context as _;
use clap::Parser;
use std::os::unix::fs::FileTypeExt as _;
use std::path::PathBuf;
use tokio::io::AsyncReadExt as _;
use tokio::signal::unix::{SignalKind, signal};

/// A double of paid models, for tests: answers the agent CLIs as a script says.
#[derive(Debug, Parser)]
#[command(name = "spalla-fake-model", version)]
struct Arguments {
    /// The script, a file that ends in .json or .toml
    #[arg(long, value_name = "FILE")]
    script: PathBuf,
    /// The port to listen on, on loopback alone; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// A file to append one line of JSON to for each request
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
}

/// Runs the program: prints `{"url":…,"port":…}` once it listens, and serves until it is told to end.
pub fn run() -> anyhow::Result<()> {
    let Arguments { script, port, journal } = Arguments::parse();
    let script = Script::read(&script)?;
    let options = Options { port, journal };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let served = runtime.block_on(serve(script, &options));
    // A read of standard input can't be taken back, and need not be waited for.
    runtime.shutdown_background();
    served
}

async fn serve(script: Script, options: &Options) -> anyhow::Result<()> {
    // Heard from before anybody can know that it runs.
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let model = FakeModel::start_with(script, options).context("starting the server")?;
    println!("{}", serde_json::json!({ "url": model.url(), "port": model.port() }));
    tokio::select! {
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
        () = let_go(), if is_held() => {}
    }
    Ok(())
}

/// Tells whether somebody holds the other end of standard input; a closed one or `/dev/null` says nothing.
fn is_held() -> bool {
    let kind = std::fs::metadata("/proc/self/fd/0").map(|stdin| stdin.file_type());
    kind.is_ok_and(|kind| kind.is_fifo() || kind.is_socket())
}

async fn let_go() {
    let mut stdin = tokio::io::stdin();
    let mut ignored = [0; 1024];
    while stdin.read(&mut ignored).await.is_ok_and(|count| count > 0) {}
}
