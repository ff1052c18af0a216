//! Ten real attempts to get out, made before anybody relies on the walls.

use crate::command_line::{HIDDEN_ARG, Order};
use crate::policy::{Layer, Policy, Preset};
use crate::supervise::Command;
use crate::trials::Ground;
use serde::Serialize;
use std::fs;
use std::io::{self, Read};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};

/// The attempts.
pub(crate) const TEN: [&str; 10] = [
    "read-outside",
    "write-outside",
    "hard-link",
    "see-process",
    "signal-outside",
    "tcp4",
    "unix-path",
    "unshare-user",
    "io-uring",
    "setuid-chmod",
];
/// How the names of the places begin in which attempts are made; the process follows.
const PREFIX: &str = "spalla-self-test-";
/// How long all of them together may take, in milliseconds.
const TIMEOUT_MS: u64 = 30_000;

/// One attempt and how it came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trial {
    /// What was tried.
    pub name: &'static str,
    /// Whether the walls held.
    pub held: bool,
    /// What the system said.
    pub detail: String,
}

/// Makes ten attempts in one sandbox of the preset `strict`, without the layers that may be missing where they are. The program has to be this one or another whose `main`
/// calls [`hidden_main`](crate::hidden_main) for its hidden argument. An attempt that could not be made counts as one that worked.
pub fn self_test(program: &Path, allow_degraded: &[Layer]) -> Vec<Trial> {
    let said = attempt_all(program, allow_degraded).unwrap_or_else(|error| error.to_string());
    let outcome = |name: &'static str| {
        let line = said.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        match line {
            Some(line) => Trial { name, held: line.starts_with("held"), detail: line.to_owned() },
            None => Trial { name, held: false, detail: format!("could not be tried: {}", said.trim()) },
        }
    };
    TEN.map(outcome).into()
}

fn attempt_all(program: &Path, allow_degraded: &[Layer]) -> io::Result<String> {
    let program = fs::canonicalize(program)?;
    let place = Place::make()?;
    let outside = place.0.join("outside");
    let workspace = place.0.join("workspace");
    fs::create_dir(&outside)?;
    fs::create_dir(&workspace)?;
    fs::write(outside.join("secret"), "secret")?;
    let tcp = TcpListener::bind(("127.0.0.1", 0))?;
    let _unix = UnixListener::bind(outside.join("socket"))?;
    let ground = Ground {
        outside,
        pid: i32::try_from(std::process::id()).unwrap_or_default(),
        tcp_port: tcp.local_addr()?.port(),
        ..Ground::default()
    };
    let mut policy = Policy::new(Preset::Strict, workspace);
    policy.limits.timeout_ms = TIMEOUT_MS;
    policy.allow_degraded = allow_degraded.to_vec();
    let mut arguments = vec![HIDDEN_ARG.to_owned(), "trial".to_owned(), serde_json::to_string(&ground)?];
    arguments.extend(TEN.map(str::to_owned));
    let command = Command {
        program: program.to_str().ok_or(io::ErrorKind::InvalidFilename)?.to_owned(),
        arguments,
        ..Command::default()
    };
    let order = serde_json::to_string(&Order { policy, command })?;
    let mut child = Process::new(&program)
        .args([HIDDEN_ARG, "run", &order])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut said = String::new();
    let mut complained = String::new();
    child.stdout.take().map_or(Ok(0), |mut pipe| pipe.read_to_string(&mut said))?;
    child.stderr.take().map_or(Ok(0), |mut pipe| pipe.read_to_string(&mut complained))?;
    child.wait()?;
    Ok(said + &complained)
}

/// A folder of its own, gone when it is dropped.
struct Place(PathBuf);

impl Place {
    fn make() -> io::Result<Self> {
        let mut random = [0; 8];
        rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())?;
        sweep();
        let name = format!("{PREFIX}{}-{:016x}", std::process::id(), u64::from_ne_bytes(random));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
        Ok(Self(path))
    }
}

/// Removes the places of processes that were killed meanwhile.
fn sweep() {
    for entry in fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid =
            name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('-').next()?.parse::<u32>().ok());
        if pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            // One of another user can't be removed.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
