//! What the program says about itself while it works: lines on standard error, and in a file where one is named.

use crate::config::LogFormat;
use crate::failure::{Failure, Result};
use crate::session_log::SessionLog;
use tracing_subscriber::filter::{FilterExt as _, dynamic_filter_fn};
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
    /// The log of a session that gets lines as well, once it is open, and which ones.
    pub(crate) session: Option<(SessionLog, String)>,
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
    if let Some((log, level)) = options.session {
        let lines = fmt::layer().with_ansi(false).with_writer(log.clone());
        // Nothing is put into words that nobody would read.
        let is_read = filter(&level)?.and(dynamic_filter_fn(move |_, _| log.is_open()));
        layers.push(lines.with_filter(is_read).boxed());
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
