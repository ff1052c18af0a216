//! A process of the binary that is started again when it died as it was ordered to.

use super::scenario::Arming;
use super::site::Site;
use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::{Duration, Instant};
use tokio::process::Child;

/// How long it may take to go once it is told to.
const GOING: Duration = Duration::from_secs(40);
/// How long after its start it may not know yet what it does when it is told to go: then it just goes.
const NEW: Duration = Duration::from_secs(2);

/// The process, through its deaths.
pub(super) struct Spawned<'s> {
    site: &'s Site,
    args: Vec<String>,
    child: Child,
    started: Instant,
    /// Whether it died as it was ordered to.
    pub(super) died: bool,
}

impl<'s> Spawned<'s> {
    /// Starts it; it is the scenario's process of this number.
    pub(super) fn start(
        site: &'s Site,
        args: Vec<String>,
        arming: &Arming,
        process: usize,
    ) -> anyhow::Result<Self> {
        let child = start(site, &args, arming, process)?;
        Ok(Self { site, args, child, started: Instant::now(), died: false })
    }

    /// Keeps it running. Returns only when it ended in another way than it should have.
    pub(super) async fn tend(&mut self) -> anyhow::Result<String> {
        loop {
            let status = self.child.wait().await.context("waiting for the process")?;
            if self.died || !self.was_ordered(status) {
                return Ok(format!("{} ended by itself: {status}", self.args[0]));
            }
            self.died = true;
            self.child = start(self.site, &self.args, &Arming::None, 0)?;
            self.started = Instant::now();
        }
    }

    /// Tells it to go and waits for that; it may die as ordered on its way. Returns what went wrong.
    pub(super) async fn stop(&mut self) -> anyhow::Result<Option<String>> {
        let is_new = self.started.elapsed() < NEW;
        let pid = self.child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        if let Some(pid) = pid {
            let _ = kill_process(pid, Signal::TERM);
        }
        let Ok(status) = tokio::time::timeout(GOING, self.child.wait()).await else {
            self.child.kill().await.context("killing the process")?;
            return Ok(Some(format!("{} did not go within {GOING:?}", self.args[0])));
        };
        let status = status.context("waiting for the process")?;
        if !self.died && self.was_ordered(status) {
            self.died = true;
            return Ok(None);
        }
        let just_went = is_new && status.signal() == Some(Signal::TERM.as_raw());
        Ok((!status.success() && !just_went).then(|| format!("{} went with {status}", self.args[0])))
    }

    /// Waits until it ends by itself.
    pub(super) async fn wait(&mut self, limit: Duration) -> anyhow::Result<Option<ExitStatus>> {
        let ended = tokio::time::timeout(limit, self.child.wait()).await;
        let status = ended.ok().transpose().context("waiting for the process")?;
        self.died |= status.is_some_and(|status| self.was_ordered(status));
        Ok(status)
    }

    fn was_ordered(&self, status: ExitStatus) -> bool {
        status.signal() == Some(Signal::KILL.as_raw()) && self.site.witness().exists()
    }
}

fn start(site: &Site, args: &[String], arming: &Arming, process: usize) -> anyhow::Result<Child> {
    let mut command = tokio::process::Command::from(site.command(args, arming, process)?);
    command.kill_on_drop(true).spawn().context("starting the binary")
}
