//! What a description holds beside its sentences: examples, and lines that say what an agent is for, what not, and whom it
//! calls.

use crate::id;

/// The longest word or phrase that is taken from a line, in letters.
const PHRASE_LETTERS_MAX: usize = 60;
/// The shortest: a shorter one stands within too many words.
const PHRASE_LETTERS_MIN: usize = 2;
/// How many are taken from one line.
const PHRASES_MAX: usize = 32;

/// A description in its parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Its sentences, on one line.
    pub(crate) short: String,
    /// All of it, where that is more.
    pub(crate) long: Option<String>,
    /// Phrases that speak for the agent, in small letters.
    pub(crate) uses: Vec<String>,
    /// Phrases that speak against it.
    pub(crate) avoid: Vec<String>,
    /// Ids of agents that it calls.
    pub(crate) invokes: Vec<String>,
}

/// The markers; one that is part of another stands after it.
const MARKERS: &[&str] = &["do not use for:", "use for:", "invokes:", "triggers on:", "trigger phrases:"];

/// Takes a description apart.
pub(crate) fn shape(description: &str) -> Shape {
    let whole = tidy(description);
    let told = &whole[..examples_at(&whole)];
    let mut shape = Shape { short: on_one_line(told), ..Shape::default() };
    let has_more = whole.trim().len() > told.trim().len();
    shape.long = (has_more || told.trim().contains('\n')).then(|| whole.trim().to_owned());
    for (marker, rest) in marked(told) {
        let phrases = phrases(rest);
        match marker {
            "do not use for:" => shape.avoid.extend(phrases),
            "invokes:" => shape.invokes.extend(phrases.iter().filter_map(|name| id::id(name))),
            _ => shape.uses.extend(phrases),
        }
    }
    for list in [&mut shape.uses, &mut shape.avoid, &mut shape.invokes] {
        distinct(list);
    }
    shape
}

/// Keeps the first of equal ones.
pub(crate) fn distinct(list: &mut Vec<String>) {
    let mut seen = std::collections::BTreeSet::new();
    list.retain(|one| seen.insert(one.clone()));
}

/// Line ends that a tool wrote as two letters become line ends.
fn tidy(description: &str) -> String {
    description.replace("\\n", "\n").replace('\r', "")
}

/// Returns where the examples begin, or the end.
fn examples_at(text: &str) -> usize {
    let small = text.to_ascii_lowercase();
    let at = ["<example>", "<commentary>", "\nexamples:", " examples:\n", "\nexample:"]
        .iter()
        .filter_map(|mark| small.find(mark))
        .min()
        .unwrap_or(text.len());
    let before = small[..at].trim_end();
    let before =
        before.strip_suffix("examples:").or_else(|| before.strip_suffix("example:")).unwrap_or(before);
    before.trim_end().len()
}

fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Finds the markers with what follows each: to the next one, or to the end of the line.
fn marked(text: &str) -> Vec<(&'static str, &str)> {
    let small = text.to_ascii_lowercase();
    let mut found: Vec<(usize, &'static str)> = Vec::new();
    for marker in MARKERS {
        for (at, _) in small.match_indices(marker) {
            let is_within = found.iter().any(|(start, other)| (*start..start + other.len()).contains(&at));
            if !is_within {
                found.push((at, marker));
            }
        }
    }
    found.sort_unstable();
    let ends = found.iter().skip(1).map(|(at, _)| *at).chain([text.len()]);
    let rest = |((at, marker), end): (&(usize, &'static str), usize)| {
        let rest = &text[at + marker.len()..end];
        (*marker, rest.lines().next().unwrap_or_default())
    };
    found.iter().zip(ends).map(rest).collect()
}

fn phrases(line: &str) -> Vec<String> {
    let is_around = |letter: char| letter.is_whitespace() || "'\"`“”‘’.!()[]".contains(letter);
    let phrase = |piece: &str| {
        let piece = piece.trim_matches(is_around);
        let piece = piece.strip_prefix("and ").or_else(|| piece.strip_prefix("or ")).unwrap_or(piece);
        piece.trim_matches(is_around).to_lowercase()
    };
    let fits = |piece: &String| (PHRASE_LETTERS_MIN..=PHRASE_LETTERS_MAX).contains(&piece.chars().count());
    line.split([',', ';']).map(phrase).filter(fits).take(PHRASES_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_are_long_and_the_sentences_short() {
        let shape = shape("Use this for\\nreviews. Examples:\\n\\n<example>user: \"do\"</example>");
        assert_eq!(shape.short, "Use this for reviews.");
        assert!(shape.long.is_some_and(|long| long.contains("<example>") && long.contains("for\nreviews")));
        assert_eq!(super::shape("One line.").long, None);
    }

    #[test]
    fn lines_say_what_an_agent_is_for_and_what_not() {
        let text = "Reviews code. USE FOR: code review, \"pull requests\". DO NOT USE FOR: writing docs, tests. INVOKES: Test Writer, linter.";
        let shape = shape(text);
        assert_eq!(shape.uses, ["code review", "pull requests"]);
        assert_eq!(shape.avoid, ["writing docs", "tests"]);
        assert_eq!(shape.invokes, ["test-writer", "linter"]);
        let shape =
            super::shape("Privacy. Triggers on: 'GDPR', 'right to deletion', and 'consent'.\nMore, words.");
        assert_eq!(shape.uses, ["gdpr", "right to deletion", "consent"]);
    }

    #[test]
    fn foreign_letters_do_not_move_the_places() {
        let shape = shape("İstanbul ẞ für alle. USE FOR: übersetzung, 翻訳. <example>x</example>");
        assert_eq!(shape.uses, ["übersetzung", "翻訳"]);
        assert!(shape.short.ends_with("翻訳."));
    }
}
