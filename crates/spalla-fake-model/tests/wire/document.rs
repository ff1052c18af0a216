//! The document shows scripts that are ones.

use spalla_fake_model::Script;

const DOCUMENT: &str = include_str!("../../../../docs/fake-model.md");

fn shown(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    DOCUMENT.split(&fence).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

#[test]
fn the_scripts_of_the_document_are_scripts() {
    let (toml, json) = (shown("toml"), shown("json"));
    assert_eq!((toml.len(), json.len()), (1, 1));
    assert_eq!(Script::from_toml(toml[0]).expect("a script").rules.len(), 3);
    assert_eq!(Script::from_json(json[0]).expect("a script").rules.len(), 1);
}
