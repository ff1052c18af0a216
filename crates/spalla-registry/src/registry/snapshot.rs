//! One publication as it serves.

use super::{HOT_MAX, Missing};
use crate::definition::SCHEMA_VERSION;
use crate::id;
use crate::index::{BRIEF_END, DEFINITION_END, Entry, INDEX, Index, TRIGGERS, Triggers};
use crate::publish::MANIFEST;
use crate::read::{self, DEFINITION_BYTES_MAX, Loaded};
use jiff::Timestamp;
use lru::LruCache;
use rustix::fs::{Mode, OFlags};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read as _};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The largest index, in bytes.
const INDEX_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// The largest file of triggers, in bytes.
const TRIGGERS_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// Why a folder is not served.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It can't be read.
    #[error("reading {}", .0.display())]
    Io(PathBuf, #[source] io::Error),
    /// Its index is none.
    #[error("{} is no index: {why}", place.display())]
    Index {
        /// The file.
        place: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Its index has another version.
    #[error("{} has the version {version}; {SCHEMA_VERSION} is read", place.display())]
    Version {
        /// The file.
        place: PathBuf,
        /// Its version.
        version: u64,
    },
}

/// How a definition came through its own test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trial {
    /// It has none, or was not tried here.
    Untried,
    /// It passed.
    Passed,
    /// It failed, and does not serve.
    Failed {
        /// Whether the one before it serves on.
        old_serves: bool,
    },
}

/// One publication: its index, and the definitions that were used.
#[derive(Debug)]
pub struct Snapshot {
    /// The folder itself: its files are those of this publication, whatever takes its place.
    folder: Option<File>,
    /// Where it stood when it was opened.
    path: PathBuf,
    index: Index,
    generated_at: Timestamp,
    places: HashMap<String, usize>,
    manifest: Vec<u8>,
    /// The index and the triggers as they are published; none where nothing is, or one is missing.
    texts: Option<(Vec<u8>, Vec<u8>)>,
    briefs: Mutex<LruCache<String, Option<Arc<str>>>>,
    hot: Mutex<LruCache<String, Arc<Loaded>>>,
    /// Definitions that serve in the place of those that are published.
    pub(super) held: HashMap<String, Option<Before>>,
    /// Those whose definitions passed their tests here.
    pub(super) passed: HashSet<String>,
}

/// A definition that serves on, with its brief.
#[derive(Debug, Clone)]
pub(super) struct Before {
    pub(super) loaded: Arc<Loaded>,
    pub(super) brief: Option<Arc<str>>,
}

impl Snapshot {
    /// Opens a folder, and reads its index.
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        let place = path.join(INDEX);
        let io = |error| OpenError::Io(place.clone(), error);
        let folder = File::open(path).map_err(io)?;
        let bytes = bytes(&folder, INDEX, INDEX_BYTES_MAX).map_err(io)?;
        let index = read_index(&place, &bytes)?;
        let generated_at = index.generated_at.parse().map_err(|error: jiff::Error| OpenError::Index {
            place: place.clone(),
            why: format!("generatedAt {:?}: {error}", index.generated_at),
        })?;
        let manifest = self::bytes(&folder, MANIFEST, INDEX_BYTES_MAX).unwrap_or_default();
        // Read with the index: the folder may be gone when somebody first asks for them.
        let triggers = self::bytes(&folder, TRIGGERS, TRIGGERS_BYTES_MAX).ok();
        let texts = triggers.map(|triggers| (bytes, triggers));
        let (folder, path) = (Some(folder), path.to_owned());
        Ok(Self { folder, path, generated_at, manifest, texts, ..Self::of(index) })
    }

    /// One that has no agents.
    pub(super) fn empty() -> Self {
        Self::of(Index {
            version: SCHEMA_VERSION,
            generated_at: Timestamp::UNIX_EPOCH.to_string(),
            digest: String::new(),
            keywords: BTreeMap::new(),
            agents: Vec::new(),
        })
    }

    fn of(index: Index) -> Self {
        let places =
            index.agents.iter().enumerate().map(|(place, entry)| (entry.id.clone(), place)).collect();
        let hot = LruCache::new(NonZeroUsize::new(HOT_MAX).unwrap_or(NonZeroUsize::MIN));
        let (folder, manifest) = (None, Vec::new());
        let (path, generated_at) = (PathBuf::new(), Timestamp::UNIX_EPOCH);
        Self {
            folder,
            path,
            index,
            generated_at,
            places,
            manifest,
            texts: None,
            briefs: Mutex::new(LruCache::new(hot.cap())),
            hot: Mutex::new(hot),
            held: HashMap::new(),
            passed: HashSet::new(),
        }
    }

    /// Returns the index.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// Returns when the newest source of it changed.
    pub fn generated_at(&self) -> Timestamp {
        self.generated_at
    }

    /// Returns what the index says of an id.
    pub fn entry(&self, id: &str) -> Option<&Entry> {
        self.places.get(id).and_then(|place| self.index.agents.get(*place))
    }

    /// Returns the definition of an id: read on first use, and then the same for everybody.
    pub fn definition(&self, id: &str) -> Result<Arc<Loaded>, Missing> {
        if let Some(held) = self.held.get(id) {
            return held
                .as_ref()
                .map(|before| before.loaded.clone())
                .ok_or_else(|| Missing::Unknown(id.to_owned()));
        }
        let entry = self.entry(id).ok_or_else(|| Missing::Unknown(id.to_owned()))?;
        if let Some(loaded) = self.hot().get(id) {
            return Ok(loaded.clone());
        }
        let loaded = Arc::new(self.load(entry)?);
        let mut hot = self.hot();
        // Of two who read it at once, both get the one that is kept.
        if let Some(other) = hot.get(id) {
            return Ok(other.clone());
        }
        hot.put(id.to_owned(), loaded.clone());
        Ok(loaded)
    }

    /// Returns the brief of an id; none where it has none.
    pub fn brief(&self, id: &str) -> io::Result<Option<String>> {
        self.shared_brief(id).map(|brief| brief.map(|brief| brief.to_string()))
    }

    /// The same, read on first use and kept like a definition.
    pub(super) fn shared_brief(&self, id: &str) -> io::Result<Option<Arc<str>>> {
        if let Some(held) = self.held.get(id) {
            return Ok(held.as_ref().and_then(|before| before.brief.clone()));
        }
        let Some(entry) = self.entry(id) else { return Ok(None) };
        if let Some(brief) = self.briefs().get(id) {
            return Ok(brief.clone());
        }
        let brief: Option<Arc<str>> = match self.file(&format!("{}{BRIEF_END}", entry.stem())) {
            Ok(bytes) => Some(String::from_utf8(bytes).map_err(io::Error::other)?.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        self.briefs().put(id.to_owned(), brief.clone());
        Ok(brief)
    }

    /// Returns the triggers.
    pub fn triggers(&self) -> io::Result<Triggers> {
        let Some((_, triggers)) = &self.texts else { return Ok(Triggers::default()) };
        serde_json::from_slice(triggers).map_err(io::Error::other)
    }

    /// Returns the index and the triggers as they are published; none where nothing is, or one is missing.
    pub fn texts(&self) -> Option<(&[u8], &[u8])> {
        self.texts.as_ref().map(|(index, triggers)| (index.as_slice(), triggers.as_slice()))
    }

    /// Tells whether this is a publication, and not only what comes with the program.
    pub fn is_published(&self) -> bool {
        self.folder.is_some()
    }

    /// Returns the text of a definition as it stands there, whatever it is worth.
    pub fn text(&self, id: &str) -> Result<String, Missing> {
        if let Some(held) = self.held.get(id) {
            let before = held.as_ref().ok_or_else(|| Missing::Unknown(id.to_owned()))?;
            return Ok(before.loaded.raw.to_string());
        }
        let entry = self.entry(id).ok_or_else(|| Missing::Unknown(id.to_owned()))?;
        self.read_text(entry)
    }

    /// Tells how the definition of an id came through its own test, as far as it is known here.
    pub fn trial(&self, id: &str) -> Trial {
        match self.held.get(id) {
            Some(before) => Trial::Failed { old_serves: before.is_some() },
            None if self.passed.contains(id) => Trial::Passed,
            None => Trial::Untried,
        }
    }

    /// Reads a definition as it is published, and keeps nothing of it.
    pub(super) fn read(&self, id: &str) -> Result<Loaded, Missing> {
        self.load(self.entry(id).ok_or_else(|| Missing::Unknown(id.to_owned()))?)
    }

    /// Returns the ids whose definitions failed their tests and that nobody has: there is none before them.
    pub fn failing(&self) -> impl Iterator<Item = &str> {
        self.held.iter().filter(|(_, before)| before.is_none()).map(|(id, _)| id.as_str())
    }

    /// Returns the ids that work most often leads to: those whose keywords most of the fleet has.
    pub(super) fn most_frequent(&self, count: usize) -> Vec<String> {
        let Ok(triggers) = self.triggers() else { return Vec::new() };
        let mut points: BTreeMap<&str, u64> = BTreeMap::new();
        for (word, ids) in &triggers.keywords {
            let often = self.index.keywords.get(word).copied().unwrap_or_default();
            for id in ids {
                *points.entry(id).or_default() += often;
            }
        }
        let mut ids: Vec<(&str, u64)> = points.into_iter().collect();
        ids.sort_by(|(one, a), (other, b)| b.cmp(a).then(one.cmp(other)));
        ids.into_iter().take(count).map(|(id, _)| id.to_owned()).collect()
    }

    /// Returns the digest of each published file.
    pub(super) fn digests(&self) -> BTreeMap<String, String> {
        #[derive(serde::Deserialize)]
        struct Files {
            files: BTreeMap<String, String>,
        }
        serde_json::from_slice::<Files>(&self.manifest).map(|manifest| manifest.files).unwrap_or_default()
    }

    /// Takes over a definition that another publication has read already.
    pub(super) fn warm(&self, id: &str, loaded: Arc<Loaded>) {
        self.hot().put(id.to_owned(), loaded);
    }

    /// Returns the definitions that were read.
    pub(super) fn read_so_far(&self) -> Vec<(String, Arc<Loaded>)> {
        self.hot().iter().map(|(id, loaded)| (id.clone(), loaded.clone())).collect()
    }

    fn hot(&self) -> std::sync::MutexGuard<'_, LruCache<String, Arc<Loaded>>> {
        self.hot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads a file of this publication. When another one has taken its place, the file is read there, if it is the same.
    fn file(&self, path: &str) -> io::Result<Vec<u8>> {
        let gone = || io::Error::from(io::ErrorKind::NotFound);
        let read = |folder: &File| bytes(folder, path, DEFINITION_BYTES_MAX as u64);
        let folder = self.folder.as_ref().ok_or_else(gone)?;
        match read(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            done => return done,
        }
        let digest = self.digests().remove(path).ok_or_else(gone)?;
        let found = read(&File::open(&self.path)?)?;
        if blake3::hash(&found).to_hex().as_str() == digest { Ok(found) } else { Err(gone()) }
    }

    fn briefs(&self) -> std::sync::MutexGuard<'_, LruCache<String, Option<Arc<str>>>> {
        self.briefs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_text(&self, entry: &Entry) -> Result<String, Missing> {
        let broken = |why: String| Missing::Broken { id: entry.id.clone(), why };
        let path = format!("{}{DEFINITION_END}", entry.stem());
        let bytes = self.file(&path).map_err(|error| broken(format!("{path}: {error}")))?;
        String::from_utf8(bytes).map_err(|_| broken(format!("{path} is not UTF-8")))
    }

    fn load(&self, entry: &Entry) -> Result<Loaded, Missing> {
        let broken = |why: String| Missing::Broken { id: entry.id.clone(), why };
        let path = format!("{}{DEFINITION_END}", entry.stem());
        let text = self.read_text(entry)?;
        let loaded = read::definition(&path, &text)
            .map_err(|problems| broken(problems.first().map(ToString::to_string).unwrap_or_default()))?;
        if Entry::of(&loaded.definition).stem() != entry.stem() {
            return Err(broken(format!("{path} is the definition of {}", loaded.definition.stem())));
        }
        Ok(loaded)
    }
}

fn read_index(place: &Path, bytes: &[u8]) -> Result<Index, OpenError> {
    #[derive(serde::Deserialize)]
    struct Version {
        version: u64,
    }
    let wrong = |why: String| OpenError::Index { place: place.to_owned(), why };
    let Version { version } = serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))?;
    if version != u64::from(SCHEMA_VERSION) {
        return Err(OpenError::Version { place: place.to_owned(), version });
    }
    let index: Index = serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))?;
    let is_path_like = |entry: &&Entry| {
        let subdomain = entry.subdomain.as_deref();
        !id::is_id(&entry.id)
            || !id::is_folder(&entry.domain)
            || subdomain.is_some_and(|name| !id::is_folder(name))
    };
    match index.agents.iter().find(is_path_like) {
        Some(entry) => Err(wrong(format!("{:?} is no id with its folders", entry.stem()))),
        None => Ok(index),
    }
}

/// Reads a file below a folder that is open already, so that the folder may go in the meantime.
fn bytes(folder: &File, path: &str, bytes_max: u64) -> io::Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = File::from(rustix::fs::openat(folder, path, flags, Mode::empty())?);
    let data = file.metadata()?;
    if !data.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    if data.len() > bytes_max {
        return Err(io::Error::other(format!("it has {} bytes; at most {bytes_max} are read", data.len())));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(data.len()).unwrap_or_default() + 1);
    file.take(bytes_max).read_to_end(&mut bytes)?;
    Ok(bytes)
}
