//! What the peers written in Rust share: how much to do, the clock, and one JSON line a figure.
//! Knows no queue and no database.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

mod sizes;

pub use sizes::Sizes;

/// What a peer's program returns.
pub type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Who is measured, on what.
#[derive(Clone)]
pub struct Peer {
    name: &'static str,
    version: String,
    store: String,
}

impl Peer {
    /// Returns a peer whose version is what its manifest pins.
    pub fn new(name: &'static str, version: &str, store: impl Into<String>) -> Self {
        Self { name, version: version.to_owned(), store: store.into() }
    }

    /// Prints a figure.
    pub fn figure(&self, metric: &str, value: f64, unit: &str) {
        let Self { name, version, store } = self;
        println!(
            r#"{{"peer":"{name}","version":"{version}","store":"{store}","metric":"{metric}","value":{value:.3},"unit":"{unit}"}}"#
        );
    }

    /// Prints how many were done each second since `began`.
    pub fn rate(&self, metric: &str, count: usize, began: Instant, unit: &str) {
        self.figure(metric, count as f64 / began.elapsed().as_secs_f64(), unit);
    }

    /// Prints the median and the 99th percentile of waits, if there are any: `<metric>_p50` and `<metric>_p99`.
    pub fn waits(&self, metric: &str, mut waits_ms: Vec<f64>) {
        waits_ms.sort_by(f64::total_cmp);
        for percent in [50, 99] {
            let at = (waits_ms.len() * percent / 100).min(waits_ms.len().saturating_sub(1));
            if let Some(wait) = waits_ms.get(at) {
                self.figure(&format!("{metric}_p{percent}"), *wait, "ms");
            }
        }
    }

    /// Prints the most memory this process ever held.
    pub fn peak_rss(&self) -> Outcome {
        let status = std::fs::read_to_string("/proc/self/status")?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib: f64 = peak.and_then(|rest| rest.split_whitespace().next()).ok_or("no VmHWM")?.parse()?;
        self.figure("peak_rss", kib / 1024.0, "MiB");
        Ok(())
    }
}

/// Returns the version that a manifest pins with `name = "=…"` or `name = { version = "=…"`.
pub fn pinned(manifest: &str, name: &str) -> String {
    let line = manifest.lines().find(|line| line.split_whitespace().next() == Some(name));
    let version = line.and_then(|line| line.split("\"=").nth(1)).and_then(|rest| rest.split('"').next());
    version.unwrap_or("?").to_owned()
}

/// Returns the wall clock, which producers and handlers of one machine share, in milliseconds.
pub fn wall_ms() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64() * 1e3
}

/// Returns what is left until the `index`th of `rate` a second is due.
pub fn until_due(began: Instant, index: usize, rate: usize) -> Duration {
    Duration::from_secs_f64(index as f64 / rate as f64).saturating_sub(began.elapsed())
}
