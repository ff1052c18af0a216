//! One conversion from end to end: read, convert, try what changed, publish.

use super::changed_at;
use super::smoke::Smoke;
use crate::failure::{Failure, Result, in_words};
use spalla_registry::convert::{self, Converted, Memory};
use spalla_registry::definition::Definition;
use spalla_registry::index::{BRIEF_END, DEFINITION_END, Entry, INDEX, Index};
use spalla_registry::problem::{Problem, Severity};
use spalla_registry::publish::{self, Changes, File};
use spalla_registry::read;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is to be converted, and how.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// Where people write their agents.
    pub(crate) source: PathBuf,
    /// Where they are published.
    pub(crate) out: PathBuf,
    /// How many threads read.
    pub(crate) jobs: usize,
    /// Whether nothing is changed.
    pub(crate) is_check: bool,
    /// Whether a file was changed just now: then its time is the newest, and git need not be asked.
    pub(crate) is_after_change: bool,
    /// How changed definitions are tried; none where they are not.
    pub(crate) smoke: Option<Smoke>,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Everything that was converted.
    pub(crate) converted: Converted,
    /// What it changes in the published folder.
    pub(crate) changes: Changes,
    /// When the newest source changed.
    pub(crate) generated_at: String,
}

/// What earlier calls have read, and what they published.
#[derive(Debug, Default)]
pub(crate) struct Memories {
    read: Memory,
    published: publish::Memory,
}

impl Memories {
    /// Those of somebody who converts with each change.
    pub(crate) fn of_a_watch() -> Self {
        Self { read: Memory::default(), published: publish::Memory::of_a_watch() }
    }
}

/// Converts once. `memories` are those of earlier calls.
pub(crate) fn convert(asked: &Asked, memories: &mut Memories) -> Result<Outcome> {
    let Asked { source, out, jobs, .. } = asked;
    check_places(source, out)?;
    let unreadable = |error| Failure::usage(format!("reading {}: {}", source.display(), in_words(&error)));
    let skip = out.canonicalize().ok();
    let sources = convert::read(source, skip.as_deref(), *jobs, &mut memories.read)
        .map_err(|error| unreadable(error).mend("name the folder of your agents with --source"))?;
    let generated_at = generated_at(asked, sources.newest_s)?;
    let mut converted = convert::convert(&sources, &generated_at, *jobs, &mut memories.read);
    keep_broken(&mut converted, out, &generated_at);
    if asked.is_check {
        let changes = publish::changes(&converted.files, out, differs).map_err(unpublished)?;
        return Ok(Outcome { converted, changes, generated_at });
    }
    if let Some(smoke) = &asked.smoke {
        try_changed(&mut converted, out, smoke, &generated_at);
    }
    let changes =
        publish::publish_again(&converted.files, out, &mut memories.published).map_err(unpublished)?;
    Ok(Outcome { converted, changes, generated_at })
}

fn unpublished(error: publish::Error) -> Failure {
    let why = std::error::Error::source(&error).map(|why| format!(": {why}")).unwrap_or_default();
    Failure::failed(format!("{error}{why}"))
}

fn check_places(source: &Path, out: &Path) -> Result<()> {
    let (Ok(source), Ok(out)) = (source.canonicalize(), out.canonicalize()) else { return Ok(()) };
    if source.starts_with(&out) {
        let failure =
            Failure::usage(format!("{} would be published over {}", out.display(), source.display()));
        return Err(failure.mend("name another folder with --out"));
    }
    Ok(())
}

fn generated_at(asked: &Asked, newest_s: i64) -> Result<String> {
    let seconds = match changed_at::fixed()? {
        Some(fixed) => fixed,
        None if asked.is_after_change => newest_s,
        None => changed_at::newest(&asked.source, newest_s),
    };
    let at = jiff::Timestamp::from_second(seconds);
    at.map(|at| at.to_string()).map_err(|error| Failure::usage(format!("the time {seconds}: {error}")))
}

/// The time of an index says nothing about whether it is stale: a commit changes it, and nothing else.
fn differs(path: &str, old: &[u8], new: &[u8]) -> bool {
    if path != INDEX {
        return old != new;
    }
    let timeless = |bytes: &[u8]| {
        let mut index: Index = serde_json::from_slice(bytes).ok()?;
        index.generated_at.clear();
        Some(index)
    };
    timeless(old).is_none_or(|old| Some(old) != timeless(new))
}

/// Keeps what was published of files that are still there and can't be converted now: only what is gone goes.
fn keep_broken(converted: &mut Converted, out: &Path, generated_at: &str) {
    let errors = converted.problems.iter().filter(|problem| problem.severity == Severity::Error);
    let mut broken: BTreeSet<String> = errors.map(|problem| problem.path.clone()).collect();
    for path in converted.definitions.values().filter_map(|definition| source(definition)) {
        broken.remove(path);
    }
    if broken.is_empty() {
        return;
    }
    let index = published_index(out);
    let mut kept = BTreeSet::new();
    for entry in index.iter().flat_map(|index| &index.agents) {
        let is_new = || converted.definitions.contains_key(&entry.id);
        let Some((definition, files)) = Some(entry).filter(|_| !is_new()).and_then(|entry| old(entry, out))
        else {
            continue;
        };
        let Some(path) = source(&definition).filter(|path| broken.contains(*path)) else { continue };
        kept.insert(path.to_owned());
        converted.files.extend(files);
        converted.definitions.insert(entry.id.clone(), Arc::new(definition));
    }
    if kept.is_empty() {
        return;
    }
    let is_kept =
        |problem: &&mut Problem| problem.severity == Severity::Error && kept.contains(&problem.path);
    for problem in converted.problems.iter_mut().filter(is_kept) {
        problem.message.push_str("; what was published of it before stays");
    }
    converted.index_anew(generated_at);
}

/// Returns the path of the file that a definition was made of.
fn source(definition: &Definition) -> Option<&str> {
    definition.source()?.get("path")?.as_str()
}

/// Tries the definitions that are new or other ones. Of one that fails the old one stays, if there is one.
fn try_changed(converted: &mut Converted, out: &Path, smoke: &Smoke, generated_at: &str) {
    let mut failed = Vec::new();
    for definition in converted.definitions.values() {
        let Some(command) = &definition.testing.smoke else { continue };
        let path = format!("{}{DEFINITION_END}", definition.stem());
        let before = publish::published(out, &path).ok().flatten();
        if before.as_deref() == converted.files.get(&path).map(|file| &**file) {
            continue;
        }
        if let Err(why) = smoke.run(definition, command) {
            failed.push((definition.agent.id.clone(), why));
        }
    }
    if failed.is_empty() {
        return;
    }
    for (id, why) in failed {
        let Some(definition) = converted.definitions.remove(&id) else { continue };
        let old = keep_old(converted, &definition, out);
        let stays = if old.is_some() { "the definition before it stays" } else { "it is not published" };
        let message = format!("the smoke test of {id} failed: {why}; {stays}");
        let problem = Problem::new(source(&definition).unwrap_or(&id), Severity::Error, "smoke", message);
        converted.problems.push(problem.mend("mend what testing.smoke tries"));
        converted.broken += 1;
        if let Some(old) = old {
            converted.definitions.insert(id, Arc::new(old));
        }
    }
    converted.problems.sort();
    converted.index_anew(generated_at);
}

/// Puts the published files of an id in the place of the new ones.
fn keep_old(converted: &mut Converted, new: &Definition, out: &Path) -> Option<Definition> {
    let files: &mut BTreeMap<String, File> = &mut converted.files;
    for end in [DEFINITION_END, BRIEF_END] {
        files.remove(&format!("{}{end}", new.stem()));
    }
    let entry = published_index(out)?.agents.into_iter().find(|entry| entry.id == new.agent.id)?;
    let (definition, old) = old(&entry, out)?;
    files.extend(old);
    Some(definition)
}

fn published_index(out: &Path) -> Option<Index> {
    let index = publish::published(out, INDEX).ok().flatten()?;
    serde_json::from_slice(&index).ok()
}

/// Reads what is published of an agent: its definition, and its files by their paths.
fn old(entry: &Entry, out: &Path) -> Option<(Definition, BTreeMap<String, File>)> {
    let path = format!("{}{DEFINITION_END}", entry.stem());
    let bytes = publish::published(out, &path).ok().flatten()?;
    let loaded = read::definition(&path, std::str::from_utf8(&bytes).ok()?).ok()?;
    let mut files = BTreeMap::from([(path, bytes.into())]);
    let brief = format!("{}{BRIEF_END}", entry.stem());
    if let Some(bytes) = publish::published(out, &brief).ok().flatten() {
        files.insert(brief, bytes.into());
    }
    Some((loaded.definition, files))
}
