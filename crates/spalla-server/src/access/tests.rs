//! Holds the table against the document: a route that is in none of the two is closed, and is a mistake.

use super::rules::{RULES, names};
use crate::api::build;
use std::collections::BTreeSet;

#[test]
fn every_route_is_in_the_table_and_nothing_else_is() {
    let mut document = build("0", true).1.document();
    let mut served = BTreeSet::new();
    for (path, item) in &mut document.paths.paths {
        let written = serde_json::to_value(&*item).unwrap();
        for method in ["get", "post", "put", "patch", "delete", "head", "options", "trace"] {
            if written.get(method).is_some() {
                served.insert((method.to_uppercase(), path.trim_end_matches('/').replace("{*", "{")));
            }
        }
    }
    let known: BTreeSet<_> = RULES.iter().map(names).collect();
    assert_eq!(served, known);
    assert_eq!(known.len(), RULES.len(), "no route is there twice");
}
