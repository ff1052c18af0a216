//! The clauses of a goal: where its sentences end, and where one sentence wants a second thing. What stands in quotes, brackets
//! or code is one word.

/// The words with which people begin what they want.
const MAKING: [&str; 74] = [
    "add",
    "analyse",
    "analyze",
    "architect",
    "assess",
    "audit",
    "build",
    "cache",
    "change",
    "clean",
    "compare",
    "configure",
    "convert",
    "correct",
    "create",
    "debug",
    "delete",
    "deploy",
    "describe",
    "design",
    "develop",
    "diagnose",
    "document",
    "drop",
    "enable",
    "encrypt",
    "evaluate",
    "explain",
    "export",
    "expose",
    "extend",
    "extract",
    "find",
    "fix",
    "generate",
    "implement",
    "import",
    "improve",
    "integrate",
    "introduce",
    "investigate",
    "list",
    "localize",
    "mend",
    "migrate",
    "modernize",
    "move",
    "optimise",
    "optimize",
    "outline",
    "parallelize",
    "plan",
    "port",
    "profile",
    "propose",
    "refactor",
    "remove",
    "rename",
    "repair",
    "replace",
    "resolve",
    "review",
    "rewrite",
    "set",
    "show",
    "sketch",
    "solve",
    "split",
    "support",
    "test",
    "translate",
    "upgrade",
    "validate",
    "write",
];

/// The words that begin what goes with everything else, and is no piece of its own.
const OF_ALL: [&str; 19] = [
    "assume", "avoid", "be", "check", "commit", "do", "don't", "ensure", "follow", "ignore", "keep", "leave",
    "make", "never", "note", "prefer", "run", "use", "verify",
];

/// The words before a clause that tie it to the one before it.
const TIES: [&str; 11] = [
    "additionally",
    "also",
    "and",
    "finally",
    "first",
    "furthermore",
    "next",
    "please",
    "secondly",
    "then",
    "afterwards",
];
/// Those of them that say that it comes later.
const LATER: [&str; 4] = ["then", "finally", "next", "afterwards"];

/// Those of them that say that it is something else.
const BESIDES: [&str; 3] = ["additionally", "also", "furthermore"];

/// The words that mean what was named before.
const BACK: [&str; 15] = [
    "it",
    "its",
    "them",
    "their",
    "these",
    "those",
    "this",
    "that",
    "there",
    "both",
    "same",
    "result",
    "results",
    "callers",
    "accordingly",
];

/// The words that say nothing of what is meant.
const EMPTY: [&str; 24] = [
    "a", "all", "an", "and", "any", "as", "at", "by", "each", "every", "for", "from", "in", "into", "more",
    "new", "of", "on", "our", "some", "the", "to", "with", "your",
];

/// The shortenings after which a sentence goes on.
const SHORT: [&str; 8] = ["e.g.", "i.e.", "etc.", "vs.", "cf.", "approx.", "incl.", "no."];

/// A part of a goal that wants one thing, or says something.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clause<'a> {
    /// Where it begins, with what ties it to the one before.
    pub(super) begin: usize,
    /// Where its own words begin.
    pub(super) start: usize,
    /// Where its own words end.
    pub(super) end: usize,
    /// Where the next one begins.
    pub(super) till: usize,
    /// All of it.
    pub(super) text: &'a str,
    /// Its own words.
    pub(super) words: &'a str,
    /// Whether it begins a sentence.
    pub(super) begins_sentence: bool,
    /// Whether its words say that it comes after the one before.
    pub(super) is_later: bool,
    /// Whether its words say that it is something else: later, or besides.
    pub(super) is_besides: bool,
}

impl Clause<'_> {
    /// Tells whether it says what is to be made.
    pub(super) fn is_wish(&self) -> bool {
        MAKING.contains(&first_word(self.words).as_str())
    }

    /// Tells whether it says how all is to be done.
    pub(super) fn is_wish_of_all(&self) -> bool {
        self.begins_sentence && OF_ALL.contains(&first_word(self.words).as_str())
    }

    /// Tells whether it can be understood without what stands before it.
    pub(super) fn stands_alone(&self, before: &Clause<'_>) -> bool {
        let says = |text: &str| words(text).skip(1).filter(|word| !EMPTY.contains(&word.as_str())).count();
        let fewest = if self.begins_sentence { 1 } else { 2 };
        let is_back = words(self.words).any(|word| BACK.contains(&word.as_str()));
        !is_back && says(self.words) >= fewest && says(before.words) >= 1
    }
}

/// Returns the clauses of a goal, one after the other; together they are all of it. A goal with a block of code is one.
pub(super) fn clauses(goal: &str) -> Vec<Clause<'_>> {
    if goal.contains("```") || goal.contains("~~~") {
        return vec![clause(goal, (0, goal.len()), true)];
    }
    let mut cuts = vec![(0, true)];
    let mut inside = Inside::default();
    for (at, c) in goal.char_indices() {
        if inside.step(c) {
            continue;
        }
        let after = at + c.len_utf8();
        let (head, rest) = goal.split_at(after);
        if ends_sentence(head, c, rest) {
            cuts.push((after, true));
        } else if ends_clause(c, rest) {
            cuts.push((after, false));
        }
    }
    let ends = cuts.iter().skip(1).map(|(at, _)| *at).chain([goal.len()]);
    let bounds = cuts.iter().zip(ends).filter(|((start, _), end)| !goal[*start..*end].trim().is_empty());
    bounds.map(|((start, begins), end)| clause(goal, (*start, end), *begins)).collect()
}

fn clause(goal: &str, (begin, end): (usize, usize), begins_sentence: bool) -> Clause<'_> {
    let text = &goal[begin..end];
    let mut start = begin;
    let (mut is_later, mut is_besides) = (false, false);
    loop {
        let rest = goal[start..end].trim_start_matches(|c: char| c.is_whitespace() || c == ',' || c == ';');
        let word: &str = &rest[..rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len())];
        let low = word.to_lowercase();
        let stays = rest.len() == word.len() || !TIES.contains(&low.as_str());
        start = end - rest.len();
        if stays {
            break;
        }
        is_later |= LATER.contains(&low.as_str());
        is_besides |= BESIDES.contains(&low.as_str());
        start += word.len();
    }
    let words = goal[start..end].trim_end_matches(|c: char| c.is_whitespace() || c == ',' || c == ';');
    let (end, till, text) = (start + words.len(), end, text.trim());
    Clause {
        begin,
        start,
        end,
        till,
        text,
        words,
        begins_sentence,
        is_later,
        is_besides: is_later || is_besides,
    }
}

/// Whether a place is within quotes, brackets or code.
#[derive(Default)]
struct Inside {
    closing: Vec<char>,
}

impl Inside {
    /// Takes one character; tells whether it is within something, or opens or closes it.
    fn step(&mut self, c: char) -> bool {
        if self.closing.last() == Some(&c) {
            self.closing.pop();
            return true;
        }
        let is_quoted = matches!(self.closing.last(), Some('"' | '`' | '”'));
        let closing = match c {
            '"' => '"',
            '`' => '`',
            '“' => '”',
            '(' => ')',
            '[' => ']',
            '{' => '}',
            _ => return !self.closing.is_empty(),
        };
        if !is_quoted {
            self.closing.push(closing);
        }
        true
    }
}

fn ends_sentence(head: &str, c: char, rest: &str) -> bool {
    let is_before_space = rest.starts_with(char::is_whitespace);
    let next = rest.trim_start().chars().next();
    match c {
        '.' | '!' | '?' => {
            let last = head.split_whitespace().next_back().unwrap_or_default().to_lowercase();
            let last = last.trim_start_matches(['(', ',']);
            is_before_space && next.is_some_and(char::is_uppercase) && !SHORT.contains(&last)
        }
        '\n' => rest.starts_with('\n') || rest.starts_with("\r\n"),
        _ => false,
    }
}

/// Tells whether after this a sentence goes on with something else that is wanted.
fn ends_clause(c: char, rest: &str) -> bool {
    let first = |text: &str| MAKING.contains(&first_word(text).as_str());
    let tied = |text: &str| {
        let text = text.trim_start();
        ["and then ", "and also ", "and ", "then ", "also "]
            .iter()
            .any(|tie| text.strip_prefix(tie).is_some_and(first))
    };
    match c {
        ';' => rest.starts_with(char::is_whitespace) && (first(rest) || tied(rest)),
        // What is only counted up is one thing.
        ',' => rest.starts_with(char::is_whitespace) && tied(rest),
        c if c.is_whitespace() => rest.starts_with("and ") && tied(rest),
        _ => false,
    }
}

/// Returns the first word of a text, in small letters.
pub(super) fn first_word(text: &str) -> String {
    words(text).next().unwrap_or_default()
}

/// Returns the words of a text, in small letters.
pub(super) fn words(text: &str) -> impl Iterator<Item = String> {
    let parts = text.split(|c: char| !(c.is_alphanumeric() || c == '\'' || c == '-'));
    parts.filter(|word| !word.is_empty()).map(str::to_lowercase)
}
