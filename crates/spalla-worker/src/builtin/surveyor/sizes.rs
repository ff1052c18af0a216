//! How much there is of what: languages, folders, roles, large files, long functions.

use std::collections::BTreeMap;

use serde::Serialize;

use super::graph::fold;
use super::inspect::FileFacts;
use super::language::LanguageKind;
use super::paths;
use super::role::Role;

/// One language of the tree; files of others' making are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LanguageRow {
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub kind: LanguageKind,
    /// Files.
    pub files: usize,
    /// Lines of code, tests among them.
    pub code_lines: usize,
    /// Of those, lines of tests, examples and benchmarks.
    pub test_lines: usize,
    /// Lines of comments only.
    pub comment_lines: usize,
    /// Empty lines.
    pub blank_lines: usize,
}

/// One folder of the tree.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FolderRow {
    /// Path, relative to the root; empty for files in the root itself.
    pub folder: String,
    /// Files of code that people wrote.
    pub files: usize,
    /// Lines of product code, pages and styles left out.
    pub code_lines: usize,
    /// Lines of tests, examples and benchmarks.
    pub test_lines: usize,
    /// The language of most of its code.
    pub language: Option<&'static str>,
}

/// How much of the tree plays which part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoleRow {
    /// The part.
    pub role: Role,
    /// Files.
    pub files: usize,
    /// Lines of code in them, as their language counts.
    pub code_lines: usize,
}

/// One text file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileRow {
    /// Path, relative to the root.
    pub file: String,
    /// Language, where known.
    pub language: Option<&'static str>,
    /// Its part.
    pub role: Role,
    /// Size.
    pub bytes: u64,
    /// Lines of code, tests inside among them.
    pub code_lines: usize,
    /// Lines of tests inside a source file.
    pub test_lines: usize,
    /// Lines of comments only.
    pub comment_lines: usize,
    /// Functions, where they can be told.
    pub functions: usize,
    /// Test cases.
    pub test_cases: usize,
}

/// A function past the limit of length.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LongFunction {
    /// Its name.
    pub name: String,
    /// File, relative to the root.
    pub file: String,
    /// Line, from one.
    pub line: u32,
    /// Lines of code in it.
    pub code_lines: u32,
}

/// Lines of a file that are not product: all of a test, part of a source with tests inside.
fn test_lines(file: &FileFacts) -> usize {
    if file.role == Role::Source { file.lines.test_code } else { file.lines.code }
}

/// Sums languages up, the most code first.
pub(crate) fn languages(files: &[FileFacts]) -> Vec<LanguageRow> {
    let mut rows: BTreeMap<&str, LanguageRow> = BTreeMap::new();
    for file in files.iter().filter(|file| !file.role.is_foreign() && file.role != Role::Fixture) {
        let Some(language) = file.language else { continue };
        let row = rows.entry(language.name).or_insert_with(|| LanguageRow {
            name: language.name,
            kind: language.kind,
            files: 0,
            code_lines: 0,
            test_lines: 0,
            comment_lines: 0,
            blank_lines: 0,
        });
        row.files += 1;
        row.code_lines += file.lines.code;
        row.test_lines += if file.role.is_own_code() { test_lines(file) } else { 0 };
        row.comment_lines += file.lines.comment;
        row.blank_lines += file.lines.blank;
    }
    let mut rows: Vec<LanguageRow> = rows.into_values().collect();
    rows.sort_by(|a, b| (a.kind, b.code_lines, a.name).cmp(&(b.kind, a.code_lines, b.name)));
    rows
}

/// Folders worth a row; the largest are opened until there are this many.
const FOLDERS_MAX: usize = 20;

/// Sums folders up, in the order of their paths.
pub(crate) fn folders(files: &[FileFacts]) -> Vec<FolderRow> {
    let own: Vec<&FileFacts> = files.iter().filter(|file| is_counted(file)).collect();
    let units: Vec<fold::Unit<'_>> = own
        .iter()
        .map(|file| fold::Unit {
            path: paths::folder(&file.path),
            code_lines: file.lines.code,
            links: file.lines.code,
        })
        .collect();
    let folded = fold::fold(&units, FOLDERS_MAX);
    let mut rows: BTreeMap<&str, (FolderRow, BTreeMap<&'static str, usize>)> = BTreeMap::new();
    for file in own {
        let (row, languages) = rows.entry(folded.node_of(paths::folder(&file.path))).or_default();
        row.files += 1;
        row.code_lines += file.lines.code - test_lines(file);
        row.test_lines += test_lines(file);
        if let Some(language) = file.language {
            *languages.entry(language.name).or_default() += file.lines.code;
        }
    }
    rows.into_iter()
        .map(|(folder, (row, languages))| {
            let language =
                languages.into_iter().max_by_key(|(name, lines)| (*lines, std::cmp::Reverse(*name)));
            FolderRow { folder: folder.to_owned(), language: language.map(|(name, _)| name), ..row }
        })
        .collect()
}

fn is_counted(file: &FileFacts) -> bool {
    let is_code = file.language.is_some_and(|known| known.kind == LanguageKind::Programming);
    file.role.is_own_code() && is_code
}

/// Sums roles up, in their order.
pub(crate) fn roles(files: &[FileFacts]) -> Vec<RoleRow> {
    let mut rows: BTreeMap<Role, RoleRow> = BTreeMap::new();
    for file in files {
        let row = rows.entry(file.role).or_insert(RoleRow { role: file.role, files: 0, code_lines: 0 });
        row.files += 1;
        row.code_lines += file.lines.code;
    }
    rows.into_values().collect()
}

/// Lists the files, the most code first.
pub(crate) fn files(files: &[FileFacts], listed_max: usize) -> Vec<FileRow> {
    let mut rows: Vec<FileRow> = files
        .iter()
        .map(|file| FileRow {
            file: file.path.clone(),
            language: file.language.map(|language| language.name),
            role: file.role,
            bytes: file.bytes,
            code_lines: file.lines.code,
            test_lines: file.lines.test_code,
            comment_lines: file.lines.comment,
            functions: file.functions,
            test_cases: file.test_cases,
        })
        .collect();
    rows.sort_by(|a, b| b.code_lines.cmp(&a.code_lines).then_with(|| a.file.cmp(&b.file)));
    rows.truncate(listed_max);
    rows
}

/// Lists the long functions, the longest first.
pub(crate) fn long_functions(files: &[FileFacts], kept_max: usize) -> Vec<LongFunction> {
    let rows = files.iter().flat_map(|file| {
        file.long_functions.iter().map(|function| LongFunction {
            name: function.name.clone(),
            file: file.path.clone(),
            line: function.line,
            code_lines: function.code_lines,
        })
    });
    let mut rows: Vec<LongFunction> = rows.collect();
    rows.sort_by(|a, b| {
        b.code_lines.cmp(&a.code_lines).then_with(|| (&a.file, a.line).cmp(&(&b.file, b.line)))
    });
    rows.truncate(kept_max);
    rows
}
