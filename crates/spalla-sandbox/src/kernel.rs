//! What has no safe wrapper: every `unsafe` of the project.
#![expect(unsafe_code, reason = "system calls for which no library has a safe form")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

/// Which side of a new process this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// The process that asked, with the id of the new one.
    Parent(i32),
    /// The new process.
    Child,
}

/// Makes a copy of this process in new namespaces; the flags are those of clone(2). Refuses in a process with several
/// threads: locks that others hold would stay locked in the copy for ever.
pub(crate) fn clone_process(namespaces: i32) -> io::Result<Side> {
    if std::fs::read_dir("/proc/self/task")?.count() != 1 {
        return Err(io::Error::other("a process with several threads can't be copied"));
    }
    let flags = i64::from(namespaces | libc::SIGCHLD);
    // SAFETY: without CLONE_VM and with no stack the call is a fork: the child has its own copy of all memory and
    // returns here. There is one thread (just counted, and nobody but it could start another), so that no lock is held.
    let answer = unsafe { libc::syscall(libc::SYS_clone, flags, 0_i64, 0_i64, 0_i64, 0_i64) };
    match i32::try_from(answer) {
        Ok(0) => Ok(Side::Child),
        Ok(pid) if pid > 0 => Ok(Side::Parent(pid)),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Ends this process at once: nothing is unwound or flushed, since all of that belongs to the process it is a copy of.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: _exit touches no memory of ours.
    unsafe { libc::_exit(code) }
}

/// Changes the attributes of a mount, named by a descriptor of its root, and with `recursive` of all beneath it. With
/// a user namespace the mount shows owners through that namespace's map.
pub(crate) fn mount_setattr(
    mount: BorrowedFd<'_>,
    recursive: bool,
    set: u64,
    owners: Option<BorrowedFd<'_>>,
) -> io::Result<()> {
    let mut attributes = libc::mount_attr { attr_set: set, attr_clr: 0, propagation: 0, userns_fd: 0 };
    if let Some(owners) = owners {
        attributes.attr_set |= libc::MOUNT_ATTR_IDMAP;
        attributes.userns_fd = u64::try_from(owners.as_raw_fd()).unwrap_or_default();
    }
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is a static string, the structure lives until after the call and its length is its own.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            std::ptr::from_mut(&mut attributes),
            size_of::<libc::mount_attr>(),
        )
    };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Marks every descriptor from this one on to be closed when another program is executed.
pub(crate) fn close_on_exec_from(first: RawFd) -> io::Result<()> {
    let first = u32::try_from(first).map_err(io::Error::other)?;
    // SAFETY: the call takes numbers only, and closes nothing now.
    let answer = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Leaves the keyrings of whoever started this process for an empty one.
pub(crate) fn leave_keyrings() -> io::Result<()> {
    const KEYCTL_JOIN_SESSION_KEYRING: i64 = 1;
    // SAFETY: a null name asks for an anonymous keyring; nothing is read or written.
    let answer = unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, 0_i64) };
    if answer >= 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Switches on the loopback device of this network namespace.
pub(crate) fn raise_loopback(socket: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: all zeroes is a valid value of this plain C structure.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = libc::c_char::try_from(*from).unwrap_or_default();
    }
    request.ifr_ifru.ifru_flags =
        libc::c_short::try_from(libc::IFF_UP | libc::IFF_RUNNING).unwrap_or_default();
    // SAFETY: the structure is the one that this request reads, with a name that ends in a zero, and it outlives the
    // call.
    let answer = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, std::ptr::from_ref(&request)) };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Overwrites the environment that this process was born with, where `/proc/<pid>/environ` shows it.
///
/// Only for the process that was just made and reads no variable any more.
pub(crate) fn wipe_environment() -> io::Result<()> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_ascii_whitespace().collect();
    // Fields 50 and 51 of proc_pid_stat(5); the first one here is the third there.
    let address = |index: usize| fields.get(index).and_then(|field| field.parse::<usize>().ok());
    let (Some(start), Some(end)) = (address(47), address(48)) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    if start == 0 || end < start {
        return Err(io::ErrorKind::InvalidData.into());
    }
    // SAFETY: the kernel says that the strings of the environment stand in these bytes of our own stack, which are
    // writable. There is one thread, and nothing of ours keeps a reference to them: std copies what it reads.
    unsafe { std::ptr::write_bytes(start as *mut u8, 0, end - start) };
    // SAFETY: the list of pointers is ended at its beginning, so that nobody reads the strings as variables; there is
    // one thread, and the list that the C library began with is writable.
    unsafe {
        unsafe extern "C" {
            static mut environ: *mut *mut libc::c_char;
        }
        if !environ.is_null() {
            *environ = std::ptr::null_mut();
        }
    }
    Ok(())
}

/// Writes a label over the last argument that this process was born with, as far as there is room for it; that is what the
/// list of processes shows.
///
/// Only for a process of one thread that reads its arguments no more.
pub(crate) fn show_label(label: &str) -> io::Result<()> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_ascii_whitespace().collect();
    // Fields 48 and 49 of proc_pid_stat(5); the first one here is the third there.
    let address = |index: usize| fields.get(index).and_then(|field| field.parse::<usize>().ok());
    let (Some(start), Some(end)) = (address(45), address(46)) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    if start == 0 || end <= start {
        return Err(io::ErrorKind::InvalidData.into());
    }
    // SAFETY: the kernel says that the arguments stand in these bytes of our own stack, which are writable. There is one
    // thread, and nothing of ours keeps a reference to them: std copies what it reads.
    let arguments = unsafe { std::slice::from_raw_parts_mut(start as *mut u8, end - start) };
    let last = arguments.len() - 1;
    let begin = arguments[..last].iter().rposition(|byte| *byte == 0).map_or(0, |zero| zero + 1);
    let room = &mut arguments[begin..last];
    let shown = label.bytes().filter(|byte| *byte != 0).take(room.len());
    let written = room.iter_mut().zip(shown).map(|(to, byte)| *to = byte).count();
    // What the first label had at the end would be a part of the second one; zeroes would be further arguments, and are
    // not shown at the end.
    room[written..].fill(0);
    Ok(())
}

/// Returns the version of the kernel's Landlock; 0 without any.
pub(crate) fn landlock_version() -> i32 {
    const CREATE_RULESET_VERSION: u32 = 1;
    // SAFETY: with this flag and no structure the call answers a number and makes nothing.
    let answer =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, 0_usize, 0_usize, CREATE_RULESET_VERSION) };
    i32::try_from(answer).unwrap_or_default().max(0)
}

/// Gives every signal its usual meaning again, as a program expects when it starts.
pub(crate) fn reset_signals() {
    for signal in 1..=64 {
        // SAFETY: the default action is no function of ours; numbers that can't be changed are refused.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// Attempts one of the system calls that no sandboxed process may have; for trials only. The arguments are chosen so
/// that the call has no effect where it is allowed, or one that is only felt by the caller.
pub(crate) fn attempt(call: Call) -> io::Result<()> {
    let answer = match call {
        // SAFETY: null pointers and empty lengths, which the kernel checks; no memory is written. A ring, a descriptor
        // or a namespace that comes into being belongs to the caller and goes with it.
        Call::IoUring => unsafe {
            let mut parameters = [0_u8; 120];
            libc::syscall(libc::SYS_io_uring_setup, 1_u32, parameters.as_mut_ptr())
        },
        // SAFETY: a map of one byte in a structure of zeroes with its own length.
        Call::Bpf => unsafe {
            // Type array, key 4 bytes, value 1 byte, one entry.
            let attributes: [u32; 32] = std::array::from_fn(|at| [2, 4, 1, 1].get(at).copied().unwrap_or(0));
            libc::syscall(libc::SYS_bpf, 0, attributes.as_ptr(), size_of_val(&attributes))
        },
        // SAFETY: an empty description of the caller's own thread: a structure of zeroes that names its length.
        Call::PerfEvent => unsafe {
            let mut attributes = [0_u32; 28];
            // A software event (1), of 112 bytes, of user code only.
            (attributes[0], attributes[1], attributes[10]) = (1, 112, 0b110_0000);
            libc::syscall(libc::SYS_perf_event_open, attributes.as_ptr(), 0_i64, -1_i64, -1_i64, 0_u64)
        },
        // SAFETY: takes flags only; user faults only (1).
        Call::Userfaultfd => unsafe { libc::syscall(libc::SYS_userfaultfd, 1) },
        // SAFETY: two static strings and the bytes of one of them; the keyring is the caller's own.
        Call::AddKey => unsafe {
            let name = c"spalla-trial";
            libc::syscall(libc::SYS_add_key, c"user".as_ptr(), name.as_ptr(), name.as_ptr(), 4_u64, -3_i64)
        },
        // SAFETY: takes numbers only: the id of the session's keyring.
        Call::Keyctl => unsafe { libc::syscall(libc::SYS_keyctl, 0_u64, -3_i64, 0_u64) },
        // SAFETY: takes a number only; the layout changes for the next execution.
        Call::Personality => unsafe { libc::syscall(libc::SYS_personality, 0x0004_0000) },
        // SAFETY: takes numbers only; the new namespace is the caller's.
        Call::UnshareUser => unsafe { libc::syscall(libc::SYS_unshare, libc::CLONE_NEWUSER) },
        // SAFETY: takes a number only; the new namespace of mounts is the caller's.
        Call::UnshareMounts => unsafe { libc::syscall(libc::SYS_unshare, libc::CLONE_NEWNS) },
        // SAFETY: as clone_process: a copy, which ends at once.
        Call::CloneUser => unsafe {
            let flags = i64::from(libc::CLONE_NEWUSER | libc::SIGCHLD);
            let pid = libc::syscall(libc::SYS_clone, flags, 0_i64, 0_i64, 0_i64, 0_i64);
            if pid == 0 {
                libc::_exit(0);
            }
            pid
        },
        // SAFETY: a structure of zeroes: a plain copy, which ends at once.
        Call::Clone3 => unsafe {
            let arguments = [0_u64; 11];
            let pid = libc::syscall(libc::SYS_clone3, arguments.as_ptr(), size_of_val(&arguments));
            if pid == 0 {
                libc::_exit(0);
            }
            pid
        },
        // SAFETY: static strings only.
        Call::Mount => unsafe {
            libc::syscall(libc::SYS_mount, c"t".as_ptr(), c"/tmp".as_ptr(), c"tmpfs".as_ptr(), 0_u64, 0_u64)
        },
        // SAFETY: a static string only.
        Call::Chroot => unsafe { libc::syscall(libc::SYS_chroot, c"/".as_ptr()) },
        // SAFETY: attaching to a process reads no memory of ours.
        Call::Ptrace(pid) => unsafe {
            libc::syscall(libc::SYS_ptrace, libc::PTRACE_SEIZE, i64::from(pid), 0_u64, 0_u64)
        },
        // SAFETY: one byte of ours is written, from an address of the other process that need not exist.
        Call::ReadMemory(pid) => unsafe {
            let mut byte = [0_u8; 1];
            let ours = libc::iovec { iov_base: byte.as_mut_ptr().cast(), iov_len: 1 };
            let theirs = libc::iovec { iov_base: 0x1000 as *mut libc::c_void, iov_len: 1 };
            libc::syscall(
                libc::SYS_process_vm_readv,
                pid,
                &raw const ours,
                1_u64,
                &raw const theirs,
                1_u64,
                0_u64,
            )
        },
        // SAFETY: only for calls whose arguments are numbers, or pointers of which null is one; what comes into being, such
        // as a mapping at a place that the kernel chooses, goes with the caller.
        Call::OfNumbers { call, arguments: [first, second, third, fourth, fifth] } => unsafe {
            libc::syscall(call, first, second, third, fourth, fifth)
        },
        // SAFETY: the kernel writes the context's number into the one given; the context goes with the caller.
        Call::IoSetup => unsafe {
            let mut context = 0_u64;
            libc::syscall(libc::SYS_io_setup, 1_u32, &raw mut context)
        },
        // SAFETY: the kernel writes at most as many bytes as the structure says that it holds, and the mount's number.
        Call::NameToHandle => unsafe {
            let mut handle = [0_u32; 34];
            handle[0] = 128;
            let mut mount = 0_i32;
            libc::syscall(
                libc::SYS_name_to_handle_at,
                libc::AT_FDCWD,
                c".".as_ptr(),
                handle.as_mut_ptr(),
                &raw mut mount,
                0,
            )
        },
        // SAFETY: two static strings and no list of arguments; nothing is mounted, and the descriptor goes with the caller.
        Call::OpenFileSystem => unsafe { libc::syscall(libc::SYS_fsopen, c"tmpfs".as_ptr(), 0) },
        // SAFETY: a static string; the copy of the mount is attached nowhere and goes with the caller.
        Call::CopyMounts => unsafe {
            // OPEN_TREE_CLONE
            libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, c"/".as_ptr(), 1)
        },
        // SAFETY: the kernel reads as many bytes as the structure says that it holds; none of them names a file.
        Call::OpenByHandle => unsafe {
            let handle = [8_u32, 1, 0, 0];
            libc::syscall(libc::SYS_open_by_handle_at, libc::AT_FDCWD, handle.as_ptr(), libc::O_RDONLY)
        },
        // SAFETY: two static strings; nobody is asked to make the key.
        Call::RequestKey => unsafe {
            libc::syscall(libc::SYS_request_key, c"user".as_ptr(), c"spalla-trial".as_ptr(), 0_u64, 0_u64)
        },
        // SAFETY: a static string; the file is empty, nowhere but in memory, and goes with the caller.
        Call::HugeFile => unsafe {
            libc::syscall(libc::SYS_memfd_create, c"spalla-trial".as_ptr(), libc::MFD_HUGETLB)
        },
        // SAFETY: the kernel reads one number from the place given; the caller alone runs otherwise from now on.
        Call::RunBeforeOthers => unsafe {
            let priority = 1_i32;
            libc::syscall(libc::SYS_sched_setscheduler, 0, libc::SCHED_FIFO, &raw const priority)
        },
        // SAFETY: one byte of ours is read, for an address of the other process at which there is nothing.
        Call::WriteMemory(pid) => unsafe {
            let mut byte = [0_u8; 1];
            let ours = libc::iovec { iov_base: byte.as_mut_ptr().cast(), iov_len: 1 };
            let theirs = libc::iovec { iov_base: 0x1000 as *mut libc::c_void, iov_len: 1 };
            libc::syscall(
                libc::SYS_process_vm_writev,
                pid,
                &raw const ours,
                1_u64,
                &raw const theirs,
                1_u64,
                0_u64,
            )
        },
        // SAFETY: takes numbers only; the descriptors that come into being belong to the caller and go with it.
        Call::TakeDescriptor(pid) => unsafe {
            let process = libc::syscall(libc::SYS_pidfd_open, pid, 0);
            if process < 0 { process } else { libc::syscall(libc::SYS_pidfd_getfd, process, 0, 0) }
        },
        // SAFETY: the kernel reads one number from the place given.
        Call::Ioctl { descriptor, request, value } => unsafe {
            libc::syscall(libc::SYS_ioctl, descriptor, request, &raw const value)
        },
        // SAFETY: takes numbers only.
        Call::Socket { domain, kind, protocol } => unsafe {
            libc::syscall(libc::SYS_socket, domain, kind, protocol)
        },
        // SAFETY: takes a number only: getpid with the bit of the x32 table.
        Call::X32 => unsafe { libc::syscall(0x4000_0000 | libc::SYS_getpid) },
        // SAFETY: a static string; what comes into being is a file in the given folder.
        Call::MakeDevice { major, minor } => unsafe {
            let device = libc::makedev(major, minor);
            libc::syscall(libc::SYS_mknod, c"spalla-trial-device".as_ptr(), libc::S_IFCHR | 0o600, device)
        },
    };
    if answer >= 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A system call to attempt.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Call {
    IoUring,
    Bpf,
    PerfEvent,
    Userfaultfd,
    AddKey,
    Keyctl,
    Personality,
    UnshareUser,
    UnshareMounts,
    CloneUser,
    Clone3,
    Mount,
    Chroot,
    Ptrace(i32),
    ReadMemory(i32),
    WriteMemory(i32),
    OpenFileSystem,
    CopyMounts,
    OpenByHandle,
    RequestKey,
    HugeFile,
    RunBeforeOthers,
    Socket {
        domain: i32,
        kind: i32,
        protocol: i32,
    },
    /// One whose arguments are numbers alone.
    OfNumbers {
        call: libc::c_long,
        arguments: [i64; 5],
    },
    IoSetup,
    NameToHandle,
    TakeDescriptor(i32),
    Ioctl {
        descriptor: i32,
        request: libc::c_ulong,
        value: i32,
    },
    X32,
    MakeDevice {
        major: u32,
        minor: u32,
    },
}
