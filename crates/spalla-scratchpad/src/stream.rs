//! What was made in `work/`, as a commit that git's fast-import reads. Git never looks at the files themselves: whatever
//! stands among them, such as settings of another repository, is only bytes here.

use crate::changes::Change;
use crate::create::WORK;
use crate::error::{Error, io};
use crate::folder::Folder;
use crate::id::Id;
use crate::manifest::FileKind;
use crate::record::Target;
use crate::scratchpads::Scratchpads;
use crate::walk::hidden;
use spalla_domain::Timestamp;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;

/// How long a stream may be, in bytes: it is in memory as a whole.
const STREAM_BYTES_MAX: usize = 256 * 1024 * 1024;

/// What was made in `work/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// What fast-import reads.
    pub bytes: Vec<u8>,
    /// How many files differ.
    pub files: u64,
    /// What was left out: pipes, sockets, devices.
    pub left_out: Vec<String>,
}

impl Scratchpads {
    /// Returns the paths in `work/` that are new, as git asks for them.
    pub fn new_in_work(&self, id: &Id, now: Timestamp) -> Result<Vec<Vec<u8>>, Error> {
        let changes = self.changes(id, now)?;
        Ok(changes.created.iter().filter_map(in_work).map(|(path, _)| path).collect())
    }

    /// Makes the commit, for a reference, without the new files that git ignores. Its parent is what was checked out.
    pub fn stream(
        &self,
        id: &Id,
        reference: &str,
        ignored: &BTreeSet<Vec<u8>>,
        now: Timestamp,
    ) -> Result<Stream, Error> {
        let _held = self.hold(id)?;
        let view = self.show(id, now)?;
        let base = match &view.target {
            Some(Target { commit: Some(commit), .. }) => commit.clone(),
            _ => return Err(Error::Invalid(format!("the scratchpad {id} was not made of a repository"))),
        };
        let changes = self.changes(id, now)?;
        let mut stream = begin(reference, &view.task, &base, now);
        let work = self.path(id).join(WORK);
        let top = Folder::open(&work).map_err(io("opening", &work))?;
        // What is gone makes room first: a folder may stand where a file was.
        for (path, _) in changes.deleted.iter().filter_map(in_work) {
            stream.bytes.extend_from_slice(b"D ");
            quote(&path, &mut stream.bytes);
            stream.bytes.push(b'\n');
            stream.files += 1;
        }
        let created = changes.created.iter().filter_map(in_work);
        let created = created.filter(|(path, _)| !ignored.contains(path));
        for (path, change) in changes.changed.iter().filter_map(in_work).chain(created) {
            if change.kind == FileKind::Other {
                stream.left_out.push(change.path.clone());
                continue;
            }
            add(&mut stream, &top, &path, change.kind).map_err(io("reading", &work))?;
            if stream.bytes.len() > STREAM_BYTES_MAX {
                let shown = work.display();
                return Err(Error::TooLarge(format!(
                    "what differs in {shown} is too much for a patch: export it into a folder"
                )));
            }
        }
        stream.bytes.extend_from_slice(b"done\n");
        Ok(stream)
    }
}

fn begin(reference: &str, task: &str, base: &str, now: Timestamp) -> Stream {
    let seconds = now.ms().div_euclid(1_000);
    let message = format!("{}\n", task.trim());
    let bytes = format!(
        "commit {reference}\ncommitter Spalla <spalla@localhost> {seconds} +0000\ndata {}\n{message}\nfrom {base}\n",
        message.len()
    );
    Stream { bytes: bytes.into_bytes(), files: 0, left_out: Vec::new() }
}

fn add(stream: &mut Stream, top: &Folder, path: &[u8], kind: FileKind) -> std::io::Result<()> {
    let mut parts: Vec<&OsStr> = path.split(|byte| *byte == b'/').map(OsStr::from_bytes).collect();
    let name = parts.pop().unwrap_or_default();
    let mut opened: Option<Folder> = None;
    for part in parts {
        opened = Some(opened.as_ref().unwrap_or(top).sub(part)?);
    }
    let folder = opened.as_ref().unwrap_or(top);
    let (mode, data) = if kind == FileKind::Link {
        ("120000", folder.link(name)?)
    } else {
        let file = folder.file(name)?;
        let mode = if file.metadata()?.mode() & 0o100 == 0 { "100644" } else { "100755" };
        let mut data = Vec::new();
        // One byte more than there is room for says that it is too much.
        file.take(STREAM_BYTES_MAX as u64 + 1).read_to_end(&mut data)?;
        (mode, data)
    };
    stream.bytes.extend_from_slice(format!("M {mode} inline ").as_bytes());
    quote(path, &mut stream.bytes);
    stream.bytes.extend_from_slice(format!("\ndata {}\n", data.len()).as_bytes());
    stream.bytes.extend_from_slice(&data);
    stream.bytes.push(b'\n');
    stream.files += 1;
    Ok(())
}

fn in_work(change: &Change) -> Option<(Vec<u8>, &Change)> {
    let path = change.path.strip_prefix(WORK)?.strip_prefix('/')?;
    Some((hidden(path), change))
}

/// Writes a path as fast-import reads it.
fn quote(path: &[u8], into: &mut Vec<u8>) {
    into.push(b'"');
    for byte in path {
        match byte {
            b'"' | b'\\' => into.extend_from_slice(&[b'\\', *byte]),
            b'\n' => into.extend_from_slice(b"\\n"),
            byte => into.push(*byte),
        }
    }
    into.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[test]
    fn a_path_ends_no_line_and_no_quote() {
        let mut quoted = Vec::new();
        quote(b"a\"\n\\\xff", &mut quoted);
        assert_eq!(quoted, b"\"a\\\"\\n\\\\\xff\"");
    }
}
