//! A session's folder in the data folder: its record and its repository. It is read, shown and applied by any process,
//! whether a server runs or not; `spalla-domain`'s `session` says what is in it.

use crate::data_folder::DataFolder;
use crate::failure::{Failure, Result, file};
use crate::saved::Saved;
use spalla_crash::crash_point;
use spalla_domain::session::{Session, is_session_id};
use std::fs;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

/// The folder of all sessions, in the data folder.
const SESSIONS: &str = "sessions";
/// The record, in a session's folder.
const RECORD: &str = "session.json";
/// The repository, in a session's folder.
const REPOSITORY: &str = "repo.git";
/// The longest record that is read, in bytes.
const RECORD_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A session's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SessionFolder {
    path: PathBuf,
}

impl SessionFolder {
    /// Names the folder of a session; touches nothing.
    pub(crate) fn at(data: &Path, id: &str) -> Result<Self> {
        if !is_session_id(id) {
            return Err(Failure::usage(format!("{id:?} is no name of a session"))
                .mend("`spalla session list` shows them"));
        }
        Ok(Self { path: data.join(SESSIONS).join(id) })
    }

    /// Makes the folder of a new session.
    pub(crate) fn make(data: &Path, id: &str) -> Result<Self> {
        let folder = Self::at(data, id)?;
        DataFolder::at(data).folder(SESSIONS)?;
        crash_point!("session.folder.create", fs::create_dir(&folder.path))
            .map_err(file("making the session's folder", &folder.path))?;
        Ok(folder)
    }

    /// Finds a session: by its name, or the newest one where that is `latest`.
    pub(crate) fn find(data: &Path, id: &str) -> Result<Self> {
        if id == "latest" {
            let newest = list(data)?.into_iter().next();
            return newest.map(|(folder, _)| folder).ok_or_else(|| {
                Failure::usage(format!("there is no session in the data folder {}", data.display()))
                    .mend("`spalla orchestrate` begins one; name another data folder with --data DIR")
            });
        }
        let folder = Self::at(data, id)?;
        if folder.path.join(RECORD).is_file() {
            return Ok(folder);
        }
        Err(Failure::usage(format!("there is no session {id} in the data folder {}", data.display()))
            .mend("`spalla session list` shows them"))
    }

    /// Returns the session's repository.
    pub(crate) fn repository(&self) -> PathBuf {
        self.path.join(REPOSITORY)
    }

    /// Returns the path of a file beside the record.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Reads the record.
    pub(crate) fn read(&self) -> Result<Session> {
        let path = self.path.join(RECORD);
        let mut text = String::new();
        let opened = fs::File::open(&path).map_err(file("reading the record", &path))?;
        opened.take(RECORD_BYTES_MAX).read_to_string(&mut text).map_err(file("reading the record", &path))?;
        serde_json::from_str(&text)
            .map_err(|error| Failure::failed(format!("the record {} can't be read: {error}", path.display())))
    }

    /// Writes the record; half of one never stands there.
    pub(crate) fn write(&self, session: &Session) -> Result<()> {
        let text = serde_json::to_vec_pretty(session)
            .map_err(|error| Failure::failed(format!("writing the session's record: {error}")))?;
        let mut saved = Saved::begin(&self.path.join(RECORD))?;
        saved.write(&text)?;
        saved.write(b"\n")?;
        crash_point!("session.record.rename", saved.finish())
    }
}

/// Returns the sessions of a data folder, the newest first. One whose record can't be read is left out, and told.
pub(crate) fn list(data: &Path) -> Result<Vec<(SessionFolder, Session)>> {
    let sessions = data.join(SESSIONS);
    let entries = match fs::read_dir(&sessions) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(file("reading", &sessions)(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let folder = SessionFolder { path: entry.map_err(file("reading", &sessions))?.path() };
        // One that was left before its first record is none.
        if !folder.path.join(RECORD).is_file() {
            continue;
        }
        match folder.read() {
            Ok(session) => found.push((folder, session)),
            Err(failure) => tracing::warn!("{failure}"),
        }
    }
    found.sort_by(|(_, one), (_, other)| (other.created_at, &other.id).cmp(&(one.created_at, &one.id)));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use spalla_domain::Timestamp;
    use spalla_domain::session::SessionStatus;

    fn session(id: &str, at: i64) -> Session {
        Session {
            id: id.into(),
            goal: "g".into(),
            target: "/t".into(),
            workspace: "/w".into(),
            tier: 4,
            agents: vec![],
            status: SessionStatus::Running,
            created_at: Timestamp::from_ms(at),
            ended_at: None,
            project_id: None,
            base: None,
            items: vec![],
            report: None,
            applied: vec![],
        }
    }

    #[test]
    fn the_newest_session_is_the_latest_and_one_without_a_record_is_none() {
        let data = tempfile::tempdir().unwrap();
        assert!(SessionFolder::find(data.path(), "latest").is_err());
        for (id, at) in [("b", 1), ("a", 2)] {
            SessionFolder::make(data.path(), id).unwrap().write(&session(id, at)).unwrap();
        }
        SessionFolder::make(data.path(), "half").unwrap();
        let ids: Vec<_> = list(data.path()).unwrap().into_iter().map(|(_, session)| session.id).collect();
        assert_eq!(ids, ["a", "b"]);
        assert_eq!(SessionFolder::find(data.path(), "latest").unwrap().read().unwrap().id, "a");
        assert!(SessionFolder::find(data.path(), "half").is_err());
        assert!(SessionFolder::find(data.path(), "../a").is_err());
        assert!(SessionFolder::make(data.path(), "a").is_err());
    }
}
