//! What the program says about itself while it works: lines on standard error, and in a file where one is named.

use crate::config::LogFormat;
use crate::failure::{Failure, Result};
use std::fs::File;
use std::sync::Mutex;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

/// What is said, how, and where.
#[derive(Debug)]
pub(crate) struct Options {
    /// Which lines reach standard error, in the form of `RUST_LOG`.
    pub(crate) filter: String,
    /// How a line looks.
    pub(crate) format: LogFormat,
    /// Whether lines on standard error may have colours.
    pub(crate) color: bool,
    /// A file that gets lines as well, and which ones.
    pub(crate) file: Option<(File, String)>,
}

/// Starts to listen; once per process.
pub(crate) fn start(options: Options) -> Result<()> {
    let stderr = fmt::layer().with_writer(std::io::stderr).with_ansi(options.color);
    let stderr = match options.format {
        LogFormat::Text => stderr.boxed(),
        LogFormat::Json => fmt::layer().json().with_writer(std::io::stderr).boxed(),
    };
    let mut layers: Vec<Box<dyn Layer<Registry> + Send + Sync>> =
        vec![stderr.with_filter(filter(&options.filter)?).boxed()];
    if let Some((file, level)) = options.file {
        let lines = fmt::layer().with_ansi(false).with_writer(Mutex::new(file));
        layers.push(lines.with_filter(filter(&level)?).boxed());
    }
    tracing_subscriber::registry()
        .with(layers)
        .try_init()
        .map_err(|error| Failure::failed(format!("starting the log: {error}")))
}

fn filter(directives: &str) -> Result<EnvFilter> {
    EnvFilter::try_new(directives).map_err(|error| {
        Failure::usage(format!("the log filter {directives:?} can't be read: {error}"))
            .mend("set SPALLA_LOG to something like `info` or `warn,spalla=debug`")
    })
}
