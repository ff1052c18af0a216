//! How a command starts behind its walls: all that the init is told once they stand.

use crate::secret_files::SecretFiles;
use crate::stdio::{Stdio, receive_descriptors, send_descriptors};
use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// The program with its arguments and variables, and where and how it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) program: CString,
    pub(crate) arguments: Vec<CString>,
    pub(crate) environment: Vec<CString>,
    pub(crate) folder: PathBuf,
    pub(crate) umask: u32,
    pub(crate) secret_files: SecretFiles,
}

impl Start {
    /// Hands it to the init, with the command's three descriptors.
    pub(crate) fn send(&self, socket: impl AsFd, stdio: &Stdio) -> io::Result<()> {
        // An environment may be longer than any message.
        let mut text = file_in_memory("start")?;
        text.write_all(&Zeroizing::new(self.to_bytes()))?;
        text.rewind()?;
        let descriptors = [stdio.stdin.as_fd(), stdio.stdout.as_fd(), stdio.stderr.as_fd(), text.as_fd()];
        send_descriptors(socket, &descriptors)
    }

    /// Waits for it; none when the supervisor is gone.
    pub(crate) fn receive(socket: impl AsFd) -> io::Result<Option<(Self, Stdio)>> {
        let Ok(came) = receive_descriptors(socket)? else { return Ok(None) };
        let Ok([stdin, stdout, stderr, text]) = <[OwnedFd; 4]>::try_from(came) else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        let mut bytes = Zeroizing::new(Vec::new());
        File::from(text).read_to_end(&mut bytes)?;
        let start = Self::from_bytes(&bytes).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Some((start, Stdio { stdin, stdout, stderr })))
    }

    /// Every part ends with a zero byte, which none of them holds; how many are files and arguments stands in front of
    /// these.
    fn to_bytes(&self) -> Vec<u8> {
        let (umask, count) = (self.umask.to_string(), self.arguments.len().to_string());
        let first = [umask.as_bytes(), self.folder.as_os_str().as_bytes(), self.program.as_bytes()];
        let files = self.secret_files.to_parts();
        let files_count = files.len().to_string();
        let files = files.iter().flat_map(|(name, digits)| [name.as_bytes(), digits.as_bytes()]);
        let texts = self.arguments.iter().chain(&self.environment).map(|text| text.as_bytes());
        let mut bytes = Vec::new();
        for part in first
            .into_iter()
            .chain([files_count.as_bytes()])
            .chain(files)
            .chain([count.as_bytes()])
            .chain(texts)
        {
            bytes.extend_from_slice(part);
            bytes.push(0);
        }
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut parts = bytes.strip_suffix(&[0])?.split(|byte| *byte == 0);
        let number = |part: &[u8]| std::str::from_utf8(part).ok()?.parse::<u32>().ok();
        let umask = number(parts.next()?)?;
        let folder = PathBuf::from(OsStr::from_bytes(parts.next()?));
        let program = CString::new(parts.next()?).ok()?;
        let mut secret_files = SecretFiles::default();
        for _ in 0..number(parts.next()?)? {
            secret_files.put_part(parts.next()?, parts.next()?)?;
        }
        let count = usize::try_from(number(parts.next()?)?).ok()?;
        let mut arguments = parts.map(CString::new).collect::<Result<Vec<_>, _>>().ok()?;
        let environment = (count <= arguments.len()).then(|| arguments.split_off(count))?;
        Some(Self { program, arguments, environment, folder, umask, secret_files })
    }
}

/// Makes an empty file that lives in memory.
pub(crate) fn file_in_memory(name: &str) -> io::Result<File> {
    Ok(rustix::fs::memfd_create(name, rustix::fs::MemfdFlags::CLOEXEC)?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_arrives_as_it_was_sent() {
        let mut secret_files = SecretFiles::default();
        secret_files.put("KEY".into(), b"a\0b\n".to_vec());
        secret_files.put("OTHER".into(), Vec::new());
        let start = Start {
            program: c"/bin/sh".into(),
            arguments: vec![c"sh".into(), c"".into(), c"a\nb".into()],
            environment: vec![c"A=".into(), c"B=\xff".into()],
            folder: "/w".into(),
            umask: 0o077,
            secret_files,
        };
        assert_eq!(Start::from_bytes(&start.to_bytes()), Some(start.clone()));
        let bare = Start { arguments: vec![c"sh".into()], environment: Vec::new(), ..start };
        assert_eq!(Start::from_bytes(&bare.to_bytes()), Some(bare));
    }

    #[test]
    fn a_start_that_is_cut_is_none() {
        for bytes in [
            &b""[..],
            b"18\0/w\0",
            b"18\0/w\0/bin/sh\x001\0A\0",
            b"18\0/w\0/bin/sh\x000\x002\0sh\0",
            b"x\0/w\0/bin/sh\x000\x001\0sh\0",
        ] {
            assert_eq!(Start::from_bytes(bytes), None);
        }
    }
}
