//! A real, throw-away Postgres for tests: one cluster for a test process, a fresh database for a test. It ends with
//! the process however that ends: a watcher beside it reads a pipe from the process, and at its end stops the server
//! and removes its files. Uses nothing but the standard library, so that any crate's tests can include this file.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Where Debian's packages put one folder for each major version.
const VERSIONS: &str = "/usr/lib/postgresql";
/// The server refuses to run as root; this user comes with the package.
const SERVER_USER: &str = "postgres";
/// Another process may take a free port before the server does.
const PORT_TRIES: u32 = 5;

/// As durable as a real one, because that is what tests are about, and with nothing of its own to do: hundreds of
/// databases that are used once are worth neither a vacuum nor a checkpoint.
const SETTINGS: &str = "
listen_addresses = '127.0.0.1'
max_connections = 200
fsync = on
autovacuum = off
checkpoint_timeout = 1h
max_wal_size = 8GB
";

/// Starts the server, says so, waits for the end of its input, and leaves nothing behind. `$1` is the folder, `$2` the
/// port, `$3` the folder of the programs; the rest is how to become the server's user.
const WATCHER: &str = r#"
folder=$1 port=$2 bin=$3; shift 3
cd /
"$@" "$bin/pg_ctl" -D "$folder/data" -l "$folder/log" -w -t 60 -s -o "-p $port" start </dev/null >/dev/null 2>&1 || {
    tail -n 20 "$folder/log"; "$@" "$bin/pg_ctl" -D "$folder/data" -s -m immediate stop >/dev/null 2>&1; exit 1
}
echo ready
cat >/dev/null
"$@" "$bin/pg_ctl" -D "$folder/data" -w -s -m immediate stop >/dev/null 2>&1
rm -rf "$folder"
"#;

/// A running server with files of its own.
pub struct Cluster {
    bin: PathBuf,
    folder: PathBuf,
    port: u16,
    databases: AtomicU32,
    watcher: Child,
    /// Held for as long as the server is to run.
    lifeline: Option<ChildStdin>,
}

impl Cluster {
    /// Returns the cluster that all tests of this process share; start a private one to take it away.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(Self::start_new)
    }

    /// Starts a cluster of the caller's own.
    pub fn start_new() -> Self {
        let bin = find_programs();
        let folder = make_folder();
        initialise(&bin, &folder);
        let mut complaint = String::new();
        for _ in 0..PORT_TRIES {
            let port = free_port();
            match watch(&bin, &folder, port) {
                Ok((watcher, lifeline)) => {
                    let databases = AtomicU32::new(0);
                    return Self { bin, folder, port, databases, watcher, lifeline: Some(lifeline) };
                }
                Err(said) => complaint = said,
            }
        }
        panic!("Postgres did not start in {}: {complaint}", folder.display());
    }

    /// Makes an empty database and returns its URL, by way of TCP.
    pub fn create_database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let port = self.port.to_string();
        run(Command::new(self.bin.join("createdb")).args([
            "-h",
            "127.0.0.1",
            "-p",
            &port,
            "-U",
            "spalla",
            &name,
        ]));
        format!("postgresql://spalla@127.0.0.1:{port}/{name}")
    }

    /// Returns the URL of the same database by way of the unix socket.
    pub fn socket_url(&self, url: &str) -> String {
        let database = url.rsplit('/').next().unwrap_or_default();
        format!("postgresql:///{database}?host={}&port={}&user=spalla", self.folder.display(), self.port)
    }

    /// Runs statements in a database, as somebody beside the store would, and returns what they answer, bare.
    pub fn psql(&self, url: &str, sql: &str) -> String {
        let mut command = Command::new(self.bin.join("psql"));
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", sql]);
        said(&run(&mut command))
    }

    /// Stops the server as a restart of the machine would; its files stay.
    pub fn stop(&self) {
        self.control(&["-m", "fast", "stop"]);
    }

    /// Kills the server as a crash would; its files stay.
    pub fn crash(&self) {
        self.control(&["-m", "immediate", "stop"]);
    }

    /// Starts the server again on the same port.
    pub fn start(&self) {
        let log = self.folder.join("log");
        let port = format!("-p {}", self.port);
        self.control(&["-t", "60", "-l", &log.to_string_lossy(), "-o", &port, "start"]);
    }

    /// Stops the server and starts it again.
    pub fn restart(&self) {
        self.stop();
        self.start();
    }

    fn control(&self, arguments: &[&str]) {
        let mut command = as_server_user(&self.bin.join("pg_ctl"));
        command.arg("-D").arg(self.folder.join("data")).args(["-w", "-s"]).args(arguments);
        // The server inherits these and lives on: a pipe would never end.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let status = command.status().unwrap_or_else(|error| panic!("running {command:?}: {error}"));
        assert!(status.success(), "{command:?} failed: {}", self.log());
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        // The watcher stops the server and removes the files before it ends.
        let _ = self.watcher.wait();
    }
}

fn find_programs() -> PathBuf {
    let folders = std::fs::read_dir(VERSIONS).into_iter().flatten().flatten();
    let major = |path: &Path| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let versions =
        folders.filter_map(|entry| major(&entry.path()).map(|version| (version, entry.path().join("bin"))));
    let newest = versions.filter(|(_, bin)| bin.join("initdb").exists() && bin.join("psql").exists()).max();
    let Some((_, bin)) = newest else {
        panic!("no Postgres under {VERSIONS}: install the package `postgresql` (apt-get install postgresql)");
    };
    bin
}

fn make_folder() -> PathBuf {
    static MADE: AtomicU32 = AtomicU32::new(0);
    // A name that is left over from a process of the same number is passed over. The path of a socket is limited to
    // 107 bytes, so that the name is short.
    let name = || format!("spalla-pg-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
    let folder = std::iter::repeat_with(|| std::env::temp_dir().join(name()))
        .find(|folder| match std::fs::create_dir(folder) {
            Ok(()) => true,
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => false,
            Err(error) => panic!("making {}: {error}", folder.display()),
        })
        .unwrap_or_default();
    if is_root() {
        run(Command::new("chown").arg(SERVER_USER).arg(&folder));
    }
    folder
}

fn initialise(bin: &Path, folder: &Path) {
    let mut command = as_server_user(&bin.join("initdb"));
    command.arg("-D").arg(folder.join("data"));
    command.args([
        "-U",
        "spalla",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--locale=C",
        "--no-sync",
        "--no-instructions",
    ]);
    run(&mut command);
    let settings = format!("{SETTINGS}unix_socket_directories = '{}'\n", folder.display());
    let mut append = as_server_user(Path::new("/bin/sh"));
    append
        .args(["-c", "printf %s \"$2\" >> \"$1\"", "sh"])
        .arg(folder.join("data/postgresql.conf"))
        .arg(settings);
    run(&mut append);
}

/// Starts the watcher and with it the server; returns what the server complained of when it did not start.
fn watch(bin: &Path, folder: &Path, port: u16) -> Result<(Child, ChildStdin), String> {
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", WATCHER, "sh"])
        .arg(folder)
        .arg(port.to_string())
        .arg(bin)
        .args(becoming_server_user());
    // Ctrl-C goes to the test's group of processes: the watcher has to survive it.
    command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut watcher = command.spawn().unwrap_or_else(|error| panic!("starting {command:?}: {error}"));
    let (Some(lifeline), Some(output)) = (watcher.stdin.take(), watcher.stdout.take()) else {
        panic!("the watcher has no pipes");
    };
    let mut output = BufReader::new(output);
    let mut line = String::new();
    let _ = output.read_line(&mut line);
    if line == "ready\n" {
        return Ok((watcher, lifeline));
    }
    let _ = output.read_to_string(&mut line);
    let _ = watcher.wait();
    Err(line)
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    listener.unwrap_or_else(|error| panic!("finding a free port: {error}")).port()
}

fn as_server_user(program: &Path) -> Command {
    let mut words = becoming_server_user().into_iter();
    let mut command = match words.next() {
        Some(first) => {
            let mut command = Command::new(first);
            command.args(words).arg(program);
            command
        }
        None => Command::new(program),
    };
    command.current_dir("/");
    command
}

fn becoming_server_user() -> Vec<&'static str> {
    if is_root() { vec!["runuser", "-u", SERVER_USER, "--"] } else { vec![] }
}

fn is_root() -> bool {
    static IS_ROOT: OnceLock<bool> = OnceLock::new();
    *IS_ROOT.get_or_init(|| said(&run(Command::new("id").arg("-u"))) == "0")
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("running {command:?}: {error}"));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed with {}: {complaint}", output.status);
    output
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
