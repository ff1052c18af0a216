//! Real attempts to get out, for the self-test and the suite of attacks. Each does what an attacker would and says
//! whether it worked; outside the sandbox every one of them does.

mod calls;
mod doors;
mod files;
mod machine;
mod network;
mod processes;

use serde::{Deserialize, Serialize};
use std::fmt::Display;
use std::path::PathBuf;

/// What there is to attack: made outside, for this purpose only.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Ground {
    /// A folder outside the workspace that the attacker's user may write, with a file `secret` in it.
    pub outside: PathBuf,
    /// A process outside.
    pub pid: i32,
    /// A port on the loopback device, both families, that answers over TCP.
    pub tcp_port: u16,
    /// A port on the loopback device that answers over UDP.
    pub udp_port: u16,
    /// The name of an abstract socket that answers.
    pub abstract_name: String,
    /// How much is to be tried, where that matters.
    pub amount: u64,
}

/// How an attempt came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It worked; what shows that.
    Escaped(String),
    /// It did not; what the system said.
    Held(String),
}

impl Outcome {
    /// An attempt worked if the system did what it was asked.
    pub(crate) fn of<T, E: Display>(result: Result<T, E>) -> Self {
        match result {
            Ok(_) => Self::Escaped("the system did what it was asked".into()),
            Err(error) => Self::Held(error.to_string()),
        }
    }
}

/// One way to try.
type Attempt = fn(&Ground) -> Outcome;

/// Every trial, by name.
pub(crate) const TRIALS: &[(&str, Attempt)] = &[
    ("read-outside", files::read_outside),
    ("read-shadow", files::read_shadow),
    ("write-system", files::write_system),
    ("write-outside", files::write_outside),
    ("remove-outside", files::remove_outside),
    ("chmod-outside", files::chmod_outside),
    ("xattr-outside", files::xattr_outside),
    ("owner-outside", files::owner_outside),
    ("truncate-outside", files::truncate_outside),
    ("link-in-folders", files::link_in_folders),
    ("times-outside", files::times_outside),
    ("read-through-link", files::read_through_link),
    ("hard-link", files::hard_link),
    ("rename-outside", files::rename_outside),
    ("see-home", files::see_home),
    ("devices", files::devices),
    ("setuid-chmod", files::setuid_chmod),
    ("setuid-open", files::setuid_open),
    ("setuid-run", files::setuid_run),
    ("fill-disk", files::fill_disk),
    ("fill-inodes", files::fill_inodes),
    ("fill-unlinked", files::fill_unlinked),
    ("one-large-file", files::one_large_file),
    ("see-process", processes::see_process),
    ("environment-of-other", processes::environment_of_other),
    ("root-of-other", processes::root_of_other),
    ("signal-outside", processes::signal_outside),
    ("ptrace-outside", processes::ptrace_outside),
    ("ptrace-child", processes::ptrace_child),
    ("memory-of-other", processes::memory_of_other),
    ("kill-init", processes::kill_init),
    ("look-into-init", processes::look_into_init),
    ("fork-bomb", processes::fork_bomb),
    ("memory-together", processes::memory_together),
    ("memory-nameless", processes::memory_nameless),
    ("memory-share", processes::memory_share),
    ("inherited-variable", processes::inherited_variable),
    ("inherited-descriptor", processes::inherited_descriptor),
    ("tcp4", network::tcp4),
    ("tcp6", network::tcp6),
    ("through-proxy", network::through_proxy),
    ("talk", network::talk),
    ("udp", network::udp),
    ("unix-path", network::unix_path),
    ("unix-abstract", network::unix_abstract),
    ("vsock", network::vsock),
    ("packet", network::packet),
    ("xdp", network::xdp),
    ("netlink-audit", network::netlink_audit),
    ("aio-contexts", machine::aio_contexts),
    ("inotify-instances", machine::inotify_instances),
    ("line-discipline", machine::line_discipline),
    ("typed-input", machine::typed_input),
    ("core-pattern", machine::core_pattern),
    ("drop-caches", machine::drop_caches),
    ("write-devices", machine::write_devices),
    ("leave-group", machine::leave_group),
    ("host-name", machine::host_name),
    ("clock", machine::clock),
    ("kernel-log", machine::kernel_log),
    ("file-handle", machine::file_handle),
    ("fanotify", machine::fanotify),
    ("namespace-of-other", machine::namespace_of_other),
    ("descriptor-of-other", machine::descriptor_of_other),
    ("write-memory-of-other", machine::write_memory_of_other),
    ("compare-with-other", machine::compare_with_other),
    ("priority-of-other", machine::priority_of_other),
    ("disk-priority-of-other", machine::disk_priority_of_other),
    ("limits-of-other", machine::limits_of_other),
    ("shared-memory", machine::shared_memory),
    ("multipath", machine::multipath),
    ("light-datagrams", machine::light_datagrams),
    ("unmount", doors::unmount),
    ("other-root", doors::other_root),
    ("swap", doors::swap),
    ("restart", doors::restart),
    ("secret-memory", doors::secret_memory),
    ("huge-pages", doors::huge_pages),
    ("huge-file", doors::huge_file),
    ("trace-me", doors::trace_me),
    ("new-file-system", doors::new_file_system),
    ("copy-of-mounts", doors::copy_of_mounts),
    ("file-by-handle", doors::file_by_handle),
    ("ask-for-key", doors::ask_for_key),
    ("before-everybody", doors::before_everybody),
    ("memory-of-other-by-call", doors::memory_of_other_by_call),
    ("odd-families", doors::odd_families),
    ("odd-protocols", doors::odd_protocols),
    ("io-uring", calls::io_uring),
    ("bpf", calls::bpf),
    ("perf-event", calls::perf_event),
    ("userfaultfd", calls::userfaultfd),
    ("add-key", calls::add_key),
    ("keyctl", calls::keyctl),
    ("personality", calls::personality),
    ("unshare-user", calls::unshare_user),
    ("clone-user", calls::clone_user),
    ("clone3", calls::clone3),
    ("mount", calls::mount),
    ("chroot", calls::chroot),
    ("mknod", calls::mknod),
    ("empty-device", calls::empty_device),
    ("x32", calls::x32),
];

/// Makes the attempt of this name, and returns the line that says how it came out.
pub(crate) fn attempt(name: &str, ground: &Ground) -> String {
    let found = TRIALS.iter().find(|(known, _)| *known == name);
    let outcome = found
        .map_or_else(|| Outcome::Escaped("there is no such trial".into()), |(_, attempt)| attempt(ground));
    match outcome {
        Outcome::Escaped(evidence) => format!("{name}: escaped: {evidence}"),
        Outcome::Held(reason) => format!("{name}: held: {reason}"),
    }
}

/// Stays a moment, as somebody would who uses up what others need; what only watches has to have seen it by then.
fn look_back() {
    let _ = rustix::event::poll(&mut [], Some(&rustix::event::Timespec { tv_sec: 1, tv_nsec: 0 }));
}
