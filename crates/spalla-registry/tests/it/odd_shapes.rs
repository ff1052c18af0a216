//! What people really write is converted whole, and twice alike.

use crate::fixtures::{AGENTS, ODD};
use crate::{AT, Rooms, converted};
use spalla_registry::definition::Definition;
use spalla_registry::problem::Severity;
use spalla_registry::read;
use std::collections::BTreeSet;

fn of<'a>(all: &'a spalla_registry::convert::Converted, id: &str) -> &'a Definition {
    all.definitions.get(id).unwrap_or_else(|| panic!("no {id} in {:?}", all.definitions.keys()))
}

#[test]
fn every_odd_shape_is_converted_and_only_guesses_are_warned_about() {
    let rooms = Rooms::odd();
    let all = rooms.converted();
    assert_eq!((all.definitions.len(), all.documents, all.broken), (AGENTS, 2, 0), "{:#?}", all.problems);
    let warned: BTreeSet<_> = all
        .problems
        .iter()
        .filter(|problem| problem.severity == Severity::Warning)
        .map(|problem| (problem.path.as_str(), problem.code))
        .collect();
    let wanted = [
        ("01-core-work/colon.md", "not-yaml"),
        ("b/other.md", "collision"),
        ("bare.md", "no-front-matter"),
        ("example-lines.md", "not-yaml"),
        ("example.md", "not-yaml"),
        ("full.md", "regex"),
        ("full.md", "unknown-key"),
        ("no-description.md", "no-description"),
        ("no-name.md", "no-name"),
        ("open.md", "no-end"),
        ("star.md", "not-yaml"),
        ("tab.md", "not-yaml"),
        ("twice.md", "twice"),
    ];
    assert_eq!(warned, wanted.into_iter().collect());
}

#[test]
fn what_is_read_is_what_was_meant() {
    let all = Rooms::odd().converted();
    let tools = |id: &str| of(&all, id).capabilities.detail.tools.allowed.clone();
    assert_eq!(tools("plain"), ["Read", "Grep"]);
    assert_eq!(tools("block"), ["Read", "mcp__db__query", "Bash(psql:*, pg_dump:*)"]);
    assert_eq!((tools("star"), tools("folded")), (vec!["*".to_owned()], vec!["*".to_owned()]));
    assert_eq!(tools("tab"), ["Read", "Grep"]);
    assert_eq!(of(&all, "mapped").capabilities.detail.tools.restricted, ["Bash"]);
    assert_eq!(of(&all, "escaped").agent.description, "Use it.");
    let example = &of(&all, "example").agent;
    assert_eq!(example.description, "Use this agent when code is done.");
    assert!(example.long_description.as_ref().is_some_and(|long| long.contains("<commentary>why")));
    assert_eq!(of(&all, "example-lines").source().unwrap()["keys"]["model"], "opus");
    assert!(of(&all, "colon").triggers.keywords.starts_with(&[
        "gdpr".into(),
        "consent".into(),
        "data subject".into()
    ]));
    assert_eq!(of(&all, "twice").agent.description, "two");
    assert_eq!(of(&all, "twice").source().unwrap()["earlier"]["description"], "one");
    assert_eq!(
        (of(&all, "no-name").provenance["agent.name"].as_str(), of(&all, "no-name").agent.name.as_str()),
        ("first heading", "The Nameless")
    );
    let unity = of(&all, "level-designer");
    assert_eq!(
        (unity.stem().as_str(), unity.agent.name.as_str()),
        ("games/unity/level-designer", "Level Designer")
    );
    assert_eq!(unity.responsibilities.primary, ["Level Flow", "Pacing"]);
    assert!(unity.triggers.file_patterns.contains(&"**/*.cs".to_owned()), "{unity:?}");
    assert_eq!(of(&all, "quoted").capabilities.detail.languages, ["go"]);
    assert_eq!(of(&all, "services").extra["x-meta"]["version"], "1.10");
    let full = of(&all, "full");
    assert_eq!((full.stem().as_str(), full.runtime.timeout_ms), ("quality/full", Some(60_000)));
    assert_eq!(full.triggers.regex.len(), 1);
    assert_eq!(full.triggers.keywords, ["format", "schema", "format checks"]);
    assert_eq!(
        (&full.triggers.avoid[..], &full.triggers.delegations.prefers[..]),
        (&["prose".to_owned()][..], &["plain".to_owned()][..])
    );
    assert_eq!((&full.extra["x-own"], &full.extra["x-runtime-colour"]), (&"kept".into(), &"red".into()));
    assert!(all.definitions.contains_key("same") && all.definitions.contains_key("b-same"));
}

#[test]
fn no_key_of_a_front_matter_is_lost() {
    let all = Rooms::odd().converted();
    let placed = ["name", "description", "tools", "domain", "tier", "runtime", "triggers", "metrics"];
    for (path, text) in ODD {
        let found = all.definitions.values().find(|one| one.source().unwrap()["path"] == *path);
        let Some(definition) = found else { continue };
        let head = definition.source().unwrap()["head"].as_str().unwrap();
        assert!(text.starts_with(head), "{path}");
        for line in head.lines().filter(|line| line.starts_with(|letter: char| letter.is_ascii_lowercase())) {
            let Some((key, _)) = line.split_once(':') else { continue };
            let keys = definition.source().unwrap().get("keys").and_then(|keys| keys.get(key));
            let is_said = definition.agent.long_description.as_ref().is_some_and(|long| long.contains(line));
            let is_extra = definition.extra.contains_key(key)
                || key == "meta" && definition.extra.contains_key("x-meta");
            assert!(placed.contains(&key) || keys.is_some() || is_extra || is_said, "{path}: {key}");
        }
    }
}

#[test]
fn any_number_of_threads_and_any_order_of_files_make_the_same_bytes() {
    let (one, other) = (Rooms::odd(), Rooms::new());
    for (path, text) in ODD.iter().rev() {
        crate::fixtures::put(&other.source(), path, text.as_bytes());
    }
    let first = converted(&one.source(), 1, AT);
    for jobs in [1, 2, 7, 64] {
        assert_eq!(converted(&other.source(), jobs, AT).files, first.files, "{jobs} threads");
    }
}

#[test]
fn what_is_published_is_read_back_as_it_was_meant() {
    let all = Rooms::odd().converted();
    for definition in all.definitions.values() {
        let path = format!("{}.codex.yaml", definition.stem());
        let text = std::str::from_utf8(&all.files[&path]).unwrap();
        let loaded = read::definition(&path, text).unwrap();
        assert_eq!(loaded.definition, **definition, "{text}");
        assert_eq!(loaded.problems, []);
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 64, ..Default::default() })]
    /// Whatever stands in a file, reading it ends, and what is made of it is read back.
    #[test]
    fn any_text_is_an_agent_a_document_or_a_problem(yaml in "(?s)([a-z]{1,8}: ?.{0,40}\n){0,6}", body in "(?s).{0,80}") {
        let text = format!("---\n{yaml}---\n{body}");
        if let spalla_registry::source::Reading::Agent(source) = spalla_registry::source::read("a.md", text.as_bytes()) {
            proptest::prop_assert_eq!(format!("{}{}", source.head, source.body), text.clone());
            let rooms = Rooms::new();
            crate::fixtures::put(&rooms.source(), "a.md", text.as_bytes());
            let all = rooms.converted();
            for definition in all.definitions.values() {
                let path = format!("{}.codex.yaml", definition.stem());
                let yaml = std::str::from_utf8(&all.files[&path]).unwrap();
                let loaded = read::definition(&path, yaml);
                proptest::prop_assert_eq!(loaded.map(|loaded| loaded.definition), Ok(Definition::clone(definition)));
            }
        }
    }
}
