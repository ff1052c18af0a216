//! The records of a data folder, kept in memory as long as their files are the same: a list reads what has changed, and nothing
//! else. The files are the truth; whatever happens to this process, the next one reads them.

use super::folder::{SessionFolder, folders};
use crate::failure::Result;
use spalla_domain::session::Session;
use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// By what a change of a record is told. A record is put in place of the one before, so that it is another file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Looks {
    inode: u64,
    bytes: u64,
    changed_at: (i64, i64),
}

impl Looks {
    fn of(data: &Metadata) -> Self {
        Self { inode: data.ino(), bytes: data.size(), changed_at: (data.ctime(), data.ctime_nsec()) }
    }
}

/// The records that were read.
#[derive(Debug, Default)]
pub(crate) struct KnownSessions(Mutex<BTreeMap<PathBuf, (Looks, Arc<Session>)>>);

impl KnownSessions {
    /// Returns the sessions of a data folder, the newest first. One whose record can't be read is left out, and told.
    pub(crate) fn list(&self, data: &Path) -> Result<Vec<(SessionFolder, Arc<Session>)>> {
        let folders = folders(data)?;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut before = std::mem::take(&mut *known);
        let mut found = Vec::new();
        for (folder, metadata) in folders {
            let looks = Looks::of(&metadata);
            let session = match before.remove(folder.path()).filter(|(kept, _)| *kept == looks) {
                Some((_, session)) => session,
                None => match folder.read() {
                    Ok(session) => Arc::new(session),
                    Err(failure) => {
                        tracing::warn!("{failure}");
                        continue;
                    }
                },
            };
            known.insert(folder.path().to_owned(), (looks, Arc::clone(&session)));
            found.push((folder, session));
        }
        drop(known);
        found.sort_by(|(_, one), (_, other)| (other.created_at, &other.id).cmp(&(one.created_at, &one.id)));
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::super::folder::tests::session;
    use super::*;
    use spalla_domain::session::SessionStatus;

    #[test]
    fn a_record_is_read_again_where_it_changed_and_only_there() {
        let data = tempfile::tempdir().unwrap();
        let known = KnownSessions::default();
        let mut made = Vec::new();
        for at in 1..=3 {
            let (folder, id) = SessionFolder::make(data.path(), "stamp").unwrap();
            folder.write(&session(&id, at)).unwrap();
            made.push((folder, id));
        }
        let list = || known.list(data.path()).unwrap();
        let first = list();
        let ids: Vec<_> = first.iter().map(|(_, session)| session.id.as_str()).collect();
        assert_eq!(ids, ["orch_stamp_3", "orch_stamp_2", "orch_stamp"]);
        let (folder, id) = &made[1];
        folder.write(&Session { status: SessionStatus::Done, ..session(id, 2) }).unwrap();
        std::fs::remove_dir_all(made[0].0.path()).unwrap();
        let second = list();
        assert!(Arc::ptr_eq(&first[0].1, &second[0].1), "what did not change is not read again");
        assert_eq!((second.len(), second[1].1.status), (2, SessionStatus::Done));
    }
}
