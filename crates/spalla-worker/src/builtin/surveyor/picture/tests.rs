//! Pictures of small graphs.

use super::*;

fn graph(names: &[&str], edges: &[(&str, &str)]) -> Graph {
    let node = |name: &&str| Node {
        name: (*name).to_owned(),
        place: (*name).to_owned(),
        files: 1,
        code_lines: 10,
        is_rest: false,
    };
    let edge = |(from, to): &(&str, &str)| Edge {
        from: (*from).to_owned(),
        to: (*to).to_owned(),
        imports: 1,
        deferred: 0,
    };
    Graph {
        nodes: names.iter().map(node).collect(),
        edges: edges.iter().map(edge).collect(),
        cycles: Vec::new(),
    }
}

fn drawn(graph: &Graph) -> String {
    svg::write("x", &[Diagram::new(&fitted(graph), "Modules")])
}

#[test]
fn boxes_and_arrows_are_drawn() {
    let svg = drawn(&graph(&["a", "b", "c", "d"], &[("a", "b"), ("a", "c"), ("b", "c")]));
    assert_eq!(svg.matches("<rect x=").count(), 4);
    assert_eq!(svg.matches("marker-end").count(), 3);
    assert!(svg.contains("Without arrows"));
}

#[test]
fn tree_without_dependencies_gets_a_picture_that_says_so() {
    assert!(drawn(&graph(&["a", "b"], &[])).contains("No internal dependencies were found"));
    assert!(drawn(&Graph::default()).contains("Nothing was found"));
}

#[test]
fn foreign_names_stay_text() {
    let svg = drawn(&graph(&["</text><script>&\"\u{1b}", "b"], &[("</text><script>&\"\u{1b}", "b")]));
    assert!(!svg.contains("<script>") && !svg.contains('\u{1b}'));
    assert!(svg.contains("&lt;/text&gt;&lt;script&gt;&amp;&quot;"));
}

#[test]
fn large_graph_is_folded_by_folder() {
    let names: Vec<String> = (0..200).map(|at| format!("p{}/n{at}", at % 10)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let edges: Vec<(&str, &str)> = (0..199).map(|at| (names[at], names[at + 1])).collect();
    let fitted = fitted(&graph(&names, &edges));
    assert!(fitted.nodes.len() <= BOXES_MAX);
    assert!(!fitted.edges.is_empty());
}

#[test]
fn same_graph_gives_the_same_bytes() {
    let names: Vec<String> = (0..50).map(|at| format!("n{at}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let edges: Vec<(&str, &str)> = (0..50)
        .flat_map(|at| [(names[at], names[(at * 7 + 3) % 50]), (names[at], names[(at * 3 + 1) % 50])])
        .filter(|(a, b)| a != b)
        .collect();
    let graph = graph(&names, &edges);
    assert_eq!(drawn(&graph), drawn(&graph));
}

#[test]
fn names_are_shortened_where_they_stay_apart() {
    let graph = graph(&["crates/a/src/lib", "crates/a/src/x", "crates/b/x", "b/x"], &[]);
    let short = short_names(&graph);
    let shortened: Vec<&str> = short.values().map(String::as_str).collect();
    assert_eq!(shortened, ["b/x", "a/lib", "a/x", "crates/b/x"]);
}
