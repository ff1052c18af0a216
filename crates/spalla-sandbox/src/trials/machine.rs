//! Ways to touch what the machine has once for all: its clock and name, its settings, and what is counted for everybody.

use super::{Ground, Outcome};
use crate::kernel::{Call, attempt};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

/// Files by which the machine's devices and memory are set.
const SETTINGS: [&str; 4] = [
    "/sys/power/state",
    "/sys/kernel/mm/ksm/run",
    "/sys/kernel/mm/transparent_hugepage/enabled",
    "/sys/kernel/uevent_helper",
];
/// The discipline that every terminal begins with.
const ORDINARY: i32 = 0;
/// Files by which a process leaves its group, in either version.
const GROUPS: [&str; 3] =
    ["/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/memory/cgroup.procs", "/sys/fs/cgroup/pids/cgroup.procs"];

fn numbers(call: libc::c_long, arguments: &[i64]) -> io::Result<()> {
    let argument = |at: usize| arguments.get(at).copied().unwrap_or(0);
    attempt(Call::OfNumbers {
        call,
        arguments: [argument(0), argument(1), argument(2), argument(3), argument(4)],
    })
}

fn open_to_write(path: impl AsRef<Path>) -> io::Result<File> {
    OpenOptions::new().write(true).open(path)
}

fn any_opened(paths: &[&str]) -> Outcome {
    match paths.iter().find(|path| open_to_write(path).is_ok()) {
        Some(path) => Outcome::Escaped(format!("{path} can be written")),
        None => Outcome::Held("none can be written".into()),
    }
}

/// Contexts for requests are counted for the whole machine: who takes them all leaves none to its databases.
pub(super) fn aio_contexts(_: &Ground) -> Outcome {
    Outcome::of(attempt(Call::IoSetup))
}

/// Watches of files are counted by user, across namespaces: who takes them all leaves none to the user's desktop.
pub(super) fn inotify_instances(ground: &Ground) -> Outcome {
    let mut taken = Vec::new();
    while taken.len() < usize::try_from(ground.amount).unwrap_or(usize::MAX) {
        match rustix::fs::inotify::init(rustix::fs::inotify::CreateFlags::CLOEXEC) {
            Ok(instance) => taken.push(instance),
            Err(error) => return Outcome::Held(format!("after {}: {error}", taken.len())),
        }
    }
    Outcome::Escaped(format!("{} are taken", taken.len()))
}

/// The multiplexer's end of a new terminal.
fn terminal() -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open("/dev/ptmx")
}

/// A line discipline is a driver that the kernel loads for whoever asks.
pub(super) fn line_discipline(_: &Ground) -> Outcome {
    let set = |terminal: File| {
        attempt(Call::Ioctl { descriptor: terminal.as_raw_fd(), request: libc::TIOCSETD, value: ORDINARY })
    };
    Outcome::of(terminal().and_then(set))
}

pub(super) fn typed_input(_: &Ground) -> Outcome {
    let typed = |terminal: File| {
        let (descriptor, value) = (terminal.as_raw_fd(), i32::from(b'x'));
        attempt(Call::Ioctl { descriptor, request: libc::TIOCSTI, value })
    };
    Outcome::of(terminal().and_then(typed))
}

pub(super) fn core_pattern(_: &Ground) -> Outcome {
    let path = "/proc/sys/kernel/core_pattern";
    Outcome::of(fs::read(path).and_then(|text| fs::write(path, text)))
}

/// Only opens it: the caches stay.
pub(super) fn drop_caches(_: &Ground) -> Outcome {
    Outcome::of(open_to_write("/proc/sys/vm/drop_caches"))
}

pub(super) fn write_devices(_: &Ground) -> Outcome {
    any_opened(&SETTINGS)
}

pub(super) fn leave_group(_: &Ground) -> Outcome {
    any_opened(&GROUPS)
}

/// The same name again.
pub(super) fn host_name(_: &Ground) -> Outcome {
    let name = rustix::system::uname().nodename().to_bytes().to_vec();
    Outcome::of(rustix::system::sethostname(&name))
}

/// No time and no zone: asks for the right alone.
pub(super) fn clock(_: &Ground) -> Outcome {
    Outcome::of(numbers(libc::SYS_settimeofday, &[]))
}

/// How much the kernel has said.
pub(super) fn kernel_log(_: &Ground) -> Outcome {
    Outcome::of(numbers(libc::SYS_syslog, &[10]))
}

/// A file's handle, by which who may open handles opens any file.
pub(super) fn file_handle(_: &Ground) -> Outcome {
    Outcome::of(attempt(Call::NameToHandle))
}

/// Hears of every file that is opened, as an ordinary user may of some.
pub(super) fn fanotify(_: &Ground) -> Outcome {
    const REPORT_FID: i64 = 0x200;
    Outcome::of(numbers(libc::SYS_fanotify_init, &[REPORT_FID, i64::from(libc::O_RDONLY)]))
}

/// Enters the network of a process outside.
pub(super) fn namespace_of_other(ground: &Ground) -> Outcome {
    let opened = File::open(format!("/proc/{}/ns/net", ground.pid));
    Outcome::of(opened.and_then(|file| numbers(libc::SYS_setns, &[i64::from(file.as_raw_fd()), 0])))
}

/// Takes a descriptor of a process outside.
pub(super) fn descriptor_of_other(ground: &Ground) -> Outcome {
    Outcome::of(attempt(Call::TakeDescriptor(ground.pid)))
}

pub(super) fn write_memory_of_other(ground: &Ground) -> Outcome {
    Outcome::of(open_to_write(format!("/proc/{}/mem", ground.pid)))
}

/// Asks whether two processes share their memory: tells where it is in the kernel, and that a process is there.
pub(super) fn compare_with_other(ground: &Ground) -> Outcome {
    let own = i64::from(rustix::process::getpid().as_raw_nonzero().get());
    const MEMORY: i64 = 1;
    Outcome::of(numbers(libc::SYS_kcmp, &[own, i64::from(ground.pid), MEMORY]))
}

pub(super) fn priority_of_other(ground: &Ground) -> Outcome {
    Outcome::of(numbers(libc::SYS_setpriority, &[0, i64::from(ground.pid), 5]))
}

pub(super) fn disk_priority_of_other(ground: &Ground) -> Outcome {
    // One process; the class of ordinary ones, the last in it.
    Outcome::of(numbers(libc::SYS_ioprio_set, &[1, i64::from(ground.pid), 2 << 13 | 7]))
}

pub(super) fn limits_of_other(ground: &Ground) -> Outcome {
    Outcome::of(numbers(libc::SYS_prlimit64, &[i64::from(ground.pid), i64::from(libc::RLIMIT_NOFILE)]))
}

/// Memory that others share, by its number.
pub(super) fn shared_memory(ground: &Ground) -> Outcome {
    let number = i64::try_from(ground.amount).unwrap_or(i64::MAX);
    Outcome::of(numbers(libc::SYS_shmat, &[number, 0, i64::from(libc::SHM_RDONLY)]))
}

/// Transports that programs do without, each with a part of the kernel of its own.
pub(super) fn multipath(_: &Ground) -> Outcome {
    let protocol = libc::IPPROTO_MPTCP;
    Outcome::of(attempt(Call::Socket { domain: libc::AF_INET, kind: libc::SOCK_STREAM, protocol }))
}

pub(super) fn light_datagrams(_: &Ground) -> Outcome {
    let protocol = libc::IPPROTO_UDPLITE;
    Outcome::of(attempt(Call::Socket { domain: libc::AF_INET6, kind: libc::SOCK_DGRAM, protocol }))
}
