//! How soon a command does something behind the walls: beside the same command without any; as the first command of a run,
//! for which a supervisor waits that knows of no run; where none waits, as in a burst of runs; and with walls that stood
//! already. From a small process and from a large one.

use super::figure::{Figures, percentile};
use super::step::{in_ms, now};
use anyhow::{Context as _, Result, ensure};
use clap::Args;
use spalla_sandbox::{HostCredentials, Policy, Preset, SecretFiles};
use spalla_worker::Refusals;
use spalla_worker::sandbox::{CommandSpec, Confined, Sandbox, Supervisor, Walls, child_env};
use std::path::Path;
use std::time::Duration;
use tokio::process::Command;

/// What the command says: nanoseconds since 1970.
const FORMAT: &str = "+%s%N";
/// The first rounds read programs into memory.
const WARM_UP: usize = 20;
/// How much a large process holds, in bytes.
const LARGE_BYTES: usize = 1 << 30;
/// How long a command may take, in milliseconds.
const GRACE_MS: i64 = 3_000;
/// What the command writes, and more.
const KEPT_BYTES_MAX: usize = 1_024;

#[derive(Args)]
pub(crate) struct Arguments {
    /// How often each kind of start is timed
    #[arg(long, default_value_t = 300)]
    rounds: usize,
    /// How long whoever waits for the first command of a run has before it comes, in milliseconds
    #[arg(long, default_value_t = 40)]
    settle_ms: u64,
}

/// A kind of start, and how long each took until the command's first instruction and until nothing of it was left.
struct Kind {
    name: &'static str,
    until_first: Vec<f64>,
    until_end: Vec<f64>,
}

/// Measures everything.
pub(crate) async fn measure(arguments: &Arguments) -> Result<()> {
    let field = Field::prepare(Duration::from_millis(arguments.settle_ms))?;
    field.measure(arguments.rounds, "").await?;
    // Ones, since pages of zeroes need not be there.
    let large = std::hint::black_box(vec![1_u8; LARGE_BYTES]);
    field.measure(arguments.rounds, "_from_1gib").await?;
    drop(large);
    field.attended.leave().await;
    Ok(())
}

/// Where commands are started, and by what.
struct Field {
    sandbox: Sandbox,
    /// One for whose next command a supervisor waits, as a worker has it.
    attended: Sandbox,
    settle: Duration,
    workspace: tempfile::TempDir,
    has_bubblewrap: bool,
}

impl Field {
    fn prepare(settle: Duration) -> Result<Self> {
        let supervisor = Supervisor::of(crate::binary::spalla()?);
        let (sandbox, attended) = (Sandbox::new(supervisor.clone()), Sandbox::new(supervisor));
        attended.get_ready();
        let workspace = tempfile::Builder::new().prefix("spalla-spawn-").tempdir()?;
        let found = std::process::Command::new("bwrap").arg("--version").output();
        let has_bubblewrap = found.is_ok_and(|output| output.status.success());
        Ok(Self { sandbox, attended, settle, workspace, has_bubblewrap })
    }

    /// Starts one of each kind after the other, again and again, and tells how long they took.
    async fn measure(&self, rounds: usize, suffix: &str) -> Result<()> {
        let names = ["plain", "cold", "burst", "warm", "bubblewrap"];
        let mut kinds = names.map(|name| Kind { name, until_first: vec![], until_end: vec![] });
        for round in 0..WARM_UP + rounds {
            for kind in &mut kinds {
                if kind.name == "bubblewrap" && !self.has_bubblewrap {
                    continue;
                }
                let (first, end) = self.start(kind.name).await?;
                if round >= WARM_UP {
                    kind.until_first.push(first);
                    kind.until_end.push(end);
                }
            }
        }
        print(kinds, suffix);
        Ok(())
    }

    /// Starts one command, and returns how long it took until its first instruction and until its end, in milliseconds.
    async fn start(&self, kind: &str) -> Result<(f64, f64)> {
        let spec = self.spec();
        let mut spare = match kind {
            "warm" => self.sandbox.put_up_ahead(&spec).await?,
            _ => None,
        };
        if let Some(spare) = &mut spare {
            ensure!(spare.is_ready().await, "the walls that were put up ahead do not stand");
        }
        // The same pause for everybody: whoever waits came while the command before went on.
        tokio::time::sleep(self.settle).await;
        let called = now();
        let stdout = match kind {
            "plain" => written(Command::new("/bin/date").arg(FORMAT)).await?,
            "bubblewrap" => written(&mut bubblewrap(self.workspace.path())).await?,
            _ => {
                let sandbox = if kind == "cold" { &self.attended } else { &self.sandbox };
                let child = sandbox.spawn_behind(spare, spec).await?;
                child.capture(KEPT_BYTES_MAX, std::future::pending()).await?.stdout
            }
        };
        let ended = now();
        let told = String::from_utf8_lossy(&stdout).trim().parse::<i128>();
        let told = told.with_context(|| format!("{kind}: {:?}", String::from_utf8_lossy(&stdout)))?;
        Ok((in_ms(told - called), in_ms(ended - called)))
    }

    fn spec(&self) -> CommandSpec {
        let confined = Confined {
            policy: Policy::new(Preset::Strict, self.workspace.path().into()),
            outside: child_env(std::env::vars()),
            credentials: HostCredentials::default(),
            secret_files: SecretFiles::default(),
            journal: None,
            refusals: Refusals::default(),
        };
        CommandSpec {
            label: "bench".into(),
            program: "/bin/date".into(),
            args: vec![FORMAT.into()],
            cwd: self.workspace.path().into(),
            env: [].into(),
            stdin: Vec::new(),
            timeout_ms: None,
            grace_ms: GRACE_MS,
            walls: Walls::Up(Box::new(confined)),
        }
    }
}

/// The nearest that bubblewrap has to the same walls.
fn bubblewrap(workspace: &Path) -> Command {
    let mut command = Command::new("bwrap");
    command.args(["--unshare-all", "--die-with-parent", "--new-session", "--ro-bind", "/usr", "/usr"]);
    for link in ["bin", "sbin", "lib", "lib64"] {
        command.args(["--symlink", &format!("usr/{link}"), &format!("/{link}")]);
    }
    command.args([
        "--ro-bind",
        "/etc",
        "/etc",
        "--proc",
        "/proc",
        "--dev",
        "/dev",
        "--tmpfs",
        "/tmp",
        "--bind",
    ]);
    command.args([workspace, workspace]).arg("--chdir").arg(workspace).args(["/bin/date", FORMAT]);
    command
}

async fn written(command: &mut Command) -> Result<Vec<u8>> {
    let output = command.kill_on_drop(true).output().await?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {}: {complaint}", output.status);
    Ok(output.stdout)
}

fn print(kinds: [Kind; 5], suffix: &str) {
    let figures = Figures { store: "none" };
    let middle = |times: &[f64]| {
        let mut times = times.to_vec();
        times.sort_by(f64::total_cmp);
        percentile(&times, 50)
    };
    let plain = middle(&kinds[0].until_first);
    for Kind { name, until_first, until_end } in kinds {
        if let (Some(plain), Some(own)) = (plain, middle(&until_first))
            && name != "plain"
        {
            figures.print(&format!("spawn_{name}_over_plain{suffix}"), own - plain, "ms");
        }
        figures.print_latency(&format!("spawn_{name}{suffix}"), until_first);
        figures.print_latency(&format!("spawn_{name}_until_end{suffix}"), until_end);
    }
}
