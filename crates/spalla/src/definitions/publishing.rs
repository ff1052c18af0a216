//! One conversion from end to end: read, convert, try what changed, publish.

use super::changed_at;
use super::smoke::Smoke;
use crate::failure::{Failure, Result, in_words};
use spalla_registry::convert::{self, Converted, Memory};
use spalla_registry::definition::Definition;
use spalla_registry::index::{BRIEF_END, DEFINITION_END, INDEX, Index};
use spalla_registry::problem::{Problem, Severity};
use spalla_registry::publish::{self, Changes};
use spalla_registry::read;
use std::collections::BTreeMap;
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

/// Converts once. `memory` is what an earlier call has read.
pub(crate) fn convert(asked: &Asked, memory: &mut Memory) -> Result<Outcome> {
    let Asked { source, out, jobs, .. } = asked;
    check_places(source, out)?;
    let unreadable = |error| Failure::usage(format!("reading {}: {}", source.display(), in_words(&error)));
    let skip = out.canonicalize().ok();
    let sources = convert::read(source, skip.as_deref(), *jobs, memory)
        .map_err(|error| unreadable(error).mend("name the folder of your agents with --source"))?;
    let generated_at = generated_at(asked, sources.newest_s)?;
    let mut converted = convert::convert(&sources, &generated_at, *jobs, memory);
    if asked.is_check {
        let changes = publish::changes(&converted.files, out, differs).map_err(unpublished)?;
        return Ok(Outcome { converted, changes, generated_at });
    }
    if let Some(smoke) = &asked.smoke {
        try_changed(&mut converted, out, smoke, &generated_at);
    }
    let changes = publish::publish(&converted.files, out).map_err(unpublished)?;
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

/// Tries the definitions that are new or other ones. Of one that fails the old one stays, if there is one.
fn try_changed(converted: &mut Converted, out: &Path, smoke: &Smoke, generated_at: &str) {
    let mut failed = Vec::new();
    for definition in converted.definitions.values() {
        let Some(command) = &definition.testing.smoke else { continue };
        let path = format!("{}{DEFINITION_END}", definition.stem());
        let before = publish::published(out, &path).ok().flatten();
        if before.as_deref() == converted.files.get(&path).map(|bytes| &**bytes) {
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
        let source = definition.source().and_then(|source| source.get("path")).and_then(|path| path.as_str());
        let message = format!("the smoke test of {id} failed: {why}; {stays}");
        let problem = Problem::new(source.unwrap_or(&id), Severity::Error, "smoke", message);
        converted.problems.push(problem.mend("mend what testing.smoke tries"));
        converted.broken += 1;
        if let Some(old) = old {
            converted.definitions.insert(id, old);
        }
    }
    converted.problems.sort();
    converted.index_anew(generated_at);
}

/// Puts the published files of an id in the place of the new ones.
fn keep_old(converted: &mut Converted, new: &Definition, out: &Path) -> Option<Definition> {
    let files: &mut BTreeMap<String, Arc<[u8]>> = &mut converted.files;
    for end in [DEFINITION_END, BRIEF_END] {
        files.remove(&format!("{}{end}", new.stem()));
    }
    let index = publish::published(out, INDEX).ok().flatten()?;
    let index: Index = serde_json::from_slice(&index).ok()?;
    let entry = index.agents.into_iter().find(|entry| entry.id == new.agent.id)?;
    let path = format!("{}{DEFINITION_END}", entry.stem());
    let bytes = publish::published(out, &path).ok().flatten()?;
    let loaded = read::definition(&path, std::str::from_utf8(&bytes).ok()?).ok()?;
    files.insert(path, bytes.into());
    let brief = format!("{}{BRIEF_END}", entry.stem());
    if let Some(bytes) = publish::published(out, &brief).ok().flatten() {
        files.insert(brief, bytes.into());
    }
    Some(loaded.definition)
}
