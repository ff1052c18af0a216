//! Applies the table of risky patterns to one file and quotes what it finds, with the line and without
//! secrets.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use regex::{Regex, RegexBuilder};
use serde::Serialize;

use super::blocks::Blocks;
use super::excerpt;
use super::language::{Language, LanguageKind};
use super::role::Role;
use super::rules::{self, Look, PATTERN_RULES, PatternRule, Rule, Severity};
use super::secrets::Secret;
use super::views::Views;

/// One place where a rule holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which rule, by its `id`.
    pub rule: &'static str,
    /// How much it matters here.
    pub severity: Severity,
    /// File, relative to the root.
    pub file: String,
    /// Line, from one; none when the finding is about the whole file.
    pub line: Option<u32>,
    /// Role of the place: a test inside a source file counts as test.
    pub role: Role,
    /// The line, or what was measured. Values of secrets are replaced.
    pub excerpt: String,
}

/// What the rules need to know of one file.
pub(crate) struct Subject<'a> {
    pub path: &'a str,
    pub role: Role,
    pub language: Option<&'static Language>,
    pub views: &'a Views<'a>,
    pub blocks: &'a Blocks,
    /// Parts of the file that are only compiled for tests.
    pub tests: &'a [std::ops::Range<usize>],
    /// Values in it that look like secrets.
    pub secrets: &'a [Secret],
}

impl Subject<'_> {
    /// Returns the role of a place in the file.
    pub(crate) fn role_at(&self, offset: usize) -> Role {
        if self.tests.iter().any(|range| range.contains(&offset)) { Role::Test } else { self.role }
    }

    /// Makes a finding at an offset; what lies outside the product matters little.
    pub(crate) fn finding(&self, rule: &Rule, offset: usize, excerpt: String) -> Finding {
        let role = self.role_at(offset);
        Finding {
            rule: rule.id,
            severity: severity_in(role, rule.severity),
            file: self.path.to_owned(),
            line: Some(self.views.line_of(offset)),
            role,
            excerpt,
        }
    }

    fn language_is(&self, name: &str) -> bool {
        self.language.is_some_and(|language| language.name == name)
    }
}

/// Returns how much a rule matters in a place of that role.
pub(crate) fn severity_in(role: Role, severity: Severity) -> Severity {
    if role.is_product() { severity } else { Severity::Low }
}

/// Places of one rule kept of one file; a file with more is known by then.
const PLACES_PER_RULE_MAX: usize = 200;

struct Compiled {
    rule: &'static PatternRule,
    pattern: Regex,
    unless: Option<Regex>,
}

static BY_LANGUAGE: LazyLock<HashMap<&'static str, Vec<Compiled>>> = LazyLock::new(|| {
    let mut by_language: HashMap<&str, Vec<Compiled>> = HashMap::new();
    for rule in PATTERN_RULES {
        for language in rule.languages.split(',') {
            by_language.entry(language).or_default().push(compile(rule));
        }
    }
    by_language
});

fn compile(rule: &'static PatternRule) -> Compiled {
    let build = |text: &str| RegexBuilder::new(text).multi_line(true).build().expect("constant pattern");
    Compiled {
        rule,
        pattern: build(rule.pattern),
        unless: (!rule.unless.is_empty()).then(|| build(rule.unless)),
    }
}

/// Finds all that the rules know in one file.
pub(crate) fn find(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if subject.role.is_foreign() {
        return findings;
    }
    find_secrets(subject, &mut findings);
    find_conflicts(subject, &mut findings);
    find_deceptive_text(subject, &mut findings);
    let is_text_for_people = subject.language.is_none_or(|language| language.kind == LanguageKind::Prose);
    if is_text_for_people || subject.role == Role::Fixture {
        return findings;
    }
    find_patterns(subject, &mut findings);
    if subject.language_is("Rust") {
        find_unsafe(subject, &mut findings);
        find_unwraps(subject, &mut findings);
    }
    findings
}

fn find_patterns(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let Some(language) = subject.language else { return };
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut lines_seen: Vec<u32> = Vec::new();
    for compiled in BY_LANGUAGE.get(language.name).into_iter().flatten() {
        for offset in places(compiled, subject.views) {
            let line = subject.views.line_of(offset);
            let count = counts.entry(compiled.rule.rule.id).or_default();
            // The rules of a language stand in the order of their weight: one line is one finding.
            if lines_seen.contains(&line) || *count >= PLACES_PER_RULE_MAX {
                continue;
            }
            *count += 1;
            lines_seen.push(line);
            let excerpt = excerpt::of(subject.views.line(line));
            findings.push(subject.finding(&compiled.rule.rule, offset, excerpt));
        }
    }
}

/// Returns where a pattern holds, as offsets of its first character that is no blank.
fn places(compiled: &Compiled, views: &Views<'_>) -> Vec<usize> {
    let view = match compiled.rule.look {
        Look::Code => &views.code,
        Look::FromCode | Look::Uncommented => &views.uncommented,
    };
    // A pattern may begin with what stands before the word it is about.
    let lead =
        |text: &str| text.len() - text.trim_start_matches(|c: char| !c.is_alphanumeric() && c != '_').len();
    compiled
        .pattern
        .find_iter(view)
        .take(PLACES_PER_RULE_MAX * 4)
        .map(|found| found.start() + lead(found.as_str()))
        .filter(|at| compiled.rule.look != Look::FromCode || views.is_code(*at))
        .filter(|at| {
            let line = views.line(views.line_of(*at));
            compiled.unless.as_ref().is_none_or(|unless| !unless.is_match(line))
        })
        .collect()
}

fn find_secrets(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for secret in subject.secrets.iter().take(PLACES_PER_RULE_MAX) {
        let rule = if secret.certain { &rules::SECRET } else { &rules::SECRET_LIKE };
        let line = subject.views.line(subject.views.line_of(secret.value.start));
        let before = subject.views.text[..secret.value.start].rsplit('\n').next().unwrap_or_default();
        // Nothing after the value is quoted: where a value really ends cannot be known.
        let quoted = excerpt::end_of(before);
        let excerpt = format!("{quoted}[redacted {}, {} characters]", secret.shape, secret.value.len());
        if !secret.certain && is_hash_line(line) {
            continue;
        }
        findings.push(subject.finding(rule, secret.value.start, excerpt));
    }
}

/// Digests stand beside names that say key or secret without being either.
fn is_hash_line(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    ["sha256", "sha512", "sha1", "integrity", "checksum", "digest", "fingerprint"]
        .iter()
        .any(|word| line.contains(word))
}

fn find_conflicts(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let text = subject.views.text;
    let opens = text.match_indices("<<<<<<< ").find(|(at, _)| *at == 0 || text.as_bytes()[at - 1] == b'\n');
    let Some((start, _)) = opens else { return };
    let rest = &text[start..];
    let closes = rest.contains("\n=======\n") && rest.contains("\n>>>>>>> ");
    let is_shown_to_people = subject.role == Role::Documentation;
    if closes && !is_shown_to_people {
        let excerpt = excerpt::of(subject.views.line(subject.views.line_of(start)));
        findings.push(subject.finding(&rules::CONFLICT, start, excerpt));
    }
}

fn find_deceptive_text(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let is_code = subject.language.is_some_and(|language| language.kind == LanguageKind::Programming);
    let steers = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if let Some(at) = subject.views.text.find(steers).filter(|_| is_code) {
        let excerpt = excerpt::of(subject.views.line(subject.views.line_of(at)));
        findings.push(subject.finding(&rules::DECEPTIVE, at, excerpt));
    }
}

static UNSAFE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\bunsafe\s+(?:impl\b|extern\b)|\bunsafe\s*\{").expect("constant pattern"));
static UNWRAP: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\.(?:unwrap|expect)\s*\(").expect("constant pattern"));

/// How many lines above an unsafe block its reason may stand.
const REASON_LINES: u32 = 6;

/// A declaration `unsafe fn` names a duty for the caller; the blocks are where a reason is owed.
fn find_unsafe(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let bare: Vec<usize> = UNSAFE
        .find_iter(&subject.views.code)
        .map(|found| found.start())
        .filter(|at| subject.role_at(*at).is_product() && !has_reason(subject.views, *at))
        .collect();
    for at in bare.into_iter().take(PLACES_PER_RULE_MAX) {
        let excerpt = excerpt::of(subject.views.line(subject.views.line_of(at)));
        findings.push(subject.finding(&rules::UNSAFE, at, excerpt));
    }
}

fn has_reason(views: &Views<'_>, at: usize) -> bool {
    let line = views.line_of(at);
    (line.saturating_sub(REASON_LINES).max(1)..=line + 1)
        .any(|line| views.comment_line(line).to_ascii_uppercase().contains("SAFETY"))
}

/// Counts unsafe blocks of the product in a Rust file.
pub(crate) fn unsafe_blocks(subject: &Subject<'_>) -> usize {
    let found = UNSAFE.find_iter(&subject.views.code);
    found.filter(|found| subject.role_at(found.start()).is_product()).count()
}

/// A file is dense with at least this many, and at least this many per hundred lines of code.
const UNWRAPS_MIN: usize = 12;
const UNWRAPS_PER_HUNDRED_LINES: usize = 3;

fn find_unwraps(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let places: Vec<usize> = UNWRAP
        .find_iter(&subject.views.code)
        .map(|found| found.start())
        .filter(|at| subject.role_at(*at) == Role::Source)
        .collect();
    let code = subject
        .views
        .line_sorts()
        .iter()
        .filter(|sort| **sort == super::views::LineSort::Code)
        .count()
        .max(1);
    if places.len() >= UNWRAPS_MIN && places.len() * 100 >= UNWRAPS_PER_HUNDRED_LINES * code {
        let excerpt = format!("{} in {code} lines of code", places.len());
        findings.push(subject.finding(&rules::UNWRAP, places[0], excerpt));
    }
}
