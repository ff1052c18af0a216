//! A real Postgres of our own, on a free port, by the user `postgres` where we are root.

use crate::process::{Process, bound, output};
use anyhow::{Context as _, Result, bail};
use nix::sys::signal::Signal;
use nix::unistd::{Uid, User};
use std::ffi::OsStr;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::process::Command;
use tokio::time::Instant;

/// Where Debian's packages put one folder for each major version.
const VERSIONS: &str = "/usr/lib/postgresql";
/// The server refuses to run as root; this user comes with the package.
const SERVER_USER: &str = "postgres";
const DATABASE: &str = "soak";
const READY_WITHIN: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(30);

/// Everything durable is on.
const SETTINGS: &str = "
listen_addresses = '127.0.0.1'
fsync = on
full_page_writes = on
synchronous_commit = on
";

/// How much room a server may take.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Room {
    /// The log is kept short, so that a small disk suffices.
    Small,
    /// What a machine of some gigabytes is given where figures count.
    Ample,
}

impl Room {
    const fn settings(self) -> &'static str {
        match self {
            Self::Small => "max_connections = 60\nmin_wal_size = 48MB\nmax_wal_size = 96MB\n",
            Self::Ample => {
                "max_connections = 200\nshared_buffers = 1GB\nmax_wal_size = 4GB\nwal_compression = on\n"
            }
        }
    }
}

/// The database, running or not.
pub(crate) struct Postgres {
    bin: PathBuf,
    folder: PathBuf,
    log: PathBuf,
    port: u16,
    process: Option<Process>,
}

impl Postgres {
    /// Makes a cluster in a folder, starts it, and makes the database.
    pub(crate) async fn start(folder: &Path, log: PathBuf, port: u16, room: Room) -> Result<Self> {
        let bin = find_programs()?;
        give_to_server_user(folder)?;
        let mut made = Self { bin, folder: folder.join("data"), log, port, process: None };
        made.initialise(room).await?;
        made.go_on()?;
        made.make_database().await?;
        Ok(made)
    }

    /// Returns the database's URL.
    pub(crate) fn url(&self) -> String {
        format!("postgresql://spalla@127.0.0.1:{}/{DATABASE}", self.port)
    }

    async fn initialise(&self, room: Room) -> Result<()> {
        let mut initdb = as_server_user(&self.bin.join("initdb"));
        initdb.arg("-D").arg(&self.folder);
        initdb.args(["-U", "spalla", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-instructions"]);
        let status = Process::start(&mut initdb, &self.log)?.wait().await?;
        anyhow::ensure!(status.success(), "initdb: {status}; see {}", self.log.display());
        let settings = self.folder.join("postgresql.conf");
        let socket = self.folder.parent().unwrap_or(&self.folder).display().to_string();
        let mut text = std::fs::read_to_string(&settings).context("reading the settings of Postgres")?;
        let place = format!("port = {}\nunix_socket_directories = '{socket}'\n", self.port);
        text.push_str(&[SETTINGS, room.settings(), &place].concat());
        std::fs::write(&settings, text).context("writing the settings of Postgres")
    }

    async fn make_database(&self) -> Result<()> {
        let port = self.port.to_string();
        let words = ["-h", "127.0.0.1", "-p", &port, "-U", "spalla", DATABASE].map(OsStr::new);
        let createdb = self.bin.join("createdb");
        let begun = Instant::now();
        loop {
            match output(&createdb.to_string_lossy(), &words).await {
                Ok(_) => return Ok(()),
                Err(error) if begun.elapsed() > READY_WITHIN => return Err(error),
                Err(_) => tokio::time::sleep(LOOK).await,
            }
        }
    }

    /// Runs a statement, as an administrator would.
    pub(crate) async fn run(&self, statement: &str) -> Result<()> {
        psql(&self.bin.join("psql"), &self.url(), statement).await
    }

    /// Runs a statement on a server of somebody else's.
    pub(crate) async fn run_at(url: &str, statement: &str) -> Result<()> {
        psql(&find_programs()?.join("psql"), url, statement).await
    }

    /// Starts the server where it does not run.
    pub(crate) fn go_on(&mut self) -> Result<()> {
        if self.process.as_mut().is_some_and(|process| process.ended().is_none()) {
            return Ok(());
        }
        let mut command = as_server_user(&self.bin.join("postgres"));
        command.arg("-D").arg(&self.folder);
        self.process = Some(Process::start(&mut command, &self.log)?);
        Ok(())
    }

    /// Stops the server at once, in the way it calls immediate; the next start recovers.
    pub(crate) async fn crash(&mut self) -> Result<()> {
        let Some(process) = self.process.take() else { return Ok(()) };
        // Where it is gone already there is nothing to stop.
        let _ = process.signal(Signal::SIGQUIT);
        process.wait().await.map(drop)
    }
}

async fn psql(program: &Path, url: &str, statement: &str) -> Result<()> {
    let words = ["-q", "-v", "ON_ERROR_STOP=1", "-c", statement, url].map(OsStr::new);
    output(&program.to_string_lossy(), &words).await.map(drop)
}

/// Finds a port that nobody listens on.
pub(crate) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("finding a free port")?;
    Ok(listener.local_addr().context("finding a free port")?.port())
}

/// Returns the folder of the newest programs of Postgres.
pub(crate) fn find_programs() -> Result<PathBuf> {
    let major = |path: &Path| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let folders = std::fs::read_dir(VERSIONS).into_iter().flatten().flatten().map(|entry| entry.path());
    let versions = folders.filter_map(|path| Some((major(&path)?, path.join("bin"))));
    let newest = versions.filter(|(_, bin)| bin.join("initdb").exists()).max();
    let Some((_, bin)) = newest else {
        bail!("no Postgres under {VERSIONS}: run scripts/setup-test.sh");
    };
    Ok(bin)
}

fn give_to_server_user(folder: &Path) -> Result<()> {
    if Uid::current().is_root() {
        let user = User::from_name(SERVER_USER).ok().flatten().context("there is no user postgres")?;
        chown(folder, Some(user.uid.as_raw()), Some(user.gid.as_raw())).context("giving a folder away")?;
    }
    Ok(())
}

fn as_server_user(program: &Path) -> Command {
    let mut command = bound(program);
    if Uid::current().is_root() {
        command = Command::new("setpriv");
        command.args(["--reuid", SERVER_USER, "--regid", SERVER_USER, "--clear-groups"]);
        command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    }
    command.current_dir("/");
    command
}
