//! Which agent a task is for: the router over the folder in which agents are published, read anew when it changes. Where there
//! is no such folder, over the agents that are built in.

mod built_in;
mod by_definition;
mod details;
mod serving;
mod standing;

pub(crate) use by_definition::{ByDefinition, Peers};
pub(crate) use serving::Serving;
pub(crate) use standing::{follow as follow_standing, scorecards};

use crate::config::{RoutingSettings, Settings};
use crate::failure::in_words;
use details::Files;
use spalla_router::{
    Answer, Fleet, INDEX_BYTES_MAX, Index, PublishedError, Question, Router, TRIGGERS_BYTES_MAX, Weights,
};
use spalla_server::{Routing, Unrouted};
use std::fs::{self, File};
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

/// Who is published.
const INDEX: &str = "index.json";
/// What leads to whom.
const TRIGGERS: &str = "triggers.json";

/// The agents of a folder, and the router over them.
#[derive(Debug)]
pub(crate) struct AgentFolder {
    folder: PathBuf,
    settings: RoutingSettings,
    read: Mutex<Option<Current>>,
}

/// The router over what the folder held when it looked like this.
#[derive(Debug, Clone)]
struct Current {
    looks: Option<Looks>,
    router: Arc<Router>,
    /// Said with each answer; none where there is a folder.
    note: Option<String>,
}

/// By what a change is told: of both files the time and the length.
type Looks = [(Option<SystemTime>, u64); 2];

impl AgentFolder {
    /// Takes the folder of the settings; it is read with the first question.
    pub(crate) fn new(settings: &Settings) -> Self {
        Self::at(&settings.agents.dir, settings)
    }

    /// Takes another folder.
    pub(crate) fn at(folder: &Path, settings: &Settings) -> Self {
        Self { folder: folder.to_owned(), settings: settings.routing.clone(), read: Mutex::default() }
    }

    /// Returns the router over what is published now. Whoever asks while the folder is read waits for it.
    fn current(&self) -> Result<Current, Unrouted> {
        let looks = self.looks();
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(current) = read.as_ref().filter(|current| current.looks == looks) {
            return Ok(current.clone());
        }
        let current = self.read(looks)?;
        Ok(read.insert(current).clone())
    }

    fn looks(&self) -> Option<Looks> {
        let look = |name| fs::metadata(self.folder.join(name)).map(|data| (data.modified().ok(), data.len()));
        Some([look(INDEX).ok()?, look(TRIGGERS).unwrap_or_default()])
    }

    fn read(&self, looks: Option<Looks>) -> Result<Current, Unrouted> {
        let folder = self.folder.display();
        let Some(index) = self.file(INDEX, INDEX_BYTES_MAX)? else {
            let note = format!("no agents are published in {folder}; these are the built-in ones");
            return Ok(Current { looks, router: self.router(built_in::fleet()), note: Some(note) });
        };
        let triggers = self.file(TRIGGERS, TRIGGERS_BYTES_MAX)?.ok_or_else(|| {
            Unrouted::Unusable(format!("the agents in {folder} have an {INDEX} and no {TRIGGERS}"))
        })?;
        let unusable = |error: PublishedError| Unrouted::Unusable(format!("the agents in {folder}: {error}"));
        let fleet = Fleet::published(&index, &triggers).map_err(unusable)?;
        let router = self.router(fleet);
        let problems = router.index().problems();
        for problem in &problems.told {
            tracing::warn!("the agents in {folder}: {problem}");
        }
        tracing::debug!(agents = router.index().len(), problems = problems.count, "the agents were read");
        Ok(Current { looks, router, note: None })
    }

    fn router(&self, fleet: Fleet) -> Arc<Router> {
        let index = Index::build(fleet, Some(Arc::new(Files::in_folder(&self.folder))));
        Arc::new(Router::new(Arc::new(index), Weights::default(), self.settings.options()))
    }

    fn file(&self, name: &str, most: usize) -> Result<Option<Vec<u8>>, Unrouted> {
        let path = self.folder.join(name);
        match read_bounded(&path, most) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => {
                Err(Unrouted::Unusable(format!("reading {}: {}", path.display(), in_words(&error))))
            }
        }
    }
}

impl Routing for AgentFolder {
    fn route(&self, question: &Question) -> Result<Arc<Answer>, Unrouted> {
        let Current { router, note, .. } = self.current()?;
        let started = Instant::now();
        let answer = router.route_until(question, &|| started.elapsed() > self.settings.matchers());
        let Some(note) = note else { return Ok(answer) };
        let mut answer = Answer::clone(&answer);
        answer.notes.insert(0, note);
        Ok(Arc::new(answer))
    }
}

/// Reads a file; of a longer one as much as shows that it is too long.
fn read_bounded(path: &Path, most: usize) -> std::io::Result<Vec<u8>> {
    // Whatever waits for a writer would be waited for without end.
    if !fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("it is no file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(most as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
