//! The one entry point through which every child process is born, and the promise that none outlives its run.
//!
//! ```text
//! worker ──socket (order, then lifeline; reports come back)──▶ supervisor ──process group──▶ command and all it starts
//!    ▲─────────────── stdout and stderr pipes, handed through ──────────────────────────────────┘
//! ```
//! The supervisor is the same program again, one thread, started for this command alone. It ends the whole tree
//! when it is told to, when the command is over, and when the worker is gone: a killed worker closes the socket.

mod order;
mod pipe;
mod supervise;
mod tree;

pub(crate) use pipe::{CHUNK_BYTES, PipeReader};
pub use supervise::{SUPERVISE_ARG, supervise_main};

use order::{Order, Report};
use spalla_crash::crash_point;
use spalla_domain::log::Stream;
use std::collections::BTreeMap;
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tree::KILL_MS_MAX;

/// The variables that a child may have from the environment of the worker; everything else it gets by name.
pub const INHERITED_VARIABLES: [&str; 27] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TERM",
    "TMPDIR",
    // Where toolchains are.
    "CARGO_HOME",
    "RUSTUP_HOME",
    "JAVA_HOME",
    // How the network is reached from this machine, and whom it trusts there.
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",
    "REQUESTS_CA_BUNDLE",
    "PIP_CERT",
    // For git alone; no step gets it.
    "SSH_AUTH_SOCK",
];
/// The path that children search when the worker has none.
const PATH_DEFAULT: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Marks every process of a tree, so that it is found even when its supervisor was killed.
const TREE_VARIABLE: &str = "SPALLA_TREE";
/// How long a supervisor may take to leave after its last report, in milliseconds; it has nothing left to do.
const LEAVE_MS: u64 = 5_000;
/// How much longer than it should a supervisor may take to end a tree before the worker does so itself, in
/// milliseconds: the supervisor hangs, or the command has stopped it.
const PATIENCE_MS: u64 = 2_000;
/// How long a supervisor may take to start a command, in milliseconds: far above what a crowded machine needs.
const START_MS: u64 = 60_000;
/// The longest report of a supervisor, in bytes; a reason is a sentence.
const REPORT_BYTES_MAX: usize = 64 * 1024;

/// Chooses from an environment what children may have.
pub fn child_env(vars: impl IntoIterator<Item = (String, String)>) -> BTreeMap<String, String> {
    let mut env: BTreeMap<String, String> =
        vars.into_iter().filter(|(name, _)| INHERITED_VARIABLES.contains(&name.as_str())).collect();
    env.entry("PATH".into()).or_insert_with(|| PATH_DEFAULT.into());
    env
}

/// A command to run: all that it gets to see.
#[derive(Debug, Clone)]
pub struct CommandSpec {
    /// What a person sees in the list of processes.
    pub label: String,
    /// The program: a path, or a name to look for on the `PATH` of `env`.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// The folder it starts in.
    pub cwd: PathBuf,
    /// Its whole environment.
    pub env: BTreeMap<String, String>,
    /// What it reads; an empty one is the end of file at once.
    pub stdin: Vec<u8>,
    /// How long it may take, in milliseconds.
    pub timeout_ms: Option<i64>,
    /// How long its tree has between the wish to end and the end by force, in milliseconds.
    pub grace_ms: i64,
}

/// How to start the program that supervises: by default this very program, with the hidden argument.
#[derive(Debug, Clone)]
pub struct Supervisor {
    /// The program.
    pub program: PathBuf,
    /// The arguments in front of the label.
    pub args: Vec<String>,
}

impl Supervisor {
    /// Names this program itself. The link stays good when the file is replaced while the program runs.
    pub fn this_program() -> io::Result<Self> {
        let link = PathBuf::from("/proc/self/exe");
        let program = if link.exists() { link } else { std::env::current_exe()? };
        Ok(Self { program, args: vec![SUPERVISE_ARG.into()] })
    }
}

/// Why a command did not start.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The supervisor itself did not start.
    #[error("starting the supervisor {}", program.display())]
    Supervisor {
        /// The supervisor's program.
        program: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The supervisor went away before it started the command.
    #[error("the supervisor of {program:?} ended before it started the command: {reason}")]
    Unsupervised {
        /// The command.
        program: String,
        /// What is known.
        reason: String,
    },
    /// The command can't be started.
    #[error("starting {program:?} in {}: {reason}", cwd.display())]
    Command {
        /// The command.
        program: String,
        /// Where.
        cwd: PathBuf,
        /// What the system says.
        reason: String,
        /// Whether the program or the folder is not there.
        missing: bool,
    },
    /// The command can't be described to the supervisor.
    #[error("{}: the path is not valid UTF-8", cwd.display())]
    Path {
        /// The folder.
        cwd: PathBuf,
    },
}

/// How a command ended. When this is known, its tree is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The command's own end.
    pub how: How,
    /// Whether it was ended because its time was over.
    pub timed_out: bool,
    /// Whether it was ended because its owner wished so.
    pub stopped: bool,
    /// How many processes were left when the command itself was over.
    pub leftovers: u32,
    /// How many processes even SIGKILL did not end, such as those that hang in the kernel.
    pub survivors: u32,
}

/// A command's own end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// It left with this status.
    Exited(i32),
    /// This signal ended it.
    Signalled(i32),
    /// Its supervisor was ended by somebody else; the tree was ended all the same.
    Unsupervised,
}

impl How {
    /// Returns the exit status as a shell counts it: 128 and the number for a signal.
    pub fn code(&self) -> Option<i32> {
        match self {
            Self::Exited(code) => Some(*code),
            Self::Signalled(signal) => Some(128 + signal),
            Self::Unsupervised => None,
        }
    }
}

impl std::fmt::Display for How {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "exit status {code}"),
            Self::Signalled(signal) => match nix::sys::signal::Signal::try_from(*signal) {
                Ok(name) => write!(f, "ended by {name}"),
                Err(_) => write!(f, "ended by signal {signal}"),
            },
            Self::Unsupervised => f.write_str("its supervisor was ended"),
        }
    }
}

/// What a command wrote and how it ended.
#[derive(Debug)]
pub struct Captured {
    /// The end.
    pub ended: Ended,
    /// Its standard output, up to the bound.
    pub stdout: Vec<u8>,
    /// Its standard error, up to the bound.
    pub stderr: Vec<u8>,
    /// Whether some of the output is beyond the bound.
    pub cut: bool,
}

/// Starts commands.
#[derive(Debug, Clone)]
pub struct Sandbox {
    supervisor: Supervisor,
}

/// A started command: two pipes to read, and its life.
#[derive(Debug)]
pub struct Child {
    pub(crate) stdout: PipeReader,
    pub(crate) stderr: PipeReader,
    pub(crate) life: Life,
}

/// The hold on a command's tree. Dropping it ends the tree, without anybody waiting for it.
#[derive(Debug)]
pub struct Life {
    socket: UnixStream,
    unread: Vec<u8>,
    supervisor: tokio::process::Child,
    tree: String,
    timeout: Option<Duration>,
    grace: Duration,
    over: CancellationToken,
    /// The command's process.
    pub pid: u32,
}

impl Sandbox {
    /// Makes a sandbox whose commands this program supervises.
    pub fn new(supervisor: Supervisor) -> Self {
        Self { supervisor }
    }

    /// Starts a command; it runs when this returns.
    pub async fn spawn(&self, spec: CommandSpec) -> Result<Child, SpawnError> {
        let failed = |source| SpawnError::Supervisor { program: self.supervisor.program.clone(), source };
        let tree = random_word();
        let started = start_supervisor(&self.supervisor, &spec, &tree).map_err(failed)?;
        let (socket, supervisor, [stdout, stderr]) = started;
        let over = CancellationToken::new();
        let duration = |ms: i64| Duration::from_millis(ms.max(0).unsigned_abs());
        let (timeout, grace) = (spec.timeout_ms.map(duration), duration(spec.grace_ms));
        let mut life =
            Life { socket, unread: Vec::new(), supervisor, tree, timeout, grace, over: over.clone(), pid: 0 };
        life.pid = life.begin(spec).await?;
        let reader = |pipe| PipeReader::new(pipe, over.clone()).map_err(failed);
        Ok(Child { stdout: reader(stdout)?, stderr: reader(stderr)?, life })
    }

    /// Runs a command to its end, or until `stop`, and keeps the beginning of what it writes. More is read and
    /// thrown away, so that the command never waits for a reader.
    pub async fn capture(
        &self,
        spec: CommandSpec,
        bytes_max: usize,
        stop: impl Future<Output = ()>,
    ) -> Result<Captured, SpawnError> {
        let Child { mut stdout, mut stderr, life } = self.spawn(spec).await?;
        let (ended, out, err) =
            tokio::join!(life.ended(stop), stdout.keep(bytes_max), stderr.keep(bytes_max));
        Ok(Captured { ended, cut: out.1 || err.1, stdout: out.0, stderr: err.0 })
    }

    /// Runs a command to its end, or until `stop`, and hands on what it writes as it comes.
    pub async fn relay(
        &self,
        spec: CommandSpec,
        hand_on: impl Fn(Stream, &[u8]),
        stop: impl Future<Output = ()>,
    ) -> Result<Ended, SpawnError> {
        let Child { mut stdout, mut stderr, life } = self.spawn(spec).await?;
        let (ended, (), ()) = tokio::join!(
            life.ended(stop),
            stdout.each(|bytes| hand_on(Stream::Stdout, bytes)),
            stderr.each(|bytes| hand_on(Stream::Stderr, bytes)),
        );
        Ok(ended)
    }
}

impl Life {
    /// Hands the order over and waits until the command is started.
    async fn begin(&mut self, spec: CommandSpec) -> Result<u32, SpawnError> {
        let Some(cwd) = spec.cwd.to_str().map(str::to_owned) else {
            return Err(SpawnError::Path { cwd: spec.cwd });
        };
        let mut env = spec.env;
        env.insert(TREE_VARIABLE.into(), self.tree.clone());
        let order = Order { program: spec.program, args: spec.args, cwd, env, grace_ms: spec.grace_ms };
        let answer = async {
            let sent = match order.to_bytes(&spec.stdin) {
                Ok(bytes) => crash_point!("worker.sandbox.order.send", self.socket.write_all(&bytes).await),
                Err(error) => Err(error),
            };
            (sent, self.report().await)
        };
        let late = || (Err(io::ErrorKind::TimedOut.into()), None);
        match tokio::time::timeout(Duration::from_millis(START_MS), answer).await.unwrap_or_else(|_| late()) {
            (_, Some(Report::Started { pid })) => Ok(pid),
            (_, Some(Report::NotStarted { reason, missing })) => {
                Err(SpawnError::Command { program: order.program, cwd: spec.cwd, reason, missing })
            }
            (sent, _) => {
                // The command may run all the same, if somebody ended the supervisor between start and report.
                self.end_without_supervisor().await;
                let reason =
                    sent.err().map_or_else(|| "no report came".to_owned(), |error| error.to_string());
                Err(SpawnError::Unsupervised { program: order.program, reason })
            }
        }
    }

    /// Waits until the command and everything that it started is gone. The wish to stop ends it, and so does its
    /// time limit.
    pub async fn ended(mut self, stop: impl Future<Output = ()>) -> Ended {
        let (mut stopped, mut timed_out) = (false, false);
        let limit = self.timeout;
        let timeout = async move {
            match limit {
                Some(limit) => tokio::time::sleep(limit).await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(stop, timeout);
        let mut give_up_at = None;
        let report = loop {
            tokio::select! {
                report = self.report() => break report,
                () = &mut stop, if give_up_at.is_none() => stopped = true,
                () = &mut timeout, if give_up_at.is_none() => timed_out = true,
                () = sleep_until_or_never(give_up_at) => break None,
            }
            give_up_at = Some(Instant::now() + self.grace + Duration::from_millis(KILL_MS_MAX + PATIENCE_MS));
            // A supervisor that is gone already answers by its silence, which the next turn reads.
            let _ = crash_point!("worker.sandbox.end.send", self.socket.write_all(b"!").await);
        };
        let ended = match report {
            Some(Report::Ended { code, signal, leftovers, survivors }) => {
                let how = signal.map_or(How::Exited(code), How::Signalled);
                Ended { how, timed_out, stopped, leftovers, survivors }
            }
            _ => {
                let survivors = self.end_without_supervisor().await;
                Ended { how: How::Unsupervised, timed_out, stopped, leftovers: 0, survivors }
            }
        };
        self.leave().await;
        ended
    }

    /// Ends a tree whose supervisor does not: by descent while there is one, and by the mark in the environment.
    async fn end_without_supervisor(&mut self) -> u32 {
        let supervisor = self.supervisor.id();
        let mark = format!("{TREE_VARIABLE}={}", self.tree);
        let survivors = tokio::task::spawn_blocking(move || {
            supervisor.into_iter().for_each(tree::end_descendants);
            tree::end_marked(&mark)
        });
        survivors.await.unwrap_or_default()
    }

    async fn leave(&mut self) {
        let limit = Duration::from_millis(LEAVE_MS);
        let reaped = crash_point!(
            "worker.sandbox.supervisor.reap",
            tokio::time::timeout(limit, self.supervisor.wait()).await
        );
        if reaped.is_err() {
            let _ = self.supervisor.kill().await;
        }
        self.over.cancel();
    }

    /// Returns the next report; none when the supervisor is gone. Nothing is lost when this is dropped half-way.
    async fn report(&mut self) -> Option<Report> {
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                return serde_json::from_slice(&line).ok();
            }
            let mut chunk = [0; 1024];
            match self.socket.read(&mut chunk).await {
                Ok(n) if n > 0 && self.unread.len() < REPORT_BYTES_MAX => {
                    self.unread.extend_from_slice(&chunk[..n]);
                }
                _ => return None,
            }
        }
    }
}

async fn sleep_until_or_never(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

type Started = (UnixStream, tokio::process::Child, [OwnedFd; 2]);

fn start_supervisor(supervisor: &Supervisor, spec: &CommandSpec, tree: &str) -> io::Result<Started> {
    let (near, far) = StdUnixStream::pair()?;
    let (stdout, stdout_writer) = io::pipe()?;
    let (stderr, stderr_writer) = io::pipe()?;
    let mut command = tokio::process::Command::new(&supervisor.program);
    command
        .arg0("spalla")
        .args(&supervisor.args)
        .arg(&spec.label)
        .env_clear()
        .env(TREE_VARIABLE, tree)
        // A supervisor has points of its own; what it starts has none of these variables.
        .envs(spalla_crash::for_supervisor())
        .current_dir("/")
        .stdin(Stdio::from(OwnedFd::from(far)))
        .stdout(Stdio::from(stdout_writer))
        .stderr(Stdio::from(stderr_writer))
        // Its own group: a Ctrl-C at the terminal is the worker's to answer, by draining.
        .process_group(0);
    let child = crash_point!("worker.sandbox.supervisor.spawn", command.spawn())?;
    near.set_nonblocking(true)?;
    Ok((UnixStream::from_std(near)?, child, [stdout.into(), stderr.into()]))
}

/// Returns a word that no other tree has: the standard library seeds each hasher anew from the system's randomness.
fn random_word() -> String {
    let word = |n: u64| RandomState::new().hash_one(n);
    format!("{:016x}{:016x}", word(1), word(2))
}
