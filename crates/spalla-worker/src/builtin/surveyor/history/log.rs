//! Reads the output of `git log`; whoever runs git does so with [`GIT_LOG_ARGS`], in the surveyed folder.

use std::collections::HashMap;

/// The arguments for git. Names are separated by NUL, so that none can be mistaken for anything else.
pub const GIT_LOG_ARGS: &[&str] = &[
    "-c",
    "diff.renameLimit=2000",
    "-c",
    "log.showSignature=false",
    "log",
    "--max-count=2000",
    "--no-merges",
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--find-renames",
    "--relative",
    "--numstat",
    "-z",
    "--format=%x1e%at%x1f%aE%x1f%s%x1f%aN",
    "--",
    ".",
];

/// As many as [`GIT_LOG_ARGS`] asks for; a history of this length may go on.
const COMMITS_MAX: usize = 2_000;
/// Files kept of one commit: the import of a whole tree says nothing about any of its files.
const FILES_PER_COMMIT_MAX: usize = 5_000;
/// Changes kept in all, so that a hostile history costs bounded memory.
const CHANGES_MAX: usize = 2_000_000;

/// The longest name kept of an author, in characters.
const NAME_CHARS_MAX: usize = 80;

/// A history of changes, newest first, with every file under its newest name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GitHistory {
    pub(super) commits: Vec<Commit>,
    pub(super) authors: usize,
    pub(super) cut: bool,
    paths: Vec<String>,
    /// The newest name of each author.
    names: Vec<String>,
}

/// One commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Commit {
    pub at_seconds: i64,
    pub author: usize,
    pub is_fix: bool,
    /// Files it changed, for [`GitHistory::path`].
    pub files: Vec<usize>,
}

impl GitHistory {
    /// Returns the name of a file.
    pub(super) fn path(&self, file: usize) -> &str {
        &self.paths[file]
    }

    /// Returns the name of an author.
    pub(super) fn name(&self, author: usize) -> &str {
        self.names.get(author).map_or("", String::as_str)
    }

    /// Says whether no commit was found.
    pub fn is_empty(&self) -> bool {
        self.commits.is_empty()
    }
}

/// Reads what `git log` printed. What is cut off or cannot be read is left out; nothing panics.
pub fn parse_git_log(bytes: &[u8]) -> GitHistory {
    let mut reader = Reader::default();
    // Output that was cut ends inside a name; only what NUL ends is whole.
    let whole = bytes.iter().rposition(|byte| *byte == 0).map_or(&[][..], |end| &bytes[..end]);
    let mut tokens = whole.split(|byte| *byte == 0);
    while let Some(token) = tokens.next() {
        let token = token.strip_prefix(b"\n").unwrap_or(token);
        match token.first() {
            Some(0x1e) if reader.history.commits.len() >= COMMITS_MAX => break,
            Some(0x1e) => reader.begin(&token[1..]),
            _ => reader.change(token, &mut tokens),
        }
    }
    reader.finish()
}

#[derive(Default)]
struct Reader {
    history: GitHistory,
    authors: HashMap<Vec<u8>, usize>,
    ids: HashMap<Vec<u8>, usize>,
    /// The newest name of each name that was given up.
    renamed: HashMap<usize, usize>,
    changes: usize,
}

impl Reader {
    fn begin(&mut self, head: &[u8]) {
        let mut parts = head.splitn(3, |byte| *byte == 0x1f);
        let mut next = || parts.next().unwrap_or_default();
        let (time, author, rest) = (next(), next(), next());
        // The name stands last: a subject may hold anything.
        let at = rest.iter().rposition(|byte| *byte == 0x1f);
        let (subject, name) = at.map_or((rest, &b""[..]), |at| (&rest[..at], &rest[at + 1..]));
        let at_seconds =
            std::str::from_utf8(time).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        let fresh = self.authors.len();
        let author = *self.authors.entry(author.to_ascii_lowercase()).or_insert(fresh);
        if author == self.history.names.len() {
            self.history.names.push(String::from_utf8_lossy(name).chars().take(NAME_CHARS_MAX).collect());
        }
        self.history.commits.push(Commit {
            at_seconds,
            author,
            is_fix: speaks_of_a_fix(subject),
            files: Vec::new(),
        });
    }

    /// Reads one change; that of a renamed file has an empty name, and its two names follow.
    fn change<'t>(&mut self, token: &[u8], tokens: &mut impl Iterator<Item = &'t [u8]>) {
        let mut parts = token.splitn(3, |byte| *byte == b'\t');
        let (Some(_added), Some(_deleted), Some(name)) = (parts.next(), parts.next(), parts.next()) else {
            return;
        };
        let file = if name.is_empty() {
            let (Some(old), Some(new)) = (tokens.next(), tokens.next()) else { return };
            let (old, new) = (self.id(old), self.id(new));
            let newest = self.newest(new);
            if old != newest {
                self.renamed.insert(old, newest);
            }
            newest
        } else {
            let id = self.id(name);
            self.newest(id)
        };
        if let Some(commit) = self.history.commits.last_mut()
            && commit.files.len() < FILES_PER_COMMIT_MAX
            && self.changes < CHANGES_MAX
        {
            self.changes += 1;
            commit.files.push(file);
        }
    }

    fn id(&mut self, name: &[u8]) -> usize {
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        let id = self.history.paths.len();
        self.history.paths.push(String::from_utf8_lossy(name).into_owned());
        self.ids.insert(name.to_vec(), id);
        id
    }

    /// Names are kept resolved, so one step always leads to the newest.
    fn newest(&self, id: usize) -> usize {
        self.renamed.get(&id).copied().unwrap_or(id)
    }

    fn finish(mut self) -> GitHistory {
        self.history.authors = self.authors.len();
        self.history.cut = self.history.commits.len() >= COMMITS_MAX;
        self.history
    }
}

fn speaks_of_a_fix(subject: &[u8]) -> bool {
    let subject = String::from_utf8_lossy(subject).to_lowercase();
    let words = [
        "fix",
        "fixes",
        "fixed",
        "fixing",
        "bug",
        "bugs",
        "bugfix",
        "hotfix",
        "regression",
        "revert",
        "crash",
    ];
    subject.split(|c: char| !c.is_alphanumeric()).any(|word| words.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(history: &GitHistory, index: usize) -> (i64, bool, Vec<&str>) {
        let commit = &history.commits[index];
        (commit.at_seconds, commit.is_fix, commit.files.iter().map(|file| history.path(*file)).collect())
    }

    #[test]
    fn commits_are_read_and_renames_followed_back() {
        let log = b"\x1e300\x1fA@x\x1fLook\0\n1\t1\tnew name.rs\0-\t-\tlogo.png\0\x1e200\x1fb@x\x1ffix: it\0\n0\t0\t\0old.rs\0new name.rs\0\x1e100\x1fa@x\x1fStart \x1f prefix\0\n5\t0\told.rs\0";
        let history = parse_git_log(log);
        assert_eq!((history.commits.len(), history.authors, history.cut), (3, 2, false));
        assert_eq!(commit(&history, 0), (300, false, vec!["new name.rs", "logo.png"]));
        assert_eq!(commit(&history, 1), (200, true, vec!["new name.rs"]));
        assert_eq!(commit(&history, 2), (100, false, vec!["new name.rs"]));
    }

    #[test]
    fn names_with_line_ends_tabs_and_marks_are_names() {
        let history = parse_git_log(b"\x1e1\x1fa\x1fs\0\n1\t1\ta\nb\tc\x1e\xff\0");
        assert_eq!(commit(&history, 0).2, ["a\nb\tc\u{1e}\u{fffd}"]);
    }

    #[test]
    fn output_that_is_cut_loses_only_its_end() {
        let history = parse_git_log(b"\x1e1\x1fa\x1fs\0\n1\t1\tsrc/a.rs\x001\t1\tsrc/b");
        assert_eq!(commit(&history, 0).2, ["src/a.rs"]);
        for bytes in [&b""[..], b"\0\0\0", b"fatal: not a git repository\n", b"\x1e\0", b"1\t1\t\0a\0"] {
            assert!(parse_git_log(bytes).commits.iter().all(|commit| commit.files.is_empty()));
        }
    }

    #[test]
    fn file_renamed_back_and_forth_keeps_one_name() {
        let log =
            b"\x1e3\x1fa\x1fs\0\n0\t0\t\0b\0a\0\x1e2\x1fa\x1fs\0\n0\t0\t\0a\0b\0\x1e1\x1fa\x1fs\0\n1\t0\ta\0";
        let history = parse_git_log(log);
        assert_eq!(commit(&history, 2).2, ["a"]);
    }

    #[test]
    fn history_longer_than_the_limit_is_cut() {
        let log: Vec<u8> =
            (0..2_100).flat_map(|at| format!("\x1e{at}\x1fa\x1fs\0\n1\t1\tf\0").into_bytes()).collect();
        let history = parse_git_log(&log);
        assert_eq!((history.commits.len(), history.cut), (COMMITS_MAX, true));
    }
}
