//! Definitions go back to the files of command lines; what can't be said there is told.

use crate::fixtures::ODD;
use crate::{AT, Rooms, converted};
use spalla_registry::built_in;
use spalla_registry::definition::Definition;
use spalla_registry::export::{Target, export};
use std::fs;

#[test]
fn what_nobody_changed_goes_back_to_claude_byte_for_byte() {
    let rooms = Rooms::odd();
    let all = rooms.converted();
    for definition in all.definitions.values() {
        let brief =
            all.files.get(&format!("{}.md", definition.stem())).map(|bytes| String::from_utf8_lossy(bytes));
        let exported = export(Target::Claude, definition, &brief.unwrap_or_default()).unwrap();
        let (path, text) =
            ODD.iter().find(|(path, _)| *path == exported.path).unwrap_or_else(|| panic!("{exported:?}"));
        assert!(exported.text == *text && exported.losses.is_empty(), "{path}: {exported:?}");
    }
}

#[test]
fn a_change_is_exported_and_converts_to_the_same_definition() {
    let rooms = Rooms::odd();
    let mut definition = Definition::clone(&rooms.converted().definitions["plain"]);
    definition.agent.description = "Reviews: \"all\" queries.".into();
    definition.capabilities.detail.tools.allowed.push("mcp__a__b".into());
    definition.runtime.timeout_ms = Some(5);
    let exported = export(Target::Claude, &definition, "You are a reviewer.\n").unwrap();
    assert_eq!(
        exported.losses.iter().map(|loss| loss.field.as_str()).collect::<Vec<_>>(),
        ["runtime.timeout_ms"]
    );
    let other = Rooms::new();
    crate::fixtures::put(&other.source(), &exported.path, exported.text.as_bytes());
    let again = &converted(&other.source(), 1, AT).definitions["plain"];
    assert_eq!(again.agent.description, definition.agent.description);
    assert_eq!(again.capabilities.detail.tools, definition.capabilities.detail.tools);
    assert_eq!(again.source().unwrap()["keys"]["model"], "sonnet");
}

#[test]
fn codex_and_gemini_get_what_they_can_read_and_the_rest_is_told() {
    let all = Rooms::odd().converted();
    let codex = export(Target::Codex, &all.definitions["plain"], "You are a reviewer.\n").unwrap();
    let role: toml::Table = codex.text.parse().unwrap();
    assert_eq!((codex.path.as_str(), role["name"].as_str()), ("plain.toml", Some("plain")));
    assert_eq!(role["developer_instructions"].as_str(), Some("You are a reviewer.\n"));
    assert_eq!(role["sandbox_mode"].as_str(), Some("read-only"));
    let lost: Vec<_> = codex.losses.iter().map(|loss| loss.field.as_str()).collect();
    assert_eq!(lost, ["agent.name", "capabilities.detail.tools.allowed", "x-source.keys.model"]);

    let gemini = export(Target::Gemini, &all.definitions["block"], "You migrate.\n").unwrap();
    assert!(gemini.text.starts_with("---\nname: block\n"), "{}", gemini.text);
    assert!(gemini.text.contains("read_file") && gemini.text.contains("mcp_db_query"), "{}", gemini.text);
    assert!(!gemini.text.contains("run_shell_command"), "{}", gemini.text);
    assert!(
        gemini.losses.iter().any(|loss| loss.field.ends_with("Bash(psql:*, pg_dump:*)")),
        "{:?}",
        gemini.losses
    );
}

#[test]
fn what_comes_with_the_program_is_exported_to_each() {
    for agent in built_in::all() {
        for target in [Target::Claude, Target::Codex, Target::Gemini] {
            let exported = export(target, &agent.loaded.definition, agent.brief).unwrap();
            assert!(exported.text.contains("You are") && !exported.losses.is_empty(), "{exported:?}");
            assert!(!exported.path.contains('/'));
        }
    }
}

#[test]
fn a_path_that_leads_out_is_not_exported_to() {
    let rooms = Rooms::odd();
    let mut definition = Definition::clone(&rooms.converted().definitions["plain"]);
    definition.extra.get_mut("x-source").unwrap()["path"] = "../../x.md".into();
    assert_eq!(export(Target::Claude, &definition, "You").unwrap().path, "plain.md");
    assert!(fs::metadata(rooms.source()).is_ok());
}
