//! The settings of the walls around commands of runs, and of how much these may use.

use super::keys::{Key, Kind, key};

/// The table.
pub(super) const KEYS: &[Key] = &[
    key(
        "sandbox.preset",
        Kind::Choice(&["default", "strict", "agent", "build", "open-net", "none"]),
        "default",
        "the walls around commands of runs; default is strict for recipes, none is no walls at all",
    )
    .env(&["ORCH_SANDBOX"]),
    key(
        "sandbox.allow_degraded",
        Kind::Words(&["landlock", "seccomp", "cgroup"]),
        "",
        "the walls that may be missing; each run says which stood",
    )
    .env(&["ORCH_SANDBOX_ALLOW_DEGRADED"]),
    key(
        "sandbox.allow_hosts",
        Kind::Words(&[]),
        "",
        "the hosts that commands with network reach, through a proxy; empty is all that this machine reaches, or those of sandbox.inject",
    )
    .env(&["ORCH_SANDBOX_ALLOW_HOSTS"]),
    key(
        "sandbox.inject",
        Kind::Words(&[]),
        "",
        "the hosts of models that get a credential on the way, which commands behind a proxy never hold: HOST=VARIABLE",
    )
    .env(&["ORCH_SANDBOX_INJECT"]),
    key("sandbox.read", Kind::Words(&[]), "", "further folders and files that commands may read")
        .env(&["ORCH_SANDBOX_READ"]),
    key("sandbox.write", Kind::Words(&[]), "", "further folders that commands may write, such as a shared cache")
        .env(&["ORCH_SANDBOX_WRITE"]),
    key(
        "sandbox.memory_mb",
        Kind::Whole(16, 16_777_216),
        "2048",
        "memory of all processes of a command together, in MiB",
    )
    .env(&["ORCH_SANDBOX_MEMORY_MB"]),
    key("sandbox.processes", Kind::Whole(1, 1_000_000), "512", "processes and threads of a command at a time")
        .env(&["ORCH_SANDBOX_PROCESSES"]),
    key(
        "sandbox.disk_mb",
        Kind::Whole(1, 1_000_000_000),
        "2048",
        "by how much a command may make its folders grow, in MiB",
    )
    .env(&["ORCH_SANDBOX_DISK_MB"]),
    key(
        "sandbox.cpu_percent",
        Kind::Whole(0, 1_000_000),
        "0",
        "the most of the processor that a command may use, in percent of one core; 0 is by weight alone",
    )
    .env(&["ORCH_SANDBOX_CPU_PERCENT"]),
    key(
        "sandbox.cpu_weight",
        Kind::Whole(1, 100),
        "50",
        "the share of a busy machine that a command gets; 100 is that of an ordinary process",
    )
    .env(&["ORCH_SANDBOX_CPU_WEIGHT"]),
    key(
        "sandbox.output_mb",
        Kind::Whole(1, 1_048_576),
        "64",
        "how much of a run's output is kept, in MiB; a notice marks where it is cut",
    )
    .env(&["ORCH_SANDBOX_OUTPUT_MB"]),
    key(
        "sandbox.line_bytes",
        Kind::Whole(256, 65_536),
        "65536",
        "how much of one line of a run's output is kept, in bytes; a notice marks where it is cut",
    )
    .env(&["ORCH_SANDBOX_LINE_BYTES"]),
    key(
        "sandbox.event_bytes",
        Kind::Whole(1_024, 16_777_216),
        "1048576",
        "the longest line of an agent that is read as an event, in bytes; a longer one is told as an error with its beginning",
    )
    .env(&["ORCH_SANDBOX_EVENT_BYTES"]),
    key(
        "sandbox.event_depth",
        Kind::Whole(4, 100),
        "64",
        "how deep an event of an agent may be nested; a deeper one is told as an error with its beginning",
    )
    .env(&["ORCH_SANDBOX_EVENT_DEPTH"]),
    key(
        "sandbox.agent_limits",
        Kind::Words(&[]),
        "",
        "what runs of single agents and aliases may use, as codex.memory_mb=1024; never more than everybody's limits",
    )
    .env(&["ORCH_SANDBOX_AGENT_LIMITS"]),
    key(
        "sandbox.lifetime",
        Kind::Choice(&["die-with-daemon", "survive-restart"]),
        "die-with-daemon",
        "what becomes of a recipe's step when its worker is killed: it ends, or goes on for the grace until one takes it up",
    )
    .env(&["ORCH_SANDBOX_LIFETIME"]),
    key(
        "sandbox.reattach_grace_ms",
        Kind::Whole(100, 3_600_000),
        "30000",
        "how long a step that survives goes on without a worker, in milliseconds; then it is ended, and its run is lost",
    )
    .env(&["ORCH_SANDBOX_REATTACH_GRACE_MS"]),
];
