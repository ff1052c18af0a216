//! Folds many modules into few: opens the largest folder first, as long as the picture stays readable.

use std::collections::{BTreeMap, BTreeSet};

use super::Node;

/// One module before folding; several files may share a path.
pub(crate) struct Unit<'u> {
    pub path: &'u str,
    pub code_lines: usize,
    /// Imports that lead to or from it.
    pub links: usize,
}

/// The nodes that remain, and the way to them.
pub(crate) struct Folded {
    nodes: BTreeMap<String, Weight>,
    labels: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Default)]
struct Weight {
    files: usize,
    code_lines: usize,
    links: usize,
    /// Modules in it.
    units: usize,
    /// Whether a module bears the path itself.
    is_unit: bool,
    /// Whether parts of it stand beside it as nodes of their own.
    is_rest: bool,
    children: BTreeSet<String>,
}

type Tree = BTreeMap<String, Weight>;

/// A folder is opened in part when at least this many of its parts find room.
const PARTS_MIN: usize = 6;

/// Folds units into at most `nodes_max` nodes.
pub(crate) fn fold(units: &[Unit<'_>], nodes_max: usize) -> Folded {
    let tree = grow(units);
    let mut frontier: BTreeSet<String> = BTreeSet::from([String::new()]);
    let mut opened = BTreeSet::new();
    let mut settled = BTreeSet::new();
    while let Some(path) = largest(&tree, &frontier, &settled) {
        settled.insert(path.clone());
        let node = &tree[&path];
        let mut children: Vec<&String> = node.children.iter().collect();
        // A folder with a single child opens always: it takes no room.
        let must_open = children.len() == 1 && !node.is_unit;
        let own = usize::from(node.is_unit);
        let room = (nodes_max + 1).saturating_sub(frontier.len() + own);
        let is_cut = !must_open && children.len() > room;
        if is_cut {
            // What finds no room stays in the folder itself.
            let room = room.saturating_sub(1 - own);
            let rank = |child: &String| {
                (std::cmp::Reverse(tree[child].links), std::cmp::Reverse(tree[child].code_lines))
            };
            children.sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| a.cmp(b)));
            children.truncate(room);
            if children.len() < PARTS_MIN {
                continue;
            }
        }
        if !node.is_unit && !is_cut {
            frontier.remove(&path);
        }
        frontier.extend(children.into_iter().cloned());
        opened.insert(path);
    }
    finish(&tree, &shorten(&tree, frontier), &opened)
}

/// A folder that holds nothing but one folder is called by its own name.
fn shorten(tree: &Tree, frontier: BTreeSet<String>) -> BTreeSet<String> {
    let shorter = |path: String| {
        let mut path = path;
        while let Some(at) = path.rfind('/') {
            let parent = &tree[&path[..at]];
            if parent.children.len() != 1 || parent.is_unit {
                break;
            }
            path.truncate(at);
        }
        path
    };
    let has_inner = |path: &String| {
        frontier.iter().any(|other| other.len() > path.len() && other.starts_with(&format!("{path}/")))
    };
    frontier.iter().map(|path| if has_inner(path) { path.clone() } else { shorter(path.clone()) }).collect()
}

/// Sums every folder up.
fn grow(units: &[Unit<'_>]) -> Tree {
    let mut tree: Tree = BTreeMap::from([(String::new(), Weight::default())]);
    for unit in units {
        let mut path = String::new();
        let mut above = vec![String::new()];
        for part in unit.path.split('/').filter(|part| !part.is_empty()) {
            let parent = path.clone();
            path = if path.is_empty() { part.to_owned() } else { format!("{path}/{part}") };
            tree.entry(parent).or_default().children.insert(path.clone());
            above.push(path.clone());
        }
        let is_new = !std::mem::replace(&mut tree.entry(path).or_default().is_unit, true);
        for path in above {
            let weight = tree.entry(path).or_default();
            weight.units += usize::from(is_new);
            weight.files += 1;
            weight.code_lines += unit.code_lines;
            weight.links += unit.links;
        }
    }
    tree
}

/// Returns the folder to open next: the one with most code.
fn largest(tree: &Tree, frontier: &BTreeSet<String>, settled: &BTreeSet<String>) -> Option<String> {
    let open = frontier.iter().filter(|path| !settled.contains(*path) && !tree[*path].children.is_empty());
    open.max_by(|a, b| tree[*a].code_lines.cmp(&tree[*b].code_lines).then_with(|| b.cmp(a))).cloned()
}

fn finish(tree: &Tree, frontier: &BTreeSet<String>, opened: &BTreeSet<String>) -> Folded {
    let mut nodes = Tree::new();
    for path in frontier {
        let mut weight = tree[path].clone();
        // What stands beside it as a node of its own is not counted twice.
        let beside =
            |child: &&String| opened.contains(path) && (frontier.contains(*child) || opened.contains(*child));
        let apart: Vec<&Weight> = weight.children.iter().filter(beside).map(|child| &tree[child]).collect();
        let has_parts = !apart.is_empty();
        for child in apart {
            weight.files -= child.files;
            weight.units -= child.units;
            weight.code_lines -= child.code_lines;
        }
        weight.is_rest = has_parts && weight.units > usize::from(weight.is_unit);
        nodes.insert(path.clone(), weight);
    }
    nodes.retain(|_, weight| weight.files > 0);
    let labels = labels(&nodes);
    Folded { nodes, labels }
}

/// Leaves out the folders that all nodes share, and says where a node is what others left of a folder.
fn labels(nodes: &Tree) -> BTreeMap<String, String> {
    let mut shared: Option<&str> = None;
    // Parts that nothing leads to or from may lie anywhere; they keep their whole names.
    for (path, _) in nodes.iter().filter(|(_, weight)| weight.links > 0) {
        let mut prefix = shared.unwrap_or_else(|| path.rfind('/').map_or("", |at| &path[..=at]));
        while !path.starts_with(prefix) {
            prefix = prefix[..prefix.len() - 1].rfind('/').map_or("", |at| &prefix[..=at]);
        }
        shared = Some(prefix);
    }
    let prefix = shared.unwrap_or("");
    nodes
        .iter()
        .map(|(path, weight)| {
            let rest = if weight.is_rest { ", the rest" } else { "" };
            let inner = path.strip_prefix(prefix).filter(|inner| !inner.is_empty()).unwrap_or(path);
            let name = if path.is_empty() { "(root)" } else { inner };
            (path.clone(), format!("{name}{rest}"))
        })
        .collect()
}

impl Folded {
    /// Returns the node a unit went into.
    pub(crate) fn node_of<'p>(&'p self, unit: &'p str) -> &'p str {
        let above = std::iter::successors(Some(unit), |path| {
            let parent = path.rfind('/').map_or("", |at| &path[..at]);
            (!path.is_empty()).then_some(parent)
        });
        above.into_iter().find(|path| self.nodes.contains_key(*path)).unwrap_or(unit)
    }

    /// Returns the name of a node.
    pub(crate) fn label<'p>(&'p self, node: &'p str) -> &'p str {
        self.labels.get(node).map_or(node, String::as_str)
    }

    /// Says whether a node holds more than one module.
    pub(crate) fn is_folded(&self) -> bool {
        self.nodes.values().any(|weight| weight.units > 1)
    }

    /// Returns the nodes.
    pub(crate) fn into_nodes(self) -> Vec<Node> {
        let Self { nodes, labels, .. } = self;
        let named = |place: &String| labels.get(place).cloned().unwrap_or_else(|| place.clone());
        nodes
            .into_iter()
            .map(|(place, weight)| Node {
                name: named(&place),
                place,
                files: weight.files,
                code_lines: weight.code_lines,
                is_rest: weight.is_rest,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(path: &str, code_lines: usize) -> Unit<'_> {
        Unit { path, code_lines, links: code_lines }
    }

    fn names(folded: Folded) -> Vec<(String, usize)> {
        folded.into_nodes().into_iter().map(|node| (node.name, node.code_lines)).collect()
    }

    #[test]
    fn few_modules_are_all_shown_without_their_common_folder() {
        let folded = fold(&[unit("src/a", 1), unit("src/b", 2), unit("src/b/c", 3)], 10);
        assert!(!folded.is_folded());
        assert_eq!(names(folded), [("a", 1), ("b", 2), ("b/c", 3)].map(|(n, c)| (n.to_owned(), c)));
    }

    #[test]
    fn largest_folder_is_opened_and_the_small_one_stays_shut() {
        let units = [
            unit("big/a", 50),
            unit("big/b", 50),
            unit("small/a", 1),
            unit("small/b", 1),
            unit("small/c", 1),
        ];
        let folded = fold(&units, 3);
        assert_eq!(folded.node_of("small/b"), "small");
        assert!(folded.is_folded());
        assert_eq!(
            names(folded),
            [("big/a", 50), ("big/b", 50), ("small", 3)].map(|(n, c)| (n.to_owned(), c))
        );
    }

    #[test]
    fn crowded_folder_shows_its_largest_parts_and_the_rest() {
        let paths: Vec<String> = (0..50).map(|at| format!("src/f{at:02}")).collect();
        let units: Vec<Unit<'_>> = paths.iter().zip(0..).map(|(path, size)| unit(path, size)).collect();
        let other = [unit("other/a", 1)];
        let folded = fold(&units.into_iter().chain(other).collect::<Vec<_>>(), 10);
        assert_eq!(folded.node_of("src/f00"), "src");
        assert_eq!(folded.label("src"), "src, the rest");
        let nodes = folded.into_nodes();
        assert_eq!(nodes.len(), 10);
        assert_eq!(nodes.iter().map(|node| node.files).sum::<usize>(), 51);
    }

    #[test]
    fn crowded_root_is_cut_as_any_folder() {
        let paths: Vec<String> = (0..500).map(|at| format!("f{at:03}")).collect();
        let units: Vec<Unit<'_>> = paths.iter().map(|path| unit(path, 1)).collect();
        let folded = fold(&units, 10);
        assert_eq!(folded.label(folded.node_of("f400")), "(root), the rest");
        assert_eq!(folded.into_nodes().len(), 10);
    }

    #[test]
    fn folder_of_one_folder_is_called_by_its_own_name() {
        let folded = fold(&[unit("crates/a/src", 5), unit("crates/b/src", 3), unit("crates/b/src/x", 3)], 10);
        assert!(!folded.is_folded());
        assert_eq!(folded.node_of("crates/a/src"), "crates/a");
        assert_eq!(names(folded).len(), 3);
    }

    #[test]
    fn nothing_folds_into_nothing() {
        assert_eq!(names(fold(&[], 3)), []);
    }
}
