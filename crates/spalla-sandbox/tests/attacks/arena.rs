//! A place to fight in: a workspace, something outside to attack, and both ways to run the attacker.

use serde_json::{Value, json};
use spalla_sandbox::{Ground, HIDDEN_ARG, SUPERVISE, SupervisedOrder, Word};
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::thread;
use tempfile::TempDir;

/// The ordinary user that every machine has.
const NOBODY: u32 = 65_534;

/// Who attacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// Whoever runs the tests.
    Myself,
    /// An ordinary user, where root runs the tests.
    Nobody,
}

/// Returns everybody as whom attacks are made here.
pub(crate) fn everybody() -> Vec<Who> {
    if is_root() { vec![Who::Myself, Who::Nobody] } else { vec![Who::Myself] }
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

impl Who {
    /// Tells whether this is root.
    pub(crate) fn is_root(self) -> bool {
        self == Self::Myself && is_root()
    }
}

/// The place.
pub(crate) struct Arena {
    pub(crate) who: Who,
    pub(crate) workspace: PathBuf,
    pub(crate) ground: Ground,
    place: TempDir,
    binary: Arc<Binary>,
    victim: Child,
    _abstract: UnixListener,
    _path: UnixListener,
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

impl Arena {
    pub(crate) fn new(who: Who) -> Self {
        let place = tempfile::Builder::new().prefix("spalla-attack-").tempdir().unwrap();
        fs::set_permissions(place.path(), Permissions::from_mode(0o755)).unwrap();
        let real = place.path().canonicalize().unwrap();
        let (outside, workspace) = (real.join("outside"), real.join("workspace"));
        for folder in [&outside, &workspace] {
            fs::create_dir(folder).unwrap();
        }
        for file in ["secret", "doomed"] {
            fs::write(outside.join(file), "what nobody may know").unwrap();
        }
        let path = UnixListener::bind(outside.join("socket")).unwrap();
        for path in
            [&outside, &workspace, &outside.join("secret"), &outside.join("doomed"), &outside.join("socket")]
        {
            give(path, who);
        }
        let abstract_name = format!("spalla-attack-{}", real.file_name().unwrap().to_str().unwrap());
        let address = SocketAddr::from_abstract_name(&abstract_name).unwrap();
        let mut victim = command(who, "/bin/sleep");
        victim.arg("600").env("SPALLA_TRIAL_SECRET", "x").stdin(Stdio::null());
        let victim = victim.spawn().unwrap();
        let (tcp_port, udp_port) = answering_ports();
        let pid = i32::try_from(victim.id()).unwrap();
        let ground = Ground { outside, pid, tcp_port, udp_port, abstract_name, amount: 0 };
        let _abstract = UnixListener::bind_addr(&address).unwrap();
        Self { who, workspace, ground, place, binary: Binary::shared(), victim, _abstract, _path: path }
    }

    /// Makes an attempt without walls.
    pub(crate) fn attempt_outside(&self, trial: &str) -> Said {
        let mut attacker = command(self.who, "/bin/sh");
        // A shell between, so that the attacker's parent is as much its own as the init is inside.
        attacker.args(["-c", "exec 9<\"$0\"; \"$@\"; exit $?"]).arg(self.ground.outside.join("secret"));
        attacker.arg(&self.binary.path).args(self.trial(trial)).current_dir(&self.workspace);
        attacker.env("SPALLA_TRIAL_SECRET", "x").stdin(Stdio::null());
        attacker.output().unwrap().into()
    }

    /// Makes an attempt behind the walls.
    pub(crate) fn attempt_inside(&self, trial: &str, limits: &Value) -> Said {
        self.run_inside(&self.attempt(trial), limits)
    }

    /// Makes an attempt behind the walls, with a proxy that knows these hosts.
    pub(crate) fn attempt_with_proxy(&self, trial: &str, allow: &[&str]) -> Said {
        let policy = json!({
            "preset": "agent",
            "workspace": self.workspace,
            "network": { "mode": "proxy", "allow": allow },
        });
        self.attempt_with(trial, &policy)
    }

    /// Makes an attempt under a policy.
    pub(crate) fn attempt_with(&self, trial: &str, policy: &Value) -> Said {
        self.supervisor_with(&self.attempt(trial), policy).output().unwrap().into()
    }

    /// Returns the words of an attempt.
    pub(crate) fn attempt(&self, trial: &str) -> Vec<String> {
        let mut words = vec![self.binary.path.to_str().unwrap().to_owned()];
        words.extend(self.trial(trial));
        words
    }

    /// Returns a supervisor that waits for orders on its standard input; it has a secret variable and descriptor.
    pub(crate) fn supervising(&self) -> Command {
        self.starting(&[HIDDEN_ARG, SUPERVISE, &self.mark()])
    }

    /// Returns the sandbox's program with these arguments; it has a secret variable and descriptor.
    pub(crate) fn starting(&self, arguments: &[&str]) -> Command {
        let mut supervisor = command(self.who, "/bin/sh");
        supervisor.args(["-c", "exec 9<\"$0\"; exec \"$@\""]).arg(self.ground.outside.join("secret"));
        supervisor.arg(&self.binary.path).args(arguments);
        supervisor.env("SPALLA_TRIAL_SECRET", "x");
        supervisor.stdout(Stdio::piped()).stderr(Stdio::piped());
        supervisor
    }

    fn trial(&self, trial: &str) -> [String; 4] {
        [HIDDEN_ARG.into(), "trial".into(), serde_json::to_string(&self.ground).unwrap(), trial.into()]
    }

    /// Runs a command behind the walls, to its end.
    pub(crate) fn run_inside(&self, words: &[String], limits: &Value) -> Said {
        self.supervisor(words, limits).output().unwrap().into()
    }

    /// Returns the supervisor of a command behind the walls, to be started; it has a secret variable and descriptor.
    pub(crate) fn supervisor(&self, words: &[String], limits: &Value) -> Command {
        let policy = json!({
            "preset": "strict",
            "workspace": self.workspace,
            "network": { "mode": "none" },
            "limits": limits,
        });
        self.supervisor_with(words, &policy)
    }

    pub(crate) fn supervisor_with(&self, words: &[String], policy: &Value) -> Command {
        let order = json!({ "policy": policy, "command": { "program": words[0], "arguments": words[1..] } });
        let mut supervisor = command(self.who, "/bin/sh");
        supervisor.args(["-c", "exec 9<\"$0\"; exec \"$@\""]).arg(self.ground.outside.join("secret"));
        supervisor.arg(&self.binary.path).args([HIDDEN_ARG, "run", &order.to_string()]);
        supervisor.env("SPALLA_TRIAL_SECRET", "x").stdin(Stdio::null());
        supervisor.stdout(Stdio::piped()).stderr(Stdio::piped());
        supervisor
    }

    /// Returns the supervisor of an order on a kernel that lacks a layer.
    pub(crate) fn supervisor_without(&self, layer: &str, order: &Value) -> Command {
        let mut supervisor = command(self.who, self.binary.path.to_str().unwrap());
        supervisor.args(["without", layer, HIDDEN_ARG, "run", &order.to_string()]);
        supervisor.stdin(Stdio::null());
        supervisor
    }

    /// Has a command supervised on a kernel that lacks a layer, and returns what is attested of it.
    pub(crate) fn attested_without(&self, layer: &str, policy: &Value) -> Value {
        let mut supervisor = command(self.who, self.binary.path.to_str().unwrap());
        supervisor.args(["without", layer, HIDDEN_ARG, SUPERVISE, "test"]);
        attested_by(supervisor, policy)
    }

    /// Runs a command in an inside that is put up for it.
    pub(crate) fn cold(&self, policy: &Value, words: &[String]) -> Said {
        let (near, far) = UnixStream::pair().unwrap();
        let supervisor = self.supervising().stdin(Stdio::from(OwnedFd::from(far))).spawn().unwrap();
        let order = json!({
            "order": { "policy": policy, "command": { "program": words[0], "arguments": words[1..] } },
            "outside": { "PATH": "/usr/bin:/bin" },
        });
        let order: SupervisedOrder = serde_json::from_value(order).unwrap();
        (&near).write_all(&order.to_bytes(b"").unwrap()).unwrap();
        supervisor.wait_with_output().unwrap().into()
    }

    /// Has a command supervised, and returns what is attested of it.
    pub(crate) fn attested(&self, policy: &Value) -> Value {
        attested_by(self.supervising(), policy)
    }

    /// Writes a file into the workspace, for whoever attacks.
    pub(crate) fn plant(&self, name: &str, text: &str) {
        let path = self.workspace.join(name);
        let folder = path.parent().unwrap();
        if !folder.exists() {
            fs::create_dir_all(folder).unwrap();
            give(folder, self.who);
        }
        fs::write(&path, text).unwrap();
        give(&path, self.who);
    }

    /// A word that only the processes of this place have among their arguments.
    pub(crate) fn mark(&self) -> String {
        self.place.path().file_name().unwrap().to_str().unwrap().to_owned() + "-mark"
    }
}

fn attested_by(mut supervisor: Command, policy: &Value) -> Value {
    let (near, far) = UnixStream::pair().unwrap();
    let supervisor = supervisor.stdin(Stdio::from(OwnedFd::from(far))).stdout(Stdio::null());
    let mut supervisor = supervisor.spawn().unwrap();
    let order = json!({ "policy": policy, "command": { "program": "/bin/true" } });
    let order = serde_json::from_value(order).unwrap();
    let order = SupervisedOrder {
        order,
        outside: [].into(),
        journal: None,
        label: None,
        ahead: false,
        survival: None,
    };
    (&near).write_all(&order.to_bytes(b"").unwrap()).unwrap();
    let first = BufReader::new(&near).lines().next().unwrap().unwrap();
    assert!(supervisor.wait().unwrap().success());
    match serde_json::from_str(&first).unwrap() {
        Word::Started { attestation, .. } => serde_json::to_value(attestation).unwrap(),
        other => panic!("{other:?}"),
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        let _ = self.victim.kill();
        let _ = self.victim.wait();
    }
}

/// Makes the attempts of one trial, as everybody: without walls it has to work, behind them it must not.
pub(crate) fn hold(trial: &str, amount: u64, limits: &Value, everybody: &[Who]) {
    for &who in everybody {
        let attempt = |inside: bool| {
            let mut arena = Arena::new(who);
            arena.ground.amount = amount;
            plant_setuid(&arena);
            if inside { arena.attempt_inside(trial, limits) } else { arena.attempt_outside(trial) }
        };
        let outside = attempt(false);
        assert!(
            outside.stdout.contains(": escaped"),
            "{trial} as {who:?} does not work without walls: {outside:?}"
        );
        let inside = attempt(true);
        let is_over = inside.stdout.contains(": held") || inside.code != Some(0);
        assert!(is_over && !inside.stdout.contains(": escaped"), "{trial} as {who:?} works: {inside:?}");
        assert!(!inside.stderr.contains("refused to run"), "{trial} as {who:?} was not tried: {inside:?}");
    }
}

/// A program in the workspace that runs as its owner: another one than the attacker.
pub(crate) fn plant_setuid(arena: &Arena) {
    if !is_root() {
        return;
    }
    let path = arena.workspace.join("setuid-id");
    copy_program("/usr/bin/id", &path);
    let owner = if arena.who.is_root() { NOBODY } else { 0 };
    chown(&path, Some(owner), None).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o4755)).unwrap();
}

/// Processes whose arguments hold a word.
pub(crate) fn marked(mark: &str) -> Vec<i32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let has_mark = |pid: &i32| {
        let text = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        text.split(|byte| *byte == 0).any(|word| word == mark.as_bytes())
    };
    pids.filter(has_mark).collect()
}

/// Waits until a condition holds, or says that it never did.
pub(crate) fn until(condition: impl Fn() -> bool) -> bool {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while std::time::Instant::now() < end {
        if condition() {
            return true;
        }
        thread::yield_now();
    }
    false
}

pub(crate) fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// A command of this user, with nothing of our environment but where programs are.
pub(crate) fn command(who: Who, program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/");
    if who == Who::Nobody {
        command
            .uid(NOBODY)
            .gid(NOBODY)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", "/nonexistent");
    }
    command
}

fn give(path: &Path, who: Who) {
    if who == Who::Nobody {
        chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
}

/// The program under attack, where everybody may run it, and outside of everything that is shown anyway. The places that
/// fight at the same time share it, and the last one takes it away.
struct Binary {
    path: PathBuf,
    _place: TempDir,
}

impl Binary {
    fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Binary>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let made = Arc::new(Self::make());
            *shared = Arc::downgrade(&made);
            made
        })
    }

    fn make() -> Self {
        let place = tempfile::Builder::new().prefix("spalla-binary-").tempdir().unwrap();
        fs::set_permissions(place.path(), Permissions::from_mode(0o755)).unwrap();
        let path = place.path().canonicalize().unwrap().join("spalla-sandbox");
        copy_program(env!("CARGO_BIN_EXE_spalla-sandbox"), &path);
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        Self { path, _place: place }
    }
}

/// Copies a program, in a process of its own: what another test starts meanwhile would inherit our open file, and nothing
/// executes a file that somebody may still write.
fn copy_program(from: &str, to: &Path) {
    let copied = Command::new("cp").arg("--").arg(from).arg(to).status().unwrap();
    assert!(copied.success(), "copying {from}: {copied}");
}

/// Ports of servers that answer whoever asks, for as long as the tests run.
fn answering_ports() -> (u16, u16) {
    static PORTS: OnceLock<(u16, u16)> = OnceLock::new();
    *PORTS.get_or_init(|| {
        let four = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = four.local_addr().unwrap().port();
        let six = TcpListener::bind(("::1", port)).unwrap();
        for listener in [four, six] {
            thread::spawn(move || {
                for stream in listener.incoming() {
                    let _ = stream.and_then(|mut stream| stream.write_all(b"!"));
                }
            });
        }
        let udp = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        let udp_port = udp.local_addr().unwrap().port();
        thread::spawn(move || {
            while let Ok((_, from)) = udp.recv_from(&mut [0; 8]) {
                let _ = udp.send_to(b"!", from);
            }
        });
        (port, udp_port)
    })
}
