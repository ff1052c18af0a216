//! How much a run may use at most: of everybody who says something, the smallest holds, and it is told whose it is.

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

/// Who says a cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The agent's definition.
    Definition,
    /// Its alias.
    Alias,
    /// The work item.
    Item,
    /// The project.
    Project,
    /// The operator.
    Operator,
}

/// A cap that holds, and whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cap {
    /// How much.
    pub value: u64,
    /// Whose.
    pub from: Source,
}

/// The caps that hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Effective {
    /// Of the processor, in thousandths of a core.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_millis: Option<Cap>,
    /// Memory, in MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mb: Option<Cap>,
    /// Growth of its folders, in MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_mb: Option<Cap>,
    /// Time, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<Cap>,
}

impl Effective {
    /// Returns of each cap the smallest. Of several who say the same the first one counts, in the order in which they are given.
    pub fn of(said: &[(Source, Caps)]) -> Self {
        let least = |of: fn(&Caps) -> Option<u64>| {
            let caps = said.iter().filter_map(|(from, caps)| Some(Cap { value: of(caps)?, from: *from }));
            caps.min_by_key(|cap| cap.value)
        };
        Self {
            cpu_millis: least(|caps| caps.cpu_millis),
            memory_mb: least(|caps| caps.memory_mb),
            disk_mb: least(|caps| caps.disk_mb),
            timeout_ms: least(|caps| caps.timeout_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_holds_and_is_named() {
        let definition = Caps { memory_mb: Some(512), timeout_ms: Some(1_000), ..Caps::default() };
        let alias = Caps { memory_mb: Some(4_096), cpu_millis: Some(500), ..Caps::default() };
        let operator = Caps { memory_mb: Some(1_024), timeout_ms: Some(1_000), ..Caps::default() };
        let said = [(Source::Definition, definition), (Source::Alias, alias), (Source::Operator, operator)];
        let cap = |value, from| Some(Cap { value, from });
        let wanted = Effective {
            cpu_millis: cap(500, Source::Alias),
            memory_mb: cap(512, Source::Definition),
            disk_mb: None,
            timeout_ms: cap(1_000, Source::Definition),
        };
        assert_eq!(Effective::of(&said), wanted);
    }

    #[test]
    fn nobody_raises_what_another_one_caps() {
        let of = |value| Caps { disk_mb: value, ..Caps::default() };
        for (one, other, least) in [(Some(1), Some(2), 1), (Some(2), Some(1), 1), (None, Some(7), 7), (Some(0), None, 0)] {
            let held = Effective::of(&[(Source::Definition, of(one)), (Source::Operator, of(other))]);
            assert_eq!(held.disk_mb.map(|cap| cap.value), Some(least));
        }
        assert_eq!(Effective::of(&[]), Effective::default());
    }
}
