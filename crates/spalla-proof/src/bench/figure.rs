//! A figure: one line of JSON on standard output.

use serde_json::json;
use std::io::Write as _;

/// Prints figures of one store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    /// The store's name in the lines.
    pub(crate) store: &'static str,
}

impl Figures {
    /// Prints one figure.
    pub(crate) fn print(self, metric: &str, value: f64, unit: &str) {
        let value = (value * 1_000.0).round() / 1_000.0;
        let line = json!({
            "peer": "spalla",
            "version": env!("CARGO_PKG_VERSION"),
            "store": self.store,
            "metric": metric,
            "value": value,
            "unit": unit,
        });
        // Whoever has stopped reading wants no more.
        let _ = writeln!(std::io::stdout(), "{line}");
    }

    /// Prints the median and the 99th percentile of times in milliseconds.
    pub(crate) fn print_latency(self, metric: &str, mut times_ms: Vec<f64>) {
        times_ms.sort_by(f64::total_cmp);
        for (suffix, percent) in [("p50", 50), ("p99", 99)] {
            if let Some(time) = percentile(&times_ms, percent) {
                self.print(&format!("{metric}_{suffix}"), time, "ms");
            }
        }
    }
}

/// Returns the value below which this many of a hundred lie; the values ascend.
pub(crate) fn percentile(ascending: &[f64], percent: usize) -> Option<f64> {
    let at = (ascending.len() * percent / 100).min(ascending.len().checked_sub(1)?);
    ascending.get(at).copied()
}

/// Returns the most memory that this process ever had in use, in MiB.
pub(crate) fn peak_rss_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or_default() / 1_024.0
}
