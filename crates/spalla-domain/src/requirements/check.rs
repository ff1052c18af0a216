//! The rules for a draft that a person edited: every problem is found at once and names its item, so that what is
//! approved can be made into work items without a second look.

use super::{DESCRIPTION_BYTES_MAX, ITEMS_MAX, Item, PROBLEMS_MAX};
use petgraph::algo::{astar, tarjan_scc};
use petgraph::graphmap::DiGraphMap;
use serde::Serialize;
use std::fmt;

/// Something in a draft that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ItemProblem {
    /// The place of the item in the draft, from 0; none when it is the draft as a whole.
    pub item: Option<usize>,
    /// What is wrong, with the value, and how to mend it.
    pub message: String,
}

impl fmt::Display for ItemProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.item {
            Some(index) => write!(f, "items[{index}]: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// Checks the items of a draft and brings them into their normal form, or answers every problem that it finds.
pub fn check(items: Vec<Item>) -> Result<Vec<Item>, Vec<ItemProblem>> {
    if items.is_empty() || items.len() > ITEMS_MAX {
        let message = format!("a draft has 1 to {ITEMS_MAX} items, not {}", items.len());
        return Err(vec![ItemProblem { item: None, message }]);
    }
    let mut problems = Vec::new();
    let mut checked = Vec::with_capacity(items.len());
    let count = items.len();
    for (index, item) in items.into_iter().enumerate() {
        let mut report = |message| problems.push(ItemProblem { item: Some(index), message });
        if let Some(n) = item.description.as_ref().map(String::len).filter(|n| *n > DESCRIPTION_BYTES_MAX) {
            report(format!("description has {n} bytes; at most {DESCRIPTION_BYTES_MAX} are kept"));
        }
        for &parent in item.depends_on.iter().filter(|parent| **parent >= count) {
            report(format!("depends_on names item {parent}; the draft has items 0 to {}", count - 1));
        }
        if item.depends_on.contains(&index) {
            report("depends_on names the item itself".to_owned());
        }
        match item.spec().checked() {
            Ok(spec) => checked.push(normal(item, spec.labels)),
            Err(refusal) => report(refusal.detail),
        }
    }
    if problems.is_empty() {
        problems = circles(&checked);
    }
    problems.truncate(PROBLEMS_MAX);
    if problems.is_empty() { Ok(checked) } else { Err(problems) }
}

fn normal(mut item: Item, labels: Vec<String>) -> Item {
    item.labels = labels;
    item.depends_on.sort_unstable();
    item.depends_on.dedup();
    item
}

/// Returns one problem for each knot of items that wait for one another.
fn circles(items: &[Item]) -> Vec<ItemProblem> {
    let mut graph: DiGraphMap<usize, ()> = DiGraphMap::new();
    for (index, item) in items.iter().enumerate() {
        for parent in &item.depends_on {
            graph.add_edge(index, *parent, ());
        }
    }
    let mut problems: Vec<ItemProblem> = tarjan_scc(&graph)
        .into_iter()
        .filter(|knot| knot.len() > 1)
        .map(|knot| circle(&graph, &knot))
        .collect();
    problems.sort_by_key(|problem| problem.item);
    problems
}

/// Names the way round from the first item of a knot back to itself.
fn circle(graph: &DiGraphMap<usize, ()>, knot: &[usize]) -> ItemProblem {
    let start = knot.iter().copied().min().unwrap_or_default();
    let way = graph
        .neighbors(start)
        .filter(|next| knot.contains(next))
        .filter_map(|next| astar(graph, next, |node| node == start, |_| 1_u32, |_| 0))
        .min_by_key(|(steps, _)| *steps)
        .map(|(_, path)| path)
        .unwrap_or_default();
    let names: Vec<String> = std::iter::once(&start).chain(&way).map(ToString::to_string).collect();
    let message =
        format!("depends_on goes round in a circle: {}; leave out one of these", names.join(" -> "));
    ItemProblem { item: Some(start), message }
}
