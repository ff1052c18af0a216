//! How much a run's commands may use, as several say it: the operator, the project, the agent, the item. Of what they say
//! the smallest holds, and whose it is stays known.

use crate::Refusal;
use crate::log::LINE_BYTES_MAX;
use crate::problem::Code;
use crate::work_item::TIMEOUT_MS_MAX;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// Memory of all processes of a command together, in MiB.
    MemoryMb,
    /// Processes and threads of a command at a time.
    Processes,
    /// By how much a command may make its folders grow, in MiB.
    DiskMb,
    /// The most of the processor, in percent of one core.
    CpuPercent,
    /// The share of a busy machine, where 100 is that of an ordinary process.
    CpuWeight,
    /// How long a run may take, in milliseconds.
    TimeoutMs,
    /// How much of a run's output is kept, in bytes.
    OutputBytes,
    /// How much of one line is kept, in bytes.
    LineBytes,
    /// The longest line of an agent that is read as an event, in bytes.
    EventBytes,
    /// How deep an event of an agent may be nested.
    EventDepth,
}

impl Limit {
    /// Everything that can be limited.
    pub const ALL: [Self; 10] = [
        Self::MemoryMb,
        Self::Processes,
        Self::DiskMb,
        Self::CpuPercent,
        Self::CpuWeight,
        Self::TimeoutMs,
        Self::OutputBytes,
        Self::LineBytes,
        Self::EventBytes,
        Self::EventDepth,
    ];

    /// Returns its name, as it is written everywhere.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MemoryMb => "memory_mb",
            Self::Processes => "processes",
            Self::DiskMb => "disk_mb",
            Self::CpuPercent => "cpu_percent",
            Self::CpuWeight => "cpu_weight",
            Self::TimeoutMs => "timeout_ms",
            Self::OutputBytes => "output_bytes",
            Self::LineBytes => "line_bytes",
            Self::EventBytes => "event_bytes",
            Self::EventDepth => "event_depth",
        }
    }

    /// Returns the operator's setting that everybody's limit comes from.
    pub const fn setting(self) -> &'static str {
        match self {
            Self::MemoryMb => "sandbox.memory_mb",
            Self::Processes => "sandbox.processes",
            Self::DiskMb => "sandbox.disk_mb",
            Self::CpuPercent => "sandbox.cpu_percent",
            Self::CpuWeight => "sandbox.cpu_weight",
            // Every item has a time of its own.
            Self::TimeoutMs => "timeout_seconds",
            Self::OutputBytes => "sandbox.output_mb",
            Self::LineBytes => "sandbox.line_bytes",
            Self::EventBytes => "sandbox.event_bytes",
            Self::EventDepth => "sandbox.event_depth",
        }
    }

    /// Returns the smallest and the largest value that makes sense.
    pub const fn range(self) -> (u64, u64) {
        match self {
            // A shell does not start in less.
            Self::MemoryMb => (16, 16_777_216),
            Self::Processes | Self::CpuPercent => (1, 1_000_000),
            Self::DiskMb => (1, 1_000_000_000),
            Self::CpuWeight => (1, 100),
            Self::TimeoutMs => (1, TIMEOUT_MS_MAX.unsigned_abs()),
            Self::OutputBytes => (1, 1 << 40),
            // Below, there is no room for the notice that a line was cut.
            Self::LineBytes => (256, LINE_BYTES_MAX as u64),
            // An agent's beginning alone is longer than less.
            Self::EventBytes => (1_024, 16 * 1024 * 1024),
            // Readers of JSON give up a little deeper.
            Self::EventDepth => (4, 100),
        }
    }

    /// Tells what it is, for people.
    pub const fn description(self) -> &'static str {
        match self {
            Self::MemoryMb => "Memory of all processes of a command together, in MiB.",
            Self::Processes => "Processes and threads of a command at a time.",
            Self::DiskMb => "By how much a command may make its folders grow, in MiB.",
            Self::CpuPercent => "The most of the processor, in percent of one core.",
            Self::CpuWeight => "The share of a busy machine; 100 is that of an ordinary process.",
            Self::TimeoutMs => "How long a run may take, in milliseconds.",
            Self::OutputBytes => "How much of a run's output is kept, in bytes.",
            Self::LineBytes => "How much of one line is kept, in bytes.",
            Self::EventBytes => "The longest line of an agent that is read as an event, in bytes.",
            Self::EventDepth => "How deep an event of an agent may be nested.",
        }
    }
}

/// What one of them says; what is not in it is not limited by them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Limits(pub BTreeMap<Limit, u64>);

impl Limits {
    /// Tells whether nothing is limited.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a limit by its name.
    pub fn put(&mut self, name: &str, value: u64) -> Result<(), Refusal> {
        let known = Limit::ALL.into_iter().find(|limit| limit.as_str() == name);
        let Some(limit) = known else {
            let names = Limit::ALL.map(Limit::as_str).join(", ");
            return Err(Refusal::new(Code::Invalid, format!("nothing named {name:?} is limited"))
                .mend(format!("name one of {names}")));
        };
        self.0.insert(limit, value);
        self.check()
    }

    /// Refuses values that make no sense.
    pub fn check(&self) -> Result<(), Refusal> {
        for (limit, value) in &self.0 {
            let (least, most) = limit.range();
            if !(least..=most).contains(value) {
                let name = limit.as_str();
                let detail = format!("limits.{name} is {value}; it goes from {least} to {most}");
                return Err(Refusal::new(Code::Invalid, detail));
            }
        }
        Ok(())
    }

    /// Refuses what is more than another one allows, whose word is the last.
    pub fn check_within(&self, most: &Self) -> Result<(), Refusal> {
        let beyond = self.0.iter().find_map(|(limit, value)| {
            most.0.get(limit).filter(|most| value > most).map(|most| (limit, value, most))
        });
        match beyond {
            None => Ok(()),
            Some((limit, value, most)) => {
                let name = limit.as_str();
                let detail = format!("limits.{name} is {value}, and the operator allows {most}");
                let mend = format!(
                    "ask for {most} or less, leave it out, or let the operator allow more ({})",
                    limit.setting()
                );
                Err(Refusal::new(Code::Invalid, detail).mend(mend))
            }
        }
    }
}

/// What the operator allows: everybody, and the runs of single agents.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Allowed {
    /// Of everybody; what is not in it is not limited.
    pub all: Limits,
    /// Of single agents and aliases, by their names.
    pub agents: BTreeMap<String, Limits>,
}

impl Allowed {
    /// Refuses limits that ask for more than whoever carries the work out may be given.
    pub fn check(&self, agent: Option<&str>, limits: &Limits) -> Result<(), Refusal> {
        limits.check_within(&self.all)?;
        match agent.and_then(|agent| self.agents.get(agent)) {
            Some(most) => limits.check_within(most),
            None => Ok(()),
        }
    }
}

/// Who says a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Whoever runs the worker.
    Operator,
    /// The project.
    Project,
    /// The agent's definition.
    Definition,
    /// The operator, of this agent or alias.
    Agent,
    /// The work item.
    Item,
}

impl Source {
    /// Returns the word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Project => "project",
            Self::Definition => "definition",
            Self::Agent => "agent",
            Self::Item => "item",
        }
    }
}

/// What one source says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    /// Who says it.
    pub source: Source,
    /// What.
    pub limits: Limits,
}

/// What holds of one limit, and whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holding {
    /// How much.
    pub value: u64,
    /// Who says so.
    pub source: Source,
}

/// What holds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Effective(pub BTreeMap<Limit, Holding>);

impl Effective {
    /// Tells whether nothing is known to be limited.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns what holds of one limit.
    pub fn value(&self, limit: Limit) -> Option<u64> {
        self.0.get(&limit).map(|holding| holding.value)
    }

    /// Tells whether anybody but the operator has a say in it, beyond the time that every item has.
    pub fn is_narrowed(&self) -> bool {
        let is_own = |limit: Limit, source: Source| limit == Limit::TimeoutMs && source == Source::Item;
        self.0
            .iter()
            .any(|(limit, holding)| holding.source != Source::Operator && !is_own(*limit, holding.source))
    }
}

/// Says what holds and whose it is, as a person reads it.
impl fmt::Display for Effective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (limit, Holding { value, source })) in self.0.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}{} {value} ({})", limit.as_str(), source.as_str())?;
        }
        Ok(())
    }
}

/// Returns what holds: of each limit the smallest that anybody says; of equal ones the first.
pub fn effective<'a>(said: impl IntoIterator<Item = (Source, &'a Limits)>) -> Effective {
    let mut all = BTreeMap::new();
    for (source, limits) in said {
        for (limit, value) in &limits.0 {
            let holding = all.entry(*limit).or_insert(Holding { value: *value, source });
            if *value < holding.value {
                *holding = Holding { value: *value, source };
            }
        }
    }
    Effective(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn limits(said: &[(Limit, u64)]) -> Limits {
        Limits(said.iter().copied().collect())
    }

    #[test]
    fn the_smallest_holds_and_of_equal_ones_the_first() {
        let operator = limits(&[(Limit::MemoryMb, 2_048), (Limit::Processes, 512)]);
        let project = limits(&[(Limit::MemoryMb, 4_096), (Limit::Processes, 512), (Limit::DiskMb, 10)]);
        let item = limits(&[(Limit::MemoryMb, 100)]);
        let all =
            effective([(Source::Operator, &operator), (Source::Project, &project), (Source::Item, &item)]);
        let expected = "memory_mb 100 (item), processes 512 (operator), disk_mb 10 (project)";
        assert_eq!((all.to_string().as_str(), all.is_narrowed()), (expected, true));
        assert!(!effective([(Source::Operator, &operator)]).is_narrowed());
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_the_range() {
        for (limit, value) in [(Limit::MemoryMb, 0), (Limit::CpuWeight, 101), (Limit::LineBytes, 65_537)] {
            let refused = limits(&[(limit, value)]).check().unwrap_err();
            assert!(refused.detail.contains(limit.as_str()), "{}", refused.detail);
        }
        let refused = Limits::default().put("cores", 1).unwrap_err();
        assert!(
            refused.detail.contains("cores") && refused.mend.is_some_and(|mend| mend.contains("memory_mb"))
        );
        assert!(serde_json::from_str::<Limits>(r#"{"memory_mb": -1}"#).is_err());
        assert!(serde_json::from_str::<Limits>(r#"{"cores": 1}"#).is_err());
    }

    #[test]
    fn nobody_is_given_more_than_the_operator_has() {
        let operator = limits(&[(Limit::MemoryMb, 2_048)]);
        assert!(limits(&[(Limit::MemoryMb, 2_048), (Limit::DiskMb, 9)]).check_within(&operator).is_ok());
        let refused = limits(&[(Limit::MemoryMb, 2_049)]).check_within(&operator).unwrap_err();
        assert_eq!(refused.detail, "limits.memory_mb is 2049, and the operator allows 2048");
        assert!(refused.mend.is_some_and(|mend| mend.contains("sandbox.memory_mb")));
    }

    #[test]
    fn an_agent_is_given_no_more_than_the_operator_gives_this_agent() {
        let allowed = Allowed {
            all: limits(&[(Limit::MemoryMb, 2_048)]),
            agents: [("codex".to_owned(), limits(&[(Limit::MemoryMb, 512)]))].into(),
        };
        let wish = limits(&[(Limit::MemoryMb, 1_024)]);
        for (agent, is_granted) in [(None, true), (Some("claude"), true), (Some("codex"), false)] {
            assert_eq!(allowed.check(agent, &wish).is_ok(), is_granted, "{agent:?}");
        }
        assert!(allowed.check(None, &limits(&[(Limit::MemoryMb, 4_096)])).is_err());
        assert!(Allowed::default().check(Some("codex"), &wish).is_ok());
    }

    #[test]
    fn every_limit_is_written_by_its_name() {
        for limit in Limit::ALL {
            assert_eq!(serde_json::to_value(limit).unwrap(), limit.as_str());
        }
    }

    proptest! {
        #[test]
        fn another_voice_never_gives_more(first in 1..9_u64, second in 1..9_u64, third in 1..9_u64) {
            let all = [first, second, third].map(|value| limits(&[(Limit::Processes, value)]));
            let sources = [Source::Operator, Source::Project, Source::Item];
            let held = |count: usize| {
                let said = sources.into_iter().zip(&all).take(count);
                effective(said).value(Limit::Processes).unwrap()
            };
            prop_assert!(held(1) >= held(2) && held(2) >= held(3));
            prop_assert_eq!(held(3), first.min(second).min(third));
        }
    }
}
