//! Inside: the first process of the namespaces. It puts the walls up, waits behind them until it is told what to start,
//! starts the command, reaps what is orphaned and hands on the wish to end; when it goes, the kernel ends all that is left.

use crate::brief::Brief;
use crate::identity::{Identity, NAMESPACES_MEND};
use crate::kernel::{self, Side, clone_process, exit_now};
use crate::landlock_rules;
use crate::lockdown;
use crate::mount_view::{self, OpenPart, OwnerMaps, Show};
use crate::policy::{Layer, Network, Policy};
use crate::proxy;
use crate::refusal::Refusal;
use crate::report::{Missing, Report};
use crate::seccomp_filter::{self, Filters};
use crate::start::Start;
use crate::view::View;
use landlock::RulesetCreated;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal as UnixSignal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SocketType, recv};
use rustix::process::{
    DumpableBehavior, Signal, WaitOptions, set_dumpable_behavior, set_parent_process_death_signal, wait,
};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, BufRead, BufReader, PipeReader, Write};
use std::net::TcpListener;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

/// How many watchers of files the user may have in this namespace.
const WATCHES: &str = "/proc/sys/user/max_inotify_instances";
/// Enough for a watcher in each of many programs, and less than half of what a user usually has (128).
const WATCHES_MAX: &str = "48";
/// What to do where a group of processes does not take one.
const CGROUP_MEND: &str = "see that nobody else removes or closes the groups beneath that of this process (in a service: \
     Delegate=yes)";
/// What to do where the machine gives no more processes or descriptors.
const ROOM_MEND: &str = "free memory, processes or open files (ulimit -u, ulimit -n), and try again";
/// What mends what a process gives away.
const PRIVILEGES_MEND: &str = "raise the hard limits of the service, or lower the policy's";
/// What the init leaves with when it can't go on.
const BROKEN: i32 = 70;

/// What the inside is made of.
pub(crate) struct Inside {
    pub(crate) identity: Identity,
    pub(crate) has_own_network: bool,
    /// Whose it is; none where that is told later.
    pub(crate) wanted: Option<(Policy, View)>,
    /// What is shown first, and whether it was opened outside; where nobody knows whose the inside is, it is the system.
    pub(crate) first: View,
    pub(crate) parts: Option<Vec<OpenPart>>,
    /// The files by which it puts itself into its group of processes.
    pub(crate) entrances: Vec<File>,
    /// Whether a group of processes gives it its share of the processor.
    pub(crate) is_weighed: bool,
}

/// The last walls, made ready for the second process.
struct LastWalls {
    rules: Result<RulesetCreated, String>,
    filters: Result<Filters, String>,
}

/// The second process while it stands behind all walls and waits to hear what it becomes.
struct Born {
    pid: i32,
    /// What it tells; the end of it is that it became the command.
    told: BufReader<PipeReader>,
    missing: Vec<Missing>,
}

impl Inside {
    /// Runs to the end of the command; never returns into the program that this process is a copy of.
    pub(crate) fn run(self, socket: OwnedFd) -> ! {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.live(&socket)));
        if let Ok(Err(refusal)) = outcome {
            let _ = Report::from(refusal).send(&socket);
        }
        exit_now(BROKEN)
    }

    fn live(mut self, socket: &OwnedFd) -> Result<(), Refusal> {
        let walls = |what: &'static str| move |error: io::Error| namespaces(format!("{what}: {error}"));
        self.enter_group().map_err(|error| Refusal::new(Layer::Cgroup, error, CGROUP_MEND))?;
        wait_for_word(socket);
        self.become_somebody().map_err(walls("changing the user"))?;
        set_parent_process_death_signal(Some(Signal::KILL))
            .map_err(|error| walls("tying to the supervisor")(error.into()))?;
        kernel::leave_keyrings().or_else(allow_absent).map_err(walls("leaving the keyrings"))?;
        limit_watches();
        rustix::system::sethostname(b"spalla").map_err(|error| walls("naming the host")(error.into()))?;
        if self.has_own_network {
            raise_loopback().map_err(walls("raising the loopback device"))?;
        }
        let umask = rustix::process::umask(rustix::fs::Mode::empty());
        let filters = seccomp_filter::make();
        let (policy, view) = self.show(socket)?;
        mount_view::enter().map_err(|failed| namespaces(failed.0))?;
        rustix::process::umask(umask);
        let ways_out = open_ways_out(&policy.network).map_err(walls("listening for the proxy"))?;
        kernel::wipe_environment().map_err(walls("emptying the environment"))?;
        let mut kept = vec![socket.as_raw_fd()];
        kept.extend(ways_out.iter().map(AsRawFd::as_raw_fd));
        keep_only(&kept).map_err(walls("closing what is not its own"))?;
        let last = LastWalls { rules: landlock_rules::make(&view), filters };
        // A second process that was made before would not be counted.
        wait_for_word(socket);
        let (born, ways_out) = self.bear(socket, &policy, ways_out, last)?;
        send_view(socket, &ways_out).map_err(walls("handing out the view"))?;
        drop(ways_out);
        watch_over(socket, &policy, born)
    }

    /// Builds the view; returns whose it is. Where that is told later, the system is shown meanwhile, as far as that needs
    /// nothing of the outside any more.
    fn show(&mut self, socket: &OwnedFd) -> Result<(Policy, View), Refusal> {
        let failed = |failed: mount_view::Failed| namespaces(failed.0);
        let identity = self.identity;
        let open = |view: &View| mount_view::open_parts(view, &mut OwnerMaps::new(identity)).map_err(failed);
        let all_at_once = |view: &View, policy: &Policy, parts: Vec<OpenPart>| {
            let show = Show { parts, links: &view.links };
            mount_view::begin(identity, Some(&policy.limits), show).map_err(failed)
        };
        if let Some((policy, view)) = self.wanted.take() {
            let parts = self.parts.take().map_or_else(|| open(&view), Ok)?;
            all_at_once(&view, &policy, parts)?;
            return Ok((policy, view));
        }
        let is_begun = self.parts.is_some();
        if let Some(parts) = self.parts.take() {
            let show = Show { parts, links: &self.first.links };
            mount_view::begin(identity, None, show).map_err(failed)?;
        }
        let told =
            Brief::receive(socket).map_err(|error| namespaces(format!("hearing whose it is: {error}")))?;
        // Nobody came.
        let Some((Brief { policy, view, links, .. }, parts)) = told else { exit_now(0) };
        if is_begun {
            let show = Show { parts: parts.unwrap_or_default(), links: &links };
            mount_view::go_on(&policy.limits, show).map_err(failed)?;
        } else {
            let parts = open(&view)?;
            all_at_once(&view, &policy, parts)?;
        }
        Ok((policy, view))
    }

    fn enter_group(&mut self) -> io::Result<()> {
        self.entrances.drain(..).try_for_each(|mut entrance| entrance.write_all(b"0"))
    }

    fn become_somebody(&self) -> io::Result<()> {
        if self.identity.is_given_by_root {
            rustix::thread::set_thread_groups(&[])?;
            let group = rustix::fs::Gid::from_raw(self.identity.inside.group);
            rustix::thread::set_thread_res_gid(group, group, group)?;
            let user = rustix::fs::Uid::from_raw(self.identity.inside.user);
            rustix::thread::set_thread_res_uid(user, user, user)?;
        }
        Ok(())
    }

    /// Makes the second process, and returns when it stands behind all walls. Nothing is known of the command yet, so
    /// that all of this is done ahead where walls are put up ahead.
    fn bear(
        &self,
        socket: &OwnedFd,
        policy: &Policy,
        ways_out: Vec<TcpListener>,
        last: LastWalls,
    ) -> Result<(Born, Vec<TcpListener>), Refusal> {
        let broken = |error: io::Error| Refusal::new(Layer::Privileges, error, ROOM_MEND);
        let (reader, writer) = io::pipe().map_err(broken)?;
        block_signals().map_err(broken)?;
        let pid = match clone_process(0).map_err(broken)? {
            Side::Child => {
                drop((reader, ways_out));
                self.become_command(socket, policy, last, OwnedFd::from(writer).into())
            }
            Side::Parent(pid) => pid,
        };
        drop((last, writer));
        let mut told = BufReader::new(reader);
        match hear(&mut told).map_err(broken)? {
            (missing, Some(Told::Ready)) => Ok((Born { pid, told, missing }, ways_out)),
            (_, end) => give_up(socket, end),
        }
    }

    /// The second process: gives everything away in order, waits for its word, and becomes the command.
    fn become_command(&self, socket: &OwnedFd, policy: &Policy, last: LastWalls, init: File) -> ! {
        let live = || match self.give_everything_away(policy, last, &init) {
            Ok(()) => {
                tell(&init, &Told::Ready);
                execute(socket)
            }
            Err(report) => report,
        };
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(live));
        let report =
            outcome.unwrap_or_else(|_| Report::NotStarted { reason: "the sandbox itself failed".into() });
        tell(&init, &Told::Over(report));
        exit_now(BROKEN)
    }

    /// Leaves nothing but what the command may have, and steps behind the last walls; what is done after this, the
    /// command itself may do.
    fn give_everything_away(&self, policy: &Policy, last: LastWalls, init: &File) -> Result<(), Report> {
        let privileges = || -> io::Result<()> {
            rustix::process::setsid()?;
            kernel::close_on_exec_from(3)?;
            lockdown::limit(&policy.limits)?;
            if !self.is_weighed {
                lockdown::give_way(policy.limits.cpu_weight)?;
            }
            lockdown::drop_privileges()
        };
        privileges().map_err(|error| refused(Layer::Privileges, PRIVILEGES_MEND, error.to_string()))?;
        let LastWalls { rules, filters } = last;
        let last: [(Layer, &str, Result<(), String>); 2] = [
            (Layer::Landlock, landlock_rules::MEND, rules.and_then(landlock_rules::restrict)),
            (
                Layer::Seccomp,
                seccomp_filter::MEND,
                filters.and_then(|filters| seccomp_filter::apply(&filters)),
            ),
        ];
        for (layer, mend, stands) in last {
            match stands {
                Ok(()) => {}
                Err(reason) if policy.allows_missing(layer) => {
                    tell(init, &Told::Missing(Missing { layer, reason }));
                }
                Err(reason) => return Err(refused(layer, mend, reason)),
            }
        }
        Ok(())
    }
}

/// Leaves the user's other programs some of the watches of files that the kernel counts by user, across namespaces. Where
/// that can't be set, as in a container whose settings are closed, the run may use what the user has.
fn limit_watches() {
    let _ = std::fs::write(WATCHES, WATCHES_MAX);
}

/// Listens where the proxy, the relays and the gateway are reached. The network is new, so that nobody else has the addresses.
fn open_ways_out(network: &Network) -> io::Result<Vec<TcpListener>> {
    let Network::Proxy { relays, inject, .. } = network else { return Ok(Vec::new()) };
    let mut ways = vec![TcpListener::bind(proxy::ADDRESS)?];
    let doors = inject.iter().flat_map(|injection| &injection.listen);
    for address in relays.iter().chain(doors) {
        ways.push(TcpListener::bind(address)?);
    }
    Ok(ways)
}

/// Stays until the command is over.
fn watch_over(socket: &OwnedFd, policy: &Policy, born: Born) -> Result<(), Refusal> {
    let broken = |error: io::Error| Refusal::new(Layer::Privileges, error, ROOM_MEND);
    let grace = Duration::from_millis(policy.limits.grace_ms);
    let signals = watched_signals().map_err(broken)?;
    lockdown::drop_privileges()
        .map_err(|error| Refusal::new(Layer::Privileges, error, "use a kernel from 3.5 on"))?;
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let Born { pid: command, mut told, missing } = born;
    if let (_, Some(end)) = hear(&mut told).map_err(broken)? {
        give_up(socket, Some(end))
    }
    let started = Report::Started { landlock_abi: kernel::landlock_version(), missing };
    if started.send(socket).is_err() {
        exit_now(BROKEN);
    }
    Watch { socket, signals, command, grace, exit: None }.run()
}

/// Waits to hear what to start, and becomes it. Returns only when something failed, and then what.
fn execute(socket: &OwnedFd) -> Report {
    let (start, stdio) = match Start::receive(socket) {
        Ok(Some(told)) => told,
        Ok(None) => return Report::NotStarted { reason: "the supervisor is gone".into() },
        Err(error) => return Report::NotStarted { reason: format!("hearing what to start: {error}") },
    };
    let take_place = || -> io::Result<()> {
        stdio.take_place()?;
        rustix::process::umask(start.umask.into());
        rustix::process::chdir(&start.folder)?;
        kernel::reset_signals();
        Ok(SigSet::empty().thread_set_mask()?)
    };
    if let Err(error) = take_place() {
        return refused(Layer::Privileges, PRIVILEGES_MEND, error.to_string());
    }
    if let Err(error) = start.secret_files.write() {
        return Report::NotStarted { reason: format!("keeping its secrets in memory: {error}") };
    }
    let Err(error) = nix::unistd::execve(&start.program, &start.arguments, &start.environment);
    Report::NotStarted { reason: io::Error::from(error).to_string() }
}

fn refused(layer: Layer, mend: &str, reason: String) -> Report {
    Report::Refused { layer, reason, mend: mend.to_owned() }
}

/// What the second process tells the init before it becomes the command; one line each.
#[derive(Debug, Serialize, Deserialize)]
enum Told {
    /// A wall does not stand, and the command runs all the same.
    Missing(Missing),
    /// All walls stand, and it waits.
    Ready,
    /// The command does not run.
    Over(Report),
}

fn tell(mut init: &File, told: &Told) {
    let mut line = serde_json::to_vec(told).unwrap_or_default();
    line.push(b'\n');
    let _ = init.write_all(&line);
}

/// Hears the second process out until it waits or gives up: which walls are missing, and which of the two it was. Neither
/// means that it became the command, or was killed.
fn hear(told: &mut impl BufRead) -> io::Result<(Vec<Missing>, Option<Told>)> {
    let mut missing = Vec::new();
    let mut line = Vec::new();
    while told.read_until(b'\n', &mut line)? > 0 {
        match serde_json::from_slice(&line) {
            Ok(Told::Missing(layer)) => missing.push(layer),
            Ok(end) => return Ok((missing, Some(end))),
            Err(_) => return Ok((missing, Some(Told::Over(ended_too_soon())))),
        }
        line.clear();
    }
    Ok((missing, None))
}

fn ended_too_soon() -> Report {
    Report::NotStarted { reason: "it ended before it began".into() }
}

/// Says that the command does not run, and leaves.
fn give_up(socket: &OwnedFd, end: Option<Told>) -> ! {
    let report = match end {
        Some(Told::Over(report)) => report,
        _ => ended_too_soon(),
    };
    let _ = report.send(socket);
    exit_now(0)
}

/// The supervisor says one word when it has told the kernel who the users are, and one when it counts the init in its group.
fn wait_for_word(socket: &OwnedFd) {
    let mut word = [0; 1];
    match rustix::io::retry_on_intr(|| recv(socket, &mut word[..], RecvFlags::empty())) {
        Ok((1, _)) => {}
        _ => exit_now(BROKEN),
    }
}

/// Hands out what the supervisor needs: the processes and the private folders to watch, and the sockets on which it
/// serves the proxy, the relays and the gateway.
fn send_view(socket: &OwnedFd, ways_out: &[TcpListener]) -> io::Result<()> {
    let (processes, scratch) = (File::open("/proc")?, File::open("/run/spalla")?);
    let mut descriptors = vec![processes.as_fd(), scratch.as_fd()];
    descriptors.extend(ways_out.iter().map(AsFd::as_fd));
    crate::stdio::send_descriptors(socket, &descriptors)
}

fn namespaces(reason: String) -> Refusal {
    Refusal::new(Layer::Namespaces, reason, NAMESPACES_MEND)
}

/// A kernel without keyrings has none to leave.
fn allow_absent(error: io::Error) -> io::Result<()> {
    if error.raw_os_error() == Some(libc::ENOSYS) { Ok(()) } else { Err(error) }
}

fn raise_loopback() -> io::Result<()> {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::DGRAM, None)?;
    kernel::raise_loopback(socket.as_fd())
}

/// Keeps nothing open but what is listed.
fn keep_only(kept: &[RawFd]) -> io::Result<()> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    drop(null);
    let open: Vec<RawFd> = std::fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|fd| *fd > 2 && !kept.contains(fd))
        .collect();
    for fd in open {
        // The folder that was just read is among them, and closed already.
        let _ = nix::unistd::close(fd);
    }
    Ok(())
}

fn signals() -> SigSet {
    [UnixSignal::SIGCHLD, UnixSignal::SIGTERM, UnixSignal::SIGINT, UnixSignal::SIGHUP].into_iter().collect()
}

fn block_signals() -> io::Result<()> {
    Ok(signals().thread_block()?)
}

fn watched_signals() -> io::Result<SignalFd> {
    Ok(SignalFd::with_flags(&signals(), SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?)
}

/// The watch of the init over the command.
struct Watch<'a> {
    socket: &'a OwnedFd,
    signals: SignalFd,
    command: i32,
    /// How long what the command left behind has to end.
    grace: Duration,
    exit: Option<Exit>,
}

/// The command is over; what it left behind may take until then.
struct Exit {
    report: Report,
    kill_at: Instant,
}

impl Watch<'_> {
    fn run(mut self) -> ! {
        loop {
            let all_gone = self.reap();
            if let Some(exit) = &self.exit
                && (all_gone || Instant::now() >= exit.kill_at)
            {
                let _ = exit.report.send(self.socket);
                // Whatever else still runs is ended by the kernel with this process.
                exit_now(0);
            }
            let mut ready = [
                PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.socket.as_fd(), PollFlags::POLLIN),
            ];
            let _ = poll(&mut ready, self.until_kill());
            if ready[1].any().unwrap_or(true) {
                // The supervisor says nothing more: it is gone.
                exit_now(BROKEN);
            }
            while let Ok(Some(signal)) = self.signals.read_signal() {
                if signal.ssi_signo != UnixSignal::SIGCHLD as u32 {
                    ask_all_to_end();
                }
            }
        }
    }

    fn until_kill(&self) -> PollTimeout {
        let Some(exit) = &self.exit else { return PollTimeout::NONE };
        let left = exit.kill_at.saturating_duration_since(Instant::now()).as_millis();
        PollTimeout::from(u16::try_from(left).unwrap_or(u16::MAX).saturating_add(1))
    }

    /// Takes the status of everything that is over; tells whether nothing is left. When the command itself is over,
    /// what it left behind is asked to end.
    fn reap(&mut self) -> bool {
        let mut ended = None;
        let all_gone = loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if pid.as_raw_nonzero().get() == self.command => {
                    ended = Some((status.exit_status().unwrap_or(0), status.terminating_signal()));
                }
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) => break false,
                Err(_) => break true,
            }
        };
        if let Some((code, signal)) = ended {
            let leftovers = if all_gone { 0 } else { living() };
            if leftovers > 0 && !self.grace.is_zero() {
                ask_all_to_end();
            }
            let kill_at = if leftovers > 0 { Instant::now() + self.grace } else { Instant::now() };
            self.exit = Some(Exit { report: Report::Ended { code, signal, leftovers }, kill_at });
        }
        all_gone
    }
}

/// Counts the other processes of the namespace, without those that only wait to be reaped.
fn living() -> u32 {
    let lives = |pid: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let state = stat.rsplit(')').next().and_then(|rest| rest.trim_start().chars().next());
        state.is_some_and(|state| !matches!(state, 'Z' | 'X' | 'x'))
    };
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    u32::try_from(pids.filter(|pid| *pid != 1 && lives(pid)).count()).unwrap_or(u32::MAX)
}

/// Asks every other process of the namespace to end, and wakes what is stopped, since it could not hear otherwise.
fn ask_all_to_end() {
    let everybody = nix::unistd::Pid::from_raw(-1);
    let _ = nix::sys::signal::kill(everybody, UnixSignal::SIGTERM);
    let _ = nix::sys::signal::kill(everybody, UnixSignal::SIGCONT);
}
