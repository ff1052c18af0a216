//! The system calls that are refused: those that make or change namespaces and mounts, look into other processes, load
//! code into the kernel, or belong to parts of the kernel in which its faults are usually found.

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Length, SeccompCmpOp as Compare, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch, apply_filter,
};
use std::collections::BTreeMap;

/// What to do where the kernel takes no filter.
pub(crate) const MEND: &str = "use a kernel with CONFIG_SECCOMP_FILTER, on x86_64 or aarch64";

/// Refused whatever the arguments, as not permitted.
const REFUSED: &[i64] = &[
    // Mounts and roots.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_mount_setattr,
    // open_tree_attr, newer than the library's table; the same number everywhere.
    467,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_fanotify_init,
    // Namespaces.
    libc::SYS_unshare,
    libc::SYS_setns,
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    libc::SYS_perf_event_open,
    // Keyrings.
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    // Parts of the kernel that a build does not need.
    libc::SYS_bpf,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_userfaultfd,
    libc::SYS_personality,
    libc::SYS_lookup_dcookie,
    libc::SYS_vhangup,
    libc::SYS_acct,
    libc::SYS_syslog,
    libc::SYS_nfsservctl,
    // The machine as a whole.
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_uselib,
    #[cfg(target_arch = "x86_64")]
    libc::SYS__sysctl,
];

/// Refused as if the kernel did not know them, so that programs take the older call, whose arguments can be judged.
///
/// Contexts of the older asynchronous requests are counted for the whole machine, not for a user: one run could take all.
/// Secret memory is taken out of the kernel's own map, which slows the whole machine down.
const UNKNOWN: &[i64] = &[libc::SYS_clone3, libc::SYS_openat2, libc::SYS_io_setup, libc::SYS_memfd_secret];

/// The calls that take memory in huge pages where a bit of an argument says so: those that a machine keeps are counted for
/// nobody, so that one run could take all of them.
const HUGE: &[(i64, u8, u64)] = &[
    (libc::SYS_mmap, 3, libc::MAP_HUGETLB.unsigned_abs() as u64),
    (libc::SYS_memfd_create, 1, libc::MFD_HUGETLB as u64),
    (libc::SYS_shmget, 2, libc::SHM_HUGETLB.unsigned_abs() as u64),
];

/// The bits of clone(2) that ask for a new namespace; that of time has none there.
const NAMESPACE_BITS: [i32; 7] = [
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWCGROUP,
];

/// The bits of a file's mode that let a program run as its owner or group: what is written into the workspace stays
/// there, and could run on the machine itself.
const SETUID_BITS: [u32; 2] = [libc::S_ISUID, libc::S_ISGID];

/// The calls that take a mode, and which argument it is.
const MODES: &[(i64, u8)] = &[
    (libc::SYS_fchmod, 1),
    (libc::SYS_fchmodat, 2),
    (libc::SYS_fchmodat2, 2),
    (libc::SYS_openat, 3),
    (libc::SYS_mknodat, 2),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_chmod, 1),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_open, 2),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_creat, 1),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_mknod, 1),
];

/// The kinds of device files: with the numbers of none, the kernel lets everybody make one.
const DEVICE_KINDS: [u32; 2] = [libc::S_IFCHR, libc::S_IFBLK];

/// The calls that make files of all kinds, and which argument is the mode with the kind.
const MAKERS: &[(i64, u8)] = &[
    (libc::SYS_mknodat, 2),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_mknod, 1),
];

/// The families of sockets that a program may open; of netlink only what lists addresses.
const FAMILIES: [i32; 4] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

/// The protocols of the internet that a program may speak. Others (several ways at once, SCTP, light datagrams, raw
/// packets) are parts of the kernel of their own, some of which it loads for whoever asks.
const PROTOCOLS: [i32; 5] =
    [libc::IPPROTO_IP, libc::IPPROTO_ICMP, libc::IPPROTO_TCP, libc::IPPROTO_UDP, libc::IPPROTO_ICMPV6];

/// The filters, ready for the kernel.
pub(crate) struct Filters(Vec<BpfProgram>);

/// Makes the filters; nobody is restricted yet.
pub(crate) fn make() -> Result<Filters, String> {
    programs().map(Filters).map_err(|error| error.to_string())
}

/// Refuses the calls to this process and all that it starts.
pub(crate) fn apply(filters: &Filters) -> Result<(), String> {
    filters.0.iter().try_for_each(|program| apply_filter(program)).map_err(|error| error.to_string())
}

fn programs() -> Result<Vec<BpfProgram>, seccompiler::Error> {
    let refused = rules()?;
    let unknown = UNKNOWN.iter().map(|call| (*call, Vec::new())).collect();
    let mut programs = vec![program(refused, libc::EPERM)?, program(unknown, libc::ENOSYS)?];
    if cfg!(target_arch = "x86_64") {
        programs.push(without_x32());
    }
    Ok(programs)
}

fn program(rules: BTreeMap<i64, Vec<SeccompRule>>, error: i32) -> Result<BpfProgram, seccompiler::Error> {
    let refuse = SeccompAction::Errno(error.unsigned_abs());
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    Ok(SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch)?.try_into()?)
}

fn rules() -> Result<BTreeMap<i64, Vec<SeccompRule>>, seccompiler::Error> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = REFUSED.iter().map(|call| (*call, Vec::new())).collect();
    let bit = |argument: u8, bit: u64| {
        SeccompRule::new(vec![SeccompCondition::new(argument, Length::Dword, Compare::MaskedEq(bit), bit)?])
    };
    let namespaces = NAMESPACE_BITS.iter().map(|bits| bit(0, u64::from(bits.unsigned_abs())));
    rules.insert(libc::SYS_clone, namespaces.collect::<Result<_, _>>()?);
    for (call, argument) in MODES {
        let modes = SETUID_BITS.iter().map(|bits| bit(*argument, u64::from(*bits)));
        rules.insert(*call, modes.collect::<Result<_, _>>()?);
    }
    for (call, argument) in MAKERS {
        for kind in DEVICE_KINDS {
            let is_it = Compare::MaskedEq(u64::from(libc::S_IFMT));
            let device = SeccompCondition::new(*argument, Length::Dword, is_it, u64::from(kind))?;
            rules.entry(*call).or_default().push(SeccompRule::new(vec![device])?);
        }
    }
    for (call, argument, is_huge) in HUGE {
        rules.insert(*call, vec![bit(*argument, *is_huge)?]);
    }
    for call in [libc::SYS_socket, libc::SYS_socketpair] {
        rules.insert(call, sockets()?);
    }
    // Typing into the terminal of somebody else, and drivers that the kernel would load for a terminal.
    let terminal = [libc::TIOCSTI, libc::TIOCLINUX, libc::TIOCSETD].map(|request| {
        SeccompRule::new(vec![SeccompCondition::new(1, Length::Dword, Compare::Eq, request)?])
    });
    rules.insert(libc::SYS_ioctl, terminal.into_iter().collect::<Result<_, _>>()?);
    Ok(rules)
}

/// Refuses every family that is not listed, of the internet every protocol that is not, and of netlink every protocol but
/// the first, which is routing.
fn sockets() -> Result<Vec<SeccompRule>, seccompiler::Error> {
    let is_not =
        |family: &i32| SeccompCondition::new(0, Length::Dword, Compare::Ne, u64::from(family.unsigned_abs()));
    let unlisted = FAMILIES.iter().map(is_not).collect::<Result<Vec<_>, _>>()?;
    let netlink = vec![
        SeccompCondition::new(0, Length::Dword, Compare::Eq, u64::from(libc::AF_NETLINK.unsigned_abs()))?,
        SeccompCondition::new(2, Length::Dword, Compare::Ne, u64::from(libc::NETLINK_ROUTE.unsigned_abs()))?,
    ];
    let mut rules = vec![SeccompRule::new(unlisted)?, SeccompRule::new(netlink)?];
    for family in [libc::AF_INET, libc::AF_INET6] {
        let is = SeccompCondition::new(0, Length::Dword, Compare::Eq, u64::from(family.unsigned_abs()))?;
        let mut odd = vec![is];
        for protocol in PROTOCOLS {
            let known = u64::from(protocol.unsigned_abs());
            odd.push(SeccompCondition::new(2, Length::Dword, Compare::Ne, known)?);
        }
        rules.push(SeccompRule::new(odd)?);
    }
    Ok(rules)
}

/// Answers calls of the x32 table, which has its own numbers for some of those that are refused, as unknown.
fn without_x32() -> BpfProgram {
    const LOAD_NUMBER: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS; the number stands first.
    const JUMP_IF_SET: u16 = 0x45; // BPF_JMP | BPF_JSET | BPF_K
    const RETURN: u16 = 0x06; // BPF_RET | BPF_K
    const X32_BIT: u32 = 0x4000_0000;
    let unknown = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs();
    [
        (LOAD_NUMBER, 0, 0, 0),
        (JUMP_IF_SET, 0, 1, X32_BIT),
        (RETURN, 0, 0, unknown),
        (RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
    ]
    .map(|(code, jt, jf, k)| seccompiler::sock_filter { code, jt, jf, k })
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_fit_into_the_kernel() {
        let programs = programs().unwrap();
        // BPF_MAXINSNS
        assert!(programs.iter().all(|program| !program.is_empty() && program.len() <= 4_096));
    }

    #[test]
    fn no_call_is_named_twice_with_different_meanings() {
        for (call, _) in MODES {
            assert!(!REFUSED.contains(call) && !UNKNOWN.contains(call), "{call}");
        }
    }
}
