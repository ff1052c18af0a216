//! What an init is told that stood before anybody knew whose run it serves: what of the view is still missing, and the policy.

use crate::mount_view::OpenPart;
use crate::policy::Policy;
use crate::stdio::{receive_descriptors, send_descriptors};
use crate::view::View;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

/// How many parts travel in one message.
const AT_ONCE: usize = 32;

/// What it is told.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Brief {
    pub(crate) policy: Policy,
    /// All that the command sees.
    pub(crate) view: View,
    /// Links that are not made yet.
    pub(crate) links: Vec<(PathBuf, PathBuf)>,
    /// Parts that are not shown yet and come open, with whether each is a folder; none where the init opens all itself.
    parts: Option<Vec<(PathBuf, bool)>>,
}

impl Brief {
    /// Hands it over, with the parts that are open.
    pub(crate) fn send(
        socket: impl AsFd,
        (policy, view): (Policy, View),
        links: Vec<(PathBuf, PathBuf)>,
        open: Option<&[OpenPart]>,
    ) -> io::Result<()> {
        let parts = open.map(|open| open.iter().map(|part| (part.path.clone(), part.is_folder)).collect());
        let brief = Self { policy, view, links, parts };
        // It may be longer than any message.
        let mut text = crate::start::file_in_memory("brief")?;
        text.write_all(&serde_json::to_vec(&brief)?)?;
        text.rewind()?;
        send_descriptors(&socket, &[text.as_fd()])?;
        for some in open.unwrap_or_default().chunks(AT_ONCE) {
            let mounts: Vec<_> = some.iter().map(|part| part.mount.as_fd()).collect();
            send_descriptors(&socket, &mounts)?;
        }
        Ok(())
    }

    /// Waits for it, and the parts that come open with it; none when whoever would tell it is gone.
    pub(crate) fn receive(socket: impl AsFd) -> io::Result<Option<(Self, Option<Vec<OpenPart>>)>> {
        let Ok(came) = receive_descriptors(&socket)? else { return Ok(None) };
        let Ok([text]) = <[OwnedFd; 1]>::try_from(came) else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        let mut bytes = Vec::new();
        File::from(text).read_to_end(&mut bytes)?;
        let mut brief: Self = serde_json::from_slice(&bytes)?;
        let Some(named) = brief.parts.take() else { return Ok(Some((brief, None))) };
        let mut open = Vec::new();
        while open.len() < named.len() {
            let Ok(mounts) = receive_descriptors(&socket)? else { return Ok(None) };
            let next = named.iter().skip(open.len()).cloned();
            let parts =
                next.zip(mounts).map(|((path, is_folder), mount)| OpenPart { path, mount, is_folder });
            open.extend(parts.collect::<Vec<_>>());
        }
        Ok(Some((brief, Some(open))))
    }
}
