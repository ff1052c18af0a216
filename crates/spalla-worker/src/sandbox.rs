//! The one entry point through which every child process is born, and the promise that none outlives its run.
//!
//! ```text
//! worker ──socket (order, then lifeline; reports come back)──▶ supervisor ──process group──▶ command and all it starts
//!    ▲─────────────── stdout and stderr pipes, handed through ──────────────────────────────────┘
//! ```
//! The supervisor is the same program again, one thread, started for this command alone; what it does is
//! `spalla-sandbox`'s. It ends the whole tree when it is told to, when the command is over, and when the worker is gone:
//! a killed worker closes the socket. A command that is to survive goes on then for a while, and is taken up again.

mod ahead;
mod life;
mod line;
mod pipe;
mod surviving;
mod waiting;

pub use ahead::Spare;
pub use life::Life;
pub(crate) use life::Terms;
pub(crate) use pipe::{CHUNK_BYTES, PipeReader};
pub(crate) use surviving::TakenUp;

use crate::refusals::Refusals;
use life::order_of;
use line::Line;
use spalla_domain::log::Stream;
use spalla_sandbox::{
    Attestation, HIDDEN_ARG, HostCredentials, Layer, Policy, SUPERVISE, SecretFiles, SupervisedOrder, Used,
};
use std::collections::BTreeMap;
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use waiting::Waiting;

/// The variables by which programs find the way out of this machine's network.
pub(crate) const PROXY_VARIABLES: [&str; 6] =
    ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"];
/// The variables that name files of whom programs trust there.
pub(crate) const TRUST_VARIABLES: [&str; 7] = [
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",
    "REQUESTS_CA_BUNDLE",
    "PIP_CERT",
];
/// What else a child may have from the environment of the worker; everything beyond these it gets by name.
const INHERITED_VARIABLES: [&str; 22] = [
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
    "NVM_DIR",
    "PYENV_ROOT",
    "RBENV_ROOT",
    "GOPATH",
    "VOLTA_HOME",
    "SDKMAN_DIR",
    "DENO_INSTALL",
    "BUN_INSTALL",
    // For git alone; no step gets it.
    "SSH_AUTH_SOCK",
];
/// The path that children search when the worker has none.
const PATH_DEFAULT: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Marks every process of a tree, so that it is found even when its supervisor was killed.
const TREE_VARIABLE: &str = "SPALLA_TREE";

/// Chooses from an environment what children may have.
pub fn child_env(vars: impl IntoIterator<Item = (String, String)>) -> BTreeMap<String, String> {
    let mut env: BTreeMap<String, String> = vars.into_iter().filter(|(name, _)| is_inherited(name)).collect();
    env.entry("PATH".into()).or_insert_with(|| PATH_DEFAULT.into());
    env
}

fn is_inherited(name: &str) -> bool {
    let mut names = INHERITED_VARIABLES.iter().chain(&PROXY_VARIABLES).chain(&TRUST_VARIABLES);
    names.any(|inherited| *inherited == name)
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
    /// Its own variables; without walls its whole environment.
    pub env: BTreeMap<String, String>,
    /// What it reads; an empty one is the end of file at once.
    pub stdin: Vec<u8>,
    /// How long it may take, in milliseconds.
    pub timeout_ms: Option<i64>,
    /// How long its tree has between the wish to end and the end by force, in milliseconds.
    pub grace_ms: i64,
    /// What stands around it.
    pub walls: Walls,
}

/// What stands around a command.
#[derive(Debug, Clone)]
pub enum Walls {
    /// Nothing: the command is the worker's own, or the operator's configuration wants it so. It is still ended whole.
    None,
    /// The kernel's walls.
    Up(Box<Confined>),
}

/// What a command behind walls may do.
#[derive(Debug, Clone)]
pub struct Confined {
    /// What it may do. The folder in which it starts is beneath the policy's workspace.
    pub policy: Policy,
    /// The environment outside: where toolchains are, and what the policy lists of it.
    pub outside: BTreeMap<String, String>,
    /// What the hosts of the policy's injections get; the supervisor has it, and the command does not.
    pub credentials: HostCredentials,
    /// The files of secrets that it finds in its private memory, as far as its variables name them.
    pub secret_files: SecretFiles,
    /// The file in which the supervisor writes down how the command ended.
    pub journal: Option<PathBuf>,
    /// What is told at once of the hosts that it is refused.
    pub refusals: Refusals,
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
        Ok(Self::of(program))
    }

    /// Names a program whose `main` offers the sandbox's hidden argument.
    pub fn of(program: PathBuf) -> Self {
        Self { program, args: vec![HIDDEN_ARG.into(), SUPERVISE.into()] }
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
    /// A wall can't stand.
    #[error("refused to run: the layer {layer} of the sandbox is missing: {reason}; {mend}")]
    Refused {
        /// The wall.
        layer: Layer,
        /// What the system says.
        reason: String,
        /// What to do about it.
        mend: String,
    },
    /// The policy can't be carried out as it is.
    #[error("{reason}")]
    Impossible {
        /// What is wrong, and the mend.
        reason: String,
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
    /// The limit that it reached, in words.
    pub exceeded: Option<String>,
    /// The hosts that it asked for and did not get, with the reasons.
    pub refused_hosts: Vec<String>,
    /// Which walls stood around it.
    pub attestation: Attestation,
    /// How many bytes of its output were not kept where it was to survive.
    pub dropped: u64,
    /// Whether it was ended because nobody took it up again in time.
    pub lost: bool,
    /// How much of the machine it used; none where its supervisor could not say.
    pub used: Option<Used>,
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
    waiting: Arc<Waiting>,
}

/// A started command: two pipes to read, and its life.
#[derive(Debug)]
pub struct Child {
    pub(crate) stdout: PipeReader,
    pub(crate) stderr: PipeReader,
    pub(crate) life: Life,
}

impl Sandbox {
    /// Makes a sandbox whose commands this program supervises.
    pub fn new(supervisor: Supervisor) -> Self {
        Self { supervisor, waiting: Arc::default() }
    }

    /// Returns the file of the program that supervises, for whoever wants it behind walls as well. Where it was replaced
    /// while it runs, that is the new one: the old one has no path any more.
    pub(crate) fn program_file(&self) -> io::Result<PathBuf> {
        std::fs::canonicalize(&self.supervisor.program).or_else(|error| {
            let was = std::fs::read_link(&self.supervisor.program).map_err(|_| error)?;
            std::fs::canonicalize(was.to_string_lossy().trim_end_matches(" (deleted)"))
        })
    }

    /// Starts a command; it runs when this returns.
    pub async fn spawn(&self, spec: CommandSpec) -> Result<Child, SpawnError> {
        let tree = matches!(spec.walls, Walls::None).then(random_word);
        let opened = match &tree {
            None => self.open(&spec.label),
            // Without walls a tree is known by the mark, which its supervisor has from its beginning.
            Some(mark) => Line::open(&self.supervisor, &spec.label, Some(mark)),
        };
        let (line, pipes) = opened.map_err(|source| self.failed(source))?;
        let order = order_of(&spec, tree.as_deref());
        match self.begin((line, pipes), &spec, &order, tree).await? {
            Some(child) => Ok(child),
            None => {
                let reason = "it waits for other walls".to_owned();
                Err(SpawnError::Unsupervised { program: spec.program, reason })
            }
        }
    }

    /// Hands an order to a supervisor; no child if the walls that it put up ahead are others.
    async fn begin(
        &self,
        (line, [stdout, stderr]): (Line, [OwnedFd; 2]),
        spec: &CommandSpec,
        order: &SupervisedOrder,
        tree: Option<String>,
    ) -> Result<Option<Child>, SpawnError> {
        let over = CancellationToken::new();
        let begun = Life::begin(line, spec, order, tree, over.clone()).await;
        self.refill();
        let Some(life) = begun? else { return Ok(None) };
        let reader = |pipe| PipeReader::new(pipe, over.clone()).map_err(|source| self.failed(source));
        Ok(Some(Child { stdout: reader(stdout)?, stderr: reader(stderr)?, life }))
    }

    fn failed(&self, source: io::Error) -> SpawnError {
        SpawnError::Supervisor { program: self.supervisor.program.clone(), source }
    }

    /// Runs a command to its end, or until `stop`, and keeps the beginning of what it writes.
    pub async fn capture(
        &self,
        spec: CommandSpec,
        bytes_max: usize,
        stop: impl Future<Output = ()>,
    ) -> Result<Captured, SpawnError> {
        self.spawn(spec).await?.capture(bytes_max, stop).await
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

impl Child {
    /// Waits for the end, or until `stop`, and keeps the beginning of what the command writes. More is read and thrown
    /// away, so that the command never waits for a reader.
    pub async fn capture(
        mut self,
        bytes_max: usize,
        stop: impl Future<Output = ()>,
    ) -> Result<Captured, SpawnError> {
        let (ended, out, err) =
            tokio::join!(self.life.ended(stop), self.stdout.keep(bytes_max), self.stderr.keep(bytes_max));
        Ok(Captured { ended, cut: out.1 || err.1, stdout: out.0, stderr: err.0 })
    }
}

/// Returns a word that no other tree has: the standard library seeds each hasher anew from the system's randomness.
pub(crate) fn random_word() -> String {
    let word = |n: u64| RandomState::new().hash_one(n);
    format!("{:016x}{:016x}", word(1), word(2))
}
