//! The order of the pieces: what is numbered goes in its order, a point after what stands under it, a test after what it
//! tests, a deployment after what it deploys, and the rest as the words say. An edge that would close a circle is left
//! out, so the person's own order is put in first.

use super::outline::{Kind, Node, ROOT};
use super::words::{Category, stems};
use super::{ITEMS_MAX, Piece};
use regex::{Captures, Regex};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// Words that name another piece and say which of the two comes first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reference {
    /// Whether the other piece comes after this one.
    is_before: bool,
    /// The words that name it.
    phrase: String,
    /// All the words of the reference.
    pub(super) text: String,
}

/// What of a piece's order could be made out.
pub(super) struct Resolved {
    /// The places of the items that come first.
    pub(super) depends_on: Vec<usize>,
    /// Whether the piece that the leading words name was found.
    pub(super) is_leading_met: bool,
}

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"))
}

static LEADING: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?i)^(after|before|once|as soon as|when|following)\s+([^,]{1,200}),\s*(\S.*)$"));
static INNER: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?i)\b(after|before|once|as soon as|depends on|depending on|blocked by|needs|requires|following|prerequisites?)\b[:\s]+([^,.;()]{1,200})",
    )
});
static ORDINAL: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?i)(?:^|\b(?:steps?|items?|points?|tasks?)\s+|#)(\d{1,3})\b"));

/// Splits off the words about order that stand before the first comma.
pub(super) fn leading(text: &str) -> (Option<Reference>, &str) {
    let Some(found) = LEADING.captures(text) else { return (None, text) };
    let rest = found.get(3).map_or(text, |rest| rest.as_str());
    (Some(reference(&found, format!("{} {}", &found[1], &found[2]))), rest)
}

fn inner(text: &str) -> Vec<Reference> {
    INNER.captures_iter(text).map(|found| reference(&found, found[0].to_owned())).collect()
}

fn reference(found: &Captures<'_>, text: String) -> Reference {
    Reference { is_before: found[1].eq_ignore_ascii_case("before"), phrase: found[2].to_owned(), text }
}

/// Finds the order of all pieces.
pub(super) fn resolve(nodes: &[Node], pieces: &[Piece]) -> Vec<Resolved> {
    let mut order = Order::new(pieces.len());
    by_shape(nodes, pieces, &mut order);
    let met = by_words(nodes, pieces, &mut order);
    by_category(nodes, pieces, &mut order);
    order
        .waits_for
        .into_iter()
        .zip(met)
        .map(|(parents, is_leading_met)| Resolved {
            depends_on: parents.into_iter().collect(),
            is_leading_met,
        })
        .collect()
}

/// Edges that never close a circle.
struct Order {
    waits_for: Vec<BTreeSet<usize>>,
    /// All that each piece waits for, directly or not.
    behind: Vec<Set>,
}

#[derive(Clone, Copy, Default)]
struct Set([u64; ITEMS_MAX.div_ceil(64)]);

impl Set {
    fn has(&self, at: usize) -> bool {
        self.0[at / 64] >> (at % 64) & 1 == 1
    }

    fn put(&mut self, at: usize) {
        self.0[at / 64] |= 1 << (at % 64);
    }

    fn join(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(mine, theirs)| *mine |= theirs);
    }
}

impl Order {
    fn new(count: usize) -> Self {
        Self { waits_for: vec![BTreeSet::new(); count], behind: vec![Set::default(); count] }
    }

    fn add(&mut self, child: usize, parent: usize) {
        if child == parent || self.behind[parent].has(child) {
            return;
        }
        self.waits_for[child].insert(parent);
        let mut more = self.behind[parent];
        more.put(parent);
        for at in 0..self.behind.len() {
            if at == child || self.behind[at].has(child) {
                self.behind[at].join(&more);
            }
        }
    }

    /// Returns those that no other of them waits for.
    fn last_of(&self, members: &[usize]) -> Vec<usize> {
        let is_last = |at: &&usize| !members.iter().any(|other| self.behind[*other].has(**at));
        members.iter().filter(is_last).copied().collect()
    }

    /// Returns those that wait for no other of them.
    fn first_of(&self, members: &[usize]) -> Vec<usize> {
        let is_first = |at: &&usize| !members.iter().any(|other| self.behind[**at].has(*other));
        members.iter().filter(is_first).copied().collect()
    }
}

/// Puts in the order that numbers, nesting and words such as `then` give.
fn by_shape(nodes: &[Node], pieces: &[Piece], order: &mut Order) {
    // What stands under each node, itself included; only nodes with pieces matter.
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (at, piece) in pieces.iter().enumerate() {
        let mut node = piece.node;
        loop {
            members.entry(node).or_default().push(at);
            if node == ROOT {
                break;
            }
            node = nodes[node].parent;
        }
    }
    let mut children: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for &node in members.keys().filter(|node| **node != ROOT) {
        children.entry(nodes[node].parent).or_default().push(node);
    }
    let runs = runs(nodes);
    // A parent stands before its children, so going backwards meets the children first.
    for (&node, own) in members.iter().rev() {
        let mut before: Option<(usize, Vec<usize>)> = None;
        for child in children.get(&node).into_iter().flatten() {
            let inside = &members[child];
            if let Some((_, parents)) = before.filter(|(run, _)| *run == runs[*child]) {
                for first in order.first_of(inside) {
                    parents.iter().for_each(|parent| order.add(first, *parent));
                }
            }
            before = Some((runs[*child], order.last_of(inside)));
        }
        if let Some(piece) = own.iter().copied().find(|at| pieces[*at].node == node) {
            let under: Vec<usize> = own.iter().copied().filter(|at| *at != piece).collect();
            order.last_of(&under).into_iter().for_each(|parent| order.add(piece, parent));
        }
    }
}

/// Returns for each node the first of those that follow one another in its parent, up to itself.
fn runs(nodes: &[Node]) -> Vec<usize> {
    let mut last: BTreeMap<usize, usize> = BTreeMap::new();
    let run_of = |(at, node): (usize, &Node)| {
        let before = last.get(&node.parent).copied().filter(|_| node.follows);
        let run = before.unwrap_or(at);
        last.insert(node.parent, run);
        run
    };
    nodes.iter().enumerate().map(run_of).collect()
}

/// Puts in what the words name; tells for each piece whether its leading words were met.
fn by_words(nodes: &[Node], pieces: &[Piece], order: &mut Order) -> Vec<bool> {
    let about: Vec<BTreeSet<String>> = pieces.iter().map(about).collect();
    let mut met = vec![false; pieces.len()];
    for (at, piece) in pieces.iter().enumerate() {
        let notes = nodes[piece.node].notes.iter().flat_map(|note| inner(note));
        let references = inner(&piece.words).into_iter().chain(notes);
        for (reference, is_leading) in
            piece.leading.iter().cloned().map(|r| (r, true)).chain(references.map(|r| (r, false)))
        {
            let Some(other) = named(nodes, pieces, &about, at, &reference.phrase) else { continue };
            met[at] |= is_leading;
            if reference.is_before { order.add(other, at) } else { order.add(at, other) }
        }
    }
    met
}

/// Returns what a piece is about, without the words that name others.
fn about(piece: &Piece) -> BTreeSet<String> {
    stems(&INNER.replace_all(&piece.words, " "))
}

/// Finds the piece that a phrase names: by its number in the same list, or by at least half of the words.
fn named(
    nodes: &[Node],
    pieces: &[Piece],
    about: &[BTreeSet<String>],
    at: usize,
    phrase: &str,
) -> Option<usize> {
    let parent = nodes[pieces[at].node].parent;
    if let Some(number) = ORDINAL.captures(phrase).and_then(|found| found[1].parse::<usize>().ok()) {
        let mut beside =
            nodes.iter().enumerate().skip(1).filter(|(_, n)| n.parent == parent && n.kind == Kind::Point);
        let node = beside.nth(number.checked_sub(1)?)?.0;
        return pieces.iter().position(|piece| piece.node == node).filter(|other| *other != at);
    }
    let words = stems(phrase);
    let shared = |other: usize| about[other].intersection(&words).count();
    let fits = |other: &usize| *other != at && shared(*other) > 0 && shared(*other) * 2 >= words.len();
    // Of those that share the same number of words, the nearest before wins over any after.
    (0..pieces.len()).filter(fits).max_by_key(|other| {
        let is_before = *other < at;
        (shared(*other), is_before, std::cmp::Reverse(at.abs_diff(*other)))
    })
}

/// Puts tests after what they test and deployments after what they deploy.
fn by_category(nodes: &[Node], pieces: &[Piece], order: &mut Order) {
    let of = |categories: &[Category]| -> Vec<usize> {
        (0..pieces.len()).filter(|at| categories.contains(&pieces[*at].category)).collect()
    };
    let made = of(&[Category::Build]);
    for test in of(&[Category::Test]) {
        for parent in tested(nodes, pieces, &made, test, order) {
            order.add(test, parent);
        }
    }
    let needed = of(&[Category::Build, Category::Test, Category::Infra]);
    for deploy in of(&[Category::Deploy]) {
        let earlier: Vec<usize> =
            needed.iter().copied().filter(|other| !order.behind[*other].has(deploy)).collect();
        order.last_of(&earlier).into_iter().for_each(|parent| order.add(deploy, parent));
    }
}

/// Returns what a test is about: what shares most words with it; else what is built in its section; else all.
fn tested(nodes: &[Node], pieces: &[Piece], made: &[usize], test: usize, order: &Order) -> Vec<usize> {
    let words = about(&pieces[test]);
    let shared = |at: usize| about(&pieces[at]).intersection(&words).count();
    let most = made.iter().map(|at| shared(*at)).max().unwrap_or(0);
    let chosen: Vec<usize> = if most > 0 {
        made.iter().copied().filter(|at| shared(*at) == most).collect()
    } else {
        let section = nodes[pieces[test].node].parent;
        let beside = |at: &usize| nodes[pieces[*at].node].parent == section;
        let here: Vec<usize> = made.iter().copied().filter(beside).collect();
        if here.is_empty() { made.to_vec() } else { here }
    };
    let chosen: Vec<usize> = chosen.into_iter().filter(|at| !order.behind[*at].has(test)).collect();
    order.last_of(&chosen)
}
