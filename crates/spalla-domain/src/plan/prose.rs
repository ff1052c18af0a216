//! Splits a goal that is prose into the pieces that can be done apart, by the words with which people begin what they want and by
//! how alike the pieces are. It would rather leave a goal whole: a plan is no longer than it must be.

use super::kind::{Kind, of};
use super::sentences::{Clause, clauses};
use super::{ITEMS_MAX, Plan, PlanItem, heuristic, item, title_of};
use crate::Refusal;

/// What tells how alike two texts are: 1 for the same, 0 for nothing in common. The same texts are always as alike.
pub type Likeness<'a> = &'a dyn Fn(&str, &str) -> f32;

/// How alike two parts of one sentence have to be to be one piece of work.
const ALIKE_IN_SENTENCE: f32 = 0.30;
/// How alike two sentences have to be to be one piece of work.
const ALIKE: f32 = 0.45;
/// How alike what is tested, reviewed or described has to be to what does so, for it to wait.
const ABOUT: f32 = 0.40;

/// Splits a goal at its list, as the heuristic does, or where its sentences want different things. Says of each piece what kind
/// of work it is, who usually does such work, and what has to be done before.
pub fn tiny(goal: &str, like: Likeness<'_>) -> Result<Plan, Refusal> {
    let whole = heuristic(goal)?;
    let found = if whole.items.len() > 1 { listed(whole, like) } else { prose(goal, whole, like) };
    Ok(Plan { items: ordered(found, like) })
}

/// A piece with what was seen of it.
struct Found {
    item: PlanItem,
    /// Its own words, without what stands around it.
    words: String,
    kind: Kind,
    /// Whether its words say that it comes after the one before.
    is_later: bool,
}

fn listed(plan: Plan, like: Likeness<'_>) -> Vec<Found> {
    let found = |item: PlanItem| {
        let words = item.title.clone();
        let is_later = clauses(&words).first().is_some_and(|clause| clause.is_later);
        Found { kind: of(&words, like), is_later, words, item }
    };
    plan.items.into_iter().map(found).collect()
}

fn prose(goal: &str, mut whole: Plan, like: Likeness<'_>) -> Vec<Found> {
    let found = apart(goal, like);
    if (2..=ITEMS_MAX).contains(&found.len()) {
        return found;
    }
    let one = whole.items.remove(0);
    vec![Found { kind: of(goal, like), is_later: false, words: goal.to_owned(), item: one }]
}

/// Returns the pieces of a goal that are apart from each other.
fn apart(goal: &str, like: Likeness<'_>) -> Vec<Found> {
    let mut around: Vec<&str> = Vec::new();
    let mut pieces: Vec<Vec<Clause<'_>>> = Vec::new();
    for clause in clauses(goal) {
        // What is wanted of all stands by itself, or in front.
        if clause.is_wish_of_all() || (pieces.is_empty() && !clause.is_wish()) {
            around.push(clause.text);
            continue;
        }
        match place(&pieces, &clause, like) {
            Some(place) => {
                let mut joined: Vec<_> = pieces.drain(place..).flatten().collect();
                joined.push(clause);
                pieces.push(joined);
            }
            None => pieces.push(vec![clause]),
        }
    }
    (1..).zip(&pieces).map(|(number, piece)| found(goal, (number, piece), &around, like)).collect()
}

/// Returns the piece that a clause goes on with, which all since belong to as well; none where it is a piece of its own.
fn place(pieces: &[Vec<Clause<'_>>], clause: &Clause<'_>, like: Likeness<'_>) -> Option<usize> {
    let last = pieces.last()?.last()?;
    if !clause.is_wish() || !clause.stands_alone(last) {
        return Some(pieces.len() - 1);
    }
    let limit = if clause.begins_sentence || clause.is_besides { ALIKE } else { ALIKE_IN_SENTENCE };
    let is_alike = |other: &Clause<'_>| like(other.words, clause.words) >= limit;
    let found = pieces.iter().position(|piece| piece.iter().any(is_alike))?;
    // What is about an earlier result, with something else between, can wait for it.
    let is_about = |piece: &Vec<Clause<'_>>| {
        piece.first().is_some_and(|first| of(clause.words, like).follows(of(first.words, like)))
    };
    let is_apart = found + 1 < pieces.len() && is_about(&pieces[found]);
    (!is_apart).then_some(found)
}

fn found(goal: &str, (number, piece): (usize, &[Clause<'_>]), around: &[&str], like: Likeness<'_>) -> Found {
    // One stretch of the goal, so that what stands between its clauses stays.
    let parts: Vec<&str> = stretches(goal, piece);
    let words = parts.join(" ");
    let prompt = around.iter().copied().chain([words.as_str()]).collect::<Vec<_>>().join("\n\n");
    let is_later = piece.first().is_some_and(|clause| clause.is_later);
    Found { kind: of(&words, like), is_later, item: item(number, title_of(&words), prompt), words }
}

/// Joins clauses that follow each other in the goal, with all that stands between them.
fn stretches<'a>(goal: &'a str, piece: &[Clause<'a>]) -> Vec<&'a str> {
    let mut ranges: Vec<(usize, usize, usize)> = Vec::new();
    for clause in piece {
        match ranges.last_mut() {
            Some((_, end, till)) if *till == clause.begin => (*end, *till) = (clause.end, clause.till),
            _ => ranges.push((clause.start, clause.end, clause.till)),
        }
    }
    ranges.iter().map(|(start, end, _)| goal[*start..*end].trim()).collect()
}

/// Says who usually does each piece, and lets each wait for what it follows.
fn ordered(found: Vec<Found>, like: Likeness<'_>) -> Vec<PlanItem> {
    let waits = |number: usize, one: &Found| {
        let before = &found[..number];
        let named = one.is_later.then(|| before.last()).flatten();
        let is_about =
            |other: &&Found| one.kind.follows(other.kind) && like(&other.words, &one.words) >= ABOUT;
        let mut keys: Vec<String> =
            before.iter().filter(is_about).chain(named).map(|other| other.item.key.clone()).collect();
        keys.sort();
        keys.dedup();
        keys
    };
    let all: Vec<Vec<String>> = found.iter().enumerate().map(|(number, one)| waits(number, one)).collect();
    let many = found.len() > 1;
    let done = found.into_iter().zip(all).map(|(one, depends_on)| {
        let mut item = PlanItem { depends_on, ..one.item };
        item.wishes.category = Some(one.kind.as_str().to_owned());
        // A goal that is one piece is for whoever comes first, as it always was.
        item.agent = one.kind.agent().filter(|_| many).map(str::to_owned);
        item
    });
    done.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts the words that two texts share.
    fn shared(one: &str, other: &str) -> f32 {
        let words = |text: &str| {
            let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 3);
            words.map(str::to_lowercase).collect::<std::collections::BTreeSet<_>>()
        };
        let (one, other) = (words(one), words(other));
        one.intersection(&other).count() as f32 / (one.len() * other.len()).max(1).isqrt() as f32
    }

    fn prompts(goal: &str) -> Vec<String> {
        tiny(goal, &shared).unwrap().items.into_iter().map(|item| item.prompt).collect()
    }

    #[test]
    fn what_goes_on_with_the_same_thing_stays_one_piece_with_the_words_unchanged() {
        for goal in [
            "Add a --json flag to the list command and update its help text",
            "Rename the class Foo and update all callers",
            "Fix the crash when the file is empty. It happens in src/read.rs. Make sure that the tests pass.",
            "Write \"hello. Add more; then stop\" into the file",
            "Why is the build slow?\n",
            "Write this:\n```\nAdd one thing. Remove other things; then fix the login page\n```\n",
            "  Add the table, e.g. Users and Groups.  ",
        ] {
            assert_eq!(prompts(goal), [goal]);
        }
    }

    #[test]
    fn sentences_that_want_different_things_are_pieces() {
        let goal = "This is the shop. Fix the crash on startup. Add a dark theme to the settings page. Don't touch the API.";
        let around = "This is the shop.\n\nDon't touch the API.";
        assert_eq!(
            prompts(goal),
            [
                format!("{around}\n\nFix the crash on startup."),
                format!("{around}\n\nAdd a dark theme to the settings page.")
            ]
        );
        assert_eq!(
            prompts("Fix the login redirect bug, and then add pagination to the orders table"),
            ["Fix the login redirect bug", "add pagination to the orders table"]
        );
    }

    #[test]
    fn what_comes_later_waits_and_what_tests_another_waits_for_it() {
        let waits = |goal: &str| {
            let items = tiny(goal, &shared).unwrap().items;
            items.into_iter().map(|item| item.depends_on).collect::<Vec<_>>()
        };
        assert_eq!(
            waits("Fix the login redirect bug; then add pagination to the orders table"),
            [vec![], vec!["1".to_owned()]]
        );
        let list = "- Write the parser for dates\n- Add a dark theme\n- Write tests for the parser for dates";
        assert_eq!(waits(list), [vec![], vec![], vec!["1".to_owned()]]);
    }

    #[test]
    fn each_piece_has_a_kind_and_what_somebody_usually_does_goes_to_them() {
        let goal =
            "Design a schema for invoices. Fix the crash on startup. Add a dark theme to the settings page.";
        let items = tiny(goal, &shared).unwrap().items;
        let said: Vec<_> = items
            .iter()
            .map(|item| (item.wishes.category.as_deref().unwrap(), item.agent.as_deref()))
            .collect();
        assert_eq!(
            said,
            [("design", Some("gemini")), ("debugging", Some("codex")), ("implementation", None)]
        );
        assert_eq!(tiny("Fix the crash", &shared).unwrap().items[0].agent, None);
    }

    #[test]
    fn nothing_is_refused_as_by_the_heuristic() {
        assert_eq!(tiny(" ", &shared).unwrap_err(), heuristic(" ").unwrap_err());
    }

    proptest::proptest! {
        #[test]
        fn no_word_of_a_person_is_lost_or_made_up(
            goal in "((Fix|Add|then|and|the|crash|theme|it|Don't|is|\"|`|[(]|[)]|é|,|;|[.])[ \n]{0,2}){0,24}",
        ) {
            let Ok(plan) = tiny(&goal, &shared) else { return Ok(()) };
            let said = |text: &str| -> Vec<String> {
                let words = text.split(|c: char| !c.is_alphanumeric() && c != '\'');
                words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
            };
            let planned = said(&plan.items.iter().map(|item| item.prompt.as_str()).collect::<Vec<_>>().join("\n"));
            for word in said(&goal).iter().filter(|word| !["and", "then"].contains(&word.as_str())) {
                proptest::prop_assert!(planned.contains(word), "{word:?} of {goal:?} is missing in {plan:?}");
            }
            let known = said(&goal);
            proptest::prop_assert!(planned.iter().all(|word| known.contains(word)), "{plan:?}");
        }
    }
}
