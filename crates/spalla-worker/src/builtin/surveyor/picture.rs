//! The picture of the internal dependencies: which boxes and arrows are drawn, before their places are found.

mod layers;
mod placing;
mod svg;
mod thinning;

use std::collections::{BTreeMap, BTreeSet};

use super::graph::{Edge, Graph, Node, Pictured, fold};
use super::survey::Survey;

/// Draws the internal dependencies as SVG. A tree without any gets a picture that says so.
pub fn to_svg(survey: &Survey) -> String {
    let internal = &survey.internal_dependencies;
    let drawn = internal.pictured.iter().map(|pictured| {
        let title = match pictured {
            Pictured::Packages => "Packages",
            Pictured::Modules if internal.modules_folded => {
                "Modules, the small ones folded together by folder"
            }
            Pictured::Modules => "Modules",
        };
        Diagram::new(&fitted(internal.graph(*pictured)), title)
    });
    let mut diagrams: Vec<Diagram> = drawn.collect();
    if diagrams.is_empty() {
        let parts = if internal.packages.nodes.len() > 1 { &internal.packages } else { &internal.modules };
        diagrams.push(Diagram::new(&fitted(parts), ""));
    }
    svg::write(&format!("{}: what its parts need of each other", survey.project.name), &diagrams)
}

/// What is drawn.
#[derive(Debug)]
struct Diagram {
    title: String,
    /// Boxes with arrows.
    boxes: Vec<Labelled>,
    /// Arrows between `boxes`, by index.
    arrows: Vec<Arrow>,
    /// Boxes without arrows.
    alone: Vec<Labelled>,
    /// Boxes without arrows that are only counted.
    alone_hidden: usize,
    /// Dependencies there are, drawn or not.
    dependencies: usize,
}

/// A box and what is written in it.
#[derive(Debug, Clone)]
struct Labelled {
    name: String,
    short: String,
    detail: String,
    code_lines: usize,
    in_circle: bool,
}

/// An arrow from what needs to what is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Arrow {
    from: usize,
    to: usize,
    imports: usize,
    /// Whether it only says that types are shared, or that a function may need the other.
    is_deferred: bool,
    /// Whether it leads against the order of the layers, as one arrow of every circle must.
    against: bool,
}

/// Boxes a person can still read; larger graphs are folded by folder.
const BOXES_MAX: usize = 60;
/// Boxes without arrows that are drawn.
const ALONE_MAX: usize = 24;

/// Folds a graph that is too large for a picture by the folders of its nodes.
fn fitted(graph: &Graph) -> Graph {
    if graph.nodes.len() <= BOXES_MAX {
        return graph.clone();
    }
    let linked: BTreeSet<&str> =
        graph.edges.iter().flat_map(|edge| [edge.from.as_str(), edge.to.as_str()]).collect();
    let units: Vec<fold::Unit<'_>> = graph
        .nodes
        .iter()
        .map(|node| fold::Unit {
            path: &node.place,
            code_lines: node.code_lines,
            links: usize::from(linked.contains(node.name.as_str())),
        })
        .collect();
    let folded = fold::fold(&units, BOXES_MAX);
    let home = |name: &str| {
        let node = graph.nodes.iter().find(|node| node.name == name)?;
        Some(folded.label(folded.node_of(&node.place)).to_owned())
    };
    let mut edges: BTreeMap<(String, String), Edge> = BTreeMap::new();
    for edge in &graph.edges {
        if let (Some(from), Some(to)) = (home(&edge.from), home(&edge.to))
            && from != to
        {
            let fresh = || Edge { from: from.clone(), to: to.clone(), imports: 0, deferred: 0 };
            let sum = edges.entry((from.clone(), to.clone())).or_insert_with(fresh);
            sum.imports += edge.imports;
            sum.deferred += edge.deferred;
        }
    }
    Graph { nodes: folded.into_nodes(), edges: edges.into_values().collect(), cycles: Vec::new() }
}

impl Diagram {
    fn new(graph: &Graph, title: &str) -> Self {
        let short = short_names(graph);
        let in_circle: BTreeSet<&str> = graph.cycles.iter().flatten().map(String::as_str).collect();
        let arrows = thinning::thin(graph.nodes.len(), &arrows_of(graph));
        let ends: BTreeSet<usize> = arrows.iter().flat_map(|arrow| [arrow.from, arrow.to]).collect();
        let place: BTreeMap<usize, usize> = ends.iter().enumerate().map(|(at, node)| (*node, at)).collect();
        let label = |(_, node): &(usize, &Node)| Labelled {
            name: node.name.clone(),
            short: short[&node.name].clone(),
            detail: detail(node),
            code_lines: node.code_lines,
            in_circle: in_circle.contains(node.name.as_str()),
        };
        let (with, without): (Vec<_>, Vec<_>) =
            graph.nodes.iter().enumerate().partition(|(at, _)| ends.contains(at));
        let mut alone: Vec<Labelled> = without.iter().map(label).collect();
        alone.sort_by(|a, b| b.code_lines.cmp(&a.code_lines).then_with(|| a.name.cmp(&b.name)));
        let alone_hidden = alone.len().saturating_sub(ALONE_MAX);
        alone.truncate(ALONE_MAX);
        Self {
            title: title.to_owned(),
            boxes: with.iter().map(label).collect(),
            arrows: arrows
                .iter()
                .map(|arrow| Arrow { from: place[&arrow.from], to: place[&arrow.to], ..*arrow })
                .collect(),
            alone,
            alone_hidden,
            dependencies: graph.edges.len(),
        }
    }
}

/// Returns the arrows between the nodes of a graph. What is left of a folder gets none: it reaches this way
/// and that, and its arrows would only hide the others.
fn arrows_of(graph: &Graph) -> Vec<Arrow> {
    let nodes = graph.nodes.iter().enumerate().filter(|(_, node)| !node.is_rest);
    let index: BTreeMap<&str, usize> = nodes.map(|(at, node)| (node.name.as_str(), at)).collect();
    let arrows = graph.edges.iter().filter_map(|edge| {
        let (from, to) = (*index.get(edge.from.as_str())?, *index.get(edge.to.as_str())?);
        let is_deferred = edge.imports > 0 && edge.imports == edge.deferred;
        Some(Arrow { from, to, imports: edge.imports, is_deferred, against: false })
    });
    arrows.collect()
}

/// Folders that say nothing about what lies in them.
const SILENT: &[&str] = &["src", "lib", "crates", "packages", "main", "java", "kotlin", "internal", "pkg"];

/// Shortens names to the last two telling parts, where that still tells all of them apart.
fn short_names(graph: &Graph) -> BTreeMap<String, String> {
    let shorten = |name: &str| {
        let parts: Vec<&str> = name.split('/').collect();
        let (last, folders) = parts.split_last().unwrap_or((&name, &[]));
        match folders.iter().rev().find(|part| !SILENT.contains(part)) {
            Some(folder) => format!("{folder}/{last}"),
            None => (*last).to_owned(),
        }
    };
    let mut uses: BTreeMap<String, usize> = BTreeMap::new();
    for node in &graph.nodes {
        *uses.entry(shorten(&node.name)).or_default() += 1;
    }
    let name_of = |name: &str| {
        let short = shorten(name);
        if uses.get(&short) == Some(&1) { short } else { name.to_owned() }
    };
    graph.nodes.iter().map(|node| (node.name.clone(), name_of(&node.name))).collect()
}

fn detail(node: &Node) -> String {
    let lines = match node.code_lines {
        1 => String::from("1 line"),
        lines => format!("{lines} lines"),
    };
    if node.files > 1 { format!("{lines}, {} files", node.files) } else { lines }
}

#[cfg(test)]
mod tests;
