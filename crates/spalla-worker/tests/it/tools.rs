//! What the tests share: a sandbox with this crate's own supervisor, and waiting across process borders.

use spalla_sandbox::{HostCredentials, Policy, Preset, SecretFiles};
use spalla_worker::Refusals;
use spalla_worker::sandbox::{CommandSpec, Confined, Sandbox, Supervisor, Walls, child_env};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a condition may take before a test fails: far above what any of them needs.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn supervisor() -> Supervisor {
    Supervisor::of(env!("CARGO_BIN_EXE_spalla-supervise").into())
}

pub(crate) fn sandbox() -> Sandbox {
    Sandbox::new(supervisor())
}

pub(crate) fn shell(script: &str) -> CommandSpec {
    CommandSpec {
        label: "test".into(),
        program: "/bin/sh".into(),
        args: vec!["-c".into(), script.into()],
        cwd: "/".into(),
        env: child_env(std::env::vars()),
        stdin: Vec::new(),
        timeout_ms: None,
        grace_ms: 3_000,
        walls: Walls::None,
    }
}

/// The same behind the walls of the preset `strict`, in a workspace.
pub(crate) fn walled(script: &str, workspace: &Path) -> CommandSpec {
    let confined = Confined {
        policy: Policy::new(Preset::Strict, workspace.into()),
        outside: child_env(std::env::vars()),
        credentials: HostCredentials::default(),
        secret_files: SecretFiles::default(),
        journal: None,
        refusals: Refusals::default(),
    };
    let walls = Walls::Up(Box::new(confined));
    CommandSpec { cwd: workspace.into(), env: Default::default(), walls, ..shell(script) }
}

/// Tells whether a process lives; one that only waits to be reaped does not.
pub(crate) fn lives(pid: &str) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid.trim()).join("stat")).unwrap_or_default();
    !stat.is_empty() && !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z')
}

/// Returns the processes that have a text in one of their arguments.
pub(crate) fn processes_with(text: &str) -> Vec<i32> {
    let pids = std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let has_it = |pid: &i32| {
        let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&arguments).contains(text)
    };
    pids.filter(has_it).collect()
}

/// Waits for what another process does.
pub(crate) async fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Returns the text of a file once it has at least so many lines.
pub(crate) async fn lines_of(file: &Path, count: usize) -> Vec<String> {
    until(&format!("{} has {count} lines", file.display()), || {
        let text = std::fs::read_to_string(file).ok()?;
        let lines: Vec<String> =
            text.split_inclusive('\n').filter(|l| l.ends_with('\n')).map(|l| l.trim().into()).collect();
        (lines.len() >= count).then_some(lines)
    })
    .await
}
