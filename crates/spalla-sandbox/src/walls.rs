//! Outside: puts up the walls of one run, and carries out its command behind them.
//!
//! Both are one act for a command that is started at once, and two for one whose walls are put up ahead.

use crate::attestation::Attestation;
use crate::blank::Blank;
use crate::brief::Brief;
use crate::cgroup::Cgroup;
use crate::disk::DiskWatch;
use crate::identity::{Identity, NAMESPACES_MEND};
use crate::init::Inside;
use crate::kernel::{Side, clone_process};
use crate::memory::MemoryWatch;
use crate::mount_view::{self, OpenPart, OwnerMaps};
use crate::plan::Plan;
use crate::policy::{Layer, Network, Policy};
use crate::proxy::gateway::Gateway;
use crate::proxy::relay::Relay;
use crate::proxy::{Proxy, Refusals};
use crate::refusal::{Error, Refusal, doing};
use crate::report::{Missing, Report};
use crate::start::Start;
use crate::stdio::{Stdio, receive_descriptors};
use crate::supervise::{Ended, Heard, Watcher};
use crate::view::View;
use crate::watch::{Signals, Watch};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair};
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, pidfd_open, pidfd_send_signal, waitpid};
use spalla_crash::crash_point;
use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

/// The walls of one run, finished, with an init behind them that waits for the command. Dropping them ends everything.
pub(crate) struct Walls {
    pub(crate) policy: Policy,
    pub(crate) identity: Identity,
    // Goes before the signals are this process's own again, one of which may wait to end it.
    pub(crate) run: Run,
    pub(crate) signals: Signals,
}

impl Walls {
    /// Puts up all walls but those that a process puts up around itself alone, which come last; out of an inside that stands
    /// already, where there is one that fits.
    ///
    /// Only for a process of one thread, which becomes the supervisor.
    pub(crate) fn put_up(blank: Option<Blank>, plan: Plan) -> Result<Self, Error> {
        let made = match blank {
            Some(blank) => blank.become_walls(plan),
            None => Err(Box::new(plan)),
        };
        made.unwrap_or_else(|plan| Self::put_up_anew(*plan))
    }

    fn put_up_anew(plan: Plan) -> Result<Self, Error> {
        let (policy, identity) = (plan.policy.clone(), plan.identity);
        let cgroup = make_cgroup(&policy)?;
        // What the proxy takes must not be missing where the run is watched.
        raise_descriptors();
        let signals = Signals::hold()?;
        let run = Run::begin(plan, cgroup)?;
        Ok(Self { policy, identity, signals, run })
    }

    /// Waits until whoever wanted the walls says something; tells whether that was it, and not that they are gone, that
    /// this process is to end, or that the walls fell.
    pub(crate) fn are_called_for(&self, by: BorrowedFd<'_>) -> bool {
        is_called_for(&self.run, &self.signals, by)
    }

    /// Carries a command out behind them, to its end. The environment outside has what the gateway needs.
    pub(crate) fn carry_out(
        self,
        start: &Start,
        outside: &BTreeMap<String, String>,
        stdio: Stdio,
        watcher: &mut Watcher<'_>,
    ) -> Result<Ended, Error> {
        let Self { policy, identity, signals, mut run } = self;
        let mut written = policy.write.clone();
        written.push(policy.workspace.clone());
        // What was written before the command is none of its own.
        let disk = DiskWatch::new(written, &policy.limits);
        stdio.give_to(&identity);
        start.send(&run.socket, &stdio).map_err(doing("telling the init what to start"))?;
        drop(stdio);
        let program = start.arguments.first().unwrap_or(&start.program).to_string_lossy();
        let (landlock_abi, missing) = run.wait_until_started(&program)?;
        let attestation = Attestation::of_walls(&policy, run.cgroup.as_ref(), landlock_abi, &missing);
        (watcher.hear)(Heard::Started(&attestation, run.pid.as_raw_nonzero().get()));
        let ways_out = WaysOut::serve(&policy.network, outside, run.asked.split_off(0))?;
        let watch = Watch {
            disk,
            memory: run.cgroup.is_none().then(|| MemoryWatch::new(policy.limits.memory_mb)),
            policy: &policy,
            signals: &signals,
            lifeline: watcher.lifeline,
            run: &mut run,
        };
        let mut told = 0;
        let mut tell = || {
            for refused in ways_out.refusals.all().iter().skip(told) {
                told += 1;
                (watcher.hear)(Heard::HostRefused(refused));
            }
        };
        let mut ended = watch.until_end(attestation, &mut tell);
        tell();
        ended.refused_hosts = ways_out.refusals.all().iter().map(ToString::to_string).collect();
        Ok(ended)
    }
}

/// Waits until whoever wanted an inside says something; tells whether that was it, and not that they are gone, that this
/// process is to end, or that the inside fell.
pub(crate) fn is_called_for(run: &Run, signals: &Signals, by: BorrowedFd<'_>) -> bool {
    let wanted = [by, run.socket.as_fd(), signals.heard.as_fd()];
    let mut ready = wanted.map(|wanted| PollFd::new(wanted, PollFlags::POLLIN));
    while let Err(nix::errno::Errno::EINTR) = poll(&mut ready, PollTimeout::NONE) {}
    let [_, fallen, told_to_end] = &ready;
    if [fallen, told_to_end].iter().any(|ready| ready.any().unwrap_or(true)) {
        return false;
    }
    let mut first = [0; 1];
    let peeked = rustix::io::retry_on_intr(|| recv(by, &mut first[..], RecvFlags::PEEK));
    peeked.is_ok_and(|(length, _)| length > 0)
}

/// The ways out of a network of its own, served as long as this lives.
#[derive(Default)]
struct WaysOut {
    refusals: Refusals,
    _proxy: Option<Proxy>,
    _relays: Vec<Relay>,
    _gateway: Option<Gateway>,
}

impl WaysOut {
    /// Serves the sockets that came from inside: the proxy's first, then those of the relays and of the gateway in their
    /// order.
    fn serve(
        network: &Network,
        outside: &BTreeMap<String, String>,
        asked: Vec<OwnedFd>,
    ) -> Result<Self, Error> {
        let mut asked = asked.into_iter();
        let (Network::Proxy { allow, relays, inject }, Some(proxy)) = (network, asked.next()) else {
            return Ok(Self::default());
        };
        let serving = || doing("starting the proxy");
        let refusals = Refusals::default();
        let proxy = Proxy::serve(proxy, allow, refusals.clone()).map_err(serving())?;
        let relays = relays.iter().zip(asked.by_ref()).map(|(server, socket)| Relay::serve(socket, *server));
        let relays = relays.collect::<Result<Vec<_>, _>>().map_err(serving())?;
        let gateway = match inject.is_empty() {
            true => None,
            false => Some(Gateway::serve(asked, (inject, allow), outside, refusals.clone())?),
        };
        Ok(Self { refusals, _proxy: Some(proxy), _relays: relays, _gateway: gateway })
    }
}

/// Opens the parts of a view where root has to do so; an ordinary user opens them inside.
pub(crate) fn open_outside(view: &View, maps: &mut OwnerMaps) -> Result<Option<Vec<OpenPart>>, Error> {
    match maps.are_made() {
        true => mount_view::open_parts(view, maps).map(Some).map_err(|failed| namespaces(failed.0).into()),
        false => Ok(None),
    }
}

fn namespaces(reason: String) -> Refusal {
    Refusal::new(Layer::Namespaces, reason, NAMESPACES_MEND)
}

/// Lets the supervisor open as many files as the system lets it.
pub(crate) fn raise_descriptors() {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum };
    let _ = rustix::process::setrlimit(rustix::process::Resource::Nofile, raised);
}

/// Makes the group of processes; none where the supervisor has to watch instead.
fn make_cgroup(policy: &Policy) -> Result<Option<Cgroup>, Error> {
    match Cgroup::make(&policy.limits) {
        Ok(group) => Ok(Some(group)),
        Err(reason) if policy.limits.cpu_percent.is_some() && !policy.allows_missing(Layer::Cgroup) => {
            let mend =
                "run as root, in a service with Delegate=yes, or without a hard limit of the processor";
            Err(Refusal::new(
                Layer::Cgroup,
                format!("nothing can hold a hard limit of the processor: {reason}"),
                mend,
            )
            .into())
        }
        Err(_) => Ok(None),
    }
}

/// One run, from the birth of its init on. Whatever happens, dropping it ends everything.
pub(crate) struct Run {
    pid: Pid,
    handle: OwnedFd,
    pub(crate) socket: OwnedFd,
    pub(crate) cgroup: Option<Cgroup>,
    /// The `/proc` and the private files of the inside.
    pub(crate) inside: Option<[OwnedFd; 2]>,
    /// The sockets on which the inside asks for the proxy and the relays.
    asked: Vec<OwnedFd>,
    is_reaped: bool,
    /// The processes that lent their namespaces to mounts; over, and not yet reaped.
    helpers: Vec<Pid>,
}

impl Run {
    fn begin(plan: Plan, cgroup: Option<Cgroup>) -> Result<Self, Error> {
        let has_own_network = plan.has_own_network();
        let Plan { policy, identity, view } = plan;
        let mut maps = OwnerMaps::new(identity);
        let parts = open_outside(&view, &mut maps)?;
        let inside = Inside {
            identity,
            has_own_network,
            wanted: Some((policy, view)),
            first: View::default(),
            parts,
            entrances: Vec::new(),
            is_weighed: false,
        };
        let mut run = Self::bear(inside, cgroup)?;
        run.reap_later(&mut maps.helpers);
        run.let_go_on()?;
        Ok(run)
    }

    /// Makes the init in namespaces and a group of its own.
    pub(crate) fn bear(inside: Inside, cgroup: Option<Cgroup>) -> Result<Self, Error> {
        crash_point!("supervisor.command.spawn", Self::bear_init(inside, cgroup))
    }

    fn bear_init(mut inside: Inside, cgroup: Option<Cgroup>) -> Result<Self, Error> {
        let starting = || doing("starting the init");
        let identity = inside.identity;
        let (socket, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
                .map_err(starting())?;
        let mut flags = libc::CLONE_NEWUSER
            | libc::CLONE_NEWNS
            | libc::CLONE_NEWPID
            | libc::CLONE_NEWIPC
            | libc::CLONE_NEWUTS;
        if inside.has_own_network {
            flags |= libc::CLONE_NEWNET;
        }
        let entrances = cgroup.as_ref().map_or(Ok(Vec::new()), Cgroup::entrances);
        inside.entrances = entrances.map_err(doing("opening the group of processes"))?;
        inside.is_weighed = cgroup.is_some();
        let pid = match clone_process(flags) {
            Ok(Side::Child) => {
                drop(socket);
                inside.run(theirs)
            }
            Ok(Side::Parent(pid)) => pid,
            Err(error) => return Err(namespaces(error.to_string()).into()),
        };
        drop((inside, theirs));
        let pid = Pid::from_raw(pid).ok_or_else(|| namespaces("no process came into being".into()))?;
        let handle = pidfd_open(pid, PidfdFlags::empty()).map_err(starting())?;
        let (inside, asked, is_reaped, helpers) = (None, Vec::new(), false, Vec::new());
        let run = Self { pid, handle, socket, cgroup, inside, asked, is_reaped, helpers };
        let number = pid.as_raw_nonzero().get();
        identity.write_maps(number).map_err(|error| namespaces(format!("mapping users: {error}")))?;
        send(&run.socket, b"g", SendFlags::NOSIGNAL).map_err(starting())?;
        // The kernel takes its time over this, and the init puts the view up meanwhile.
        if let Some(cgroup) = &run.cgroup {
            match cgroup.add(number) {
                // One that gave up says why.
                Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
                added => added.map_err(doing("counting the init in its group"))?,
            }
        }
        Ok(run)
    }

    /// Takes over processes that are over.
    pub(crate) fn reap_later(&mut self, helpers: &mut Vec<Pid>) {
        self.helpers.append(helpers);
    }

    /// Tells an init that waits whose it is, and waits until it stands behind finished walls.
    pub(crate) fn tell(
        &mut self,
        whose: (Policy, View),
        links: Vec<(PathBuf, PathBuf)>,
        open: Option<Vec<OpenPart>>,
    ) -> Result<(), Error> {
        let told = Brief::send(&self.socket, whose, links, open.as_deref());
        // One that is gone says why.
        if let Err(error) = told
            && error.kind() != std::io::ErrorKind::BrokenPipe
        {
            return Err(doing("telling the init whose it is")(error));
        }
        self.let_go_on()
    }

    /// What the init makes from now on is counted with it; waits until it stands behind finished walls.
    fn let_go_on(&mut self) -> Result<(), Error> {
        // One that is gone says why.
        let _ = send(&self.socket, b"c", SendFlags::NOSIGNAL);
        self.wait_until_up()
    }

    /// Waits until the init stands behind finished walls.
    fn wait_until_up(&mut self) -> Result<(), Error> {
        match receive_descriptors(&self.socket).map_err(gone)? {
            Ok(mut came) => {
                self.asked = came.split_off(came.len().min(2));
                self.inside = <[OwnedFd; 2]>::try_from(came).ok();
                Ok(())
            }
            Err(message) => Err(not_started(serde_json::from_slice(&message).ok(), "")),
        }
    }

    /// Waits until the command runs; tells the version of Landlock, and which of the last walls are missing.
    fn wait_until_started(&self, program: &str) -> Result<(i32, Vec<Missing>), Error> {
        match Report::receive(&self.socket).map_err(gone)? {
            Some(Report::Started { landlock_abi, missing }) => Ok((landlock_abi, missing)),
            other => Err(not_started(other, program)),
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let _ = pidfd_send_signal(&self.handle, signal);
    }

    /// Kills the init, and with it everything in its namespace; returns when it is gone, with how many are left.
    pub(crate) fn end(&mut self) -> usize {
        if !self.is_reaped {
            self.signal(Signal::KILL);
            // The kernel lets the first process of a namespace go only after all others.
            while let Err(rustix::io::Errno::INTR) = waitpid(Some(self.pid), WaitOptions::empty()) {}
            self.is_reaped = true;
            for helper in self.helpers.drain(..) {
                while let Err(rustix::io::Errno::INTR) = waitpid(Some(helper), WaitOptions::empty()) {}
            }
        }
        self.cgroup.as_ref().map_or(0, Cgroup::end)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.end();
    }
}

/// The init went away without a word, as it does when a limit of the machine ends it.
fn gone(error: std::io::Error) -> Error {
    let reason = format!("the init ended before it started the command: {error}");
    Refusal::new(Layer::Namespaces, reason, GONE_MEND).into()
}

/// What to do about an init that ended by itself.
const GONE_MEND: &str = "see which limit of the service or the shell ended it (ulimit -a: file size, memory, processor time; \
     dmesg for memory)";

/// Returns why the init says that it started nothing.
fn not_started(report: Option<Report>, program: &str) -> Error {
    match report {
        Some(Report::Refused { layer, reason, mend }) => Refusal { layer, reason, mend }.into(),
        Some(Report::NotStarted { reason }) => Error::Program { program: program.to_owned(), reason },
        Some(Report::Started { .. } | Report::Ended { .. }) | None => {
            let reason = "the init ended before it started the command";
            Refusal::new(Layer::Namespaces, reason, GONE_MEND).into()
        }
    }
}
