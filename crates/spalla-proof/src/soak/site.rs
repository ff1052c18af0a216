//! The machines of the soak: servers behind proxies, workers, and where they keep what they keep.

use super::Store;
use super::proxy::Proxy;
use super::rest::{Rest, Wish};
use super::volume::Volume;
use crate::postgres::{Postgres, Room, free_port};
use crate::process::{Process, bound};
use anyhow::{Context as _, Result, bail};
use nix::unistd::Uid;
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::Instant;

const WORKERS: usize = 4;
/// Runs at once of each worker: enough to keep two cores busy with tiny steps.
const CONCURRENCY: &str = "4";
/// The lease of the real workers; whoever is stopped for longer has lost its runs.
pub(crate) const LEASE: Duration = Duration::from_secs(2);
/// How long a server may take to serve again before the soak has failed.
const SERVING_WITHIN: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(10);
/// A server that ended at once is started again, as a service manager would.
const RESTART_AFTER: Duration = Duration::from_millis(100);

/// One server.
pub(crate) struct Server {
    address: SocketAddr,
    /// What its clients go through.
    pub(crate) proxy: Proxy,
    data: PathBuf,
    /// What it prints.
    pub(crate) log: PathBuf,
    /// Its process, while it runs.
    pub(crate) process: Option<Process>,
    direct: Rest,
}

/// One worker.
pub(crate) struct Worker {
    /// Its process, while it runs.
    pub(crate) process: Option<Process>,
    data: PathBuf,
    log: PathBuf,
    url: String,
}

/// Everything that runs. Processes come before the folders that they use, so that they end first.
pub(crate) struct Site {
    /// The servers.
    pub(crate) servers: Vec<Server>,
    /// The workers.
    pub(crate) workers: Vec<Worker>,
    /// The database, where it is not a file.
    pub(crate) postgres: Option<Postgres>,
    /// The disk of the database, where it is one of its own.
    pub(crate) volume: Option<Volume>,
    /// The library that steps a process's clock.
    pub(crate) clock_library: Option<PathBuf>,
    binary: PathBuf,
    home: PathBuf,
    root: TempDir,
}

impl Site {
    /// Starts everything.
    pub(crate) async fn start(store: Store, binary: PathBuf) -> Result<Self> {
        let root = tempfile::Builder::new().prefix("spalla-soak-").tempdir().context("making a folder")?;
        let disk = root.path().join("disk");
        std::fs::create_dir_all(&disk).context("making a folder")?;
        for name in ["home", "logs", "shared"] {
            std::fs::create_dir(root.path().join(name)).context("making a folder")?;
        }
        let volume = if Uid::current().is_root() { Volume::mount(&disk).await.ok() } else { None };
        let mut site = Self {
            servers: vec![],
            workers: vec![],
            postgres: None,
            volume,
            clock_library: find_clock_library(),
            binary,
            home: root.path().join("home"),
            root,
        };
        if store == Store::Postgres {
            site.let_others_pass()?;
            site.postgres =
                Some(Postgres::start(&disk, site.log("postgres"), free_port()?, Room::Small).await?);
        }
        let count = if store == Store::Postgres { 2 } else { 1 };
        for number in 0..count {
            let data = if store == Store::Postgres { site.root.path() } else { &disk };
            let server = site.prepare_server(number, data.join(format!("server-{number}"))).await?;
            site.servers.push(server);
            site.serve(number, None).await?;
        }
        for number in 0..WORKERS {
            let url = site.servers[number % count].proxy.url.clone();
            let data = site.root.path().join(format!("worker-{number}"));
            let log = site.log(&format!("worker-{number}"));
            site.workers.push(Worker { process: None, data, log, url });
            site.start_worker(number)?;
        }
        Ok(site)
    }

    /// The database's user has to reach its own folder below this one.
    fn let_others_pass(&self) -> Result<()> {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::Permissions::from_mode(0o711);
        std::fs::set_permissions(self.root.path(), mode).context("opening a folder")
    }

    fn log(&self, name: &str) -> PathBuf {
        self.root.path().join("logs").join(format!("{name}.log"))
    }

    /// Returns the folder of everything.
    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    async fn prepare_server(&self, number: usize, data: PathBuf) -> Result<Server> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let proxy = Proxy::start(address).await?;
        let direct = Rest::without_pool(format!("http://{address}"))?;
        let log = self.log(&format!("server-{number}"));
        Ok(Server { address, proxy, data, log, process: None, direct })
    }

    fn command(&self, data: &Path) -> Command {
        let mut command = bound(&self.binary);
        command.current_dir(self.root.path()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", &self.home).env("SPALLA_DATA", data).env("SPALLA_LOG", "warn");
        command
    }

    /// Starts a server's process, maybe with another clock, and does not wait for it.
    pub(crate) fn spawn_server(&mut self, number: usize, clock: Option<&str>) -> Result<()> {
        let server = &self.servers[number];
        let mut command = self.command(&server.data);
        command.args(["serve", "--auth", "none", "--no-open", "--listen", &server.address.to_string()]);
        if let Some(postgres) = &self.postgres {
            command.args(["--database", &postgres.url()]);
        }
        command.env("SPALLA_HOSTS", server.proxy.url.trim_start_matches("http://"));
        command.env("ORCH_BACKOFF_BASE_SECONDS", "0.2").env("ORCH_MAX_TAKEOVERS", "20");
        // Clients ask far more often than people.
        command.env("ORCH_RATE_LIMIT_PER_MIN", "0");
        if let (Some(step), Some(library)) = (clock, &self.clock_library) {
            command.env("LD_PRELOAD", library).env("FAKETIME", step);
            command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("DONT_FAKE_MONOTONIC", "1");
        }
        self.servers[number].process = Some(Process::start(&mut command, &server.log)?);
        Ok(())
    }

    /// Starts a server and returns how long it took until it did something.
    pub(crate) async fn serve(&mut self, number: usize, clock: Option<&str>) -> Result<Duration> {
        let begun = Instant::now();
        self.spawn_server(number, clock)?;
        loop {
            if self.servers[number].mutates().await {
                return Ok(begun.elapsed());
            }
            let ended = self.servers[number].process.as_mut().and_then(Process::ended);
            if begun.elapsed() > SERVING_WITHIN {
                bail!(
                    "server {number} does not serve; ended: {ended:?}; see {}",
                    self.servers[number].log.display()
                );
            }
            if ended.is_some() {
                tokio::time::sleep(RESTART_AFTER).await;
                self.spawn_server(number, clock)?;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until a running server does something again by itself, and returns how long that took.
    pub(crate) async fn recovered(&mut self, number: usize) -> Result<Duration> {
        let begun = Instant::now();
        while !self.servers[number].mutates().await {
            if begun.elapsed() > SERVING_WITHIN {
                bail!(
                    "server {number} does not recover by itself; see {}",
                    self.servers[number].log.display()
                );
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(begun.elapsed())
    }

    /// Ends a server as a crash would.
    pub(crate) async fn kill_server(&mut self, number: usize) -> Result<()> {
        match self.servers[number].process.take() {
            Some(process) => process.kill().await,
            None => Ok(()),
        }
    }

    /// Starts a worker.
    pub(crate) fn start_worker(&mut self, number: usize) -> Result<()> {
        let worker = &self.workers[number];
        let mut command = self.command(&worker.data);
        command.args(["worker", "--server", &worker.url, "--concurrency", CONCURRENCY]);
        command.env("AGENT_CLAIM_TTL", LEASE.as_secs().to_string()).env("AGENT_HEARTBEAT_INTERVAL", "0.5");
        command.env("AGENT_INTERVAL", "2").env("ORCH_SANDBOX_WRITE", self.root.path().join("shared"));
        self.workers[number].process = Some(Process::start(&mut command, &worker.log)?);
        Ok(())
    }

    /// Ends servers and workers, and lets the product itself check its whole history; returns each law that is broken.
    pub(crate) async fn check_history(&mut self) -> Result<Vec<String>> {
        self.workers.clear();
        for number in 0..self.servers.len() {
            self.kill_server(number).await?;
        }
        let mut command = self.command(&self.servers[0].data);
        command.args(["doctor", "--check-history", "--drained", "--json"]).kill_on_drop(true);
        if let Some(postgres) = &self.postgres {
            command.args(["--database", &postgres.url()]);
        }
        let output = command.output().await.context("running spalla doctor")?;
        let report: Value = serde_json::from_slice(&output.stdout).with_context(|| {
            format!("spalla doctor ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr))
        })?;
        let broken = report["violations"].as_array().context("spalla doctor names no violations")?;
        let mut broken: Vec<String> = broken.iter().map(|law| format!("history: {law}")).collect();
        let count = report["violation_count"].as_u64().context("spalla doctor counts no violations")?;
        if count > broken.len() as u64 || (broken.is_empty() && !output.status.success()) {
            broken.push(format!("history: {count} violations, {}", output.status));
        }
        if report["rows_compared"] != true {
            broken
                .push("history: the rows were not compared, and nobody was there to change them".to_owned());
        }
        Ok(broken)
    }

    /// Keeps everything that may explain a failure, and returns where.
    pub(crate) async fn keep(mut self) -> Result<PathBuf> {
        for number in 0..self.servers.len() {
            self.kill_server(number).await?;
        }
        self.workers.clear();
        if let Some(mut postgres) = self.postgres.take() {
            postgres.crash().await?;
        }
        let (disk, kept) = (self.root.path().join("disk"), self.root.path().join("kept"));
        if self.volume.is_some() {
            let words = ["-a".as_ref(), disk.as_os_str(), kept.as_os_str()];
            crate::process::output("cp", &words).await?;
        }
        drop(self.volume.take());
        Ok(self.root.keep())
    }
}

impl Server {
    /// Asks for a small change, and tells whether it was made.
    async fn mutates(&self) -> bool {
        self.refusal().await.is_some_and(|refusal| refusal.is_none())
    }

    /// Asks for a small change: none where nobody answers, and otherwise the code of the refusal, if it is one.
    pub(crate) async fn refusal(&self) -> Option<Option<String>> {
        let answer = self.direct.ask(&Wish::post("/projects/", json!({"name": "probe"}))).await?;
        let code = || answer.body["code"].as_str().unwrap_or("none").to_owned();
        Some((!answer.is_good()).then(code))
    }

    /// Returns the moment at which the server says that it made something, as text.
    pub(crate) async fn clock(&self) -> Result<String> {
        let answer = self.direct.obtain(&Wish::post("/projects/", json!({"name": "clock"}))).await?;
        answer.body["created_at"].as_str().map(str::to_owned).context("a project without its moment")
    }

    /// Returns a client that goes past the proxy.
    pub(crate) fn direct(&self) -> Result<Rest> {
        Rest::new(vec![format!("http://{}", self.address)])
    }
}

fn find_clock_library() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").ok()?.flatten();
    let mut found = folders.map(|entry| entry.path().join("faketime/libfaketimeMT.so.1"));
    found.find(|path| path.exists())
}
