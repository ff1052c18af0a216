//! The internal dependencies of a tree as a graph: of packages, and of modules folded until a person can read
//! it.

mod cycles;
pub(crate) mod fold;

use std::collections::BTreeMap;

use serde::Serialize;

use super::inspect::FileFacts;
use super::links::Links;
use super::modules;
use super::packages::Packages;
use super::role::Role;

/// A graph of dependencies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Graph {
    /// Packages or modules, by name.
    pub nodes: Vec<Node>,
    /// Who needs whom.
    pub edges: Vec<Edge>,
    /// Groups of nodes that need each other in a circle, the largest first; names in order.
    pub cycles: Vec<Vec<String>>,
}

/// A package or a module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Node {
    /// Its name, unique in the graph.
    pub name: String,
    /// Its folder or file, relative to the root.
    pub place: String,
    /// Files of the product in it.
    pub files: usize,
    /// Lines of product code in it.
    pub code_lines: usize,
    /// Whether it is what is left of a folder whose other parts are nodes of their own.
    pub is_rest: bool,
}

/// One node needs another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Edge {
    /// The name of the node that needs the other.
    pub from: String,
    /// The name of the node that is needed.
    pub to: String,
    /// Pairs of files behind it; zero when only a manifest says so.
    pub imports: usize,
    /// Of those, pairs that do not count for circles: of types only, inside functions, or of a module and its
    /// parent.
    pub deferred: usize,
}

/// A graph that the picture shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pictured {
    /// The packages.
    Packages,
    /// The modules.
    Modules,
}

/// The internal dependencies of a tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InternalDependencies {
    /// What the picture shows, from top to bottom; empty when nothing is known to need anything.
    pub pictured: Vec<Pictured>,
    /// Packages of the product; examples and test packages are left out.
    pub packages: Graph,
    /// Files of the product, folded into modules and folders where there are many.
    pub modules: Graph,
    /// Whether `modules` was folded.
    pub modules_folded: bool,
    /// Pairs of files of the product in which the first imports the second.
    pub file_links: usize,
    /// Circles among files, before any folding: groups of paths, the largest first.
    pub file_cycles: Vec<Vec<String>>,
}

/// With more packages than this, their picture says enough; modules are shown where one package holds most
/// code.
const PACKAGES_WITH_MODULES_MAX: usize = 12;

/// Modules shown at most; people read about this many boxes.
const MODULES_SHOWN_MAX: usize = 40;

/// Builds both graphs and chooses what is worth a picture.
pub(crate) fn build(files: &[FileFacts], packages: &Packages, links: &Links) -> InternalDependencies {
    let package_graph = package_graph(files, packages, links);
    let (modules, modules_folded) = module_graph(files, links);
    InternalDependencies {
        pictured: pictured(&package_graph, &modules),
        packages: package_graph,
        modules,
        modules_folded,
        file_links: links.files.len(),
        file_cycles: file_cycles(files, links),
    }
}

fn pictured(packages: &Graph, modules: &Graph) -> Vec<Pictured> {
    let total: usize = packages.nodes.iter().map(|node| node.code_lines).sum();
    let largest = packages.nodes.iter().map(|node| node.code_lines).max().unwrap_or(0);
    let shows_packages = !packages.edges.is_empty();
    let is_telling =
        !shows_packages || packages.nodes.len() <= PACKAGES_WITH_MODULES_MAX || largest * 2 > total;
    let mut pictured = Vec::new();
    if shows_packages {
        pictured.push(Pictured::Packages);
    }
    if !modules.edges.is_empty() && is_telling {
        pictured.push(Pictured::Modules);
    }
    pictured
}

impl InternalDependencies {
    /// Returns a graph of the picture.
    pub(crate) fn graph(&self, pictured: Pictured) -> &Graph {
        match pictured {
            Pictured::Packages => &self.packages,
            Pictured::Modules => &self.modules,
        }
    }
}

/// How many pairs of files stand behind an edge, and how many of them are deferred.
#[derive(Debug, Clone, Copy, Default)]
struct Weight {
    imports: usize,
    deferred: usize,
}

impl Weight {
    fn add(&mut self, files: &[FileFacts], links: &Links, pair: &(usize, usize)) {
        self.imports += 1;
        let is_firm = links.firm.contains(pair) && !modules::are_kin(&files[pair.0], &files[pair.1]);
        self.deferred += usize::from(!is_firm);
    }
}

fn package_graph(files: &[FileFacts], packages: &Packages, links: &Links) -> Graph {
    let declared = packages.declared.iter().map(|pair| (*pair, Weight::default()));
    let mut weights: BTreeMap<(usize, usize), Weight> = declared.collect();
    let homes: Vec<Option<usize>> = files.iter().map(|file| packages.of_file(&file.path)).collect();
    for pair in &links.files {
        if let (Some(from), Some(to)) = (homes[pair.0], homes[pair.1])
            && from != to
        {
            weights.entry((from, to)).or_default().add(files, links, pair);
        }
    }
    let names = unique_names(packages);
    let is_shown =
        |index: usize| packages.own[index].role == Role::Source && !is_shell(packages, &weights, index);
    let mut files_of = vec![0; packages.own.len()];
    for home in
        homes.iter().zip(files).filter(|(_, file)| file.role == Role::Source).filter_map(|(home, _)| *home)
    {
        files_of[home] += 1;
    }
    let nodes = (0..packages.own.len()).filter(|index| is_shown(*index)).map(|index| Node {
        name: names[index].clone(),
        place: packages.own[index].folder.clone(),
        files: files_of[index],
        code_lines: packages.own[index].code_lines,
        is_rest: false,
    });
    let nodes = nodes.collect();
    let edges = weights.iter().filter(|((from, to), _)| is_shown(*from) && is_shown(*to));
    let edges = edges.map(|((from, to), weight)| edge(&names[*from], &names[*to], *weight));
    finish(nodes, edges.collect())
}

/// A manifest without code that nothing needs is the root of a workspace, not a part of it.
fn is_shell(packages: &Packages, weights: &BTreeMap<(usize, usize), Weight>, index: usize) -> bool {
    packages.own[index].code_lines == 0 && !weights.keys().any(|(from, to)| *from == index || *to == index)
}

/// Names that two packages share are told apart by their folders.
fn unique_names(packages: &Packages) -> Vec<String> {
    let own = &packages.own;
    let shared = |name: &str| own.iter().filter(|package| package.name == name).count() > 1;
    own.iter()
        .map(|package| match shared(&package.name) {
            true => format!(
                "{} ({}, {})",
                package.name,
                package.ecosystem.as_str(),
                if package.folder.is_empty() { "." } else { &package.folder }
            ),
            false => package.name.clone(),
        })
        .collect()
}

fn module_graph(files: &[FileFacts], links: &Links) -> (Graph, bool) {
    let units: Vec<Option<String>> = files.iter().map(modules::unit_of).collect();
    let mut ends: BTreeMap<usize, usize> = BTreeMap::new();
    for end in links.files.iter().flat_map(|(from, to)| [*from, *to]) {
        *ends.entry(end).or_default() += 1;
    }
    let rows = units.iter().zip(files).enumerate().filter_map(|(index, (unit, file))| {
        let unit = unit.as_ref()?;
        Some(fold::Unit {
            path: unit,
            code_lines: file.product_lines(),
            links: ends.get(&index).copied().unwrap_or(0),
        })
    });
    let folded = fold::fold(&rows.collect::<Vec<_>>(), MODULES_SHOWN_MAX);
    let mut weights: BTreeMap<(&str, &str), Weight> = BTreeMap::new();
    for pair in &links.files {
        if let (Some(from), Some(to)) = (&units[pair.0], &units[pair.1]) {
            let (from, to) = (folded.node_of(from), folded.node_of(to));
            if from != to {
                weights.entry((from, to)).or_default().add(files, links, pair);
            }
        }
    }
    let edges =
        weights.iter().map(|((from, to), weight)| edge(folded.label(from), folded.label(to), *weight));
    let edges = edges.collect();
    let is_folded = folded.is_folded();
    (finish(folded.into_nodes(), edges), is_folded)
}

fn edge(from: &str, to: &str, weight: Weight) -> Edge {
    Edge { from: from.to_owned(), to: to.to_owned(), imports: weight.imports, deferred: weight.deferred }
}

/// Sorts a graph and finds its cycles.
fn finish(mut nodes: Vec<Node>, mut edges: Vec<Edge>) -> Graph {
    nodes.sort_by(|a, b| a.name.cmp(&b.name));
    edges.sort();
    let index: BTreeMap<&str, usize> =
        nodes.iter().enumerate().map(|(at, node)| (node.name.as_str(), at)).collect();
    let firm = edges.iter().filter(|edge| edge.imports == 0 || edge.imports > edge.deferred);
    // What is left of a folder is no part, and reaches this way and that.
    let firm = firm.filter(|edge| {
        ![&edge.from, &edge.to]
            .iter()
            .any(|name| index.get(name.as_str()).is_some_and(|at| nodes[*at].is_rest))
    });
    let pairs =
        firm.filter_map(|edge| Some((*index.get(edge.from.as_str())?, *index.get(edge.to.as_str())?)));
    let cycles = cycles::find(nodes.len(), &pairs.collect::<Vec<_>>());
    let cycles = cycles
        .into_iter()
        .map(|group| group.into_iter().map(|at| nodes[at].name.clone()).collect())
        .collect();
    Graph { nodes, edges, cycles }
}

/// Finds circles of imports that are needed at once, between files that do not belong together anyway.
fn file_cycles(files: &[FileFacts], links: &Links) -> Vec<Vec<String>> {
    let apart = links.firm.iter().filter(|(from, to)| !modules::are_kin(&files[*from], &files[*to]));
    let pairs: Vec<(usize, usize)> = apart.copied().collect();
    let cycles = cycles::find(files.len(), &pairs);
    cycles.into_iter().map(|group| group.into_iter().map(|at| files[at].path.clone()).collect()).collect()
}

#[cfg(test)]
mod tests;
