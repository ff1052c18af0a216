//! System calls that no build needs.

use super::{Ground, Outcome};
use crate::kernel::{Call, attempt};
use rustix::mount::{MountPropagationFlags, mount_change};

macro_rules! calls {
    ($($name:ident => $call:expr,)*) => {
        $(pub(super) fn $name(_: &Ground) -> Outcome {
            Outcome::of(attempt($call))
        })*
    };
}

calls! {
    io_uring => Call::IoUring,
    bpf => Call::Bpf,
    perf_event => Call::PerfEvent,
    userfaultfd => Call::Userfaultfd,
    add_key => Call::AddKey,
    keyctl => Call::Keyctl,
    personality => Call::Personality,
    unshare_user => Call::UnshareUser,
    clone_user => Call::CloneUser,
    clone3 => Call::Clone3,
    chroot => Call::Chroot,
    // The null device.
    mknod => Call::MakeDevice { major: 1, minor: 3 },
    // One that leads nowhere, which the kernel lets everybody make.
    empty_device => Call::MakeDevice { major: 0, minor: 0 },
    x32 => Call::X32,
}

/// Where it is allowed to mount, a namespace of its own keeps that from the machine; where it is not, there is none.
pub(super) fn mount(_: &Ground) -> Outcome {
    if attempt(Call::UnshareMounts).is_ok() {
        let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
        if let Err(error) = mount_change("/", private) {
            return Outcome::Held(error.to_string());
        }
    }
    Outcome::of(attempt(Call::Mount))
}
