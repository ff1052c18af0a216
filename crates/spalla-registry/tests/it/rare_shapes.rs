//! Rarer shapes of agents' files: what is published of them can be read again, and nothing is allowed that its author did not allow.

use crate::Rooms;
use crate::fixtures::put;
use spalla_registry::convert::Converted;
use spalla_registry::definition::Definition;
use spalla_registry::export::{Target, export};
use spalla_registry::policy;
use spalla_registry::problem::Severity;
use spalla_registry::read;

/// Converts one file; its front matter is that of an agent named `x`, and some more lines.
fn with(more: &str) -> (Converted, Definition) {
    let rooms = Rooms::new();
    put(&rooms.source(), "x.md", format!("---\nname: x\ndescription: d\n{more}---\nYou are x.\n").as_bytes());
    let all = rooms.converted();
    let definition = all.definitions.get("x").unwrap_or_else(|| panic!("{:?}", all.problems));
    let definition = Definition::clone(definition);
    (all, definition)
}

fn codes(all: &Converted) -> Vec<&str> {
    let told = all.problems.iter().filter(|problem| problem.severity > Severity::Note);
    told.map(|problem| problem.code).collect()
}

#[test]
fn what_is_published_can_be_read_again_however_odd_its_source_is() {
    let lists = format!("k: {}{}\n", "[".repeat(22), "]".repeat(22));
    let many: String = (0..24_000).map(|number| format!("  k{number}: v\n")).collect();
    for more in [
        lists.as_str(),
        &format!("k:\n{many}"),
        "triggers:\n  keywords: [x]\n  file_patterns: [\"[\", \"*.rs\"]\n",
        "triggers:\n  keywords: [x]\n  regex: [plain, \"(\"]\n",
    ] {
        let (all, definition) = with(more);
        let text = std::str::from_utf8(&all.files["general/x.codex.yaml"]).unwrap();
        let loaded = read::definition("x", text).map_err(|problems| problems[0].to_string());
        assert_eq!(loaded.map(|loaded| loaded.definition), Ok(definition), "{}", &more[..20]);
    }
    let rooms = Rooms::new();
    let long = format!("{}.md", "n".repeat(240));
    put(&rooms.source(), &long, b"---\ndescription: d\n---\nYou are.\n");
    let all = rooms.converted();
    let (id, _) = all.definitions.iter().next().unwrap();
    let text = std::str::from_utf8(&all.files[&format!("general/{id}.codex.yaml")]).unwrap();
    assert!(read::definition("x", text).is_ok());
}

#[test]
fn a_definition_that_nobody_could_read_is_told_and_not_published() {
    let rooms = Rooms::new();
    // Each of these letters takes several times its room where it is written.
    let text = format!("---\nname: x\ndescription: \"{}\"\n---\nYou are.\n", "\u{7f}".repeat(1_000_000));
    put(&rooms.source(), "x.md", text.as_bytes());
    put(&rooms.source(), "y.md", b"---\nname: y\ndescription: d\n---\nYou are.\n");
    let all = rooms.converted();
    assert_eq!(all.definitions.keys().collect::<Vec<_>>(), ["y"]);
    assert!(all.broken == 1 && codes(&all).contains(&"unwritable"), "{:?}", codes(&all));
}

#[test]
fn globs_that_are_none_and_expressions_in_short_are_read_as_what_they_are() {
    let (all, definition) =
        with("triggers:\n  keywords: [x]\n  regex: [plain, \"(a+)+\"]\n  file_patterns: [\"[\", \"*.rs\"]\n");
    assert_eq!(definition.triggers.regex[0].pattern, "plain");
    assert_eq!(definition.triggers.file_patterns, ["*.rs"]);
    assert_eq!(definition.extra["x-triggers-regex"][0]["pattern"], "(a+)+");
    assert_eq!(definition.extra["x-triggers-file_patterns"][0], "[");
    assert_eq!(codes(&all), ["regex", "glob"]);
}

#[test]
fn an_empty_list_of_tools_lets_none_be_used_and_saying_nothing_all() {
    for none in ["tools: []\n", "tools: \"\"\n"] {
        let (_, definition) = with(none);
        let tools = &definition.capabilities.detail.tools;
        assert_eq!((tools.allowed.len(), tools.restricted.as_slice()), (0, &["*".to_owned()][..]), "{none}");
        let tools = policy::of(&definition, None).tools;
        assert_eq!((tools.allowed.len(), tools.restricted.as_slice()), (0, &["*".to_owned()][..]), "{none}");
        let mut changed = definition.clone();
        changed.agent.description = "other".into();
        let text = |target| export(target, &changed, "You are x.\n").unwrap().text;
        assert!(text(Target::Claude).contains("tools: []") && text(Target::Gemini).contains("tools: []"));
        assert!(text(Target::Codex).contains("read-only"));
    }
    let (all, definition) = with("tools:\n");
    assert_eq!(
        (definition.capabilities.detail.tools.allowed, codes(&all)),
        (vec!["*".into()], vec!["no-tools"])
    );
    assert_eq!(with("").1.capabilities.detail.tools.allowed, ["*"]);
}

#[test]
fn a_definition_that_names_no_tools_may_use_none() {
    let mut definition = with("").1;
    definition.capabilities.detail.tools.allowed.clear();
    assert_eq!(policy::of(&definition, None).tools.restricted, ["*"]);
}

#[test]
fn an_export_never_allows_more_than_the_definition() {
    let (_, mut definition) = with("tools: NotebookEdit\n");
    definition.agent.description = "other".into();
    let gemini = |definition: &Definition| export(Target::Gemini, definition, "You").unwrap().text;
    assert!(
        gemini(&definition).contains("tools: []"),
        "it has no tool of that kind: {}",
        gemini(&definition)
    );
    let (_, definition) = with("disallowedTools: Bash\n");
    let text = gemini(&definition);
    assert!(text.contains("read_file") && !text.contains("run_shell_command"), "{text}");
    assert!(!gemini(&with("").1).contains("tools"), "all of them is said by naming none");
}

#[test]
fn keys_in_quotes_and_with_large_letters_are_the_keys_that_they_are() {
    let rooms = Rooms::new();
    put(
        &rooms.source(),
        "q.md",
        b"---\n\"name\": q\n\"description\": Use it: now\n'tools': Read\n---\nYou are.\n",
    );
    put(&rooms.source(), "l.md", b"---\nName: l\nDescription: Use it: now\nTools: Read\n---\nYou are.\n");
    put(&rooms.source(), "m.md", b"---\nName: m\nDescription: fine\nTools: Read\nname: n\n---\nYou are.\n");
    let all = rooms.converted();
    for id in ["q", "l"] {
        let definition = &all.definitions[id];
        assert_eq!(definition.agent.description, "Use it: now", "{id}");
        assert_eq!(definition.capabilities.detail.tools.allowed, ["Read"], "{id}");
    }
    assert_eq!(codes(&all).iter().filter(|code| **code == "large").count(), 5, "{:#?}", all.problems);
    let both = &all.definitions["n"];
    assert_eq!((both.agent.name.as_str(), &both.source().unwrap()["keys"]["Name"]), ("n", &"m".into()));
}

#[test]
fn each_earlier_value_of_a_key_is_kept() {
    let (_, definition) = with("foo: 1\nfoo: 2\nfoo: 3\n");
    let source = definition.source().unwrap();
    assert_eq!((&source["earlier"]["foo"], &source["keys"]["foo"]), (&serde_json::json!([1, 2]), &3.into()));
}

#[test]
fn a_linked_folder_is_told_and_what_is_no_agent_s_file_may_be_called_as_it_likes() {
    use std::os::unix::ffi::OsStrExt as _;
    let rooms = Rooms::new();
    put(&rooms.source(), "real/x.md", b"---\nname: x\ndescription: d\n---\nYou are.\n");
    std::os::unix::fs::symlink("real", rooms.source().join("linked")).unwrap();
    let odd = |name: &[u8]| {
        std::fs::write(rooms.source().join(std::ffi::OsStr::from_bytes(name)), "x").unwrap();
    };
    odd(b"pic\xff.png");
    let all = rooms.converted();
    assert_eq!((all.definitions.len(), all.broken, codes(&all)), (1, 0, vec!["link"]));
    odd(b"agent\xff.md");
    let all = rooms.converted();
    assert_eq!((all.broken, codes(&all)), (1, vec!["file-name", "link"]));
}

#[test]
fn a_publication_among_the_sources_is_not_converted_once_more() {
    let rooms = Rooms::new();
    put(&rooms.source(), "x.md", b"---\nname: x\ndescription: d\n---\nYou are x.\n");
    let files = rooms.converted().files;
    spalla_registry::publish::publish(&files, &rooms.source().join("published")).unwrap();
    let all = rooms.converted();
    assert_eq!((all.files, codes(&rooms.converted())), (files, vec!["published"]));
}
