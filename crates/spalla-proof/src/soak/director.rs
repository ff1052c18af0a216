//! Deals the faults, one after the other, while the load goes on; brings back what they took away, and measures that.

use super::Store;
use super::faults::{Deck, Fault};
use super::site::{LEASE, Site};
use crate::process::output;
use anyhow::{Context as _, Result};
use nix::sys::signal::Signal;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::time::Duration;
use tokio::time::Instant;

/// Far enough past the lease that somebody else has the runs.
const STOPPED: Duration = Duration::from_millis(LEASE.as_millis() as u64 + 700);
/// How long a server has to show what it makes of a full or read-only disk.
const SHOW_WITHIN: Duration = Duration::from_millis(1_500);
const STARVED: Duration = Duration::from_millis(700);
const LOOK: Duration = Duration::from_millis(50);

/// What was done, and what came of it.
#[derive(Debug, Default)]
pub(crate) struct Toll {
    /// Kills, stops and restarts.
    pub(crate) kills: u64,
    /// Faults by kind.
    pub(crate) faults: BTreeMap<&'static str, u64>,
    /// Faults that could not be made here, by kind, with the reason.
    pub(crate) skipped: BTreeMap<&'static str, String>,
    /// The codes of refusals while a disk was full or read-only, or files were too few.
    pub(crate) refusals: BTreeMap<String, u64>,
    /// From the start of a killed server to its first change.
    pub(crate) recoveries: Vec<Duration>,
    /// From the end of a fault without restart to the first change.
    pub(crate) healings: Vec<Duration>,
    /// What no server may do.
    pub(crate) violations: Vec<String>,
}

/// Who makes the faults.
pub(crate) struct Director<'a> {
    site: &'a mut Site,
    deck: Deck,
    random: StdRng,
    /// Stopped workers, and when they go on.
    stopped: BTreeMap<usize, Instant>,
    /// What was done so far.
    pub(crate) toll: Toll,
}

impl<'a> Director<'a> {
    /// Makes a director whose choices follow from the seed.
    pub(crate) fn new(site: &'a mut Site, store: Store, seed: u64) -> Self {
        let deck = Deck::new(store, StdRng::seed_from_u64(seed));
        let random = StdRng::seed_from_u64(seed.wrapping_add(1));
        Self { site, deck, random, stopped: BTreeMap::new(), toll: Toll::default() }
    }

    /// Makes one fault and waits a moment.
    pub(crate) async fn next(&mut self) -> Result<()> {
        let fault = self.deck.deal();
        let before = self.toll.kills;
        if let Some(why) = self.impossible(fault) {
            self.toll.skipped.insert(fault.as_str(), why);
            return Ok(());
        }
        self.make(fault).await.with_context(|| format!("after fault {}", fault.as_str()))?;
        *self.toll.faults.entry(fault.as_str()).or_default() += 1;
        let rest = if self.toll.kills > before { 100..500 } else { 0..150 };
        let rest = Duration::from_millis(self.random.random_range(rest));
        tokio::time::sleep(rest).await;
        self.wake_stopped(false)
    }

    /// Brings everything back.
    pub(crate) fn heal(mut self) -> Result<Toll> {
        self.wake_stopped(true)?;
        Ok(self.toll)
    }

    fn impossible(&self, fault: Fault) -> Option<String> {
        match fault {
            Fault::DiskFull | Fault::ReadOnly if self.site.volume.is_none() => {
                Some("a disk of its own needs the right to mount".to_owned())
            }
            Fault::ClockBack | Fault::ClockForward if self.site.clock_library.is_none() => {
                Some("libfaketime is not installed: run scripts/setup-test.sh".to_owned())
            }
            _ => None,
        }
    }

    async fn make(&mut self, fault: Fault) -> Result<()> {
        match fault {
            Fault::ServerKill => self.kill_server(None).await,
            Fault::WorkerKill => self.kill_worker().await,
            Fault::WorkerStop => self.stop_worker(),
            Fault::PostgresRestart => self.restart_postgres().await,
            Fault::DiskFull => self.fill_disk().await,
            Fault::ReadOnly => self.forbid_writing().await,
            Fault::ClockBack => self.step_clock("-1h").await,
            Fault::ClockForward => self.step_clock("+1h").await,
            Fault::Cut => self.each_proxy(|proxy, _| proxy.cut()),
            Fault::Stall => self.each_proxy(|proxy, time| proxy.stall(time)),
            Fault::HalfClose => self.each_proxy(|proxy, _| proxy.half_close()),
            Fault::TooFewFiles => self.starve_of_files().await,
        }
    }

    fn any_server(&mut self) -> usize {
        self.random.random_range(0..self.site.servers.len())
    }

    fn each_proxy(&mut self, trouble: impl Fn(&super::proxy::Proxy, Duration)) -> Result<()> {
        let time = Duration::from_millis(self.random.random_range(200..1_200));
        for server in &self.site.servers {
            trouble(&server.proxy, time);
        }
        Ok(())
    }

    async fn kill_server(&mut self, clock: Option<&str>) -> Result<()> {
        let number = self.any_server();
        self.restart(number, clock).await
    }

    async fn restart(&mut self, number: usize, clock: Option<&str>) -> Result<()> {
        self.site.kill_server(number).await?;
        self.toll.kills += 1;
        let took = self.site.serve(number, clock).await?;
        self.toll.recoveries.push(took);
        Ok(())
    }

    async fn kill_worker(&mut self) -> Result<()> {
        let number = self.random.random_range(0..self.site.workers.len());
        self.stopped.remove(&number);
        if let Some(process) = self.site.workers[number].process.take() {
            process.kill().await?;
        }
        self.toll.kills += 1;
        self.site.start_worker(number)
    }

    fn stop_worker(&mut self) -> Result<()> {
        let number = self.random.random_range(0..self.site.workers.len());
        if let Some(process) = &self.site.workers[number].process {
            process.signal(Signal::SIGSTOP)?;
        }
        self.stopped.insert(number, Instant::now() + STOPPED);
        self.toll.kills += 1;
        Ok(())
    }

    fn wake_stopped(&mut self, all: bool) -> Result<()> {
        let now = Instant::now();
        for (number, _) in self.stopped.extract_if(.., |_, until| all || *until <= now) {
            if let Some(process) = &self.site.workers[number].process {
                process.signal(Signal::SIGCONT)?;
            }
        }
        Ok(())
    }

    async fn restart_postgres(&mut self) -> Result<()> {
        let Some(postgres) = &mut self.site.postgres else { return Ok(()) };
        postgres.crash().await?;
        self.toll.kills += 1;
        postgres.go_on()?;
        self.healed().await
    }

    /// Waits until every server makes changes again, by itself.
    async fn healed(&mut self) -> Result<()> {
        let begun = Instant::now();
        for number in 0..self.site.servers.len() {
            self.site.recovered(number).await?;
        }
        self.toll.healings.push(begun.elapsed());
        Ok(())
    }

    async fn fill_disk(&mut self) -> Result<()> {
        let Some(volume) = &self.site.volume else { return Ok(()) };
        volume.fill()?;
        self.see_refusal(0, "the disk is full").await;
        if let Some(volume) = &self.site.volume {
            volume.free()?;
        }
        // A database that gave up meanwhile is started again, as a service manager would.
        let begun = Instant::now();
        while let Some(postgres) = &mut self.site.postgres {
            postgres.go_on()?;
            if begun.elapsed() > SHOW_WITHIN {
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
        self.healed().await
    }

    /// Looks at what a starved server says, for a moment; one that has enough left to go on may say nothing.
    async fn see_refusal(&mut self, number: usize, why: &str) {
        let begun = Instant::now();
        while begun.elapsed() < SHOW_WITHIN {
            match self.site.servers[number].refusal().await {
                Some(Some(code)) => {
                    if code == "internal" || code == "none" {
                        self.toll.violations.push(format!("while {why} the server says {code:?}"));
                    }
                    *self.toll.refusals.entry(code).or_default() += 1;
                    return;
                }
                Some(None) => {}
                None => {
                    *self.toll.refusals.entry("silence".to_owned()).or_default() += 1;
                    return;
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The kernel refuses to take the right to write from whoever is writing: the server starts into it.
    async fn forbid_writing(&mut self) -> Result<()> {
        let number = self.any_server();
        let Some(volume) = &self.site.volume else { return Ok(()) };
        if let Some(postgres) = &mut self.site.postgres {
            postgres.crash().await?;
            volume.remount("ro").await?;
            postgres.go_on()?;
            tokio::time::sleep(STARVED).await;
            volume.remount("rw").await?;
            postgres.crash().await?;
            postgres.go_on()?;
            self.toll.kills += 1;
            return self.healed().await;
        }
        self.site.kill_server(number).await?;
        self.toll.kills += 1;
        self.remount("ro").await?;
        self.site.spawn_server(number, None)?;
        self.see_end_or_refusal(number).await;
        self.site.kill_server(number).await?;
        self.remount("rw").await?;
        let took = self.site.serve(number, None).await?;
        self.toll.recoveries.push(took);
        Ok(())
    }

    async fn remount(&self, how: &str) -> Result<()> {
        match &self.site.volume {
            Some(volume) => volume.remount(how).await,
            None => Ok(()),
        }
    }

    /// A server on a disk that it can't write has to say so: it refuses changes, or it ends with one clear line.
    async fn see_end_or_refusal(&mut self, number: usize) {
        let begun = Instant::now();
        while begun.elapsed() < SHOW_WITHIN {
            let server = &mut self.site.servers[number];
            if let Some(status) = server.process.as_mut().and_then(crate::process::Process::ended) {
                let log = std::fs::read_to_string(&server.log).unwrap_or_default();
                let last = log.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
                let code = if last.starts_with("error:") { "start_refused" } else { "start_unclear" };
                if code == "start_unclear" {
                    self.toll
                        .violations
                        .push(format!("on a read-only disk it ended with {status}: {last:?}"));
                }
                *self.toll.refusals.entry(code.to_owned()).or_default() += 1;
                return;
            }
            match server.refusal().await {
                Some(Some(code)) => return *self.toll.refusals.entry(code).or_default() += 1,
                Some(None) => {
                    return self.toll.violations.push("a change was made on a read-only disk".to_owned());
                }
                None => tokio::time::sleep(LOOK).await,
            }
        }
        self.toll.violations.push("on a read-only disk a server neither ended nor answered".to_owned());
    }

    async fn step_clock(&mut self, step: &str) -> Result<()> {
        let number = self.any_server();
        let before = self.site.servers[number].clock().await?;
        self.restart(number, Some(step)).await?;
        let after = self.site.servers[number].clock().await?;
        if !is_an_hour_apart(&before, &after) {
            self.toll.violations.push(format!("the clock was not stepped: {before} {after}"));
        }
        let time = Duration::from_millis(self.random.random_range(200..900));
        tokio::time::sleep(time).await;
        self.restart(number, None).await
    }

    async fn starve_of_files(&mut self) -> Result<()> {
        let number = self.any_server();
        let Some(process) = &self.site.servers[number].process else { return Ok(()) };
        let pid = process.pid().to_string();
        let open = std::fs::read_dir(format!("/proc/{pid}/fd")).context("counting open files")?.count();
        limit_files(&pid, &format!("{open}:")).await?;
        // Whoever comes back now finds nobody who lets them in, and whoever is in still has to be served.
        self.site.servers[number].proxy.cut();
        tokio::time::sleep(STARVED).await;
        limit_files(&pid, "1024:").await?;
        self.healed().await
    }
}

async fn limit_files(pid: &str, limit: &str) -> Result<()> {
    let limit = format!("--nofile={limit}");
    output("prlimit", &["--pid", pid, &limit].map(OsStr::new)).await.map(drop)
}

/// Compares the hours of two moments in text; a fault never takes long enough for anything else.
fn is_an_hour_apart(before: &str, after: &str) -> bool {
    let minutes = |moment: &str| {
        let (hours, minutes) =
            (moment.get(11..13)?.parse::<i64>().ok()?, moment.get(14..16)?.parse::<i64>().ok()?);
        Some(hours * 60 + minutes)
    };
    let Some((before, after)) = minutes(before).zip(minutes(after)) else { return false };
    let apart = (after - before).rem_euclid(24 * 60);
    (59..=62).contains(&apart) || (24 * 60 - 62..=24 * 60 - 58).contains(&apart)
}

#[cfg(test)]
mod tests {
    use super::is_an_hour_apart;

    #[test]
    fn a_stepped_clock_is_told_from_one_that_was_not() {
        assert!(is_an_hour_apart("2026-01-01T23:30:00.000Z", "2026-01-02T00:30:02.000Z"));
        assert!(is_an_hour_apart("2026-01-02T00:30:00.000Z", "2026-01-01T23:30:02.000Z"));
        assert!(!is_an_hour_apart("2026-01-02T00:30:00.000Z", "2026-01-02T00:30:02.000Z"));
        assert!(!is_an_hour_apart("no moment", "2026-01-02T00:30:02.000Z"));
    }
}
