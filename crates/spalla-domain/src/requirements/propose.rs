//! A draft from a vision without asking a model: what a person listed, numbered, ticked, or put into words of duty and
//! order becomes work items. The same text always gives the same draft.

mod order;
mod outline;
mod title;
mod words;

use super::{DESCRIPTION_BYTES_MAX, ITEMS_MAX, Item, PROPOSED_TITLE_CHARS, says_nothing};
use crate::plan::shortened;
use outline::{Kind, Node, ROOT};
use words::Category;

/// How much of a section's prose goes into the description of each of its items, in bytes.
const CONTEXT_BYTES_MAX: usize = 2_000;

/// Takes a vision apart into work items: at least one for a text that says anything, and at most [`ITEMS_MAX`].
pub fn propose(text: &str) -> Vec<Item> {
    if says_nothing(text) {
        return Vec::new();
    }
    let nodes = outline::read(text);
    // The one heading of a text is its name, and no work.
    let has_sections = nodes.iter().skip(1).filter(|node| node.kind == Kind::Section).count() > 1;
    let mut chosen: Vec<usize> = (0..nodes.len())
        .filter(|&at| is_work(&nodes, at) && (has_sections || nodes[at].kind != Kind::Section))
        .collect();
    if chosen.is_empty() {
        chosen = (0..nodes.len()).filter(|&at| is_said(&nodes, at)).collect();
    }
    if chosen.is_empty() {
        return vec![whole(text)];
    }
    let rest = if chosen.len() > ITEMS_MAX { chosen.split_off(ITEMS_MAX - 1) } else { Vec::new() };
    let pieces: Vec<Piece> = chosen.into_iter().map(|at| Piece::of(&nodes, at)).collect();
    let resolved = order::resolve(&nodes, &pieces);
    let mut items: Vec<Item> =
        pieces.iter().zip(resolved).map(|(piece, order)| piece.item(&nodes, order)).collect();
    if !rest.is_empty() {
        items.push(remainder(&nodes, &rest));
    }
    items
}

/// A node that becomes a work item.
struct Piece {
    /// Its node.
    node: usize,
    /// The words that its title is made of.
    words: String,
    /// What is done there.
    category: Category,
    /// The words about order before its comma, such as `after the schema is migrated`.
    leading: Option<order::Reference>,
}

impl Piece {
    fn of(nodes: &[Node], at: usize) -> Self {
        let node = &nodes[at];
        let (leading, words) = order::leading(&node.text);
        let words = words.to_owned();
        let inherited = || Some(nodes[node.parent].text.as_str()).and_then(words::category);
        let category = words::category(&words).or_else(inherited).unwrap_or(Category::Build);
        Self { node: at, words, category, leading }
    }

    fn item(&self, nodes: &[Node], order: order::Resolved) -> Item {
        let node = &nodes[self.node];
        let mut title = title::imperative(&self.words, self.category, node.kind == Kind::Sentence);
        if let Some(leading) = self.leading.as_ref().filter(|_| !order.is_leading_met) {
            // What could not be found among the items is no word about order, but a condition.
            title = format!("{title} {}", title::uncapital(&leading.text));
        }
        let mut item = Item::new(shortened(&title, PROPOSED_TITLE_CHARS));
        item.description = description(nodes, self.node, &item.title);
        item.category = Some(self.category.as_str().to_owned());
        item.labels = self.labels(nodes);
        item.priority = words::priority(&node.text);
        item.depends_on = order.depends_on;
        item
    }

    /// Returns the clouds that its own words name, and for what touches machines those of the headings above as well.
    fn labels(&self, nodes: &[Node]) -> Vec<String> {
        let mut text = nodes[self.node].text.clone();
        if matches!(self.category, Category::Deploy | Category::Infra) {
            let above: Vec<&str> = ancestors(nodes, self.node).map(|at| nodes[at].text.as_str()).collect();
            text = format!("{text} {}", above.join(" "));
        }
        words::clouds(&text).into_iter().map(str::to_owned).collect()
    }
}

/// Returns the nodes above, from the nearest to the root.
fn ancestors(nodes: &[Node], at: usize) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(at), |&at| (at != ROOT).then(|| nodes[at].parent)).skip(1)
}

/// Tells whether a node asks for something to be done.
fn is_work(nodes: &[Node], at: usize) -> bool {
    let node = &nodes[at];
    if !is_said(nodes, at) || node.is_group {
        return false;
    }
    let asks = title::asks(&node.text);
    let is_background = ancestors(nodes, at).any(|above| words::is_background(&nodes[above]));
    match node.kind {
        Kind::Section => node.is_leaf,
        Kind::Point => asks || !is_background,
        Kind::Sentence => asks,
    }
}

/// Tells whether a node says anything that is not done already and not left out on purpose.
fn is_said(nodes: &[Node], at: usize) -> bool {
    let node = &nodes[at];
    let is_left_out = |at: usize| words::is_left_out(&nodes[at]) || nodes[at].is_done;
    at != ROOT
        && node.text.chars().any(char::is_alphanumeric)
        && !is_left_out(at)
        && !ancestors(nodes, at).any(is_left_out)
        && (node.kind != Kind::Section || (node.is_leaf && !words::is_background(node)))
}

fn description(nodes: &[Node], at: usize, title: &str) -> Option<String> {
    let node = &nodes[at];
    let mut parts: Vec<String> = Vec::new();
    if !title.eq_ignore_ascii_case(node.text.trim_end_matches('.')) {
        parts.push(node.text.clone());
    }
    parts.extend(node.notes.iter().cloned());
    let above: Vec<usize> = ancestors(nodes, at).filter(|above| *above != ROOT).collect();
    if let Some(&section) = above.first() {
        let names: Vec<&str> =
            above.iter().rev().map(|above| nodes[*above].text.trim_end_matches(':')).collect();
        parts.push(format!("Part of: {}", names.join(" > ")));
        let prose = nodes[section].prose.join(" ");
        if !prose.is_empty() && node.kind != Kind::Sentence {
            parts.push(cut(&prose, CONTEXT_BYTES_MAX).to_owned());
        }
    }
    let text = parts.join("\n\n");
    (!text.is_empty()).then(|| cut(&text, DESCRIPTION_BYTES_MAX).to_owned())
}

/// Makes one item of all that is more than a draft holds, so that nothing is lost.
fn remainder(nodes: &[Node], rest: &[usize]) -> Item {
    let mut item = Item::new(format!("Work out the remaining {} points", rest.len()));
    let lines: Vec<String> = rest.iter().map(|at| format!("- {}", nodes[*at].text)).collect();
    item.description = Some(cut(&lines.join("\n"), DESCRIPTION_BYTES_MAX).to_owned());
    item.category = Some(Category::Design.as_str().to_owned());
    item
}

/// Makes one item of a text in which no piece of work can be told apart.
fn whole(text: &str) -> Item {
    let lines = text.lines().map(|line| title::imperative(&outline::clean(line), Category::Build, false));
    let title = lines.into_iter().find(|title| !says_nothing(title));
    let title = title.unwrap_or_else(|| "Work out the vision".to_owned());
    let mut item = Item::new(shortened(&title, PROPOSED_TITLE_CHARS));
    item.description = Some(cut(text.trim(), DESCRIPTION_BYTES_MAX).to_owned());
    item.category = Some(Category::Build.as_str().to_owned());
    item
}

fn cut(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}
