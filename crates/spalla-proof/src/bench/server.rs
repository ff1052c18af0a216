//! The real program as a server: on a free port of loopback, with a data folder of its own.

use crate::postgres::free_port;
use crate::process::{Process, bound};
use anyhow::{Context as _, Result, bail};
use spalla_store::Location;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::process::Command;

/// Longer than any start takes.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// Small beside what a start takes.
const LOOK: Duration = Duration::from_millis(1);

/// A home, a data folder and the program.
pub(crate) struct House {
    binary: PathBuf,
    root: TempDir,
}

/// Who may use a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Auth {
    /// Whoever has the token.
    Token,
    /// Everybody on this machine.
    None,
}

/// A running server.
pub(crate) struct Server {
    /// Where it is.
    pub(crate) url: String,
    /// What its clients send, where it asks for it.
    pub(crate) token: Option<String>,
    /// From the start of the process to the first good answer about its health.
    pub(crate) ready_after: Duration,
    process: Process,
}

impl House {
    /// Makes an empty one.
    pub(crate) fn build(binary: &Path) -> Result<Self> {
        let root = tempfile::Builder::new().prefix("spalla-bench-").tempdir().context("making a folder")?;
        std::fs::create_dir(root.path().join("home")).context("making a folder")?;
        Ok(Self { binary: binary.to_owned(), root })
    }

    /// Prepares a call of the program, with nothing of this machine's settings.
    pub(crate) fn command(&self) -> Command {
        let mut command = bound(&self.binary);
        command.current_dir(self.root.path()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.root.path().join("home")).env("SPALLA_LOG", "warn");
        // What is measured is the server, not its patience.
        command.env("SPALLA_DATA", self.data()).env("ORCH_RATE_LIMIT_PER_MIN", "0");
        command
    }

    /// Starts `spalla up` on a database and waits until it is ready.
    pub(crate) async fn up(&self, database: &Location, auth: Auth, extra: &[&str]) -> Result<Server> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let mut command = self.command();
        command.args(["up", "--no-open", "--listen", &address.to_string()]).args(extra);
        command.args(["--auth", if auth == Auth::Token { "token" } else { "none" }]);
        command.args(["--database", &url_of(database)?]);
        let log = self.root.path().join("server.log");
        let http = reqwest::Client::builder().timeout(READY_WITHIN).build()?;
        let (url, began) = (format!("http://{address}"), Instant::now());
        let mut process = Process::start(&mut command, &log)?;
        while !is_healthy(&http, &url).await {
            let ended = process.ended();
            if ended.is_some() || began.elapsed() > READY_WITHIN {
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                bail!("the server is not ready; ended: {ended:?}; it said: {said}");
            }
            tokio::time::sleep(LOOK).await;
        }
        let ready_after = began.elapsed();
        let token = match auth {
            Auth::None => None,
            Auth::Token => Some(std::fs::read_to_string(self.data().join("token"))?.trim().to_owned()),
        };
        Ok(Server { url, token, ready_after, process })
    }

    fn data(&self) -> PathBuf {
        self.root.path().join("data")
    }
}

async fn is_healthy(http: &reqwest::Client, url: &str) -> bool {
    http.get(format!("{url}/health")).send().await.is_ok_and(|answer| answer.status().is_success())
}

fn url_of(database: &Location) -> Result<String> {
    match database {
        Location::Sqlite(path) => Ok(format!("sqlite://{}", path.display())),
        Location::Postgres(url) => Ok(url.clone()),
        Location::Memory(_) => bail!("a server keeps nothing in memory"),
    }
}

impl Server {
    /// Returns the number of its process.
    pub(crate) const fn pid(&self) -> i32 {
        self.process.pid().as_raw()
    }

    /// Ends it, as a crash would: nothing here is kept.
    pub(crate) async fn stop(self) -> Result<()> {
        self.process.kill().await
    }
}
