//! Puts the view up: a file system of its own that holds what the view lists, and then nothing else is left.

use crate::environment::{HOME, USER};
use crate::identity::{Identity, Owner, map_of_owners};
use crate::kernel::mount_setattr;
use crate::policy::Limits;
use crate::view::{Access, DEVICES, Part, View};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::mount::{
    MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount, mount_change,
    mount_remount, move_mount, open_tree, unmount,
};
use rustix::process::Pid;
use std::ffi::CString;
use std::fmt::Display;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};

/// Where the new root is built before it becomes the root; any folder that every machine has.
const BUILDING_SITE: &str = "/tmp";
/// What is private to the run and may be written, beneath the root: it shares one limit of memory.
const SCRATCH: &str = "run/spalla";
/// The folders that are parts of it, and their names in it.
const SCRATCH_FOLDERS: [(&str, &str); 3] = [("tmp", "tmp"), ("var/tmp", "var-tmp"), ("dev/shm", "shm")];

/// A part that is open and waits to be mounted.
#[derive(Debug)]
pub(crate) struct OpenPart {
    pub(crate) path: PathBuf,
    pub(crate) mount: OwnedFd,
    pub(crate) is_folder: bool,
}

/// What failed while the view was put up.
#[derive(Debug)]
pub(crate) struct Failed(pub(crate) String);

fn failed<E: Display>(doing: impl Display) -> impl FnOnce(E) -> Failed {
    move |error| Failed(format!("{doing}: {error}"))
}

/// Opens every part of the view as a mount that is nowhere yet. Root does so before it gives its rights away, an
/// ordinary user in the namespaces in which it has them.
pub(crate) fn open_parts(view: &View, maps: &mut OwnerMaps) -> Result<Vec<OpenPart>, Failed> {
    view.parts().into_iter().filter_map(|part| open_part(part, maps).transpose()).collect()
}

/// Opens one part; none for a device that this machine does not have.
fn open_part(part: &Part, maps: &mut OwnerMaps) -> Result<Option<OpenPart>, Failed> {
    let found = match fs::metadata(&part.path) {
        Ok(found) => found,
        Err(_) if part.access == Access::Device => return Ok(None),
        Err(error) => return Err(failed(part.path.display())(error)),
    };
    let showing = || failed(format!("showing {}", part.path.display()));
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    if found.is_dir() {
        // Beneath a mount that somebody else made nothing may be uncovered, so all that is mounted there comes along.
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    let mount = open_tree(CWD, &part.path, flags).map_err(showing())?;
    let quiet = libc::MOUNT_ATTR_NOSUID;
    let set = match part.access {
        Access::System | Access::Read => quiet | libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_RDONLY,
        Access::Write => quiet | libc::MOUNT_ATTR_NODEV,
        Access::Device => quiet | libc::MOUNT_ATTR_NOEXEC,
    };
    let owners = match part.access {
        Access::Read | Access::Write => maps.of(Owner { user: found.uid(), group: found.gid() })?,
        Access::System | Access::Device => None,
    };
    let owners_failed = owners.is_some();
    mount_setattr(mount.as_fd(), found.is_dir(), set, owners).map_err(|error| {
        let hint =
            if owners_failed { " (its file system has to support mounts with mapped owners)" } else { "" };
        Failed(format!("showing {}{hint}: {error}", part.path.display()))
    })?;
    Ok(Some(OpenPart { path: part.path.clone(), mount, is_folder: found.is_dir() }))
}

/// The maps by which the files of others look as if they were the command's own; one for each owner.
#[derive(Debug)]
pub(crate) struct OwnerMaps {
    identity: Identity,
    made: Vec<(Owner, OwnedFd)>,
    /// The processes that lent their namespaces; over, and to be reaped later.
    pub(crate) helpers: Vec<Pid>,
}

impl OwnerMaps {
    /// Makes none yet.
    pub(crate) const fn new(identity: Identity) -> Self {
        Self { identity, made: Vec::new(), helpers: Vec::new() }
    }

    /// Tells whether there are any at all: only root may make them.
    pub(crate) const fn are_made(&self) -> bool {
        self.identity.is_given_by_root
    }

    /// Makes the map of an owner whose files will be shown most likely.
    pub(crate) fn foresee(&mut self, owner: Owner) {
        // Where that fails it is tried again when it is needed, and said then.
        let _ = self.of(owner);
    }

    /// Returns the map for an owner; none where there is nothing to map.
    fn of(&mut self, owner: Owner) -> Result<Option<BorrowedFd<'_>>, Failed> {
        if !self.identity.is_given_by_root || owner == self.identity.outside {
            return Ok(None);
        }
        let at = match self.made.iter().position(|(known, _)| *known == owner) {
            Some(at) => at,
            None => {
                let map = map_of_owners(owner, self.identity.outside, &mut self.helpers)
                    .map_err(|error| Failed(error.story()))?;
                self.made.push((owner, map));
                self.made.len() - 1
            }
        };
        Ok(Some(self.made[at].1.as_fd()))
    }
}

/// What a new root is made of: its parts, and the links among them.
pub(crate) struct Show<'a> {
    pub(crate) parts: Vec<OpenPart>,
    pub(crate) links: &'a [(PathBuf, PathBuf)],
}

/// Begins to build the new root, out of what is shown first; the current folder is it then. This process is the first of its
/// namespaces. Without limits of the private folders, they are set [later](enter).
pub(crate) fn begin(identity: Identity, limits: Option<&Limits>, show: Show<'_>) -> Result<(), Failed> {
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .map_err(failed("making mounts private"))?;
    let quiet = MountFlags::NOSUID | MountFlags::NODEV;
    mount("spalla", BUILDING_SITE, "tmpfs", quiet, c"mode=0755,size=1m,nr_inodes=8192")
        .map_err(failed("making a root"))?;
    rustix::process::chdir(BUILDING_SITE).map_err(failed("entering the new root"))?;
    fill(identity, limits, show)
}

/// Limits the private folders of a root that was begun without limits, and shows what is to be seen besides.
pub(crate) fn go_on(limits: &Limits, show: Show<'_>) -> Result<(), Failed> {
    mount_remount(SCRATCH, PRIVATE, &*sizes(limits)?).map_err(failed("limiting the private folders"))?;
    show.parts.into_iter().try_for_each(|part| show_part(&part))?;
    make_links(show.links)
}

/// Enters the root that was built: nothing else is left.
pub(crate) fn enter() -> Result<(), Failed> {
    rustix::process::pivot_root(".", ".").map_err(failed("changing the root"))?;
    unmount(".", UnmountFlags::DETACH).map_err(failed("leaving the old root"))?;
    rustix::process::chdir("/").map_err(failed("entering the root"))?;
    let root = rustix::fs::open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
        .map_err(failed("opening the root"))?;
    mount_setattr(root.as_fd(), false, libc::MOUNT_ATTR_RDONLY, None).map_err(failed("closing the root"))
}

/// How the private folders are mounted.
const PRIVATE: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV);

/// How much the private folders hold.
fn sizes(limits: &Limits) -> Result<CString, Failed> {
    let text = format!("mode=0755,size={}m,nr_inodes={}", limits.memory_mb, limits.files);
    CString::new(text).map_err(failed("limiting the private folders"))
}

/// Fills the new root, which is the current folder.
fn fill(identity: Identity, limits: Option<&Limits>, show: Show<'_>) -> Result<(), Failed> {
    for folder in ["proc", "dev", "dev/pts", SCRATCH] {
        make_folder(Path::new(folder))?;
    }
    let size = limits.map_or_else(|| Ok(c"mode=0755".into()), sizes)?;
    mount("spalla", SCRATCH, "tmpfs", PRIVATE, &*size).map_err(failed("making the private folders"))?;
    make_folder(Path::new(HOME.trim_start_matches('/')))?;
    for (at, name) in SCRATCH_FOLDERS {
        let folder = Path::new(SCRATCH).join(name);
        make_folder(&folder)?;
        make_folder(Path::new(at))?;
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        let tree = open_tree(CWD, &folder, flags).map_err(failed("opening a private folder"))?;
        attach(tree.as_fd(), Path::new(at))?;
    }
    let users = users(identity);
    for part in show.parts {
        show_part(&part)?;
        if part.path == Path::new("/etc") {
            hide_users(&users)?;
        }
    }
    make_links(show.links)?;
    let hidden = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC | MountFlags::RDONLY;
    mount("proc", "proc", "proc", hidden, c"hidepid=2").map_err(failed("mounting /proc"))?;
    let terminals = MountFlags::NOSUID | MountFlags::NOEXEC;
    mount("devpts", "dev/pts", "devpts", terminals, c"newinstance,ptmxmode=0666,mode=0620")
        .map_err(failed("mounting /dev/pts"))?;
    let links = [
        ("fd", "/proc/self/fd"),
        ("stdin", "fd/0"),
        ("stdout", "fd/1"),
        ("stderr", "fd/2"),
        ("ptmx", "pts/ptmx"),
    ];
    for (name, to) in links {
        symlink(to, Path::new("dev").join(name)).map_err(failed("filling /dev"))?;
    }
    debug_assert!(DEVICES.contains(&"null"), "nothing works without it");
    Ok(())
}

fn show_part(part: &OpenPart) -> Result<(), Failed> {
    let at = part.path.strip_prefix("/").unwrap_or(&part.path);
    if part.is_folder {
        make_folder(at)?;
    } else {
        make_file(at)?;
    }
    attach(part.mount.as_fd(), at)
}

fn make_links(links: &[(PathBuf, PathBuf)]) -> Result<(), Failed> {
    for (at, to) in links {
        let at = at.strip_prefix("/").unwrap_or(at);
        if let Some(folder) = at.parent() {
            make_folder(folder)?;
        }
        symlink(to, at).map_err(failed(at.display()))?;
    }
    Ok(())
}

/// The users inside, by name: root as the owner of the system, and the command itself.
fn users(identity: Identity) -> [(&'static str, String); 2] {
    let Owner { user, group } = identity.inside;
    let passwd = format!(
        "root:x:0:0:root:/:/usr/sbin/nologin\n{USER}:x:{user}:{group}::{HOME}:/bin/sh\n\
         nobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n"
    );
    let group = format!("root:x:0:\n{USER}:x:{group}:\nnogroup:x:65534:\n");
    [("passwd", passwd), ("group", group)]
}

/// Covers the machine's users by those inside.
fn hide_users(users: &[(&str, String)]) -> Result<(), Failed> {
    for (name, text) in users {
        let at = Path::new("etc").join(name);
        // A link could lead to anywhere, and is no place to mount on.
        if !fs::symlink_metadata(&at).is_ok_and(|found| found.is_file()) {
            continue;
        }
        let own = Path::new("run").join(name);
        fs::write(&own, text).map_err(failed("writing the users"))?;
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        let file = open_tree(CWD, &own, flags).map_err(failed("opening the users"))?;
        mount_setattr(file.as_fd(), false, libc::MOUNT_ATTR_RDONLY, None)
            .map_err(failed("showing the users"))?;
        attach(file.as_fd(), &at)?;
    }
    Ok(())
}

fn attach(tree: BorrowedFd<'_>, at: &Path) -> Result<(), Failed> {
    move_mount(tree, "", CWD, at, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
        .map_err(failed(format!("mounting /{}", at.display())))
}

fn make_folder(at: &Path) -> Result<(), Failed> {
    if at.as_os_str().is_empty() || at.is_dir() {
        return Ok(());
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(at)
        .map_err(failed(format!("making /{}", at.display())))
}

fn make_file(at: &Path) -> Result<(), Failed> {
    if let Some(folder) = at.parent() {
        make_folder(folder)?;
    }
    match fs::File::create_new(at) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(failed(format!("making /{}", at.display()))(error)),
    }
}
