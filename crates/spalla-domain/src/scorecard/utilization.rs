//! How much of machines runs use: means of what was measured, which fade as everything of a record does.

use crate::sandbox::Used;
use serde::{Deserialize, Serialize};

/// How much of machines an agent's runs use, on the average.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Utilization {
    /// Processors: 1 is one core for all of the time.
    pub cores: Mean,
    /// Memory at its peak, in MiB.
    pub memory_mb: Mean,
    /// Files that came into being, in MiB.
    pub storage_mb: Mean,
}

/// A mean that fades.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Mean {
    /// How much everything in it weighs.
    weight: f64,
    /// The sum of what was measured, each with its weight.
    sum: f64,
}

impl Mean {
    /// Returns it; none where nothing was measured.
    pub fn value(self) -> Option<f64> {
        (self.weight > 0.0).then(|| self.sum / self.weight)
    }

    fn add(&mut self, measured: Option<f64>) {
        if let Some(measured) = measured.filter(|measured| measured.is_finite()) {
            self.join(Self { weight: 1.0, sum: measured });
        }
    }

    pub(super) fn join(&mut self, Self { weight, sum }: Self) {
        self.weight += weight;
        self.sum += sum;
    }

    pub(super) fn fade(&mut self, left: f64) {
        self.weight *= left;
        self.sum *= left;
    }
}

impl Utilization {
    pub(super) fn take(&mut self, used: &Used, latency_ms: f64) {
        let mb = |bytes: Option<u64>| bytes.map(|bytes| bytes as f64 / (1024.0 * 1024.0));
        self.cores.add(used.cpu_ms.filter(|_| latency_ms > 0.0).map(|ms| ms as f64 / latency_ms));
        self.memory_mb.add(mb(used.memory_bytes));
        self.storage_mb.add(mb(used.disk_bytes));
    }

    pub(super) fn all(&mut self) -> [&mut Mean; 3] {
        [&mut self.cores, &mut self.memory_mb, &mut self.storage_mb]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured_has_a_mean_and_what_was_not_has_none() {
        let used = |cpu_ms, mb: u64| Used {
            cpu_ms: Some(cpu_ms),
            memory_bytes: Some(mb * 1024 * 1024),
            disk_bytes: None,
        };
        let mut all = Utilization::default();
        all.take(&used(500, 100), 1_000.0);
        all.take(&Used::default(), 9_000.0);
        all.take(&used(3_000, 300), 2_000.0);
        assert_eq!((all.cores.value(), all.memory_mb.value()), (Some(1.0), Some(200.0)));
        assert_eq!(all.storage_mb.value(), None);
        // What is older counts less, and alone as much as ever.
        all.all().into_iter().for_each(|mean| mean.fade(0.5));
        assert_eq!(all.cores.value(), Some(1.0));
        all.take(&used(4_000, 0), 1_000.0);
        assert_eq!(all.cores.value(), Some(2.5));
    }

    #[test]
    fn of_a_run_that_took_no_time_no_share_of_a_processor_is_told() {
        let mut all = Utilization::default();
        all.take(&Used { cpu_ms: Some(5), ..Used::default() }, 0.0);
        assert_eq!(all.cores.value(), None);
    }
}
