//! How much a run may use at most, as a definition says it. Of everybody who says something the smallest holds.

use crate::limits::{Limit, Limits};
use serde::{Deserialize, Serialize};

/// Hard caps that somebody says; what is none is not capped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Caps {
    /// Of the processor, in thousandths of a core.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_millis: Option<u64>,
    /// Memory, in MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_mb: Option<u64>,
    /// Growth of its folders, in MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_mb: Option<u64>,
    /// Time, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

impl Caps {
    /// Returns them as limits of a run, no tighter than makes sense.
    pub fn limits(&self) -> Limits {
        // Whole percents of a core are limited.
        let percent = self.cpu_millis.map(|millis| millis.div_ceil(10));
        let said = [
            (Limit::CpuPercent, percent),
            (Limit::MemoryMb, self.memory_mb),
            (Limit::DiskMb, self.disk_mb),
            (Limit::TimeoutMs, self.timeout_ms),
        ];
        let known = said.into_iter().filter_map(|(limit, value)| {
            let (least, most) = limit.range();
            Some((limit, value?.clamp(least, most)))
        });
        Limits(known.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caps_are_limits_in_the_units_of_a_run() {
        let caps =
            Caps { cpu_millis: Some(1_501), memory_mb: Some(1), disk_mb: None, timeout_ms: Some(9_000) };
        let wanted = [(Limit::CpuPercent, 151), (Limit::MemoryMb, 16), (Limit::TimeoutMs, 9_000)];
        assert_eq!(caps.limits(), Limits(wanted.into()));
        assert!(Caps::default().limits().is_empty());
    }
}
