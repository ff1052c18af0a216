//! From a folder of agents' files to everything that is published. The same bytes come out for the same bytes in, with
//! any number of threads.

use crate::collisions::{self, Given};
use crate::definition::Definition;
use crate::derive;
use crate::fleet::{self, Choice, Fleet};
use crate::folder::{self, Found, Listing};
use crate::index::{self, BRIEF_END, DEFINITION_END, INDEX, TRIGGERS};
use crate::problem::{Problem, Severity};
use crate::publish::File;
use crate::read::DEFINITION_BYTES_MAX;
use crate::source::{self, Reading, Source};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The most threads that read at a time.
pub const JOBS_MAX: usize = 64;

/// By what a file is known to be the one that was read: its change, its length and its number.
type Stamp = (u128, u64, u64);
/// How coarse a file system's times may be: what was changed so shortly before it was read may be changed once more, and bear the
/// same time. Such a file is read again, and what was made of it stands if its bytes are the same.
const TICK: Duration = Duration::from_secs(2);

/// What was read of a folder before, and what was made of it: who looks again reads and makes only what changed, and gets what
/// they would get without it.
#[derive(Debug, Default)]
pub struct Memory {
    readings: BTreeMap<String, Known>,
    fleet: Fleet,
    /// By the paths of the sources.
    made: BTreeMap<String, Arc<Made>>,
}

/// A file that was read.
#[derive(Debug, Clone)]
struct Known {
    stamp: Stamp,
    /// Whether the stamp tells the next change of it for sure.
    is_sure: bool,
    digest: Option<blake3::Hash>,
    reading: Arc<Reading>,
}

/// What was made of a source, and all that it was made of.
#[derive(Debug)]
struct Made {
    reading: Arc<Reading>,
    given: Given,
    telling: Vec<Choice>,
    definition: Arc<Definition>,
    /// The definition as it is published, or why it can't be.
    yaml: Result<File, String>,
    /// The body, if there is one.
    brief: Option<File>,
}

/// Everything that was read.
#[derive(Debug)]
pub struct Sources {
    readings: Vec<Arc<Reading>>,
    problems: Vec<Problem>,
    /// The newest change of a file or folder, in seconds since 1970.
    pub newest_s: i64,
}

/// Everything that is to be published.
#[derive(Debug)]
pub struct Converted {
    /// The files, by their paths below the output folder.
    pub files: BTreeMap<String, File>,
    /// The definitions, by their ids.
    pub definitions: BTreeMap<String, Arc<Definition>>,
    /// Everything that is to be said, by file and line.
    pub problems: Vec<Problem>,
    /// How many files are no agents.
    pub documents: usize,
    /// How many files could not be converted.
    pub broken: usize,
}

/// Reads a folder.
pub fn read(root: &Path, skip: Option<&Path>, jobs: usize, memory: &mut Memory) -> io::Result<Sources> {
    let Listing { files, problems, newest_s } = folder::list(root, skip)?;
    let known = std::mem::take(&mut memory.readings);
    let read = in_parallel(jobs, &files, |found| known_or_read(root, found, known.get(&found.path)));
    let readings = read.iter().map(|known| known.reading.clone()).collect();
    memory.readings = files.into_iter().map(|file| file.path).zip(read).collect();
    Ok(Sources { readings, problems, newest_s })
}

#[expect(
    clippy::disallowed_methods,
    reason = "held against the times of files, and in nothing that is made of them"
)]
fn now() -> SystemTime {
    SystemTime::now()
}

fn known_or_read(root: &Path, found: &Found, known: Option<&Known>) -> Known {
    if let Some(known) = known.filter(|known| known.is_sure && known.stamp == found.stamp) {
        return known.clone();
    }
    let sure_ns = now().duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(TICK).as_nanos();
    let (stamp, is_sure) = (found.stamp, found.stamp.0 < sure_ns);
    match folder::read(root, found) {
        Ok(bytes) => {
            let digest = blake3::hash(&bytes);
            let same = known.filter(|known| known.digest == Some(digest)).map(|known| known.reading.clone());
            let reading = same.unwrap_or_else(|| Arc::new(source::read(&found.path, &bytes)));
            Known { stamp, is_sure, digest: Some(digest), reading }
        }
        Err(error) => {
            let why = format!("it can't be read: {error}");
            let problem = Problem::new(&found.path, Severity::Error, "unreadable", why);
            let reading = Reading::Broken(vec![problem.mend("look at its permissions")]);
            Known { stamp, is_sure: false, digest: None, reading: Arc::new(reading) }
        }
    }
}

/// Makes everything that is published; `generated_at` as in [`index::Index`].
pub fn convert(sources: &Sources, generated_at: &str, jobs: usize, memory: &mut Memory) -> Converted {
    let agents: Vec<(&Arc<Reading>, &Source)> =
        sources.readings.iter().filter_map(|reading| Some((reading, agent(reading)?))).collect();
    let mut problems = sources.problems.clone();
    let mut broken = problems.iter().filter(|problem| problem.severity == Severity::Error).count();
    let mut documents = 0;
    for reading in &sources.readings {
        match &**reading {
            Reading::Agent(source) => problems.extend(source.problems.iter().cloned()),
            Reading::Document(problem) => {
                documents += 1;
                problems.push(problem.clone());
            }
            Reading::Broken(all) => {
                broken += 1;
                problems.extend(all.iter().cloned());
            }
        }
    }
    let (ids, collisions) = collisions::give(&agents.iter().map(|(_, source)| *source).collect::<Vec<_>>());
    problems.extend(collisions);
    problems.sort();
    memory.fleet.update(&sources.readings);
    let named: Vec<(&Arc<Reading>, &Source, &Given)> =
        agents.iter().zip(&ids).map(|((reading, source), given)| (*reading, *source, given)).collect();
    let before = std::mem::take(&mut memory.made);
    let fleet = &memory.fleet;
    let all = in_parallel(jobs, &named, |(reading, source, given)| {
        let telling = fleet.choose(source);
        match before.get(&source.path) {
            Some(made) if made.is_of(reading, given, &telling) => made.clone(),
            _ => Arc::new(Made::of(reading, source, given, telling)),
        }
    });
    let mut converted =
        Converted { files: BTreeMap::new(), definitions: BTreeMap::new(), problems, documents, broken };
    for ((_, source, _), made) in named.into_iter().zip(all) {
        converted.add(source, &made);
        memory.made.insert(source.path.clone(), made);
    }
    converted.index_anew(generated_at);
    converted
}

fn agent(reading: &Arc<Reading>) -> Option<&Source> {
    match &**reading {
        Reading::Agent(source) => Some(source),
        _ => None,
    }
}

/// Writes a definition as it is published.
pub fn yaml(definition: &Definition, path: &str) -> Result<String, String> {
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    let text =
        serde_saphyr::to_string_with_options(definition, options).map_err(|error| error.to_string())?;
    let path: String = path.chars().filter(|letter| !letter.is_control()).collect();
    Ok(format!("# Written by `spalla convert` from {path}: change that file, and convert again.\n{text}"))
}

/// What nobody could read is not published.
fn fitting(text: String) -> Result<File, String> {
    if text.len() > DEFINITION_BYTES_MAX {
        let bytes = text.len();
        return Err(format!(
            "its definition would have {bytes} bytes, at most {DEFINITION_BYTES_MAX} are read; shorten the front matter"
        ));
    }
    Ok(text.into_bytes().into())
}

impl Made {
    fn of(reading: &Arc<Reading>, source: &Source, given: &Given, telling: Vec<Choice>) -> Self {
        let definition = derive::definition(source, &given.id, given.rule, fleet::keywords(source, &telling));
        let yaml = yaml(&definition, &source.path).and_then(fitting);
        let brief = (!source.body.is_empty()).then(|| source.body.as_bytes().to_vec().into());
        let (reading, given, definition) = (reading.clone(), given.clone(), Arc::new(definition));
        Self { reading, given, telling, definition, yaml, brief }
    }

    /// Tells whether it would come out the same of these.
    fn is_of(&self, reading: &Arc<Reading>, given: &Given, telling: &[Choice]) -> bool {
        Arc::ptr_eq(&self.reading, reading) && self.given == *given && self.telling == *telling
    }
}

impl Converted {
    fn add(&mut self, source: &Source, made: &Made) {
        let yaml = match &made.yaml {
            Ok(yaml) => yaml.clone(),
            Err(why) => {
                self.broken += 1;
                self.problems.push(Problem::new(&source.path, Severity::Error, "unwritable", why.clone()));
                return;
            }
        };
        let stem = made.definition.stem();
        if let Some(brief) = &made.brief {
            self.files.insert(format!("{stem}{BRIEF_END}"), brief.clone());
        }
        self.files.insert(format!("{stem}{DEFINITION_END}"), yaml);
        self.definitions.insert(made.given.id.clone(), made.definition.clone());
    }

    /// Makes index and triggers again, after definitions were taken out or exchanged.
    pub fn index_anew(&mut self, generated_at: &str) {
        self.files.remove(INDEX);
        let definitions: Vec<&Definition> = self.definitions.values().map(|one| &**one).collect();
        let triggers = index::gather(&definitions);
        self.files.insert(TRIGGERS.to_owned(), index::written(&triggers).into());
        let digest = digest(&self.files);
        let index = index::written(&index::index(&definitions, &triggers, &digest, generated_at));
        self.files.insert(INDEX.to_owned(), index.into());
    }

    /// Tells whether something could not be converted.
    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }
}

fn digest(files: &BTreeMap<String, File>) -> String {
    let mut hasher = blake3::Hasher::new();
    for (path, file) in files {
        hasher.update(path.as_bytes());
        hasher.update(&[0]);
        hasher.update(file.digest().as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

/// Does the same to each item with several threads; the answers stand in the items' order.
fn in_parallel<T: Sync, R: Send>(jobs: usize, items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let jobs = jobs.clamp(1, JOBS_MAX).min(items.len().max(1));
    let share = items.len().div_ceil(jobs).max(1);
    if jobs == 1 {
        return items.iter().map(work).collect();
    }
    let work = &work;
    std::thread::scope(|scope| {
        let threads: Vec<_> = items
            .chunks(share)
            .map(|chunk| scope.spawn(move || chunk.iter().map(work).collect::<Vec<R>>()))
            .collect();
        let joined = threads.into_iter().map(|thread| thread.join());
        joined.flat_map(|done| done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}
