//! A folder of its own for every run: a git worktree of the project's repository, or an empty folder. Nothing is
//! ever written to the person's own checkout: all git work happens in a mirror beneath the worker's data folder.
//!
//! ```text
//! <data>/repositories/<project>.git                    mirror, fetched from the project's repository; no run writes it
//! <data>/scratchpads/item-<id>/run-<id>-<token>/       worktree with a repository of its own, which borrows the mirror's
//!                                                      objects; made anew for each run
//! ```

mod folder;
mod git;
mod mirror;
mod mode;
mod moved;
mod place;
mod source;

pub(crate) use git::{FETCH, Git, GitError};
pub(crate) use place::Place;
pub(crate) use source::Source;

use crate::run::{Interruption, Run};
use place::Places;
use spalla_domain::ProjectId;
use spalla_domain::retry::ErrorClass;
use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The scratchpads of one worker.
#[derive(Debug)]
pub(crate) struct Scratchpads {
    data_dir: PathBuf,
    mirrors: Mutex<HashMap<ProjectId, Arc<tokio::sync::Mutex<()>>>>,
    in_use: Places,
}

/// A folder for one run. The files stay when this is dropped; it only stops to be in use.
#[derive(Debug)]
pub(crate) struct Scratchpad {
    /// The folder in which the run works.
    pub(crate) folder: PathBuf,
    /// The commit it was made from.
    pub(crate) commit: Option<String>,
    /// What lies elsewhere and its repository reads.
    pub(crate) borrowed: Vec<PathBuf>,
    /// Where its files are; nobody else removes the folder meanwhile.
    pub(crate) place: Place,
}

/// Why there is no scratchpad.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The setting is nothing that git could fetch from.
    #[error(
        "the project's repository {0:?} is neither an absolute path nor a git URL (https, http, ssh, git, file, or \
         user@host:path); set the project's repository to one"
    )]
    NoSource(String),
    /// A local path that is not there.
    #[error("the project's repository {0:?} does not exist on this worker; correct the project's repository")]
    Missing(PathBuf),
    /// A local path that is a file.
    #[error("the project's repository {0:?} is no folder; correct the project's repository")]
    NoFolder(PathBuf),
    /// A folder without git.
    #[error(
        "the project's repository {0:?} is a folder, but not a git repository; run `git init` and commit there, or \
         correct the project's repository"
    )]
    NoRepository(PathBuf),
    /// A folder somewhere inside a repository.
    #[error("the project's repository {path:?} is inside the git repository {top:?}; name its top folder")]
    NotTheTop {
        /// What was named.
        path: PathBuf,
        /// What would be right.
        top: PathBuf,
    },
    /// A repository in which nothing was committed.
    #[error("the repository {0} is empty: its HEAD names no commit; commit something first")]
    Empty(String),
    /// The repository says no.
    #[error(
        "the repository {repository} can't be read: {reason}; correct the project's repository or its access"
    )]
    Denied {
        /// Which one.
        repository: String,
        /// What git says.
        reason: String,
    },
    /// The repository can't be reached now.
    #[error("the repository {repository} can't be reached: {reason}")]
    Unreachable {
        /// Which one.
        repository: String,
        /// What git says.
        reason: String,
    },
    /// Git failed here.
    #[error("{doing}: {reason}")]
    Git {
        /// What was being done.
        doing: String,
        /// What git says.
        reason: String,
    },
    /// The disk failed here.
    #[error("{doing} {}: {source}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The walls around git can't stand.
    #[error("{0}")]
    Refused(String),
    /// The run was interrupted meanwhile.
    #[error("interrupted")]
    Interrupted(Interruption),
}

impl Error {
    /// Returns the class that decides whether trying again makes sense.
    pub(crate) fn class(&self) -> ErrorClass {
        match self {
            Self::NoSource(_)
            | Self::Missing(_)
            | Self::NoFolder(_)
            | Self::NoRepository(_)
            | Self::NotTheTop { .. }
            | Self::Empty(_)
            | Self::Denied { .. }
            | Self::Refused(_) => ErrorClass::Validation,
            Self::Unreachable { .. } => ErrorClass::Network,
            Self::Git { .. } | Self::Io { .. } | Self::Interrupted(_) => ErrorClass::System,
        }
    }
}

impl Scratchpads {
    /// Opens the scratchpads beneath a data folder.
    pub(crate) fn open(data_dir: &Path) -> Result<Self, Error> {
        for name in ["repositories", "scratchpads", "reports", "spool"] {
            let path = data_dir.join(name);
            folder::make(&path).map_err(|source| Error::Io { doing: "making the folder", path, source })?;
        }
        git::write_config(data_dir)?;
        Ok(Self { data_dir: data_dir.to_owned(), mirrors: Mutex::default(), in_use: Places::default() })
    }

    /// Makes the folder for a run, after removing those of earlier runs of its work item.
    pub(crate) async fn prepare(&self, run: &Run<'_>) -> Result<Scratchpad, Error> {
        let source = run.assignment.repository.as_deref().map(Source::parse).transpose()?;
        let item = self.data_dir.join("scratchpads").join(format!("item-{}", run.assignment.work_item_id));
        let folder = item.join(run.label());
        let kept = self.in_use.folders();
        let place = self.in_use.claim(folder.clone());
        let Some(source) = source else {
            remove_earlier(&item, kept).await?;
            make(&folder).await?;
            return Ok(Scratchpad { folder, commit: None, borrowed: Vec::new(), place });
        };
        source.check()?;
        let mirror = mirror::Mirror::new(self, run, &source);
        let lock = self.lock_of(run.assignment.project_id);
        let _held = tokio::select! {
            held = lock.lock_owned() => held,
            interruption = run.interrupted() => return Err(Error::Interrupted(interruption)),
        };
        remove_earlier(&item, kept).await?;
        make(&item).await?;
        let commit = mirror.add_worktree(&folder).await?;
        Ok(Scratchpad { folder, commit: Some(commit), borrowed: vec![mirror.objects()], place })
    }

    /// Returns the folder of a run that an earlier worker left.
    pub(crate) fn take_up(
        &self,
        folder: PathBuf,
        commit: Option<String>,
        borrowed: Vec<PathBuf>,
    ) -> Scratchpad {
        let place = self.in_use.claim(folder.clone());
        Scratchpad { folder, commit, borrowed, place }
    }

    /// Returns where the files of the newest run of a work item are on this machine; none where it has none here.
    pub(crate) async fn find(&self, work_item: i64) -> Option<place::Held> {
        let item = self.data_dir.join("scratchpads").join(format!("item-{work_item}"));
        let folders = std::fs::read_dir(std::path::absolute(item).ok()?).ok()?.flatten();
        let folders = folders.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        let newest = folders.max_by_key(|entry| entry.metadata().and_then(|data| data.created()).ok());
        Some(self.in_use.hold(newest?.path()).await)
    }

    /// Returns git for a run.
    pub(crate) fn git<'a>(&self, run: &'a Run<'a>) -> Git<'a> {
        Git::new(&self.data_dir, run)
    }

    /// Returns the folder for what an agent reports about a run.
    pub(crate) async fn report_folder(&self, run: &Run<'_>) -> Result<PathBuf, Error> {
        let path = self.data_dir.join("reports").join(format!("run-{}", run.assignment.run_id));
        make(&path).await?;
        Ok(path)
    }

    fn mirror_path(&self, project: ProjectId) -> PathBuf {
        self.data_dir.join("repositories").join(format!("{project}.git"))
    }

    fn lock_of(&self, project: ProjectId) -> Arc<tokio::sync::Mutex<()>> {
        let mut mirrors = self.mirrors.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(mirrors.entry(project).or_default())
    }
}

/// Removes the folders of an item's runs that are over. One whose run is still being ended is kept, until the
/// next time.
async fn remove_earlier(item: &Path, kept: BTreeSet<PathBuf>) -> Result<(), Error> {
    let path = item.to_owned();
    blocking("removing what earlier runs left in", item.to_owned(), move || {
        for entry in folder::entries(&path)?.iter().filter(|entry| !kept.contains(*entry)) {
            spalla_scratchpad::remove(entry)?;
        }
        Ok(())
    })
    .await
}

/// Makes a folder that only its owner may enter.
pub(crate) async fn make(path: &Path) -> Result<(), Error> {
    let made = path.to_owned();
    blocking("making the folder", path.to_owned(), move || folder::make(&made)).await
}

/// Moves all that is in one folder into another one.
pub(crate) async fn move_all(from: &Path, to: &Path) -> Result<(), Error> {
    let (source, target) = (from.to_owned(), to.to_owned());
    blocking("moving the files of", from.to_owned(), move || moved::move_all(&source, &target)).await
}

/// Removes all that is in a folder.
pub(crate) async fn empty(path: &Path) -> Result<(), Error> {
    let emptied = path.to_owned();
    let empty =
        move || folder::entries(&emptied)?.iter().try_for_each(|entry| spalla_scratchpad::remove(entry));
    blocking("emptying", path.to_owned(), empty).await
}

/// Writes down beside a seat whose files are moved into it.
pub(crate) async fn note_owner(seat: &Path, owner: &Path) -> Result<(), Error> {
    let (noted, owner) = (seat.to_owned(), owner.to_owned());
    blocking("noting whose files are in", seat.to_owned(), move || moved::note_owner(&noted, &owner)).await
}

pub(crate) use moved::bring_back;

/// Removes whatever is at a path, and follows no link out of it.
pub(crate) async fn remove(path: &Path) -> Result<(), Error> {
    let removed = path.to_owned();
    blocking("removing", path.to_owned(), move || spalla_scratchpad::remove(&removed)).await
}

/// The same, for whoever may wait.
pub(crate) fn remove_tree(path: &Path) -> io::Result<()> {
    spalla_scratchpad::remove(path)
}

/// Does file work beside the run's tasks.
async fn blocking(
    doing: &'static str,
    path: PathBuf,
    work: impl FnOnce() -> io::Result<()> + Send + 'static,
) -> Result<(), Error> {
    let done = tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)));
    done.map_err(|source| Error::Io { doing, path, source })
}
