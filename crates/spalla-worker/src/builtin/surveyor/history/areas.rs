//! Who knows which part of a tree: people by the commits in which they changed its folders.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use super::log::GitHistory;
use crate::builtin::surveyor::inspect::FileFacts;
use crate::builtin::surveyor::paths;

/// A folder with code of the product, and who changed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Area {
    /// The folder, relative to the root; empty for the root itself.
    pub folder: String,
    /// Commits that changed its files of today.
    pub commits: usize,
    /// People who made them.
    pub authors: usize,
    /// Those who made most, the most first.
    pub people: Vec<Knower>,
    /// How many of the busiest people made half of the commits or more: one means that one person's leaving is felt.
    pub half_by: usize,
    /// When it last changed.
    pub last_changed_at: Option<Timestamp>,
}

/// Somebody who knows an area.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Knower {
    /// The name, as the history has it; the address is not kept.
    pub name: String,
    /// Commits by this person.
    pub commits: usize,
    /// Their share, in percent.
    pub percent: usize,
    /// When this person last changed something there.
    pub last_at: Option<Timestamp>,
}

/// Areas kept.
const AREAS_MAX: usize = 100;
/// People named of one area.
const PEOPLE_MAX: usize = 5;
/// How deep a folder is told apart; deeper ones belong to it.
const DEPTH: usize = 3;

#[derive(Default)]
struct Changes {
    commits: usize,
    last: i64,
    /// By author: commits, and the time of the newest.
    by: BTreeMap<usize, (usize, i64)>,
}

/// Finds out who knows what.
pub(super) fn of(history: &GitHistory, files: &[FileFacts]) -> Vec<Area> {
    let home: BTreeMap<&str, &str> = files
        .iter()
        .filter(|file| file.is_product_code())
        .map(|file| (file.path.as_str(), shallow(paths::folder(&file.path))))
        .collect();
    let mut areas: BTreeMap<&str, Changes> = BTreeMap::new();
    for commit in &history.commits {
        let touched: BTreeSet<&str> =
            commit.files.iter().filter_map(|file| home.get(history.path(*file)).copied()).collect();
        for area in touched {
            let changes = areas.entry(area).or_default();
            changes.commits += 1;
            changes.last = changes.last.max(commit.at_seconds);
            let own = changes.by.entry(commit.author).or_default();
            *own = (own.0 + 1, own.1.max(commit.at_seconds));
        }
    }
    let mut rows: Vec<Area> =
        areas.into_iter().map(|(folder, changes)| area(history, folder, &changes)).collect();
    rows.sort_by(|a, b| b.commits.cmp(&a.commits).then_with(|| a.folder.cmp(&b.folder)));
    rows.truncate(AREAS_MAX);
    rows
}

fn area(history: &GitHistory, folder: &str, changes: &Changes) -> Area {
    let mut people: Vec<(usize, (usize, i64))> =
        changes.by.iter().map(|(author, own)| (*author, *own)).collect();
    people.sort_by(|a, b| (b.1, a.0).cmp(&(a.1, b.0)));
    let mut so_far = 0;
    let before_half = people.iter().take_while(|(_, (commits, _))| {
        let is_before = so_far * 2 < changes.commits;
        so_far += commits;
        is_before
    });
    let half_by = before_half.count();
    let knower = |(author, (commits, last)): &(usize, (usize, i64))| Knower {
        name: history.name(*author).to_owned(),
        commits: *commits,
        percent: commits * 100 / changes.commits.max(1),
        last_at: Timestamp::from_second(*last).ok(),
    };
    Area {
        folder: folder.to_owned(),
        commits: changes.commits,
        authors: people.len(),
        people: people.iter().take(PEOPLE_MAX).map(knower).collect(),
        half_by,
        last_changed_at: Timestamp::from_second(changes.last).ok(),
    }
}

fn shallow(folder: &str) -> &str {
    folder.match_indices('/').nth(DEPTH - 1).map_or(folder, |(at, _)| &folder[..at])
}

#[cfg(test)]
mod tests {
    use super::super::super::inspect::{TreeContext, inspect};
    use super::super::super::role::Attributes;
    use super::super::log::parse_git_log;
    use super::*;

    #[test]
    fn areas_name_who_changed_them_most() {
        let context = TreeContext { headers_are_cpp: false, attributes: Attributes::parse("") };
        let files: Vec<FileFacts> = ["src/a.rs", "src/b.rs", "top.rs"]
            .iter()
            .map(|path| inspect(path, "fn a() {}\n", &context))
            .collect();
        let log = b"\x1e30\x1fann@x\x1fSay\x1fAnn\0\n1\t1\tsrc/a.rs\x001\t1\tsrc/b.rs\0\x1e20\x1fbob@x\x1fDo\x1fBob\0\n1\t1\tsrc/a.rs\0\
                    \x1e10\x1fANN@x\x1fDo\x1fAnn B\0\n1\t1\tsrc/a.rs\x001\t1\ttop.rs\0";
        let areas = of(&parse_git_log(log), &files);
        let told: Vec<_> = areas
            .iter()
            .map(|area| {
                let people: Vec<_> = area.people.iter().map(|one| (one.name.as_str(), one.percent)).collect();
                (area.folder.as_str(), area.commits, area.half_by, people)
            })
            .collect();
        assert_eq!(told, [("src", 3, 1, vec![("Ann", 66), ("Bob", 33)]), ("", 1, 1, vec![("Ann", 100)])]);
    }
}
