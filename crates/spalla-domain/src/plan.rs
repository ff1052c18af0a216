//! A plan: the items that a goal is split into. The heuristic one splits only where the person made a list.

use crate::work_item::TITLE_CHARS_MAX;
use crate::{Refusal, problem::Code};
use std::ops::Range;

mod file;
mod kind;
mod part;
mod prose;
mod sentences;
mod wishes;

pub use crate::retry::Backoff;
pub use file::{PLAN_BYTES_MAX, SCHEMA, read, written};
pub use part::Part;
pub use prose::{Likeness, tiny};
pub use wishes::{Group, OnError, PieceExecutor, Retry, Wishes};

/// The most items of a plan: a longer list is work for several sessions.
pub const ITEMS_MAX: usize = 100;
/// The longest goal, in bytes: what one request to the server carries with room to spare.
pub const GOAL_BYTES_MAX: usize = 256 * 1024;
/// Titles are cut to this many characters, to be read in a row of a table; the prompt keeps every word.
pub const TITLE_CHARS: usize = 80;

const _: () = assert!(TITLE_CHARS <= TITLE_CHARS_MAX);

/// What is to be done for one goal, in the person's order.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The pieces of work; never empty.
    pub items: Vec<PlanItem>,
}

/// One piece of work.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanItem {
    /// Its name in the plan.
    pub key: String,
    /// The beginning of the words, on one line.
    pub title: String,
    /// The person's words, unchanged; where the goal was a list, what stands around the list is part of every item.
    pub prompt: String,
    /// Who does it; none leaves that to the session.
    pub agent: Option<String>,
    /// Why it is for them, where somebody chose.
    pub why: Option<String>,
    /// The keys of what has to be done before.
    pub depends_on: Vec<String>,
    /// By what its reviewers know that it is done.
    pub acceptance: Option<String>,
    /// How long a run of it may take, in milliseconds; none is as usual.
    pub timeout_ms: Option<i64>,
    /// How it is carried out.
    pub wishes: Wishes,
    /// What it is in a pattern of work.
    pub part: Part,
}

/// Splits a goal at the markers of a list or at numbered lines, and nowhere else. A goal without a list of at least
/// two items is one piece of work.
pub fn heuristic(goal: &str) -> Result<Plan, Refusal> {
    let invalid = |detail: String| Refusal::new(Code::Invalid, detail);
    if says_nothing(goal) {
        return Err(invalid("the goal is empty".into()).mend("say in a sentence what is to be done"));
    }
    if goal.len() > GOAL_BYTES_MAX {
        return Err(invalid(format!("the goal has {} bytes; at most {GOAL_BYTES_MAX} are read", goal.len()))
            .mend("put long material into a file of the target and name it in the goal"));
    }
    let pieces = pieces(goal);
    let count = pieces.iter().filter(|piece| piece.is_item()).count();
    if count > ITEMS_MAX {
        return Err(invalid(format!("the goal lists {count} items; a plan has at most {ITEMS_MAX}"))
            .mend("split it into several goals"));
    }
    if count < 2 {
        return Ok(Plan { items: vec![item(1, title_of(goal), goal.to_owned())] });
    }
    let around: Vec<&str> =
        pieces.iter().filter(|piece| !piece.is_item()).map(|piece| piece.of(goal)).collect();
    let items = pieces.iter().filter(|piece| piece.is_item());
    let item = |(number, piece): (usize, &Piece)| {
        let words = piece.words(goal);
        let prompt = around.iter().chain([&words]).copied().collect::<Vec<_>>().join("\n\n");
        item(number, title_of(words), prompt)
    };
    Ok(Plan { items: (1..).zip(items).map(item).collect() })
}

fn item(number: usize, title: String, prompt: String) -> PlanItem {
    let (agent, why, depends_on, acceptance, timeout_ms, wishes, part) = Default::default();
    PlanItem {
        key: number.to_string(),
        title,
        prompt,
        agent,
        why,
        depends_on,
        acceptance,
        timeout_ms,
        wishes,
        part,
    }
}

/// A stretch of the goal: an item of its list, or what stands around it.
#[derive(Debug)]
struct Piece {
    range: Range<usize>,
    /// How many bytes of it are indentation and marker; none outside the list.
    marker: Option<usize>,
}

impl Piece {
    fn is_item(&self) -> bool {
        self.marker.is_some()
    }

    fn of<'a>(&self, goal: &'a str) -> &'a str {
        goal[self.range.clone()].trim_matches(['\n', '\r'])
    }

    fn words<'a>(&self, goal: &'a str) -> &'a str {
        goal[self.range.start + self.marker.unwrap_or(0)..self.range.end].trim()
    }
}

/// Divides the goal into the items of its outermost list and the stretches around them.
fn pieces(goal: &str) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut outermost = None;
    let mut fenced = false;
    let mut after_blank = true;
    let mut start = 0;
    for line in goal.split_inclusive('\n') {
        let range = start..start + line.len();
        start = range.end;
        let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
        let marker = if fenced { None } else { marker_len(&line[indent..]) };
        let is_fence = ["```", "~~~"].iter().any(|fence| line[indent..].starts_with(fence));
        fenced ^= is_fence;
        let is_blank = line.trim().is_empty();
        let begins_item = marker.is_some() && indent <= *outermost.get_or_insert(indent) + SLACK;
        let in_item = pieces.last().is_some_and(Piece::is_item);
        let leaves_item = in_item && after_blank && indent == 0 && !is_blank && !(fenced || is_fence);
        match (marker, pieces.last_mut()) {
            (Some(marker), _) if begins_item => {
                pieces.push(Piece { range, marker: Some(indent + marker) });
            }
            (_, Some(last)) if !leaves_item => last.range.end = range.end,
            _ if is_blank => {}
            _ => pieces.push(Piece { range, marker: None }),
        }
        after_blank = is_blank;
    }
    pieces
}

/// How much deeper than the first marker another one may stand and still be of the same list.
const SLACK: usize = 1;

/// Returns the length of a list marker with the space behind it: `-`, `*`, `+`, `•`, or up to three digits with `.` or
/// `)`. What has no words behind it on its line is no item.
fn marker_len(line: &str) -> Option<usize> {
    let bullet = ["-", "*", "+", "•"].into_iter().find(|bullet| line.starts_with(bullet)).map(str::len);
    let mark = bullet.or_else(|| {
        let digits = line.bytes().take_while(u8::is_ascii_digit).count();
        let closed = line[digits..].starts_with(['.', ')']);
        ((1..=3).contains(&digits) && closed).then_some(digits + 1)
    })?;
    let rest = &line[mark..];
    let words = rest.trim_start_matches([' ', '\t']);
    (words.len() < rest.len() && !says_nothing(words)).then(|| line.len() - words.len())
}

/// Tells whether nothing in a text would show.
fn says_nothing(text: &str) -> bool {
    text.chars().all(|c| c.is_whitespace() || c.is_control())
}

/// Returns the first line with words, cut at a word where it is too long for a row.
fn title_of(words: &str) -> String {
    let line = words.lines().find(|line| !says_nothing(line)).unwrap_or_default();
    let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    shortened(line.trim(), TITLE_CHARS)
}

/// Cuts a line at a word where it has more than so many characters.
pub(crate) fn shortened(line: &str, chars_max: usize) -> String {
    if line.chars().count() <= chars_max {
        return line.to_owned();
    }
    let head: String = line.chars().take(chars_max - 1).collect();
    let at_word = head.rfind(' ').filter(|at| *at > head.len() / 2).unwrap_or(head.len());
    format!("{}…", head[..at_word].trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn prompts(goal: &str) -> Vec<String> {
        heuristic(goal).unwrap().items.into_iter().map(|item| item.prompt).collect()
    }

    #[test]
    fn a_goal_that_is_one_piece_of_work_stays_one_item_with_the_words_unchanged() {
        for goal in [
            "Analyze the codebase structure",
            "  Find the slow queries. Then explain them; and say \"why. 1. first\" {a: [b, c]} - briefly.\n",
            "Rename {\"a\": 1, \"b\": 2}\nand keep the rest.",
            "Do this:\n- only one thing\n",
            "1. one numbered line",
            "version 1.2.3\n2024. was a good year\n3.5 is a number\n-x is a flag\n* \n",
            "Explain this:\n```\n- a\n- b\n```\n",
            "- item\n  - with a\n  - with b\n",
        ] {
            assert_eq!(prompts(goal), [goal]);
        }
    }

    #[test]
    fn list_markers_and_numbered_lines_split() {
        for goal in
            ["- a b\n- c d\n", "* a b\n+ c d", "1. a b\n2) c d\n", "  • a b\n\n  • c d", "- a b\r\n- c d\r\n"]
        {
            assert_eq!(prompts(goal), ["a b", "c d"], "{goal:?}");
        }
    }

    #[test]
    fn what_is_indented_or_follows_at_once_belongs_to_its_item() {
        let goal = "1. first\n   more of it\n   - a detail\nstill it\n\n   a paragraph\n2. second\n   ```\n3. no\n   ```\n";
        let first = "first\n   more of it\n   - a detail\nstill it\n\n   a paragraph";
        assert_eq!(prompts(goal), [first, "second\n   ```\n3. no\n   ```"]);
    }

    #[test]
    fn what_stands_around_a_list_is_part_of_every_item() {
        let goal = "In the payments module:\n\n- find the risks\n- list the tests\n\nLeave the rest alone.\n";
        let around = "In the payments module:\n\nLeave the rest alone.";
        assert_eq!(
            prompts(goal),
            [format!("{around}\n\nfind the risks"), format!("{around}\n\nlist the tests")]
        );
        assert_eq!(heuristic(goal).unwrap().items[1].title, "list the tests");
    }

    #[test]
    fn a_title_is_one_line_cut_at_a_word() {
        let goal = format!("\n\tLook {}\nand so on", "at everything ".repeat(20));
        let title = heuristic(&goal).unwrap().items.remove(0).title;
        assert!(title.chars().count() <= TITLE_CHARS && title.ends_with("everything at…"), "{title}");
    }

    #[test]
    fn what_does_not_show_is_neither_an_item_nor_a_title() {
        assert_eq!(prompts("- \u{1}\n- b\n"), ["- \u{1}\n- b\n"]);
        assert_eq!(heuristic("\u{1}\n\u{1b}the rest\n").unwrap().items[0].title, "the rest");
    }

    #[test]
    fn nothing_and_too_much_are_refused() {
        assert_eq!(heuristic(" \n\t").unwrap_err().code, Code::Invalid);
        assert_eq!(heuristic("\u{1}\n\u{7f}").unwrap_err().code, Code::Invalid);
        assert!(heuristic(&"x".repeat(GOAL_BYTES_MAX + 1)).is_err());
        assert!(heuristic(&"- x\n".repeat(ITEMS_MAX + 1)).is_err());
        assert_eq!(heuristic(&"- x\n".repeat(ITEMS_MAX)).unwrap().items.len(), ITEMS_MAX);
    }

    proptest! {
        #[test]
        fn no_word_of_a_person_is_lost_or_made_up(
            goal in "([ \t]{0,3}(- |\\* |1\\. |2\\) |```)?[a-z\"{}.é ]{0,12}\r?\n){0,8}",
        ) {
            let Ok(plan) = heuristic(&goal) else { return Ok(()) };
            let said = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            let planned = said(&plan.items.iter().map(|item| item.prompt.as_str()).collect::<Vec<_>>().join("\n"));
            let is_marker = |word: &str| ["-", "*", "1.", "2)"].contains(&word);
            for word in said(&goal).iter().filter(|word| !is_marker(word)) {
                prop_assert!(planned.contains(word), "{word:?} of {goal:?} is missing in {plan:?}");
            }
            prop_assert!(plan.items.iter().all(|item| !item.title.is_empty() && !item.title.contains('\n')));
        }
    }
}
