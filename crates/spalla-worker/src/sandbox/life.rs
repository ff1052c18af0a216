//! The hold on a command's tree, from its order to its end.

use super::line::Line;
use super::{CommandSpec, Ended, How, SpawnError, TREE_VARIABLE, Walls};
use crate::refusals::Refusals;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use spalla_sandbox::{
    Attestation, KILL_MS_MAX, Layer, Order, Policy, Preset, SecretFiles, SupervisedOrder, Survival, Word,
    end_descendants, end_marked,
};
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How much longer than it should a supervisor may take to end a tree before the worker does so itself, in
/// milliseconds: the supervisor hangs, or the command has stopped it.
const PATIENCE_MS: u64 = 2_000;
/// How long a supervisor may take to start a command, in milliseconds: far above what a crowded machine needs.
pub(super) const START_MS: u64 = 60_000;
/// How many refusals of hosts are kept for the record of a command.
const REFUSED_HOSTS_MAX: usize = 256;

/// The hold on a command's tree. Dropping it ends the tree, without anybody waiting for it.
#[derive(Debug)]
pub struct Life {
    line: Line,
    /// The mark in the environment of a tree without walls; none behind them, where a process is the whole tree's end.
    tree: Option<String>,
    /// The process with which everything behind walls ends.
    first: Option<OwnedFd>,
    /// The number of that process.
    pid: i32,
    attestation: Option<Attestation>,
    refused_hosts: Vec<String>,
    refusals: Refusals,
    timeout: Option<Duration>,
    grace: Duration,
    over: CancellationToken,
}

/// On which terms a command is taken up again that an earlier process started.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    /// How long it may still take.
    pub(crate) timeout: Option<Duration>,
    /// How long its tree has between the wish to end and the end by force.
    pub(crate) grace: Duration,
    /// The mark in the environment of its tree; none behind walls.
    pub(crate) tree: Option<String>,
    /// What is told at once of the hosts that it is refused.
    pub(crate) refusals: Refusals,
}

/// Makes the order of a command that outlives this process.
pub(super) fn order_of_surviving(
    spec: &CommandSpec,
    tree: Option<&str>,
    (survival, journal): (&Survival, &Path),
) -> SupervisedOrder {
    let (survival, journal) = (Some(survival.clone()), Some(journal.to_owned()));
    SupervisedOrder { survival, journal, ..order_of(spec, tree) }
}

/// Makes the order of a command.
pub(super) fn order_of(spec: &CommandSpec, tree: Option<&str>) -> SupervisedOrder {
    let (mut policy, (outside, journal)) = match &spec.walls {
        // The time is kept here; the supervisor's own is for one that is left alone.
        Walls::None => {
            let mut policy = Policy::new(Preset::None, spec.cwd.clone());
            policy.limits.timeout_ms = u64::MAX;
            (policy, (BTreeMap::new(), None))
        }
        Walls::Up(confined) => {
            let mut outside = confined.outside.clone();
            confined.credentials.add_to(&mut outside);
            (confined.policy.clone(), (outside, confined.journal.clone()))
        }
    };
    policy.limits.grace_ms = spec.grace_ms.max(0).unsigned_abs();
    let mut environment = spec.env.clone();
    environment.extend(tree.map(|tree| (TREE_VARIABLE.to_owned(), tree.to_owned())));
    // Whoever is not told where a secret is does not have it.
    let mut secret_files = match &spec.walls {
        Walls::Up(confined) => confined.secret_files.clone(),
        Walls::None => SecretFiles::default(),
    };
    secret_files.retain(|path| spec.env.values().any(|value| Path::new(value) == path));
    let command = spalla_sandbox::Command {
        program: spec.program.clone(),
        arguments: spec.args.clone(),
        environment,
        folder: Some(spec.cwd.clone()),
        // What runs leave lies in a data folder that is its owner's alone.
        umask: Some(0o077),
        secret_files,
    };
    let label = Some(spec.label.clone());
    let order = Order { policy, command };
    SupervisedOrder { order, outside, journal, label, ahead: false, survival: None }
}

impl Life {
    /// Hands an order over and waits until its command is started; none, and nothing was started, if the walls that the
    /// supervisor put up ahead are not those that it needs.
    pub(super) async fn begin(
        mut line: Line,
        spec: &CommandSpec,
        order: &SupervisedOrder,
        tree: Option<String>,
        over: CancellationToken,
    ) -> Result<Option<Self>, SpawnError> {
        let duration = |ms: i64| Duration::from_millis(ms.max(0).unsigned_abs());
        let refusals = match &spec.walls {
            Walls::Up(confined) => confined.refusals.clone(),
            Walls::None => Refusals::default(),
        };
        if order.survival.is_some() {
            line.survive();
        }
        let mut life = Self {
            line,
            tree,
            first: None,
            pid: 0,
            attestation: None,
            refused_hosts: Vec::new(),
            refusals,
            timeout: spec.timeout_ms.map(duration),
            grace: duration(spec.grace_ms),
            over,
        };
        let answer = async { (life.line.send(order, &spec.stdin).await, life.line.word().await) };
        let late = || (Err(io::ErrorKind::TimedOut.into()), None);
        let (program, cwd) = (spec.program.clone(), spec.cwd.clone());
        match tokio::time::timeout(Duration::from_millis(START_MS), answer).await.unwrap_or_else(|_| late()) {
            (_, Some(Word::Started { attestation, pid })) => {
                life.first = handle_of(pid);
                life.pid = pid;
                life.attestation = Some(attestation);
                Ok(Some(life))
            }
            (_, Some(Word::Stale)) => Ok(None),
            (_, Some(Word::Refused { layer, reason, mend })) => {
                let mend = format!("{mend}, or {}", operators_mend(layer));
                Err(SpawnError::Refused { layer, reason, mend })
            }
            (_, Some(Word::Impossible { reason })) => Err(SpawnError::Impossible { reason }),
            (_, Some(Word::NotStarted { reason, missing })) => {
                // The folder is named already.
                let reason = reason.trim_start_matches(&format!("{}: ", cwd.display())).to_owned();
                Err(SpawnError::Command { program, cwd, reason, missing })
            }
            (sent, _) => {
                // The command may run all the same, if somebody ended the supervisor between start and word.
                life.end_without_supervisor().await;
                let reason = sent.err().map_or_else(|| "no word came".to_owned(), |error| error.to_string());
                Err(SpawnError::Unsupervised { program, reason })
            }
        }
    }

    /// Takes a command up again that an earlier process started; none where it says nothing of its start.
    pub(super) async fn take_up(line: Line, terms: &Terms) -> Option<Self> {
        let mut life = Self {
            line,
            tree: terms.tree.clone(),
            first: None,
            pid: 0,
            attestation: None,
            refused_hosts: Vec::new(),
            refusals: terms.refusals.clone(),
            timeout: terms.timeout,
            grace: terms.grace,
            over: CancellationToken::new(),
        };
        let limit = Duration::from_millis(START_MS);
        match tokio::time::timeout(limit, life.line.word()).await {
            Ok(Some(Word::Started { attestation, pid })) => {
                // Of one that is gone, somebody else may have the number.
                life.first = life.line.supervisor().and_then(|_| handle_of(pid));
                life.attestation = Some(attestation);
                Some(life)
            }
            _ => None,
        }
    }

    /// Returns the number of the first process of the tree, and which walls stand around it.
    pub(crate) fn standing(&self) -> (i32, Option<Attestation>) {
        (self.pid, self.attestation.clone())
    }

    /// Returns what is cancelled when the command is over and all that it wrote can be read.
    pub(crate) fn over(&self) -> CancellationToken {
        self.over.clone()
    }

    /// Waits until the command and everything that it started is gone. The wish to stop ends it, and so does its
    /// time limit.
    pub async fn ended(mut self, stop: impl Future<Output = ()>) -> Ended {
        let (mut stopped, mut timed_out) = (false, false);
        let limit = self.timeout;
        let timeout = async move {
            match limit {
                Some(limit) => tokio::time::sleep(limit).await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(stop, timeout);
        let mut give_up_at = None;
        let last = loop {
            tokio::select! {
                word = self.line.word() => match word {
                    Some(Word::HostRefused(refused)) => {
                        self.refusals.add(&refused);
                        if self.refused_hosts.len() < REFUSED_HOSTS_MAX {
                            self.refused_hosts.push(refused.to_string());
                        }
                        continue;
                    }
                    word => break word,
                },
                () = &mut stop, if give_up_at.is_none() => stopped = true,
                () = &mut timeout, if give_up_at.is_none() => timed_out = true,
                () = sleep_until_or_never(give_up_at) => break None,
            }
            give_up_at = Some(Instant::now() + self.grace + Duration::from_millis(KILL_MS_MAX + PATIENCE_MS));
            self.line.wish_end().await;
        };
        let ended = match last {
            Some(Word::Ended {
                code,
                signal,
                leftovers,
                survivors,
                timed_out: late,
                exceeded,
                dropped,
                lost,
                used,
            }) => {
                let how = signal.map_or(How::Exited(code), How::Signalled);
                timed_out |= late && !stopped;
                let ended = self.told(how, (stopped, timed_out), (leftovers, survivors), exceeded);
                Ended { dropped, lost, used: Some(used), ..ended }
            }
            _ => {
                let survivors = self.end_without_supervisor().await;
                self.told(How::Unsupervised, (stopped, timed_out), (0, survivors), None)
            }
        };
        self.line.close().await;
        self.over.cancel();
        ended
    }

    fn told(
        &mut self,
        how: How,
        (stopped, timed_out): (bool, bool),
        (leftovers, survivors): (u32, u32),
        exceeded: Option<String>,
    ) -> Ended {
        let (policy_hash, layers) = (String::new(), Vec::new());
        let none = || Attestation { policy_hash, preset: Preset::None, policy: None, layers };
        let attestation = self.attestation.take().unwrap_or_else(none);
        let refused_hosts = std::mem::take(&mut self.refused_hosts);
        Ended {
            how,
            timed_out,
            stopped,
            leftovers,
            survivors,
            exceeded,
            refused_hosts,
            attestation,
            dropped: 0,
            lost: false,
            used: None,
        }
    }

    /// Ends a tree whose supervisor does not: behind walls by the process with which all others end; without them by
    /// descent while there is a supervisor, and by the mark in the environment.
    async fn end_without_supervisor(&mut self) -> u32 {
        let supervisor = self.line.supervisor();
        let Some(tree) = &self.tree else {
            // The first process goes with the supervisor, also where nobody knows it yet.
            self.line.kill();
            let Some(first) = self.first.take() else { return 0 };
            return tokio::task::spawn_blocking(move || end_first(&first)).await.unwrap_or_default();
        };
        let mark = format!("{TREE_VARIABLE}={tree}");
        let survivors = tokio::task::spawn_blocking(move || {
            supervisor.into_iter().for_each(end_descendants);
            end_marked(&mark)
        });
        survivors.await.unwrap_or_default()
    }
}

/// What the operator can do about a layer that stays missing.
const fn operators_mend(layer: Layer) -> &'static str {
    match layer {
        Layer::Landlock | Layer::Seccomp | Layer::Cgroup => "allow it to be missing (sandbox.allow_degraded)",
        _ => "switch the walls off where nothing foreign ever runs (sandbox.preset = \"none\")",
    }
}

fn handle_of(pid: i32) -> Option<OwnedFd> {
    pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()
}

/// Kills the first process of a namespace and waits until it is gone, and with it all others. Returns how many are not.
fn end_first(first: &OwnedFd) -> u32 {
    let _ = pidfd_send_signal(first, Signal::KILL);
    let mut gone = [nix::poll::PollFd::new(std::os::fd::AsFd::as_fd(first), nix::poll::PollFlags::POLLIN)];
    let most = nix::poll::PollTimeout::from(u16::try_from(KILL_MS_MAX).unwrap_or(u16::MAX));
    u32::from(!nix::poll::poll(&mut gone, most).is_ok_and(|ready| ready > 0))
}

async fn sleep_until_or_never(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
