//! A session's folder in the data folder: its record and its repository. It is read, shown and applied by any process,
//! whether a server runs or not; `spalla-domain`'s `session` says what is in it.

use crate::data_folder::DataFolder;
use crate::failure::{Failure, Result, file};
use crate::saved::Saved;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use spalla_crash::crash_point;
use spalla_domain::session::{Session, is_session_id};
use std::fs;
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The folder of all sessions, in the data folder.
const SESSIONS: &str = "sessions";
/// The record, in a session's folder.
const RECORD: &str = "session.json";
/// The repository, in a session's folder.
const REPOSITORY: &str = "repo.git";
/// How many sessions may begin in one second before the name of a folder can't be made.
const SAME_SECOND_MAX: u32 = 100;
/// The longest record that is read, in bytes.
const RECORD_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// How often whoever pursues a session tries to take it, and how long it rests in between: longer than a look takes.
const HOLD_TRIES: u32 = 20;
const HOLD_AGAIN_AFTER: Duration = Duration::from_millis(25);

/// How long a name is up to the second in which its session began: `orch_YYYYMMDD_HHMMSS`.
const STAMP_BYTES: usize = 20;
/// How many more records are read than are wanted: names say the moment as the clock on the wall showed it, which was not always
/// in the order of time, and some have no record.
const NEAR: usize = 50;

/// The file that whoever pursues the session holds.
const LOCK: &str = "lock";
/// The file in which a person's wish is left.
const WISH: &str = "wish";

/// What a person wishes of whoever pursues a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Nothing more begins for now.
    Pause,
    /// It ends.
    Stop,
}

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

    /// Makes the folder of a new session, which is named by the moment; returns the session's name as well.
    pub(crate) fn make(data: &Path, stamp: &str) -> Result<(Self, String)> {
        let sessions = DataFolder::at(data).folder(SESSIONS)?;
        for number in 1..=SAME_SECOND_MAX {
            let suffix = if number == 1 { String::new() } else { format!("_{number}") };
            let id = format!("orch_{stamp}{suffix}");
            let folder = Self::at(data, &id)?;
            match crash_point!("session.folder.create", fs::create_dir(&folder.path)) {
                Ok(()) => return Ok((folder, id)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(file("making the session's folder", &folder.path)(error)),
            }
        }
        Err(Failure::failed(format!("too many sessions begin in {} at the same time", sessions.display())))
    }

    /// Finds a session: by its name, or the newest one where that is `latest`.
    pub(crate) fn find(data: &Path, id: &str) -> Result<Self> {
        if id == "latest" {
            let newest = newest(data, 1)?.sessions.into_iter().next();
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

    /// Takes the session for this process; none where another one pursues it.
    pub(crate) fn hold(&self) -> Result<Option<Flock<fs::File>>> {
        let path = self.path.join(LOCK);
        let opened = crash_point!(
            "session.lock.create",
            fs::File::options().create(true).truncate(false).write(true).mode(0o600).open(&path)
        );
        match Flock::lock(opened.map_err(file("opening", &path))?, FlockArg::LockExclusiveNonblock) {
            Ok(held) => Ok(Some(held)),
            Err((_, Errno::EWOULDBLOCK)) => Ok(None),
            Err((_, error)) => Err(file("locking", &path)(error.into())),
        }
    }

    /// Takes the session for this process, also where somebody just looks whether it is taken; none where another process
    /// pursues it.
    pub(super) async fn hold_patiently(&self) -> Result<Option<Flock<fs::File>>> {
        for _ in 0..HOLD_TRIES {
            if let Some(held) = self.hold()? {
                return Ok(Some(held));
            }
            tokio::time::sleep(HOLD_AGAIN_AFTER).await;
        }
        self.hold()
    }

    /// Tells whether a process pursues the session.
    pub(crate) fn is_pursued(&self) -> bool {
        let Ok(lock) = fs::File::open(self.path.join(LOCK)) else { return false };
        matches!(Flock::lock(lock, FlockArg::LockSharedNonblock), Err((_, Errno::EWOULDBLOCK)))
    }

    /// Tells what a person wishes of whoever pursues the session.
    pub(crate) fn wish(&self) -> Option<Wish> {
        match fs::read_to_string(self.path.join(WISH)).ok()?.trim() {
            "pause" => Some(Wish::Pause),
            "stop" => Some(Wish::Stop),
            _ => None,
        }
    }

    /// Leaves a wish; none takes it back.
    pub(crate) fn leave_wish(&self, wish: Option<Wish>) -> Result<()> {
        let path = self.path.join(WISH);
        let Some(wish) = wish else {
            return match crash_point!("session.wish.remove", fs::remove_file(&path)) {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(file("removing", &path)(error)),
                _ => Ok(()),
            };
        };
        let mut saved = Saved::begin(&path)?;
        saved.write(match wish {
            Wish::Pause => b"pause\n",
            Wish::Stop => b"stop\n",
        })?;
        saved.finish()
    }

    /// Returns the folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the data folder that it lies in.
    pub(crate) fn data(&self) -> &Path {
        self.path.ancestors().nth(2).unwrap_or(&self.path)
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

/// Returns the folders of all sessions of a data folder, with how the records look; in no order.
pub(super) fn folders(data: &Path) -> Result<Vec<(SessionFolder, fs::Metadata)>> {
    let mut found = Vec::new();
    for path in paths(data)? {
        let folder = SessionFolder { path };
        // One that was left before its first record is none.
        if let Ok(looks) = fs::metadata(folder.path.join(RECORD))
            && looks.is_file()
        {
            found.push((folder, looks));
        }
    }
    Ok(found)
}

/// Returns the sessions of a data folder, the newest first. One whose record can't be read is left out, and told.
pub(crate) fn list(data: &Path) -> Result<Vec<(SessionFolder, Session)>> {
    let mut found = Vec::new();
    for (folder, _) in folders(data)? {
        match folder.read() {
            Ok(session) => found.push((folder, session)),
            Err(failure) => tracing::warn!("{failure}"),
        }
    }
    found.sort_by(|(_, one), (_, other)| (other.created_at, &other.id).cmp(&(one.created_at, &one.id)));
    Ok(found)
}

/// The newest sessions of a data folder.
#[derive(Debug)]
pub(crate) struct Newest {
    /// The sessions, the newest first.
    pub(crate) sessions: Vec<(SessionFolder, Session)>,
    /// How many older ones there are.
    pub(crate) older: usize,
}

/// Returns the newest sessions of a data folder, so many at most, and reads not many more records than these however many there
/// are. One whose record can't be read is left out, and told.
pub(crate) fn newest(data: &Path, most: usize) -> Result<Newest> {
    let mut names = names(data)?;
    names.sort_by(|one, other| moment_of(other).cmp(&moment_of(one)));
    let total = names.len();
    let (mut sessions, mut unread) = (Vec::new(), 0);
    for name in names.iter().take(most.saturating_add(NEAR)) {
        let folder = SessionFolder { path: data.join(SESSIONS).join(name) };
        // One that was left before its first record is none.
        if !folder.path.join(RECORD).is_file() {
            unread += 1;
            continue;
        }
        match folder.read() {
            Ok(session) => sessions.push((folder, session)),
            Err(failure) => {
                tracing::warn!("{failure}");
                unread += 1;
            }
        }
    }
    sessions.sort_by(|(_, one), (_, other)| (other.created_at, &other.id).cmp(&(one.created_at, &one.id)));
    sessions.truncate(most);
    let older = total - unread - sessions.len();
    Ok(Newest { sessions, older })
}

/// Returns what lies where sessions do, in no order; nothing where there never was one.
fn paths(data: &Path) -> Result<Vec<PathBuf>> {
    let sessions = data.join(SESSIONS);
    let entries = match fs::read_dir(&sessions) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(file("reading", &sessions)(error)),
    };
    entries.map(|entry| Ok(entry.map_err(file("reading", &sessions))?.path())).collect()
}

/// Returns the names of all sessions of a data folder, in no order.
fn names(data: &Path) -> Result<Vec<String>> {
    let name =
        |path: PathBuf| path.file_name()?.to_str().filter(|name| is_session_id(name)).map(str::to_owned);
    Ok(paths(data)?.into_iter().filter_map(name).collect())
}

/// Returns what a session's name says of when it began: the moment, and which it was of that second.
fn moment_of(name: &str) -> (&str, usize, &str) {
    let (moment, which) = name.split_at_checked(STAMP_BYTES).unwrap_or((name, ""));
    (moment, which.len(), which)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use spalla_domain::Timestamp;
    use spalla_domain::session::SessionStatus;

    pub(in crate::sessions) fn session(id: &str, at: i64) -> Session {
        Session {
            id: id.into(),
            goal: "g".into(),
            target: "/t".into(),
            workspace: "/w".into(),
            tier: 4,
            agents: vec![],
            selector: Default::default(),
            status: SessionStatus::Running,
            created_at: Timestamp::from_ms(at),
            ended_at: None,
            project_id: None,
            base: None,
            proposal: None,
            items: vec![],
            left_out: vec![],
            decisions: Vec::new(),
            asked: Vec::new(),
            looks: Vec::new(),
            report: None,
            applied: vec![],
            in_place: false,
            by_server: None,
        }
    }

    #[test]
    fn the_newest_session_is_the_latest_and_one_without_a_record_is_none() {
        let data = tempfile::tempdir().unwrap();
        assert!(SessionFolder::find(data.path(), "latest").is_err());
        for at in [1, 2] {
            let (folder, id) = SessionFolder::make(data.path(), "stamp").unwrap();
            folder.write(&session(&id, at)).unwrap();
        }
        let (_, half) = SessionFolder::make(data.path(), "half").unwrap();
        let ids: Vec<_> = list(data.path()).unwrap().into_iter().map(|(_, session)| session.id).collect();
        assert_eq!(ids, ["orch_stamp_2", "orch_stamp"]);
        assert_eq!(SessionFolder::find(data.path(), "latest").unwrap().read().unwrap().id, "orch_stamp_2");
        assert!(SessionFolder::find(data.path(), &half).is_err());
        assert!(SessionFolder::find(data.path(), "../orch_stamp").is_err());
    }

    #[test]
    fn the_newest_are_found_by_their_names_without_reading_all_records() {
        let data = tempfile::tempdir().unwrap();
        let stamp = |number: i64| format!("20260101_{number:06}");
        for number in 0..70 {
            let (folder, id) = SessionFolder::make(data.path(), &stamp(number)).unwrap();
            folder.write(&session(&id, number)).unwrap();
        }
        // A record that nobody reads may be as broken as it likes.
        let (oldest, _) = SessionFolder::make(data.path(), "20250101_000000").unwrap();
        fs::write(oldest.path().join(RECORD), "{").unwrap();
        // The clock on the wall was set back before the last one began.
        let (late, id) = SessionFolder::make(data.path(), "20260101_000060").unwrap();
        late.write(&session(&id, 100)).unwrap();
        let found = newest(data.path(), 2).unwrap();
        let ids: Vec<_> = found.sessions.iter().map(|(_, session)| session.id.clone()).collect();
        assert_eq!((ids, found.older), (vec![id.clone(), format!("orch_{}", stamp(69))], 70));
        let all = newest(data.path(), 1_000).unwrap();
        assert_eq!((all.sessions.len(), all.older, all.sessions[0].1.id.as_str()), (71, 0, id.as_str()));
    }

    #[test]
    fn a_name_says_when_its_session_began_and_which_it_was_of_that_second() {
        let mut names = [
            "orch_20260101_120000_10",
            "orch_20260101_120000_2",
            "orch_20251231_235959",
            "orch_20260101_120000",
        ];
        names.sort_by(|one, other| moment_of(other).cmp(&moment_of(one)));
        assert_eq!(
            names,
            [
                "orch_20260101_120000_10",
                "orch_20260101_120000_2",
                "orch_20260101_120000",
                "orch_20251231_235959"
            ]
        );
    }
}
