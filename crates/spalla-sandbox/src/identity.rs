//! Who a sandboxed command is: inside, and for the rest of the machine.

use crate::kernel::{Side, clone_process};
use crate::policy::Layer;
use crate::refusal::{Error, Refusal, doing};
use rustix::process::{Pid, Signal, getegid, geteuid, getpid, kill_process};
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;

/// What to do where the kernel gives no namespaces.
pub(crate) const NAMESPACES_MEND: &str = "allow user namespaces (sysctl user.max_user_namespaces above 0, and where the \
     kernel knows them kernel.apparmor_restrict_unprivileged_userns=0 and kernel.unprivileged_userns_clone=1), or in a container \
     give it the right to make them, as docker-compose.agent.yml does";
/// The user and group inside when the supervisor is root.
const INSIDE_ID: u32 = 1_000;
/// The first of the users that root's commands are for the rest of the machine: those that belong to nobody else,
/// far above what distributions, containers and service managers give out.
const OUTSIDE_ID_FIRST: u32 = 0x7000_0000;
/// How many there are: as many as there are numbers of processes, so that no two that live have one.
const OUTSIDE_IDS: u32 = 1 << 22;

/// A user and its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) user: u32,
    pub(crate) group: u32,
}

/// Who a command is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identity {
    pub(crate) inside: Owner,
    pub(crate) outside: Owner,
    /// Whether root starts it, who may then choose.
    pub(crate) is_given_by_root: bool,
}

impl Identity {
    /// Chooses: an ordinary user stays who they are, root's commands are nobody in particular. Commands that run at
    /// the same time are different users, so that one can't reach another's processes even without namespaces.
    pub(crate) fn of_this_process() -> Self {
        let user = geteuid();
        if user.is_root() {
            let turn = getpid().as_raw_nonzero().get().unsigned_abs() % OUTSIDE_IDS;
            let id = OUTSIDE_ID_FIRST + turn;
            let outside = Owner { user: id, group: id };
            return Self {
                inside: Owner { user: INSIDE_ID, group: INSIDE_ID },
                outside,
                is_given_by_root: true,
            };
        }
        let owner = Owner { user: user.as_raw(), group: getegid().as_raw() };
        Self { inside: owner, outside: owner, is_given_by_root: false }
    }

    /// Tells the kernel who the users of a process's new namespace are.
    pub(crate) fn write_maps(&self, pid: i32) -> io::Result<()> {
        if !self.is_given_by_root {
            // Without this the kernel lets no ordinary user map a group.
            fs::write(format!("/proc/{pid}/setgroups"), "deny")?;
        }
        write_maps(pid, self.inside, self.outside)
    }
}

fn write_maps(pid: i32, inside: Owner, outside: Owner) -> io::Result<()> {
    fs::write(format!("/proc/{pid}/uid_map"), format!("{} {} 1", inside.user, outside.user))?;
    fs::write(format!("/proc/{pid}/gid_map"), format!("{} {} 1", inside.group, outside.group))
}

/// Makes the map by which files of one owner on the disk look, through a mount, as if they were another's.
/// The process that is needed for it is ended here, and reaped by whoever gets its id: that takes the kernel a while.
pub(crate) fn map_of_owners(
    on_disk: Owner,
    seen_as: Owner,
    helpers: &mut Vec<Pid>,
) -> Result<OwnedFd, Error> {
    let refused = |error: io::Error| Refusal::new(Layer::Namespaces, error, NAMESPACES_MEND);
    match clone_process(libc::CLONE_NEWUSER).map_err(refused)? {
        Side::Child => loop {
            nix::unistd::pause();
        },
        Side::Parent(pid) => {
            let opened = write_maps(pid, on_disk, seen_as)
                .and_then(|()| File::open(format!("/proc/{pid}/ns/user")))
                .map_err(doing("mapping the owners of files"));
            if let Some(pid) = Pid::from_raw(pid) {
                let _ = kill_process(pid, Signal::KILL);
                helpers.push(pid);
            }
            Ok(opened?.into())
        }
    }
}
