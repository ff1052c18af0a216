//! Reads a goal, word by word: whether the surveyor can pursue it, and which part of the report it asks for
//! first.

mod languages;
mod words;

use serde::Serialize;

use words::{BREAKS, FILLERS, JUDGE, LOOK, MAKE, NEGATIONS, NOUNS_TOO, QUESTIONS, REPORTS, TOPICS};

/// The goal asks for something to be made or changed.
const NEEDS_A_MAKER: &str =
    "it asks for something to be written or changed; that needs a model, the surveyor only reads";
/// The goal asks for understanding.
const NEEDS_UNDERSTANDING: &str =
    "it asks for an explanation or an opinion; that needs a model, the surveyor only measures";
/// The goal names nothing the surveyor knows.
const NAMES_NOTHING_KNOWN: &str = "it names nothing the surveyor measures (structure, dependencies, entry points, tests, \
     hot spots, TODO marks, risks); that needs a model";

/// Says why a goal needs a model, or `None` when the surveyor can pursue it.
///
/// The rule: the goal is cut into clauses at punctuation and at joining words; the first known verb of a
/// clause governs it. One clause that makes, changes or judges is enough. A verb of making that makes a
/// report is looking.
pub fn goal_needs_model(goal: &str) -> Option<&'static str> {
    let clauses = clauses(goal);
    if clauses.is_empty() {
        return None;
    }
    let verdicts: Vec<Verdict> = clauses.iter().map(|clause| judge(clause)).collect();
    let has = |verdict| verdicts.contains(&verdict);
    if has(Verdict::Makes) {
        Some(NEEDS_A_MAKER)
    } else if has(Verdict::Judges) {
        Some(NEEDS_UNDERSTANDING)
    } else if has(Verdict::Looks) {
        None
    } else {
        Some(NAMES_NOTHING_KNOWN)
    }
}

/// Words behind which another wish begins.
const JOINTS: [&str; 3] = ["and", "then", "also"];

/// Tells whether something has to be different when the goal is reached; in doubt it has. What a wish asks for is said by its
/// first clause: to explain how to add something is no wish to add it.
pub fn wants_change(goal: &str) -> bool {
    let verdicts: Vec<Verdict> = wishes(&languages::in_english(goal))
        .iter()
        .filter_map(|wish| clauses(wish).first().map(|clause| judge(clause)))
        .collect();
    let has = |verdict| verdicts.contains(&verdict);
    has(Verdict::Makes) || !(has(Verdict::Judges) || has(Verdict::Looks))
}

/// Cuts a goal into its wishes.
fn wishes(goal: &str) -> Vec<String> {
    let mut wishes = Vec::new();
    for sentence in goal.split([',', ';', ':', '!', '?', '\n']) {
        let mut wish: Vec<&str> = Vec::new();
        for word in sentence.split_whitespace() {
            if JOINTS.contains(&word.to_lowercase().as_str()) {
                wishes.push(std::mem::take(&mut wish).join(" "));
            } else {
                wish.push(word);
            }
        }
        wishes.push(wish.join(" "));
    }
    wishes
}

/// Verbs of carrying checks out, and of telling what came of them.
const RUNS: [&str; 11] =
    ["run", "rerun", "execute", "perform", "verify", "check", "build", "compile", "lint", "test", "start"];
const TELLS: [&str; 10] =
    ["report", "tell", "show", "say", "list", "summarize", "summarise", "give", "print", "let"];
/// What is carried out.
const CHECKS: [&str; 14] = [
    "test", "tests", "build", "builds", "lint", "lints", "linter", "linters", "suite", "suites", "checks",
    "compile", "compiles", "verify",
];

/// By what it is asked whether checks pass, and how they are then.
const ASKS: [&str; 4] = ["are", "is", "do", "does"];
const PASSING: [&str; 11] =
    ["pass", "passes", "passing", "green", "red", "fail", "fails", "failing", "succeed", "broken", "work"];

/// Tells whether a goal asks for the checks of a project to be carried out, and for nothing else than to be told of it.
pub fn wants_checks(goal: &str) -> bool {
    let clauses = clauses(goal);
    clauses.first().is_some_and(|first| asks_for_checks(first))
        && clauses.iter().all(|clause| asks_for_checks(clause) || goes_on(clause))
}

/// Tells whether a goal asks for checks to be carried out, and for something that is measured besides.
pub fn wants_checks_besides(goal: &str) -> bool {
    let clauses = clauses(goal);
    let is_measured = |clause: &Vec<String>| {
        let is_own = !goes_on(clause) || clause.iter().any(|word| names_what_is_measured(word));
        is_own && !asks_for_checks(clause) && judge(clause) == Verdict::Looks
    };
    clauses.iter().any(|clause| asks_for_checks(clause))
        && clauses.iter().any(is_measured)
        && goal_needs_model(goal).is_none()
}

/// Tells whether a word names something that is measured and not carried out.
fn names_what_is_measured(word: &str) -> bool {
    TOPICS.contains(&word) && !CHECKS.contains(&word)
}

fn asks_for_checks(clause: &[String]) -> bool {
    let has = |words: &[&str]| clause.iter().any(|word| words.contains(&word.as_str()));
    has(&CHECKS) && (starts(clause, &RUNS) || (starts(clause, &ASKS) && has(&PASSING)))
}

/// Tells whether a clause goes on with a wish for checks: "build and test" is one wish, and so is "the tests, the linter".
fn goes_on(clause: &[String]) -> bool {
    starts(clause, &TELLS) || starts(clause, &["the", "all", "its", "whether", "what", "if", "which"])
}

/// Tells whether a clause begins with one of these, politely or not.
fn starts(clause: &[String], words: &[&str]) -> bool {
    let polite = clause.iter().find(|word| !["please", "then", "now", "just"].contains(&word.as_str()));
    polite.is_some_and(|word| words.contains(&word.as_str()))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Makes,
    Judges,
    Looks,
    Unknown,
}

/// Cuts a goal into clauses of lower-case words.
fn clauses(goal: &str) -> Vec<Vec<String>> {
    let goal = languages::in_english(goal);
    let mut clauses = vec![Vec::new()];
    let pieces = goal.split(['.', ',', ';', ':', '!', '?', '\n', '(', ')', '&']);
    for piece in pieces {
        for word in piece.split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '’') {
            let word = word.trim_matches('\'').replace('’', "'").to_lowercase();
            if BREAKS.contains(&word.as_str()) {
                clauses.push(Vec::new());
            } else if let Some(clause) = clauses.last_mut().filter(|_| !word.is_empty()) {
                clause.push(word);
            }
        }
        clauses.push(Vec::new());
    }
    clauses.retain(|clause| !clause.is_empty());
    clauses
}

fn judge(clause: &[String]) -> Verdict {
    let names_topic = clause.iter().any(|word| TOPICS.contains(&word.as_str())) || names_pair(clause);
    let asks_why = clause.iter().any(|word| word == "why");
    if clause[0] == "should" {
        return Verdict::Judges;
    }
    let Some(at) = (0..clause.len()).find(|at| governs(clause, *at)) else {
        return match () {
            () if asks_why || (asks_a_question(clause) && !names_topic) => Verdict::Judges,
            () if names_topic => Verdict::Looks,
            () => Verdict::Unknown,
        };
    };
    // What a goal rules out, it does not ask for.
    if clause[..at].iter().any(|word| NEGATIONS.contains(&word.as_str())) {
        return Verdict::Unknown;
    }
    match sort_of(&clause[at]) {
        Some(Verdict::Makes) if makes_a_report(&clause[at + 1..]) => Verdict::Looks,
        Some(Verdict::Makes) => Verdict::Makes,
        Some(Verdict::Judges) if names_topic && !asks_why => Verdict::Looks,
        Some(Verdict::Judges) => Verdict::Judges,
        _ if asks_why || (asks_how(&clause[at + 1..]) && !names_topic) => Verdict::Judges,
        _ => Verdict::Looks,
    }
}

/// Says whether the word at a place is a verb that governs its clause.
fn governs(clause: &[String], at: usize) -> bool {
    let leads = || clause[..at].iter().all(|word| FILLERS.contains(&word.as_str()));
    sort_of(&clause[at]).is_some() && (!NOUNS_TOO.contains(&clause[at].as_str()) || leads())
}

/// Topics of two words.
fn names_pair(clause: &[String]) -> bool {
    let pairs = [
        ("code", "base"),
        ("entry", "point"),
        ("entry", "points"),
        ("hot", "spot"),
        ("hot", "spots"),
        ("call", "graph"),
    ];
    clause.windows(2).any(|words| pairs.iter().any(|(a, b)| words[0] == *a && words[1] == *b))
}

/// Returns what a word does as a verb.
fn sort_of(word: &str) -> Option<Verdict> {
    let is_in = |verbs: &[&str]| {
        verbs.contains(&word) || plain_forms(word).any(|form| verbs.contains(&form.as_str()))
    };
    match () {
        () if LOOK.contains(&word) => Some(Verdict::Looks),
        () if is_in(MAKE) && !TOPICS.contains(&word) => Some(Verdict::Makes),
        () if is_in(JUDGE) => Some(Verdict::Judges),
        () if is_in(LOOK) => Some(Verdict::Looks),
        () => None,
    }
}

/// Undoes `-ing`; other endings are those of nouns and adjectives as often as of verbs.
fn plain_forms(word: &str) -> impl Iterator<Item = String> {
    let stem = word.strip_suffix("ing").filter(|stem| stem.len() > 2).map(str::to_owned);
    let single = stem.as_ref().and_then(|stem| {
        let mut letters = stem.chars().rev();
        (letters.next() == letters.next())
            .then(|| stem[..stem.len() - stem.chars().last().map_or(0, char::len_utf8)].to_owned())
    });
    let with_e = stem.as_ref().map(|stem| format!("{stem}e"));
    stem.into_iter().chain(single).chain(with_e)
}

/// A few words after the verb, a report is what is made.
fn makes_a_report(rest: &[String]) -> bool {
    rest.iter().take(4).any(|word| REPORTS.contains(&word.as_str()))
}

fn asks_how(rest: &[String]) -> bool {
    let amounts = ["many", "much", "large", "big", "often", "long", "old"];
    rest.iter().enumerate().any(|(at, word)| {
        word == "how" && rest.get(at + 1).is_none_or(|next| !amounts.contains(&next.as_str()))
    })
}

fn asks_a_question(clause: &[String]) -> bool {
    clause
        .first()
        .is_some_and(|word| QUESTIONS.contains(&word.as_str()) && (word != "how" || asks_how(clause)))
}

/// A part of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Section {
    /// Risky patterns.
    Risks,
    /// Languages, folders, internal dependencies.
    Structure,
    /// Ways in.
    EntryPoints,
    /// Packages from outside.
    Dependencies,
    /// Tests and how to run them.
    Tests,
    /// What the history of changes shows.
    History,
    /// Marks of unfinished work.
    Marks,
}

/// The order without a wish: what may hurt comes before what orients.
const ORDER: [Section; 7] = [
    Section::Risks,
    Section::Structure,
    Section::EntryPoints,
    Section::Dependencies,
    Section::Tests,
    Section::History,
    Section::Marks,
];

/// Returns the sections in the order the goal asks for; those it does not name keep theirs.
pub fn section_order(goal: &str) -> Vec<Section> {
    let words: Vec<String> = clauses(goal).concat();
    let mut wished: Vec<(usize, Section)> = ORDER
        .into_iter()
        .filter_map(|section| Some((words.iter().position(|word| speaks_of(word, section))?, section)))
        .collect();
    wished.sort_unstable();
    let mut order: Vec<Section> = wished.into_iter().map(|(_, section)| section).collect();
    order.extend(ORDER.into_iter().filter(|section| !order.contains(section)).collect::<Vec<_>>());
    order
}

fn speaks_of(word: &str, section: Section) -> bool {
    let words: &[&str] = match section {
        Section::Risks => &[
            "risk",
            "risks",
            "risky",
            "security",
            "secure",
            "secret",
            "secrets",
            "vulnerability",
            "vulnerabilities",
            "unsafe",
            "danger",
            "dangerous",
            "leak",
            "leaks",
        ],
        Section::Structure => &[
            "structure",
            "architecture",
            "layout",
            "modules",
            "module",
            "layers",
            "language",
            "languages",
            "organization",
            "organisation",
            "size",
            "sizes",
        ],
        Section::EntryPoints => &["entry", "entrypoint", "entrypoints", "binaries", "commands", "main"],
        Section::Dependencies => {
            &["dependency", "dependencies", "packages", "libraries", "supply", "licences", "licenses", "sbom"]
        }
        Section::Tests => &["test", "tests", "testing", "coverage"],
        Section::History => &[
            "history", "hot", "hotspot", "hotspots", "churn", "changes", "changed", "git", "commits",
            "coupling",
        ],
        Section::Marks => &["todo", "todos", "fixme", "fixmes", "hack", "hacks", "debt", "marks"],
    };
    words.contains(&word)
}

#[cfg(test)]
mod tests;
