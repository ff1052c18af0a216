//! The tree with its places and texts, and what of a text is refused.

use super::*;

const LIMITS: Limits = Limits { nodes: 100, depth: 6, aliases: 5 };

fn tree(yaml: &str) -> Node {
    parse(yaml, 1, LIMITS).unwrap()
}

fn kind(yaml: &str) -> FaultKind {
    parse(yaml, 1, LIMITS).unwrap_err().kind
}

#[test]
fn each_value_keeps_its_place_and_the_text_that_was_written() {
    let tree = parse("a: 2.10\nb:\n  - true\n  - x\n", 4, LIMITS).unwrap();
    let version = tree.at("/a");
    assert_eq!(
        (version.line, version.column, version.text(), version.kind()),
        (4, 4, Some("2.10"), "a number")
    );
    let yes = tree.at("/b/0");
    assert_eq!((yes.line, yes.text(), yes.scalar().as_deref()), (6, Some("true"), Some("true")));
    assert_eq!(tree.at("/b/7").kind(), "a list", "the last one on the way");
    assert_eq!((tree.text(), tree.kind()), (None, "a mapping"));
}

#[test]
fn a_number_that_would_lose_digits_is_text_in_json() {
    let json = tree("{version: 1.10, zip: 012, half: 0.5, one: 1.0, many: 1e3}").to_json();
    assert_eq!(json.to_string(), r#"{"half":0.5,"many":1000.0,"one":1.0,"version":"1.10","zip":"012"}"#);
}

#[test]
fn nothing_is_a_null_and_an_alias_stands_where_it_is_used() {
    assert_eq!(tree("  \n").value, Tree::Null);
    let used = tree("a: &x {k: 1}\nb: *x\n");
    assert_eq!((used.at("/b").line, used.at("/b/k").text()), (2, Some("1")));
}

#[test]
fn what_is_refused_is_of_one_of_three_kinds() {
    assert_eq!(kind("a: [1"), FaultKind::Syntax);
    assert_eq!(kind("a: 1\na: 2"), FaultKind::Syntax);
    assert_eq!(kind("a: .inf"), FaultKind::Syntax, "it is no number of JSON");
    assert_eq!(kind("a: 1\n---\nb: 2"), FaultKind::SecondDocument);
    let many = "- 1\n".repeat(200);
    let often = format!("a: &x 1\nb: [{}]", "*x, ".repeat(20));
    for limit in ["[[[[[[[[1]]]]]]]]", &many, &often] {
        let fault = parse(limit, 1, LIMITS).unwrap_err();
        assert_eq!((fault.kind, fault.is_limit()), (FaultKind::Limit, true), "{fault:?}");
    }
    let twice = parse("a: 1\na: 2", 3, LIMITS).unwrap_err();
    assert_eq!(
        (twice.line, twice.message.as_str(), twice.is_limit()),
        (4, "the key \"a\" stands here a second time", false)
    );
}
