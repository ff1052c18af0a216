//! No two types of the OpenAPI document have one name: the later would silently take the place of the earlier.

use super::finding::Finding;
use super::rust_source::Attribute;
use super::tree::Tree;
use std::collections::BTreeMap;

/// Finds the types that derive a schema under a name that another one has.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut named: BTreeMap<String, String> = BTreeMap::new();
    let mut findings = Vec::new();
    for (file, rust) in tree.rust_files() {
        for attribute in rust.attributes.iter().filter(|attribute| has_schema(attribute)) {
            let Some(name) = name_behind(&file.text, attribute.line) else { continue };
            let place = format!("{}:{}", file.path, attribute.line);
            match named.get(&name) {
                Some(first) => {
                    let message = format!(
                        "{name} is the name of another schema already ({first}): one of them would be lost"
                    );
                    findings.push(Finding::fault(&file.path, attribute.line, message));
                }
                None => drop(named.insert(name, place)),
            }
        }
    }
    findings
}

fn has_schema(attribute: &Attribute) -> bool {
    let is = |word: &str| attribute.words.iter().any(|own| own == word);
    is("derive") && is("ToSchema")
}

/// Returns the name that a type has in the document: its own, unless it says otherwise.
fn name_behind(text: &str, line: usize) -> Option<String> {
    let mut own = None;
    for line in text.lines().skip(line.saturating_sub(1)) {
        let words = || line.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
        if line.trim_start().starts_with("#[schema(") {
            own = words().skip_while(|word| *word != "as").find(|word| !word.is_empty() && *word != "as");
        }
        if words().any(|word| word == "struct" || word == "enum") {
            let name = words().skip_while(|word| *word != "struct" && *word != "enum").nth(1);
            return own.or(name).map(str::to_owned);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::tree::Tree;

    fn found(second: &str) -> usize {
        let first =
            "#[derive(Debug, ToSchema)]\n#[serde(deny_unknown_fields)]\npub struct Body {\n    a: u8,\n}\n";
        check(&Tree::of([("a.rs", first), ("b.rs", second)])).len()
    }

    #[test]
    fn a_second_schema_of_one_name_is_found() {
        assert_eq!(found("#[derive(ToSchema)]\nenum Body {\n    A,\n}\n"), 1);
        assert_eq!(found("#[derive(ToSchema)]\n#[schema(as = Body)]\nstruct Other;\n"), 1);
    }

    #[test]
    fn names_of_their_own_and_types_without_a_schema_are_none() {
        assert_eq!(found("#[derive(Debug)]\nstruct Body;\n"), 0);
        assert_eq!(found("#[derive(ToSchema)]\nstruct BodyOfOther;\n"), 0);
        assert_eq!(found("#[derive(ToSchema)]\n#[schema(as = Other)]\nstruct Body;\n"), 0);
    }
}
