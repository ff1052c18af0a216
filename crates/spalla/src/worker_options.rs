//! From settings to the options of a worker, embedded or remote.

use crate::adapters;
use crate::clock::{SystemClock, random_hex};
use crate::config::{Lifetime, SandboxSettings, Settings};
use crate::data_folder::{DataFolder, Owned};
use crate::failure::{Failure, Result};
use crate::programs;
use spalla_adapter::definition::Definition;
use spalla_domain::WorkerId;
use spalla_domain::limits::{Allowed, Limit};
use spalla_domain::resources::Capacity;
use spalla_policy::{PRESETS, Policy};
use spalla_sandbox::{HostCredentials, Injection, Layer, Preset, check_host, loopback_servers};
use spalla_store::Clock;
use spalla_worker::sandbox::{Supervisor, child_env};
use spalla_worker::{Limits, Options, PoolOptions, SandboxOptions, is_context_low};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::available_parallelism;

/// How long the worker inside a server waits for a run before it asks again, in milliseconds: it is always woken, so
/// that asking is only a waste.
const EMBEDDED_WAIT_MS: i64 = 300_000;

/// Returns the options of the worker inside a server: its files lie in the server's data folder.
pub(crate) fn embedded(settings: &Settings, folder: &DataFolder, worker_id: WorkerId) -> Result<Options> {
    let options = options(settings, folder.path().to_owned(), worker_id)?;
    Ok(Options { poll_wait_ms: EMBEDDED_WAIT_MS, ..options })
}

/// How many workers beside each other on one machine find a folder: far more than its cores.
const FOLDERS_MAX: u32 = 1_000;

/// Returns the options of a worker of its own, and the hold on its folder. Workers beside each other never share
/// one, and a worker that comes later takes over what an earlier one has fetched.
pub(crate) fn remote(settings: &Settings) -> Result<(Options, Owned)> {
    let workers = DataFolder::at(&settings.data).folder("workers")?;
    let mut free = (1..=FOLDERS_MAX).map(|number| DataFolder::at(workers.join(number.to_string())).own());
    let owned = free.find_map(Result::ok).ok_or_else(|| {
        Failure::usage(format!("no folder in {} can be used by this worker", workers.display()))
            .mend("see that it can be written, or name another folder with --data DIR")
    })?;
    let worker_id = match settings.worker.id.as_str() {
        // Whoever takes up what an earlier worker of the folder left goes by the same name.
        "" if settings.sandbox.lifetime == Lifetime::SurviveRestart => owned.remote_worker_id()?,
        "" => WorkerId::new(format!("worker-{}", random_hex(1))).map_err(wrong_id)?,
        id => WorkerId::new(id).map_err(wrong_id)?,
    };
    let tick_interval_ms = ms(settings.worker.tick_interval_seconds).unsigned_abs();
    let options = options(settings, owned.path().to_owned(), worker_id)?;
    Ok((Options { tick_interval_ms, ..options }, owned))
}

fn wrong_id(wrong: impl std::fmt::Display) -> Failure {
    Failure::usage(format!("AGENT_ID: {wrong}"))
}

fn ms(seconds: f64) -> i64 {
    (seconds * 1e3).round() as i64
}

/// Returns the walls that may be missing.
pub(crate) fn allowed_missing(own: &SandboxSettings) -> Vec<Layer> {
    const LAYERS: [Layer; 3] = [Layer::Landlock, Layer::Seccomp, Layer::Cgroup];
    let is_allowed = |layer: &Layer| own.allow_degraded.iter().any(|name| *name == layer.to_string());
    LAYERS.into_iter().filter(is_allowed).collect()
}

/// Returns the walls that the operator wants; what may stand there was checked when the settings were read, but for the
/// hosts that get a credential. One whose variable is not set is refused when a command is to have it.
fn walls(own: &SandboxSettings) -> Result<SandboxOptions> {
    let mut servers = loopback_servers(&programs::variables().collect());
    let inject = Injection::read_all(&own.inject, &mut servers)
        .map_err(|error| Failure::usage(format!("sandbox.inject can't be used: {}", error.story())))?;
    for host in &own.allow_hosts {
        check_host(host).map_err(|why| Failure::usage(format!("sandbox.allow_hosts: {why}")))?;
    }
    let preset = Preset::from_name(&own.preset);
    // Commands would need the credential itself, and whoever wrote the setting believes that they do not.
    if !inject.is_empty() && matches!(preset, Some(Preset::OpenNet | Preset::None)) {
        let what = format!("sandbox.inject can't be used with sandbox.preset = {:?}", own.preset);
        return Err(Failure::usage(format!("{what}: its commands have the machine's network, and no proxy"))
            .mend("leave sandbox.inject out, or choose the preset default, agent or build"));
    }
    Ok(SandboxOptions {
        preset,
        allow_degraded: allowed_missing(own),
        limits: spalla_sandbox::Limits {
            memory_mb: own.memory_mb,
            processes: own.processes,
            disk_mb: own.disk_mb,
            cpu_percent: Some(own.cpu_percent).filter(|percent| *percent > 0),
            cpu_weight: own.cpu_weight,
            ..spalla_sandbox::Limits::default()
        },
        agent_limits: agent_limits(own)?,
        hosts: own.allow_hosts.clone(),
        servers,
        credentials: HostCredentials::of(&inject, programs::variables()),
        inject,
        read: own.read.clone(),
        write: own.write.clone(),
        reattach_grace_ms: (own.lifetime == Lifetime::SurviveRestart).then_some(own.reattach_grace_ms),
    })
}

/// Reads what runs of single agents may use.
fn agent_limits(own: &SandboxSettings) -> Result<BTreeMap<String, spalla_domain::limits::Limits>> {
    let mut all: BTreeMap<String, spalla_domain::limits::Limits> = BTreeMap::new();
    for word in &own.agent_limits {
        let wrong = |why: String| {
            Failure::usage(format!("sandbox.agent_limits: {word:?}: {why}"))
                .mend("write AGENT.LIMIT=NUMBER, such as codex.memory_mb=1024")
        };
        let split = word.split_once('=').and_then(|(key, value)| {
            let (agent, limit) = key.rsplit_once('.')?;
            Some((agent.trim(), limit.trim(), value.trim().parse().ok()?))
        });
        let Some((agent, limit, value)) = split.filter(|(agent, _, _)| !agent.is_empty()) else {
            return Err(wrong("it is no agent with a limit and a whole number".into()));
        };
        let limits = all.entry(agent.to_owned()).or_default();
        limits.put(limit, value).map_err(|refusal| wrong(refusal.to_string()))?;
        limits.check_within(&everybodys(own)).map_err(|refusal| wrong(refusal.detail))?;
    }
    Ok(all)
}

/// Returns what projects and work items may ask for.
pub(crate) fn allowed(own: &SandboxSettings) -> Result<Allowed> {
    Ok(Allowed { all: everybodys(own), agents: agent_limits(own)? })
}

/// Returns what nobody is given more of.
fn everybodys(own: &SandboxSettings) -> spalla_domain::limits::Limits {
    let mut all = vec![
        (Limit::MemoryMb, own.memory_mb),
        (Limit::Processes, own.processes),
        (Limit::DiskMb, own.disk_mb),
        (Limit::CpuWeight, own.cpu_weight),
        (Limit::OutputBytes, own.output_mb << 20),
        (Limit::LineBytes, own.line_bytes),
        (Limit::EventBytes, own.event_bytes),
        (Limit::EventDepth, own.event_depth),
    ];
    all.extend((own.cpu_percent > 0).then_some((Limit::CpuPercent, own.cpu_percent)));
    spalla_domain::limits::Limits(all.into_iter().collect())
}

/// Reads what is said of the commands of steps. A policy that can't be read lets the worker not start: it would let
/// through what it was written to refuse.
fn command_policy(named: &str) -> Result<Policy> {
    if let Some(preset) = Policy::preset(named) {
        return Ok(preset);
    }
    let unusable = |why: String| {
        Failure::usage(format!("the command policy {named} can't be used: {why}"))
            .mend(format!("name one of {}, or a policy.toml", PRESETS.join(", ")))
    };
    let text = std::fs::read_to_string(named).map_err(|error| unusable(error.to_string()))?;
    Policy::parse(&text).map_err(|problems| unusable(problems.to_string()))
}

/// Returns the agents' command lines. A file of a person's that can't be used is told, and stops nothing.
fn known_adapters(settings: &Settings) -> Result<Vec<Definition>> {
    let library = adapters::library(settings)?;
    adapters::warn_of_broken(&library);
    Ok(library.definitions())
}

/// Returns which processes of agents are kept.
fn pool(settings: &Settings, cores: usize) -> PoolOptions {
    let own = &settings.pool;
    let agents = [("codex", &settings.codex), ("claude", &settings.claude), ("gemini", &settings.gemini)];
    let without = agents.into_iter().filter(|(_, said)| !said.enable_process_reuse);
    PoolOptions {
        size: own.size.min(cores),
        tasks_max: own.max_tasks,
        idle_ms: ms(own.idle_seconds).unsigned_abs(),
        without: without.map(|(name, _)| name.to_owned()).collect(),
    }
}

fn options(settings: &Settings, data_dir: PathBuf, worker_id: WorkerId) -> Result<Options> {
    let own = &settings.worker;
    let shell = own.shell.to_str().filter(|shell| programs::find(shell).is_some()).ok_or_else(|| {
        Failure::usage(format!("the shell {} can't be executed", own.shell.display()))
            .mend("name another with AGENT_SHELL")
    })?;
    let supervisor = Supervisor::this_program()
        .map_err(|error| Failure::failed(format!("finding this program's own file: {error}")))?;
    let cores = || u32::try_from(available_parallelism().map_or(1, std::num::NonZero::get)).unwrap_or(1);
    Ok(Options {
        concurrency: if own.concurrency == 0 { cores() } else { own.concurrency },
        ttl_ms: ms(own.claim_ttl_seconds),
        heartbeat_interval_ms: ms(own.heartbeat_interval_seconds),
        poll_wait_ms: ms(own.interval_seconds),
        resources: Capacity::parse(&own.resources)
            .map_err(|refusal| Failure::usage(format!("worker.resources: {}", refusal.detail)))?,
        error_backoff_ms: ms(own.error_backoff_seconds).unsigned_abs(),
        is_terse: is_context_low(&own.context_remaining),
        shell: shell.to_owned(),
        steps_override: own
            .steps
            .lines()
            .map(str::trim)
            .filter(|step| !step.is_empty())
            .map(str::to_owned)
            .collect(),
        drain_grace_ms: ms(settings.shutdown_grace_seconds),
        sandbox: walls(&settings.sandbox)?,
        command_policy: Arc::new(command_policy(&settings.command_policy)?),
        environment: programs::variables().collect(),
        adapters: Arc::new(known_adapters(settings)?),
        wishes: Arc::new(settings.wishes()),
        sessions: settings.data.join("sessions"),
        pool: pool(settings, usize::try_from(cores()).unwrap_or(1)),
        tools: std::env::current_exe().ok(),
        is_strict_with_tools: settings.policy.strict_tools,
        limits: Limits {
            repeats_max: own.repeats_max,
            output_bytes_max: settings.sandbox.output_mb << 20,
            line_bytes_max: settings.sandbox.line_bytes,
            event_bytes_max: settings.sandbox.event_bytes,
            event_depth_max: settings.sandbox.event_depth,
            hook_ms: ms(settings.policy.hook_timeout_seconds).unsigned_abs(),
            setup_ms: ms(settings.policy.setup_timeout_seconds).unsigned_abs(),
            ..Limits::default()
        },
        ..Options::new(
            worker_id,
            data_dir,
            child_env(programs::variables()),
            supervisor,
            Arc::new(|| SystemClock.now()),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(preset: &str, inject: &[&str]) -> SandboxSettings {
        SandboxSettings {
            preset: preset.into(),
            allow_degraded: Vec::new(),
            allow_hosts: Vec::new(),
            inject: inject.iter().map(|word| (*word).to_owned()).collect(),
            read: Vec::new(),
            write: Vec::new(),
            memory_mb: 2_048,
            processes: 512,
            disk_mb: 2_048,
            cpu_percent: 0,
            cpu_weight: 50,
            output_mb: 64,
            line_bytes: 65_536,
            event_bytes: 1_048_576,
            event_depth: 64,
            agent_limits: Vec::new(),
            lifetime: Lifetime::DieWithDaemon,
            reattach_grace_ms: 30_000,
        }
    }

    #[test]
    fn a_host_that_is_none_lets_no_worker_start() {
        let with =
            |host: &str| walls(&SandboxSettings { allow_hosts: vec![host.into()], ..own("default", &[]) });
        assert_eq!(with("*.example.org:8443").unwrap().hosts, ["*.example.org:8443"]);
        for host in ["https://example.org", "me:word@example.org", "*"] {
            let refused = with(host).unwrap_err().to_string();
            assert!(refused.contains("sandbox.allow_hosts") && refused.contains(host), "{refused}");
        }
    }

    #[test]
    fn projects_and_items_may_ask_for_what_the_settings_give_and_no_more() {
        let own = SandboxSettings { agent_limits: vec!["codex.processes=9".into()], ..own("default", &[]) };
        let allowed = allowed(&own).unwrap();
        let wish = |limit, value| spalla_domain::limits::Limits([(limit, value)].into());
        for (limit, most) in [(Limit::MemoryMb, 2_048), (Limit::EventDepth, 64), (Limit::LineBytes, 65_536)] {
            assert!(allowed.check(None, &wish(limit, most)).is_ok(), "{limit:?}");
            assert!(allowed.check(None, &wish(limit, most + 1)).is_err(), "{limit:?}");
        }
        assert!(allowed.check(Some("codex"), &wish(Limit::Processes, 10)).is_err());
        assert!(allowed.check(Some("claude"), &wish(Limit::Processes, 10)).is_ok());
        // Without a hard limit of the processor any is less.
        assert!(allowed.check(None, &wish(Limit::CpuPercent, 800)).is_ok());
    }

    #[test]
    fn limits_of_an_agent_are_never_more_than_everybodys() {
        let of =
            |word: &str| walls(&SandboxSettings { agent_limits: vec![word.into()], ..own("default", &[]) });
        let limits = of("my.codex.memory_mb=512").unwrap().agent_limits;
        assert_eq!(limits["my.codex"].0, [(Limit::MemoryMb, 512)].into());
        for word in [
            "codex",
            "codex.memory_mb",
            ".memory_mb=64",
            "codex.memory_mb=-1",
            "codex.memory_mb=0",
            "codex.cores=1",
            "codex.memory_mb=4096",
            "codex.cpu_weight=51",
        ] {
            let refused = of(word).unwrap_err().to_string();
            assert!(refused.contains(word) && refused.contains("AGENT.LIMIT=NUMBER"), "{refused}");
        }
    }

    #[test]
    fn an_injection_that_no_proxy_would_make_is_refused_with_the_mend() {
        let inject = ["api.openai.com=OPENAI_API_KEY"];
        for preset in ["open-net", "none"] {
            let refused = walls(&own(preset, &inject)).unwrap_err().to_string();
            assert!(refused.contains("no proxy") && refused.contains("default, agent or build"), "{refused}");
            assert!(walls(&own(preset, &[])).is_ok());
        }
        for preset in ["default", "strict", "agent", "build"] {
            assert!(walls(&own(preset, &inject)).is_ok(), "{preset}");
        }
    }
}
