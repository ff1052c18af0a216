//! What kind of work a piece is: by the word that it begins with, by what it names, and else by what it is most like.

use super::prose::Likeness;
use super::sentences::{first_word, words};

/// A kind of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Design,
    Implementation,
    Debugging,
    Testing,
    Documentation,
    Review,
}

/// Of each kind the verbs that mean it alone, and what it is like.
const KINDS: [(Kind, &[&str], &str); 6] = [
    (
        Kind::Design,
        &["design", "architect", "plan", "propose", "sketch", "outline"],
        "design the architecture, propose an approach, choose a data model, plan the structure of the system",
    ),
    (
        Kind::Debugging,
        &["fix", "debug", "repair", "mend", "solve", "diagnose", "resolve", "correct"],
        "fix a bug, debug a crash, find out why it fails, repair what is broken, solve the problem",
    ),
    (
        Kind::Testing,
        &["test"],
        "write unit tests, integration tests, raise the test coverage, add a regression test",
    ),
    (
        Kind::Documentation,
        &["document", "describe", "explain"],
        "write the documentation, update the readme, explain in the guide, add a changelog entry and comments",
    ),
    (
        Kind::Review,
        &["review", "audit", "analyze", "analyse", "investigate", "assess", "evaluate", "compare"],
        "review the code, audit the security, analyze the quality, assess the risks, list the findings",
    ),
    (
        Kind::Implementation,
        &["implement", "build"],
        "implement a feature, add a function, write the code, build an endpoint, create a page, refactor a module",
    ),
];

/// The nouns that say what is written.
const NOUNS: [(Kind, &[&str]); 2] = [
    (Kind::Testing, &["test", "tests", "coverage", "testsuite"]),
    (
        Kind::Documentation,
        &["docs", "documentation", "readme", "changelog", "guide", "tutorial", "docstrings", "comments"],
    ),
];

/// How many of a piece's first words are looked at for such a noun: later ones tell where, and not what.
const HEAD_WORDS: usize = 5;

/// How much more alike another kind has to be than implementation, which most work is.
const MARGIN: f32 = 0.1;

/// Returns what kind of work a piece is.
pub(super) fn of(text: &str, like: Likeness<'_>) -> Kind {
    let verb = first_word(text);
    if let Some((kind, ..)) = KINDS.iter().find(|(_, verbs, _)| verbs.contains(&verb.as_str())) {
        return *kind;
    }
    let head: Vec<String> = words(text).take(HEAD_WORDS).collect();
    let names = |(_, nouns): &&(Kind, &[&str])| head.iter().any(|word| nouns.contains(&word.as_str()));
    if let Some((kind, _)) = NOUNS.iter().find(names) {
        return *kind;
    }
    let mut best = (Kind::Implementation, f32::MIN);
    // Tests and documents are named where they are meant.
    let told = |kind: Kind| matches!(kind, Kind::Testing | Kind::Documentation);
    for (kind, _, text_of_kind) in KINDS.iter().rev().filter(|(kind, ..)| !told(*kind)) {
        let is_usual = *kind == Kind::Implementation;
        let alike = like(text, text_of_kind) - if is_usual { 0.0 } else { MARGIN };
        if alike > best.1 {
            best = (*kind, alike);
        }
    }
    best.0
}

impl Kind {
    /// Returns its name, which is the category of its work items.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Design => "design",
            Self::Implementation => "implementation",
            Self::Debugging => "debugging",
            Self::Testing => "testing",
            Self::Documentation => "documentation",
            Self::Review => "review",
        }
    }

    /// Returns who usually does such work; none where it is for whoever is free.
    pub(super) const fn agent(self) -> Option<&'static str> {
        match self {
            Self::Design => Some("gemini"),
            Self::Debugging | Self::Review => Some("codex"),
            Self::Implementation | Self::Testing | Self::Documentation => None,
        }
    }

    /// Tells whether such work is about the result of the other, so that it waits for it.
    pub(super) const fn follows(self, other: Self) -> bool {
        match self {
            Self::Testing | Self::Documentation | Self::Review => {
                matches!(other, Self::Implementation | Self::Debugging)
            }
            Self::Implementation | Self::Debugging => matches!(other, Self::Design),
            Self::Design => false,
        }
    }
}
