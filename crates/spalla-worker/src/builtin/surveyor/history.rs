//! What the history of changes shows: files that change often and are large, and files that change together.

mod areas;
mod log;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jiff::{Timestamp, ToSpan as _};
use serde::Serialize;

use super::inspect::FileFacts;
use super::modules;
use super::paths;

pub use areas::{Area, Knower};
pub use log::{GIT_LOG_ARGS, GitHistory, parse_git_log};

/// What the history shows of the files that exist today.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HistoryReport {
    /// Commits looked at, merges left out.
    pub commits: usize,
    /// Whether the history is longer than what was looked at.
    pub cut: bool,
    /// When the oldest of them was made.
    pub first_at: Option<Timestamp>,
    /// When the newest of them was made.
    pub last_at: Option<Timestamp>,
    /// People who made them, by mail address; the addresses are not kept.
    pub authors: usize,
    /// Share of the commits made by the busiest of them, in percent.
    pub busiest_author_percent: usize,
    /// Commits in the 90 days before the survey.
    pub recent_commits: usize,
    /// People who made those.
    pub recent_authors: usize,
    /// Files of the product by changes times lines of code, the highest first.
    pub hot_spots: Vec<HotSpot>,
    /// Who knows which part, the most changed part first.
    pub areas: Vec<Area>,
    /// Pairs of files of the product that change together, those without an import between them first.
    pub coupled: Vec<Coupled>,
}

/// A file that changes often and is large.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HotSpot {
    /// Path, relative to the root; changes under earlier names count.
    pub file: String,
    /// Commits that changed it.
    pub commits: usize,
    /// Of those, commits whose subject speaks of a fix.
    pub fixes: usize,
    /// Of those, commits in the 90 days before the survey.
    pub recent_commits: usize,
    /// People who made them.
    pub authors: usize,
    /// Lines of product code today.
    pub code_lines: usize,
    /// Commits times lines of code.
    pub score: usize,
    /// When it last changed.
    pub last_changed_at: Option<Timestamp>,
}

/// Two files that change together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Coupled {
    /// One file.
    pub a: String,
    /// The other.
    pub b: String,
    /// Commits that changed both.
    pub together: usize,
    /// Their share of the commits of the file that changed less often, in percent.
    pub percent: usize,
    /// Whether the module of one imports that of the other, or both are parts of one.
    pub linked: bool,
}

/// Hot spots kept.
const HOT_SPOTS_MAX: usize = 500;
/// Pairs kept.
const COUPLED_MAX: usize = 200;
/// A commit of more files says nothing about any two of them; it also bounds the pairs.
const FILES_PER_COUPLING_COMMIT_MAX: usize = 20;
/// Fewer common changes may be chance.
const TOGETHER_MIN: usize = 5;
/// Share of the rarer file's changes from which two files count as coupled.
const COUPLED_PERCENT_MIN: usize = 50;

/// Sums a history up for the files of a survey; `links` are pairs of files with an import between them.
pub(crate) fn report(
    history: &GitHistory,
    files: &[FileFacts],
    links: &BTreeSet<(usize, usize)>,
    now: Timestamp,
) -> HistoryReport {
    let recent = now.checked_sub((90 * 24).hours()).unwrap_or(Timestamp::MIN).as_second();
    let sources: HashMap<&str, usize> = files
        .iter()
        .enumerate()
        .filter(|(_, file)| file.is_product_code())
        .map(|(index, file)| (file.path.as_str(), index))
        .collect();
    let times = || history.commits.iter().map(|commit| commit.at_seconds);
    let time = |seconds: Option<i64>| seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
    let recent_commits = || history.commits.iter().filter(|commit| commit.at_seconds >= recent);
    HistoryReport {
        commits: history.commits.len(),
        cut: history.cut,
        first_at: time(times().min()),
        last_at: time(times().max()),
        authors: history.authors,
        busiest_author_percent: busiest_author_percent(history),
        recent_commits: recent_commits().count(),
        recent_authors: recent_commits().map(|commit| commit.author).collect::<BTreeSet<_>>().len(),
        hot_spots: hot_spots(history, files, &sources, recent),
        areas: areas::of(history, files),
        coupled: coupled(history, files, &sources, links),
    }
}

fn busiest_author_percent(history: &GitHistory) -> usize {
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    for commit in &history.commits {
        *counts.entry(commit.author).or_default() += 1;
    }
    counts.values().max().map_or(0, |most| most * 100 / history.commits.len().max(1))
}

#[derive(Default)]
struct Changes {
    commits: usize,
    fixes: usize,
    recent: usize,
    authors: BTreeSet<usize>,
    last: i64,
}

fn hot_spots(
    history: &GitHistory,
    files: &[FileFacts],
    sources: &HashMap<&str, usize>,
    recent: i64,
) -> Vec<HotSpot> {
    let mut changes: BTreeMap<usize, Changes> = BTreeMap::new();
    for commit in &history.commits {
        for file in commit.files.iter().filter_map(|path| sources.get(history.path(*path))) {
            let entry = changes.entry(*file).or_default();
            entry.commits += 1;
            entry.fixes += usize::from(commit.is_fix);
            entry.recent += usize::from(commit.at_seconds >= recent);
            entry.authors.insert(commit.author);
            entry.last = entry.last.max(commit.at_seconds);
        }
    }
    let rows = changes.into_iter().map(|(index, changes)| {
        let file = &files[index];
        let code_lines = file.product_lines();
        HotSpot {
            file: file.path.clone(),
            commits: changes.commits,
            fixes: changes.fixes,
            recent_commits: changes.recent,
            authors: changes.authors.len(),
            code_lines,
            score: changes.commits * code_lines,
            last_changed_at: Timestamp::from_second(changes.last).ok(),
        }
    });
    let mut rows: Vec<HotSpot> = rows.collect();
    rows.sort_by(|a, b| b.score.cmp(&a.score).then_with(|| a.file.cmp(&b.file)));
    rows.truncate(HOT_SPOTS_MAX);
    rows
}

fn coupled(
    history: &GitHistory,
    files: &[FileFacts],
    sources: &HashMap<&str, usize>,
    links: &BTreeSet<(usize, usize)>,
) -> Vec<Coupled> {
    let mut alone: HashMap<usize, usize> = HashMap::new();
    let mut together: HashMap<(usize, usize), usize> = HashMap::new();
    for commit in history.commits.iter().filter(|commit| commit.files.len() <= FILES_PER_COUPLING_COMMIT_MAX)
    {
        let known: BTreeSet<usize> =
            commit.files.iter().filter_map(|path| sources.get(history.path(*path))).copied().collect();
        for a in &known {
            *alone.entry(*a).or_default() += 1;
            for b in known.range(a + 1..) {
                *together.entry((*a, *b)).or_default() += 1;
            }
        }
    }
    let ties = Ties::new(files, links);
    let rows = together.into_iter().filter_map(|((a, b), count)| {
        let percent = count * 100 / alone[&a].min(alone[&b]).max(1);
        let counts = count >= TOGETHER_MIN
            && percent >= COUPLED_PERCENT_MIN
            && !are_halves(&files[a].path, &files[b].path);
        let linked = ties.hold(a, b);
        counts.then(|| Coupled {
            a: files[a].path.clone(),
            b: files[b].path.clone(),
            together: count,
            percent,
            linked,
        })
    });
    let mut rows: Vec<Coupled> = rows.collect();
    rows.sort_by(|x, y| {
        let key = |pair: &Coupled| (pair.linked, usize::MAX - pair.together, usize::MAX - pair.percent);
        key(x).cmp(&key(y)).then_with(|| (&x.a, &x.b).cmp(&(&y.a, &y.b)))
    });
    rows.truncate(COUPLED_MAX);
    rows
}

/// Which files are tied by imports between their modules.
struct Ties<'f> {
    files: &'f [FileFacts],
    units: Vec<Option<String>>,
    linked: HashSet<(String, String)>,
}

impl<'f> Ties<'f> {
    fn new(files: &'f [FileFacts], links: &BTreeSet<(usize, usize)>) -> Self {
        let units: Vec<Option<String>> = files.iter().map(modules::unit_of).collect();
        let pairs = links.iter().filter_map(|(a, b)| Some((units[*a].clone()?, units[*b].clone()?)));
        let linked = pairs.flat_map(|(a, b)| [(a.clone(), b.clone()), (b, a)]).collect();
        Self { files, units, linked }
    }

    fn hold(&self, a: usize, b: usize) -> bool {
        let units = self.units[a].clone().zip(self.units[b].clone());
        units.is_some_and(|pair| self.linked.contains(&pair))
            || modules::are_kin(&self.files[a], &self.files[b])
    }
}

/// A header and its body are one thing in two files.
fn are_halves(a: &str, b: &str) -> bool {
    paths::folder(a) == paths::folder(b) && paths::stem(a) == paths::stem(b)
}

#[cfg(test)]
mod tests;
