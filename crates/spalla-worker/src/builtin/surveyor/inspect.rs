//! Looks at one file and keeps what the survey needs of it; the text itself is let go.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::blocks::{self, Blocks};
use super::findings::{self, Finding, Subject};
use super::functions::{self, Function};
use super::imports::{self, Imports};
use super::language::{self, Language, LanguageKind};
use super::manifest::{self, LockFile, Manifest};
use super::marks::{self, Mark};
use super::role::{self, Attributes, Role};
use super::secrets;
use super::syntax;
use super::test_cases;
use super::views::{LineSort, Views};

/// What is known of one text file.
#[derive(Debug)]
pub(crate) struct FileFacts {
    pub path: String,
    pub bytes: u64,
    pub language: Option<&'static Language>,
    pub role: Role,
    pub lines: Lines,
    /// Functions past the limit of length, and the number of all.
    pub long_functions: Vec<Function>,
    pub functions: usize,
    pub marks: Vec<Mark>,
    pub findings: Vec<Finding>,
    pub imports: Imports,
    /// Test cases the file holds.
    pub test_cases: usize,
    pub unsafe_blocks: usize,
    /// The line of the function a program starts with.
    pub main_line: Option<u32>,
    pub manifest: Option<Manifest>,
    pub lock: Option<LockFile>,
    /// Names of what a makefile or a container file can be told to do.
    pub commands: Vec<String>,
}

impl FileFacts {
    /// Says whether the file is code of the product: neither a test nor a page or a style.
    pub(crate) fn is_product_code(&self) -> bool {
        self.role == Role::Source
            && self.language.is_some_and(|language| language.kind == LanguageKind::Programming)
    }

    /// Returns the lines of code that are not compiled for tests only.
    pub(crate) fn product_lines(&self) -> usize {
        self.lines.code - self.lines.test_code
    }
}

/// Lines of a file by sort.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Lines {
    pub code: usize,
    pub comment: usize,
    pub blank: usize,
    /// Of the lines of code, those that are only compiled for tests.
    pub test_code: usize,
}

/// What holds for the whole tree.
#[derive(Debug)]
pub(crate) struct TreeContext {
    pub headers_are_cpp: bool,
    pub attributes: Attributes,
}

/// A function longer than this is named.
pub(crate) const LONG_FUNCTION_LINES: u32 = 120;

/// Looks at one file.
pub(crate) fn inspect(path: &str, text: &str, context: &TreeContext) -> FileFacts {
    let language = language::by_path(path, context.headers_are_cpp).or_else(|| language::by_first_line(text));
    let role = role_of(path, text, language, context);
    let syntax = language.map_or(&syntax::PLAIN, |language| language.syntax);
    let views = Views::new(text, syntax);
    let blocks = Blocks::new(&views.code);
    let name = language.map_or("", |language| language.name);
    let tests = if name == "Rust" { blocks::rust_test_ranges(&views.code, &blocks) } else { Vec::new() };
    let secrets = secrets::find(text, matches!(name, "INI" | "YAML"));
    let subject =
        Subject { path, role, language, views: &views, blocks: &blocks, tests: &tests, secrets: &secrets };
    let mut facts = bare(path, text, language, role);
    facts.lines = count_lines(&views, &tests);
    facts.findings = findings::find(&subject);
    if role == Role::Lock {
        facts.lock = manifest::read_lock(path, Some(text));
    }
    if !role.is_foreign() && role != Role::Fixture {
        facts.manifest = manifest::read(path, text);
        look_into_code(&subject, &mut facts);
    }
    forget(secrets.iter().map(|secret| &text[secret.value.clone()]), &mut facts);
    facts
}

/// A value that was recognised as a secret in one line may stand unrecognised in another that is quoted.
fn forget<'t>(values: impl Iterator<Item = &'t str>, facts: &mut FileFacts) {
    // Shorter values are words of the language as often as secrets.
    const VALUE_BYTES_MIN: usize = 6;
    for value in values.filter(|value| value.len() >= VALUE_BYTES_MIN).take(SECRETS_FORGOTTEN_MAX) {
        let marks = facts.marks.iter_mut().map(|mark| &mut mark.text);
        let excerpts = facts.findings.iter_mut().map(|finding| &mut finding.excerpt);
        for text in marks.chain(excerpts).filter(|text| text.contains(value)) {
            *text = text.replace(value, "[redacted]");
        }
    }
}

/// A file with more values that look like secrets is a list of digests; the bound keeps it cheap.
const SECRETS_FORGOTTEN_MAX: usize = 500;

/// Keeps what is known of a lock file that was not read.
pub(crate) fn unread_lock(path: &str, bytes: u64) -> Option<FileFacts> {
    let language = language::by_path(path, false);
    let lock = manifest::read_lock(path, None).filter(|_| role::by_path(path, language) == Role::Lock)?;
    Some(FileFacts { bytes, lock: Some(lock), ..bare(path, "", language, Role::Lock) })
}

fn role_of(path: &str, text: &str, language: Option<&'static Language>, context: &TreeContext) -> Role {
    let by_path = role::by_path(path, language);
    let by_text = match language {
        Some(language) if !by_path.is_foreign() && language.kind != LanguageKind::Prose => {
            if role::is_generated_text(language, text) {
                Role::Generated
            } else {
                by_path
            }
        }
        _ => by_path,
    };
    context.attributes.apply(path, by_text)
}

fn bare(path: &str, text: &str, language: Option<&'static Language>, role: Role) -> FileFacts {
    FileFacts {
        path: path.to_owned(),
        bytes: text.len() as u64,
        language,
        role,
        lines: Lines::default(),
        long_functions: Vec::new(),
        functions: 0,
        marks: Vec::new(),
        findings: Vec::new(),
        imports: Imports::default(),
        test_cases: 0,
        unsafe_blocks: 0,
        main_line: None,
        manifest: None,
        lock: None,
        commands: Vec::new(),
    }
}

fn look_into_code(subject: &Subject<'_>, facts: &mut FileFacts) {
    let Some(language) = subject.language else { return };
    let views = subject.views;
    if matches!(language.kind, LanguageKind::Programming | LanguageKind::Markup) {
        facts.marks = marks::find(subject.path, subject.role, views);
    }
    if language.kind != LanguageKind::Programming {
        return;
    }
    let product = without(&views.code, subject.tests);
    facts.imports = imports::extract(language.name, views, &product);
    facts.test_cases = test_cases::count(language.name, subject.path, views);
    facts.main_line = main_line(language.name, views, &product);
    facts.commands = commands(language.name, views.text);
    if language.name == "Rust" {
        facts.unsafe_blocks = findings::unsafe_blocks(subject);
    }
    let all = functions::find(language.name, views, subject.blocks);
    facts.functions = all.len();
    facts.long_functions = all
        .into_iter()
        .filter(|function| {
            function.code_lines > LONG_FUNCTION_LINES && subject.role_at(function.offset) == Role::Source
        })
        .collect();
}

fn count_lines(views: &Views<'_>, tests: &[Range<usize>]) -> Lines {
    let mut lines = Lines::default();
    let test_lines: Vec<Range<u32>> =
        tests.iter().map(|range| views.line_of(range.start)..views.line_of(range.end) + 1).collect();
    for (sort, line) in views.line_sorts().into_iter().zip(1u32..) {
        match sort {
            LineSort::Code => {
                lines.code += 1;
                let next = test_lines.partition_point(|range| range.end <= line);
                lines.test_code +=
                    usize::from(test_lines.get(next).is_some_and(|range| range.contains(&line)));
            }
            LineSort::Comment => lines.comment += 1,
            LineSort::Blank => lines.blank += 1,
        }
    }
    lines
}

/// Blanks out ranges of a view; they begin and end at ASCII characters.
fn without(code: &str, ranges: &[Range<usize>]) -> String {
    let mut product = String::with_capacity(code.len());
    let mut from = 0;
    for range in ranges {
        product.push_str(&code[from..range.start]);
        from = range.end;
    }
    product.push_str(&code[from..]);
    product
}

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("constant pattern")
}

static RUST_MAIN: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?m)^(?:pub\s+)?(?:async\s+)?fn\s+main\s*\("));
static GO_MAIN: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?m)^func\s+main\s*\(\s*\)"));
static C_MAIN: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?m)^(?:extern\s+\x22C\x22\s+)?(?:int|void|auto)\s+w?main\s*\("));
static JAVA_MAIN: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"\bstatic\s+(?:final\s+)?(?:async\s+)?(?:void|int|Task(?:<int>)?)\s+[mM]ain\s*\(")
});
static FUN_MAIN: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?m)^\s*(?:suspend\s+)?fun\s+main\s*\(|@main\b|\bextends\s+App\b"));
static DART_MAIN: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?m)^(?:void\s+|Future<void>\s+)?main\s*\("));
static PYTHON_MAIN: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"(?m)^if\s+__name__\s*==\s*["']__main__["']"#));

/// Returns the line at which a program starts, where the file holds such a line.
fn main_line(language: &str, views: &Views<'_>, product: &str) -> Option<u32> {
    let (pattern, view): (&Regex, &str) = match language {
        "Rust" => (&RUST_MAIN, &views.code),
        "Go" => (&GO_MAIN, &views.code),
        "C" | "C++" | "Objective-C" => (&C_MAIN, product),
        "Java" | "C#" => (&JAVA_MAIN, product),
        "Kotlin" | "Scala" | "Swift" => (&FUN_MAIN, product),
        "Dart" => (&DART_MAIN, product),
        "Python" => (&PYTHON_MAIN, &views.uncommented),
        _ => return None,
    };
    let found = pattern.find(view)?;
    let lead = found.as_str().len() - found.as_str().trim_start().len();
    let is_optional = matches!(language, "C" | "C++") && is_for_tests(&view[..found.start()]);
    (!is_optional).then(|| views.line_of(found.start() + lead))
}

/// Says whether code ends inside a condition of the preprocessor that speaks of tests or of a main of its
/// own.
fn is_for_tests(before: &str) -> bool {
    let mut conditions: Vec<&str> = Vec::new();
    for line in before.lines().filter_map(|line| line.trim_start().strip_prefix('#')) {
        let line = line.trim_start();
        if line.starts_with("if") {
            conditions.push(line);
        } else if line.starts_with("endif") {
            conditions.pop();
        }
    }
    conditions
        .iter()
        .any(|condition| ["TEST", "MAIN", "BENCH", "DEMO"].iter().any(|word| condition.contains(word)))
}

static MAKE_TARGET: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?m)^([A-Za-z][\w-]*)\s*:(?:[^=:\n]|$)"));
static JUST_RECIPE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?m)^@?([A-Za-z][\w-]*)[^:=\n]*:(?:[^=\n]|$)"));
static CONTAINER_START: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?m)^(?:ENTRYPOINT|CMD)\s+(\S[^\n]*)"));

static CMAKE_TESTS: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?mi)^\s*(enable_testing|include\s*\(\s*CTest\b|add_test\s*\()"));

/// Commands kept of one file.
const COMMANDS_MAX: usize = 60;

fn commands(language: &str, text: &str) -> Vec<String> {
    let pattern = match language {
        "Makefile" => &MAKE_TARGET,
        "Just" => &JUST_RECIPE,
        "Dockerfile" => &CONTAINER_START,
        "CMake" => &CMAKE_TESTS,
        _ => return Vec::new(),
    };
    pattern.captures_iter(text).take(COMMANDS_MAX).map(|row| super::excerpt::of(&row[1])).collect()
}

#[cfg(test)]
mod tests;
