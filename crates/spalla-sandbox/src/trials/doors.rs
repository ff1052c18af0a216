//! Calls by which the machine is taken over or used up, with arguments that lead nowhere: what matters is whether the
//! kernel looks at them, or refuses whoever asks.

use super::{Ground, Outcome};
use crate::kernel::{Call, attempt};
use std::io;

/// The families of sockets that programs need: Unix, IPv4, IPv6 and netlink.
const USUAL_FAMILIES: [i32; 4] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];
/// No family has this number, and none a higher one.
const FAMILIES: i32 = 64;
/// The protocols of the internet that programs need.
const USUAL_PROTOCOLS: [i32; 5] =
    [libc::IPPROTO_IP, libc::IPPROTO_ICMP, libc::IPPROTO_TCP, libc::IPPROTO_UDP, libc::IPPROTO_ICMPV6];
/// No protocol has this number, and none a higher one.
const PROTOCOLS: i32 = 300;

/// Refused is who may not do it, or who is told that there is no such thing; everybody else was let through.
fn let_through(result: io::Result<()>) -> Outcome {
    match result {
        Err(error) if matches!(error.raw_os_error(), Some(libc::EPERM | libc::EACCES | libc::ENOSYS)) => {
            Outcome::Held(error.to_string())
        }
        Err(error) => Outcome::Escaped(format!("the kernel looked at what was asked: {error}")),
        Ok(()) => Outcome::Escaped("the kernel did what it was asked".into()),
    }
}

fn numbers(call: libc::c_long, arguments: [i64; 5]) -> Outcome {
    let_through(attempt(Call::OfNumbers { call, arguments }))
}

macro_rules! doors {
    ($($name:ident => $call:expr, $arguments:expr;)*) => {
        $(pub(super) fn $name(_: &Ground) -> Outcome {
            numbers($call, $arguments)
        })*
    };
}

doors! {
    unmount => libc::SYS_umount2, [0; 5];
    other_root => libc::SYS_pivot_root, [0; 5];
    swap => libc::SYS_swapon, [0; 5];
    // Without the numbers that it wants, nothing is started anew.
    restart => libc::SYS_reboot, [0; 5];
    secret_memory => libc::SYS_memfd_secret, [0; 5];
    // Private memory without a file, of one huge page, which nobody touches.
    huge_pages => libc::SYS_mmap, [0, 2 << 20, 3, i64::from(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_HUGETLB), -1];
    trace_me => libc::SYS_ptrace, [0; 5];
}

macro_rules! calls {
    ($($name:ident => $call:expr,)*) => {
        $(pub(super) fn $name(_: &Ground) -> Outcome {
            let_through(attempt($call))
        })*
    };
}

calls! {
    new_file_system => Call::OpenFileSystem,
    copy_of_mounts => Call::CopyMounts,
    file_by_handle => Call::OpenByHandle,
    ask_for_key => Call::RequestKey,
    huge_file => Call::HugeFile,
    before_everybody => Call::RunBeforeOthers,
}

/// Writes into the memory of a process outside, at a place that need not exist.
pub(super) fn memory_of_other_by_call(ground: &Ground) -> Outcome {
    match attempt(Call::WriteMemory(ground.pid)) {
        Err(error) if error.raw_os_error() != Some(libc::EFAULT) => Outcome::Held(error.to_string()),
        _ => Outcome::Escaped("allowed to write".into()),
    }
}

/// Every family of sockets besides those that programs need, in every way: each is a part of the kernel of its own. The
/// first one asked for is none at all, so that without walls the kernel loads nothing for the attempt.
pub(super) fn odd_families(_: &Ground) -> Outcome {
    let kinds = [libc::SOCK_STREAM, libc::SOCK_DGRAM, libc::SOCK_RAW, libc::SOCK_SEQPACKET];
    let odd = (0..=FAMILIES).rev().filter(|family| !USUAL_FAMILIES.contains(family));
    sockets(odd.flat_map(|domain| kinds.map(|kind| (domain, kind, 0))))
}

/// Every protocol of the internet besides those that programs need; here as well the first one asked for is none.
pub(super) fn odd_protocols(_: &Ground) -> Outcome {
    let odd = (0..=PROTOCOLS).rev().filter(|protocol| !USUAL_PROTOCOLS.contains(protocol));
    let ways = [
        (libc::AF_INET, libc::SOCK_STREAM),
        (libc::AF_INET6, libc::SOCK_DGRAM),
        (libc::AF_INET, libc::SOCK_SEQPACKET),
    ];
    sockets(odd.flat_map(|protocol| ways.map(|(domain, kind)| (domain, kind, protocol))))
}

/// Tells the first of these that the kernel looks at.
fn sockets(mut wanted: impl Iterator<Item = (i32, i32, i32)>) -> Outcome {
    let looked_at = wanted.find(|(domain, kind, protocol)| {
        let call = Call::Socket { domain: *domain, kind: *kind, protocol: *protocol };
        matches!(let_through(attempt(call)), Outcome::Escaped(_))
    });
    match looked_at {
        None => Outcome::Held("all were refused".into()),
        Some(some) => Outcome::Escaped(format!("family, kind and protocol {some:?} were looked at")),
    }
}
