//! Where the files of each run are that is under way: in its own folder, or for a while in the seat of an agent's process.
//! Whoever looks at them holds them where they are.

use super::{Error, move_all};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedRwLockReadGuard, RwLock};

/// The folders of the runs under way, each with where its files are.
#[derive(Debug, Clone, Default)]
pub(super) struct Places(Arc<Mutex<BTreeMap<PathBuf, Arc<RwLock<PathBuf>>>>>);

/// Where the files of one run are. Until it is dropped, no other run removes the folder.
#[derive(Debug)]
pub(crate) struct Place {
    folder: PathBuf,
    now: Arc<RwLock<PathBuf>>,
    all: Places,
}

/// A folder with a run's files, which stay there until this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    folder: PathBuf,
    _stays: Option<OwnedRwLockReadGuard<PathBuf>>,
}

impl Places {
    /// Takes note of a run that begins in a folder.
    pub(super) fn claim(&self, folder: PathBuf) -> Place {
        let now = Arc::new(RwLock::new(folder.clone()));
        self.known().insert(folder.clone(), Arc::clone(&now));
        Place { folder, now, all: self.clone() }
    }

    /// Returns the folders of the runs under way.
    pub(super) fn folders(&self) -> BTreeSet<PathBuf> {
        self.known().keys().cloned().collect()
    }

    /// Holds the files of a run, wherever they are by now.
    pub(super) async fn hold(&self, folder: PathBuf) -> Held {
        let place = self.known().get(&folder).cloned();
        match place {
            Some(place) => {
                let now = place.read_owned().await;
                Held { folder: now.clone(), _stays: Some(now) }
            }
            // Nobody moves what no run of this worker has.
            None => Held { folder, _stays: None },
        }
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Arc<RwLock<PathBuf>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Moves the run's files from where they are into another folder, which is there. Waits for whoever looks at them.
    pub(crate) async fn move_to(&self, folder: &Path) -> Result<(), Error> {
        let mut now = self.now.write().await;
        move_all(&now, folder).await?;
        folder.clone_into(&mut now);
        Ok(())
    }

    /// Returns the run's own folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Moves them back into the run's own folder.
    pub(crate) async fn move_back(&self) -> Result<(), Error> {
        self.move_to(&self.folder).await
    }
}

impl Held {
    /// Returns the folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.all.known().remove(&self.folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[tokio::test]
    async fn files_are_found_where_they_are_by_now_and_stay_there_while_they_are_looked_at() {
        let root = tempfile::tempdir().unwrap();
        let [own, seat] = ["own", "seat"].map(|name| root.path().join(name));
        fs::create_dir_all(own.join("deep")).unwrap();
        fs::create_dir(&seat).unwrap();
        fs::write(own.join("deep/file"), "text").unwrap();
        let places = Places::default();
        let place = places.claim(own.clone());
        assert_eq!(places.hold(own.clone()).await.folder(), own);
        place.move_to(&seat).await.unwrap();
        let held = places.hold(own.clone()).await;
        assert_eq!(held.folder(), seat);
        assert!(seat.join("deep/file").is_file());
        {
            let mut back = std::pin::pin!(place.move_back());
            assert!(futures_util::poll!(&mut back).is_pending());
            assert!(seat.join("deep/file").is_file());
            drop(held);
            back.await.unwrap();
        }
        assert!(own.join("deep/file").is_file() && !seat.join("deep").exists());
        drop(place);
        assert_eq!((places.folders(), places.hold(own.clone()).await.folder()), (BTreeSet::new(), &*own));
    }
}
