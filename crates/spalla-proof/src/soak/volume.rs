//! A small disk of its own, which can be filled and made read-only without touching the machine's.

use crate::process::output;
use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, fallocate};
use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Far more than the rows of a long soak need.
const SIZE: &str = "size=768m";
const FILLER: &str = "filler";
/// The filler grows in pieces, the last ones small, so that nothing is left.
const PIECES: [i64; 3] = [16 << 20, 1 << 20, 1 << 12];

/// A mounted file system in memory; it is gone when this is dropped.
pub(crate) struct Volume {
    folder: PathBuf,
}

impl Volume {
    /// Mounts it; needs the rights of root.
    pub(crate) async fn mount(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).context("making the mount point")?;
        let words = ["-t", "tmpfs", "-o", SIZE, "spalla-soak"].map(OsStr::new);
        output("mount", &[&words[..], &[folder.as_os_str()]].concat()).await?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Takes all the room that is left.
    pub(crate) fn fill(&self) -> Result<()> {
        let file = File::options().create(true).append(true).open(self.folder.join(FILLER));
        let file = file.context("opening the filler")?;
        let mut end = 0;
        for piece in PIECES {
            loop {
                match fallocate(&file, FallocateFlags::empty(), end, piece) {
                    Ok(()) => end += piece,
                    Err(Errno::ENOSPC) => break,
                    Err(Errno::EINTR) => {}
                    Err(error) => return Err(error).context("filling the disk"),
                }
            }
        }
        Ok(())
    }

    /// Gives the room back.
    pub(crate) fn free(&self) -> Result<()> {
        std::fs::remove_file(self.folder.join(FILLER)).context("removing the filler")
    }

    /// Makes it read-only or writable again; nobody may be writing.
    pub(crate) async fn remount(&self, how: &str) -> Result<()> {
        let options = format!("remount,{how}");
        let words = ["-o", &options].map(OsStr::new);
        output("mount", &[&words[..], &[self.folder.as_os_str()]].concat()).await.map(drop)
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        let mut unmount = Command::new("umount");
        unmount.arg("--lazy").arg(&self.folder).stdin(Stdio::null()).stdout(Stdio::null());
        // Whatever keeps it mounted is gone with the soak's own processes.
        let _ = unmount.status();
    }
}
