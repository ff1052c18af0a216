//! Runs the real binary: servers and workers that live on until they are ended, and commands that end by themselves.

use crate::databases::Database;
use crate::rest::Rest;
use std::fs::{self, File};
use std::future::Future;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long anything across a process border may take before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(20);

/// A data folder with a home of its own around it, so that nothing of the machine's user is read or written.
pub(crate) struct Home {
    root: TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().expect("a temporary folder");
        for folder in ["home", "shared"] {
            fs::create_dir(root.path().join(folder)).expect("a folder");
        }
        Self { root }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// A file that the test and the steps share.
    pub(crate) fn shared(&self, name: &str) -> PathBuf {
        self.path("shared").join(name)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// Prepares a call of the binary with nothing of this process's environment but what every program needs.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_spalla"));
        command.args(args).current_dir(self.root.path()).env_clear().stdin(Stdio::null());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("ORCH_RATE_LIMIT_PER_MIN", "0").env("ORCH_SANDBOX_WRITE", self.path("shared"));
        command.env("HOME", self.path("home")).env("SPALLA_DATA", self.data());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        ended(self.command(args).output().expect("the binary runs"))
    }

    pub(crate) fn stderr_of(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }
}

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

pub(crate) fn ended(output: Output) -> Ended {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ended { status: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

impl Ended {
    /// Returns what it printed, and fails unless it ended well.
    pub(crate) fn good(self) -> String {
        assert_eq!(self.status, Some(0), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self.stdout
    }
}

/// A server or worker that lives until it is ended; it is killed when the test is over.
pub(crate) struct Process {
    child: Child,
    stdout: BufReader<ChildStdout>,
    errors: PathBuf,
}

impl Process {
    /// Starts it and returns it with its first line.
    pub(crate) fn start(home: &Home, name: &str, mut command: Command) -> (Self, String) {
        let errors = home.path(name);
        let log = File::options().create(true).append(true).open(&errors).expect("a file for its complaints");
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().expect("the binary starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("its output"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("its first line");
        let process = Self { child, stdout, errors };
        assert!(
            !line.is_empty(),
            "it ended at once: {}",
            fs::read_to_string(&process.errors).unwrap_or_default()
        );
        (process, line.trim().to_owned())
    }

    pub(crate) fn next_line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("a line");
        line.trim().to_owned()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it at once, as a crash would.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it is killed");
        self.child.wait().expect("it is gone");
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent =
            Command::new("kill").args(["-s", name, &self.pid().to_string()]).status().expect("kill runs");
        assert!(sent.success());
    }

    /// Waits until it ends by itself.
    pub(crate) fn wait(mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            match self.child.try_wait().expect("its status") {
                Some(status) => return status,
                None => assert!(
                    start.elapsed() < PATIENCE,
                    "it does not end: {}",
                    fs::read_to_string(&self.errors).unwrap_or_default()
                ),
            }
            pause();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!(
                "--- {}:\n{}",
                self.errors.display(),
                fs::read_to_string(&self.errors).unwrap_or_default()
            );
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "another process has no signal to wait for")]
fn pause() {
    std::thread::sleep(LOOK);
}

/// Waits, within bounds, until something across a process border is so, and returns it.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let start = Instant::now();
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(start.elapsed() < PATIENCE, "it never came to this: {what}");
        tokio::time::sleep(LOOK).await;
    }
}

/// How a server under test is started.
pub(crate) struct Setup<'a> {
    pub(crate) database: &'a Database,
    pub(crate) args: &'a [&'a str],
    pub(crate) env: &'a [(&'a str, &'a str)],
}

/// A running server with a client of it.
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) rest: Rest,
}

impl Server {
    /// Starts `spalla <args>` on a free port and waits until it listens.
    pub(crate) fn start(home: &Home, setup: &Setup<'_>) -> Self {
        let database = setup.database.flags();
        let mut args = setup.args.to_vec();
        args.push("--no-open");
        if !args.contains(&"--listen") {
            args.extend(["--listen", "127.0.0.1:0"]);
        }
        args.extend(database.iter().map(String::as_str));
        let mut command = home.command(&args);
        command.envs(setup.env.iter().copied());
        let (process, line) = Process::start(home, "server.log", command);
        let url = line
            .strip_prefix("listening on ")
            .unwrap_or_else(|| panic!("the first line is {line:?}"))
            .to_owned();
        let token = fs::read_to_string(home.data().join("token")).ok().map(|token| token.trim().to_owned());
        Self { process, rest: Rest::new(url, token) }
    }

    /// Starts `spalla up` without authentication.
    pub(crate) fn up(home: &Home, database: &Database) -> Self {
        Self::start(home, &Setup { database, args: &["up", "--auth", "none"], env: &[] })
    }
}

/// Starts a worker of its own for a server.
pub(crate) fn worker(home: &Home, url: &str, env: &[(&str, &str)]) -> Process {
    let mut command = home.command(&["worker", "--server", url]);
    command.envs(env.iter().copied());
    let (process, line) = Process::start(home, "worker.log", command);
    assert!(line.starts_with("worker ") && line.contains(url), "{line}");
    process
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("a path of text")
}
