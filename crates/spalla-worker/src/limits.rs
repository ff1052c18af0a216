//! Which limits hold for a run: what its worker's operator, its project, its agent and its item say, together.

use crate::worker::Options;
use spalla_domain::agent_event::Bounds;
use spalla_domain::claim::Assignment;
use spalla_domain::limits::{Effective, Limit, Limits, Source, effective};
use spalla_sandbox::Limits as OfCommands;

/// Returns what holds for a run.
pub(crate) fn of_run(options: &Options, assignment: &Assignment) -> Effective {
    let operator = of_operator(options);
    let time = Limits([(Limit::TimeoutMs, assignment.timeout_ms.max(1).unsigned_abs())].into());
    let agent = assignment.agent.as_ref().and_then(|agent| options.sandbox.agent_limits.get(agent));
    let said = assignment.limits.iter().map(|said| (said.source, &said.limits));
    let policy = assignment.adapter.as_ref().and_then(|adapter| adapter.policy.as_deref());
    let of_definition = policy.map(|policy| (Source::Definition, policy.limits.limits()));
    let of_alias = policy.map(|policy| (Source::Agent, policy.alias_limits.limits()));
    let defined = of_definition.iter().chain(&of_alias).map(|(source, limits)| (*source, limits));
    effective(
        [(Source::Operator, &operator)]
            .into_iter()
            .chain(agent.map(|limits| (Source::Agent, limits)))
            .chain(defined)
            .chain(said)
            .chain([(Source::Item, &time)]),
    )
}

/// Returns what the operator says of everybody.
fn of_operator(options: &Options) -> Limits {
    let of_commands = &options.sandbox.limits;
    let mut all: Vec<(Limit, u64)> = vec![
        (Limit::MemoryMb, of_commands.memory_mb),
        (Limit::Processes, of_commands.processes),
        (Limit::DiskMb, of_commands.disk_mb),
        (Limit::CpuWeight, of_commands.cpu_weight),
        (Limit::OutputBytes, options.limits.output_bytes_max),
        (Limit::LineBytes, options.limits.line_bytes_max),
        (Limit::EventBytes, options.limits.event_bytes_max),
        (Limit::EventDepth, options.limits.event_depth_max),
    ];
    all.extend(of_commands.cpu_percent.map(|percent| (Limit::CpuPercent, percent)));
    Limits(all.into_iter().collect())
}

/// Returns up to where lines of an agent are read as events.
pub(crate) fn of_events(held: &Effective) -> Bounds {
    let usual = Bounds::default();
    let value = |limit, otherwise| {
        held.value(limit).and_then(|value| usize::try_from(value).ok()).unwrap_or(otherwise)
    };
    Bounds { bytes: value(Limit::EventBytes, usual.bytes), depth: value(Limit::EventDepth, usual.depth) }
}

/// Returns the limits of each command.
pub(crate) fn of_commands(operator: &OfCommands, held: &Effective) -> OfCommands {
    let value = |limit, otherwise| held.value(limit).unwrap_or(otherwise);
    OfCommands {
        memory_mb: value(Limit::MemoryMb, operator.memory_mb),
        processes: value(Limit::Processes, operator.processes),
        disk_mb: value(Limit::DiskMb, operator.disk_mb),
        cpu_weight: value(Limit::CpuWeight, operator.cpu_weight),
        cpu_percent: held.value(Limit::CpuPercent).or(operator.cpu_percent),
        timeout_ms: value(Limit::TimeoutMs, operator.timeout_ms),
        ..operator.clone()
    }
}
