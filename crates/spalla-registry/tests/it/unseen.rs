//! Thirty files that nobody would write on purpose, beside one that is fine: each is an agent, a document or a clear problem, and
//! nothing appears outside of the output folder.

use crate::fixtures::put;
use crate::{AT, Rooms};
use spalla_registry::problem::Severity;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// What is to come of a file.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Wanted {
    /// An agent, with nothing worse to be said than a note.
    Agent,
    /// An agent, with a warning of this code.
    Warned(&'static str),
    /// No agent, and an error of this code.
    Refused(&'static str),
}
use Wanted::{Agent, Refused, Warned};

fn utf16(text: &str, is_little: bool) -> Vec<u8> {
    let units = std::iter::once(0xfeff).chain(text.encode_utf16());
    units.flat_map(|unit| if is_little { unit.to_le_bytes() } else { unit.to_be_bytes() }).collect()
}

/// The files, by their paths.
fn files() -> Vec<(&'static str, Vec<u8>, Wanted)> {
    let plain = |text: &str| text.as_bytes().to_vec();
    let with =
        |keys: &str| format!("---\nname: x\ndescription: Does x.\n{keys}\n---\nYou do x.\n").into_bytes();
    let body = |body: &str| format!("---\nname: x\ndescription: Does x.\n---\n{body}").into_bytes();
    let mut bomb = String::from("a: &a [x, x, x, x, x, x, x, x, x, x]\n");
    for (name, before) in "bcdefgh".chars().zip("abcdefg".chars()) {
        bomb.push_str(&format!("{name}: &{name} [{}]\n", vec![format!("*{before}"); 10].join(", ")));
    }
    let deep: String = (0..500).map(|depth| format!("{}k:\n", " ".repeat(depth))).collect();
    vec![
        ("bom.md", [&b"\xef\xbb\xbf"[..], &with("model: m")].concat(), Agent),
        ("crlf.md", String::from_utf8(with("model: m")).unwrap().replace('\n', "\r\n").into_bytes(), Agent),
        (
            "cr.md",
            String::from_utf8(with("model: m")).unwrap().replace('\n', "\r").into_bytes(),
            Refused("line-ends"),
        ),
        ("dots.md", plain("---\nname: x\ndescription: Ends by dots.\n...\nYou do x.\n"), Agent),
        ("rules.md", body("You do x.\n\n---\n\nname: other\n---\nmore\n"), Agent),
        ("anchor.md", with("model: &m opus\nother: *m"), Agent),
        ("merge.md", with("base: &b {x: 1}\nmore:\n  <<: *b"), Agent),
        ("self.md", with("loop: &l [*l]"), Warned("not-yaml")),
        ("bomb.md", with(&bomb), Refused("limit")),
        ("deep.md", with(&deep), Refused("limit")),
        ("flow.md", with(&format!("deep: {}", "{a: ".repeat(3_000))), Refused("limit")),
        ("long.md", with(&format!("long: {}", "a".repeat(2_000_000))), Refused("too-large")),
        ("large.md", body(&"You do x. ".repeat(1_100_000)), Refused("too-large")),
        (
            "many-keys.md",
            with(&(0..30_000).map(|key| format!("k{key}: 1\n")).collect::<String>()),
            Refused("limit"),
        ),
        ("nul.md", body("You\0do x.\n"), Refused("nul")),
        ("utf16le.md", utf16("---\nname: x\n---\nYou do x.\n", true), Refused("not-utf8")),
        ("utf16be.md", utf16("---\nname: x\n---\nYou do x.\n", false), Refused("not-utf8")),
        ("latin1.md", b"---\nname: x\ndescription: f\xfcr x\n---\nYou do x.\n".to_vec(), Refused("not-utf8")),
        ("twice.md", with("name: y"), Warned("twice")),
        ("tabs.md", with("tools:\n\t- Read"), Warned("not-yaml")),
        ("tag.md", with("model: !!python/object/apply:os.system [rm]"), Warned("not-yaml")),
        ("path-id.md", with("id: ../../../etc/passwd"), Warned("no-word")),
        ("path-domain.md", with("domain: /etc"), Warned("no-word")),
        (
            "list-name.md",
            plain("---\nname: [a, b]\ndescription: {a: b}\n---\nYou do x.\n"),
            Warned("no-text"),
        ),
        ("number.md", plain("---\nname: 0x10\ndescription: 1e999\n---\nYou do x.\n"), Warned("not-yaml")),
        (
            "two-documents.md",
            plain("---\nname: x\ndescription: d\n--- \nYou do x.\n---\nname: y\n---\n"),
            Agent,
        ),
        ("controls.md", with("model: \"\\e[2J\\a\""), Agent),
        (
            "right-to-left.md",
            plain("---\nname: \"x\u{202e}dm.\"\ndescription: Does x.\n---\nYou do x.\n"),
            Agent,
        ),
        ("empty.md", Vec::new(), Agent),
        ("open.md", plain("---\nname: x\ndescription: never ends"), Warned("no-end")),
    ]
}

/// Every name below a folder but in the output folder.
fn names(root: &Path) -> Vec<String> {
    let mut names = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).unwrap().map(Result::unwrap) {
            names.push(entry.path().display().to_string());
            if entry.file_type().unwrap().is_dir() && entry.path() != root.join("codex/agents") {
                open.push(entry.path());
            }
        }
    }
    names.sort();
    names
}

#[test]
fn each_is_an_agent_a_document_or_a_clear_problem() {
    let mut wrong = BTreeMap::new();
    for (path, bytes, wanted) in files() {
        let rooms = Rooms::new();
        put(&rooms.source(), "good.md", b"---\nname: good\ndescription: d\n---\nYou are good.\n");
        put(&rooms.source(), path, &bytes);
        fs::create_dir(rooms.root.path().join("codex")).unwrap();
        let before = names(rooms.root.path());
        let all = rooms.converted();
        assert!(all.definitions.contains_key("good"), "{path}");
        let worst = all.problems.iter().filter(|one| one.path == path).max_by_key(|one| one.severity);
        let found = match worst {
            Some(worst) if worst.severity == Severity::Error => Refused(worst.code),
            Some(worst) if worst.severity == Severity::Warning => Warned(worst.code),
            _ => Agent,
        };
        let told = worst.map(ToString::to_string).unwrap_or_default();
        let is_told = matches!(found, Agent) || told.starts_with(&format!("{path}:")) && !told.contains('\n');
        if found != wanted || !is_told {
            wrong.insert(path, (wanted, found, told));
        }
        rooms.publish(AT);
        let mut after = names(rooms.root.path());
        after.retain(|name| !name.ends_with("/codex/agents"));
        assert_eq!(after, before, "{path}");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn ids_that_differ_in_the_case_of_their_letters_are_two_files() {
    let rooms = Rooms::new();
    put(&rooms.source(), "a.md", b"---\nname: Reviewer\ndescription: d\n---\nYou are one.\n");
    put(&rooms.source(), "b.md", b"---\nname: reviewer\ndescription: d\n---\nYou are two.\n");
    put(&rooms.source(), "REVIEWER.md", b"---\nname: REVIEWER\ndescription: d\n---\nYou are three.\n");
    let all = rooms.converted();
    let ids: Vec<&String> = all.definitions.keys().collect();
    assert_eq!(ids, ["reviewer", "reviewer-2", "reviewer-3"]);
    let small: std::collections::BTreeSet<String> =
        all.files.keys().map(|path| path.to_lowercase()).collect();
    assert_eq!(small.len(), all.files.len());
}

#[test]
fn what_nobody_may_read_is_told_and_a_folder_with_the_name_of_a_file_is_a_folder() {
    use std::os::unix::fs::PermissionsExt as _;
    let rooms = Rooms::new();
    put(&rooms.source(), "folder.md/inside.md", b"---\nname: inside\ndescription: d\n---\nYou are in.\n");
    put(&rooms.source(), "closed.md", b"---\nname: closed\ndescription: d\n---\nYou are closed.\n");
    fs::set_permissions(rooms.source().join("closed.md"), fs::Permissions::from_mode(0o000)).unwrap();
    let is_closed = fs::read(rooms.source().join("closed.md")).is_err();
    let all = rooms.converted();
    assert!(all.definitions.contains_key("inside"));
    // Whoever may read everything reads it.
    let told = all.problems.iter().any(|problem| problem.code == "unreadable");
    assert_eq!((told, all.definitions.contains_key("closed")), (is_closed, !is_closed));
}
