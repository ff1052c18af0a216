//! Outside: watches over one run from the start of its command on, and does not return before everything is gone.

use crate::attestation::Attestation;
use crate::disk::DiskWatch;
use crate::memory::MemoryWatch;
use crate::policy::Policy;
use crate::refusal::{Error, doing};
use crate::report::Report;
use crate::supervise::{Ended, How};
use crate::used::Used;
use crate::walls::Run;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, Signal as UnixSignal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::process::Signal;
use spalla_crash::crash_point;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

/// How often what the kernel does not limit is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// The signals that the supervisor wants to hear instead of being ended by them; as before when it is dropped.
pub(crate) struct Signals {
    pub(crate) heard: SignalFd,
    before: SigSet,
}

impl Signals {
    pub(crate) fn hold() -> Result<Self, Error> {
        let listening = || doing("listening to signals");
        let set: SigSet = [UnixSignal::SIGTERM, UnixSignal::SIGINT, UnixSignal::SIGHUP, UnixSignal::SIGQUIT]
            .into_iter()
            .collect();
        let before = set.thread_swap_mask(SigmaskHow::SIG_BLOCK).map_err(listening())?;
        let heard =
            SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC).map_err(listening())?;
        Ok(Self { heard, before })
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        let _ = self.before.thread_set_mask();
    }
}

/// What ended a wait.
struct Woken {
    by_init: bool,
    by_signal: bool,
    by_lifeline: bool,
}

/// The watch over one run.
pub(crate) struct Watch<'a> {
    pub(crate) policy: &'a Policy,
    pub(crate) signals: &'a Signals,
    pub(crate) lifeline: Option<BorrowedFd<'a>>,
    pub(crate) run: &'a mut Run,
    pub(crate) memory: Option<MemoryWatch>,
    pub(crate) disk: DiskWatch,
}

impl Watch<'_> {
    /// Watches until the command is over or has to be, and then ends everything; looks around at least each [`LOOK`].
    pub(crate) fn until_end(mut self, attestation: Attestation, look: &mut dyn FnMut()) -> Ended {
        let limits = &self.policy.limits;
        let timeout_at = Instant::now() + Duration::from_millis(limits.timeout_ms);
        let grace = Duration::from_millis(limits.grace_ms);
        let (mut timed_out, mut stopped_by, mut exceeded, mut kill_at) = (false, None, None, None);
        let mut leftovers = 0;
        let how = loop {
            let now = Instant::now();
            if kill_at.is_none() && now >= timeout_at {
                timed_out = true;
                self.run.signal(Signal::TERM);
                kill_at = Some(now + grace);
            }
            if kill_at.is_some_and(|kill_at| now >= kill_at) {
                break How::Killed;
            }
            exceeded = self.exceeded();
            if exceeded.is_some() {
                break How::Killed;
            }
            let wake_at = kill_at.unwrap_or(timeout_at).min(now + LOOK);
            let woken = self.wait(wake_at.saturating_duration_since(now));
            look();
            if woken.by_init {
                match Report::receive(&self.run.socket) {
                    Ok(Some(Report::Ended { code, signal, leftovers: left })) => {
                        leftovers = left;
                        break signal.map_or(How::Exited(code), How::Signalled);
                    }
                    _ => break How::Killed,
                }
            }
            if woken.by_lifeline {
                // It says nothing more: once is enough.
                self.lifeline = None;
            }
            while let Ok(Some(signal)) = self.signals.heard.read_signal() {
                stopped_by = stopped_by.or(i32::try_from(signal.ssi_signo).ok());
            }
            if (woken.by_signal || woken.by_lifeline) && kill_at.is_none() {
                self.run.signal(Signal::TERM);
                kill_at = Some(Instant::now() + grace);
            }
        };
        // A command may have ended well although the kernel took one of its processes, and did not get what it needed; or
        // it was over before anybody looked at what it wrote.
        let (how, exceeded) = match exceeded.or_else(|| self.exceeded_at_end(how)) {
            Some(limit) => (How::Killed, Some(limit)),
            None => (how, None),
        };
        let survivors = crash_point!("supervisor.command.reap", self.run.end());
        let refused_hosts = Vec::new();
        let seen_bytes = self.memory.as_ref().and_then(MemoryWatch::seen_bytes);
        let used = Used::of(self.run.cgroup.as_ref(), seen_bytes, self.disk.new_bytes());
        Ended { how, timed_out, stopped_by, leftovers, exceeded, refused_hosts, survivors, attestation, used }
    }

    /// Tells whether the kernel ended a process of the run because all together held too much.
    fn kernel_took_memory_back(&self) -> bool {
        self.run.cgroup.as_ref().is_some_and(|group| group.memory_kills() > 0)
    }

    fn exceeded(&mut self) -> Option<String> {
        let [processes, scratch] = self.run.inside.as_ref()?;
        if self.kernel_took_memory_back()
            || self.memory.as_mut().is_some_and(|watch| watch.is_exceeded(processes, scratch))
        {
            return Some(self.memory_limit());
        }
        self.disk.is_exceeded(processes).then(|| self.disk_limit())
    }

    fn exceeded_at_end(&mut self, how: How) -> Option<String> {
        if self.kernel_took_memory_back() {
            return Some(self.memory_limit());
        }
        // No file may hold more than all together; a shell hands on what became of its command.
        let by_size = [How::Signalled(libc::SIGXFSZ), How::Exited(128 + libc::SIGXFSZ)].contains(&how);
        (by_size || how != How::Killed && self.disk.is_exceeded_at_end()).then(|| self.disk_limit())
    }

    fn memory_limit(&self) -> String {
        format!("memory: {} MiB", self.policy.limits.memory_mb)
    }

    fn disk_limit(&self) -> String {
        let limits = &self.policy.limits;
        format!("disk: {} MiB or {} files", limits.disk_mb, limits.files)
    }

    /// Waits for the init, for a signal, for whoever holds the lifeline, or for the time.
    fn wait(&self, at_most: Duration) -> Woken {
        let mut ready = vec![
            PollFd::new(self.run.socket.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.signals.heard.as_fd(), PollFlags::POLLIN),
        ];
        ready.extend(self.lifeline.map(|lifeline| PollFd::new(lifeline, PollFlags::POLLIN)));
        let at_most = u16::try_from(at_most.as_millis()).unwrap_or(u16::MAX).saturating_add(1);
        let _ = poll(&mut ready, PollTimeout::from(at_most));
        let by = |at: usize| ready.get(at).is_some_and(|ready| ready.any().unwrap_or(true));
        Woken { by_init: by(0), by_signal: by(1), by_lifeline: by(2) }
    }
}
