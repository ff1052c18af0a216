//! The marks people leave in comments for what is unfinished: the four words of [`MarkWord`].

use std::sync::LazyLock;

use jiff::Timestamp;
use regex::Regex;
use serde::Serialize;

use super::excerpt;
use super::role::Role;
use super::views::Views;

/// Which word a mark uses; the order is the order of urgency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum MarkWord {
    /// Known to be wrong.
    Fixme,
    /// Known to be a makeshift.
    Hack,
    /// Doubted by its writer.
    Xxx,
    /// Left for later.
    Todo,
}

impl MarkWord {
    /// Returns the word as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fixme => "FIXME",
            Self::Hack => "HACK",
            Self::Xxx => "XXX",
            Self::Todo => "TODO",
        }
    }
}

/// One mark in a comment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mark {
    /// The word it uses.
    pub word: MarkWord,
    /// File, relative to the root.
    pub file: String,
    /// Line, from one.
    pub line: u32,
    /// Role of the file.
    pub role: Role,
    /// The comment, from the mark on.
    pub text: String,
    /// When its line was last written, where somebody looked it up.
    pub since: Option<Timestamp>,
}

/// A mark is a word with a colon or a name after it, or one that opens its comment and is no part of a list
/// of such words.
static WORD: LazyLock<Regex> = LazyLock::new(|| {
    let text = r"(?m)\b(TODO|FIXME|HACK|XXX)(?:[:!]|\([^)\n]*\))|^[^\w\n]*\b(TODO|FIXME|HACK)(?:[ \t]+(?P<next>\w+)|[ \t]*$)";
    Regex::new(text).expect("constant pattern")
});

/// Marks kept of one file; a file with more is a list, not code.
const MARKS_PER_FILE_MAX: usize = 200;

/// Finds the marks in the comments of a file.
pub(crate) fn find(path: &str, role: Role, views: &Views<'_>) -> Vec<Mark> {
    let mut marks: Vec<Mark> = Vec::new();
    for captures in WORD.captures_iter(&views.comments).take(MARKS_PER_FILE_MAX) {
        let Some(word) = captures.get(1).or_else(|| captures.get(2)) else { continue };
        if captures
            .name("next")
            .is_some_and(|next| matches!(next.as_str(), "and" | "or" | "comments" | "marks"))
        {
            continue;
        }
        let line = views.line_of(word.start());
        if marks.last().is_some_and(|mark| mark.line == line) {
            continue;
        }
        let rest = views.comments[word.start()..].lines().next().unwrap_or_default();
        let text = rest.trim_end().trim_end_matches("*/").trim_end_matches("-->");
        marks.push(Mark {
            word: parse(word.as_str()),
            file: path.to_owned(),
            line,
            role,
            text: excerpt::of(text),
            since: None,
        });
    }
    marks
}

fn parse(word: &str) -> MarkWord {
    match word {
        "FIXME" => MarkWord::Fixme,
        "HACK" => MarkWord::Hack,
        "XXX" => MarkWord::Xxx,
        _ => MarkWord::Todo,
    }
}

#[cfg(test)]
mod tests {
    use super::super::syntax;
    use super::*;

    #[test]
    fn marks_are_found_in_comments_only() {
        let text = "// TODO(ann): mend\nlet s = \"TODO: no\";\n/* FIXME wrong */\n// TODOs and TODO_LIST are words\n/// TODO and FIXME marks\n//! Finds XXX and TODO in text\n# TODO\n// TODO later\n";
        let marks = find("a.rs", Role::Source, &Views::new(text, &syntax::RUST));
        let seen: Vec<_> = marks.iter().map(|mark| (mark.word, mark.line, mark.text.as_str())).collect();
        assert_eq!(
            seen,
            [
                (MarkWord::Todo, 1, "TODO(ann): mend"),
                (MarkWord::Fixme, 3, "FIXME wrong"),
                (MarkWord::Todo, 8, "TODO later")
            ]
        );
    }
}
