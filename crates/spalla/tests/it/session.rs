//! Sessions are listed and shown by any process, and nothing in them steers a terminal.

use crate::made_session::{ID, Made, change, put};
use crate::process::{Home, text};
use serde_json::Value;
use std::fs;

fn has_control(said: &str) -> bool {
    said.chars().any(|c| c.is_control() && c != '\n')
}

#[test]
fn sessions_are_listed_without_a_server_newest_first() {
    let made = Made::in_git(change);
    let mut older = made.read();
    (older["id"], older["created_at"]) = ("orch_1".into(), "2025-01-01T00:00:00.000Z".into());
    let folder = made.home.data().join("sessions/orch_1");
    fs::create_dir(&folder).expect("a folder");
    fs::write(folder.join("session.json"), older.to_string()).expect("a record");
    let listed: Value =
        serde_json::from_str(&made.home.run(&["session", "list", "--json"]).good()).expect("JSON");
    let ids: Vec<_> = listed.as_array().expect("a list").iter().map(|one| one["id"].clone()).collect();
    assert_eq!(ids, [ID, "orch_1"]);
    assert_eq!((&listed[0]["items_done"], &listed[0]["items"]), (&1.into(), &1.into()));
    let page = made.home.run(&["session", "list", "--limit", "1"]).good();
    assert!(page.contains("older sessions: 1;") && !page.contains("orch_1"), "{page}");
    assert_eq!(made.home.run(&["session", "list", "--limit", "0"]).status, Some(2));
    assert!(page.contains("Mend it") && page.contains("1/1") && !page.contains("and more"), "{page}");
    assert!(!has_control(&page), "{page:?}");
}

#[test]
fn a_data_folder_without_sessions_is_no_mistake_but_has_no_latest() {
    let home = Home::new();
    assert_eq!(home.run(&["session", "list", "--json"]).good().trim(), "[]");
    assert!(home.run(&["session", "list"]).good().contains("no sessions"));
    for verb in ["show", "diff", "apply"] {
        let ended = home.run(&["session", verb]);
        assert_eq!(
            (ended.status, ended.stderr.contains("there is no session")),
            (Some(2), true),
            "{ended:?}"
        );
        let ended = home.run(&["session", verb, "../x"]);
        assert_eq!(
            (ended.status, ended.stderr.contains("no name of a session")),
            (Some(2), true),
            "{ended:?}"
        );
    }
    assert!(!home.data().exists());
}

#[test]
fn a_session_is_shown_with_its_usage_walls_and_branch() {
    let made = Made::in_git(change);
    let shown: Value =
        serde_json::from_str(&made.home.run(&["session", "show", "--json"]).good()).expect("JSON");
    assert_eq!((&shown["id"], &shown["usage"]["total_tokens"]), (&ID.into(), &214.into()));
    assert_eq!(shown["sandbox"]["preset"], "agent");
    assert_eq!(shown["branch"], format!("spalla/{ID}"));
    assert_eq!(shown["repository"], text(&made.repository()));
    let page = made.home.run(&["session", "show", ID]).good();
    for words in ["214 tokens", "landlock enforced", "done, 1 of 1 done", "branch main", "session apply"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(!has_control(&page), "{page:?}");
}

#[test]
fn a_session_whose_process_died_is_told_from_one_that_goes_on() {
    let made = Made::in_git(change);
    let listed = || made.home.run(&["session", "list"]).good();
    assert!(!listed().contains("(left)"), "{}", listed());
    made.set("status", "running".into());
    assert!(listed().contains("running (left)"), "{}", listed());
    let page = made.home.run(&["session", "show"]).good();
    assert!(page.contains("running (left)") && page.contains("session resume"), "{page}");
    for verb in ["list", "show"] {
        let said = made.home.run(&["session", verb, "--json"]).good();
        assert!(said.contains(r#""is_pursued": false"#), "{said}");
    }
}

#[test]
fn a_diff_is_what_the_branch_changed_and_can_be_applied() {
    let made = Made::in_git(|folder| {
        change(folder);
        put(folder, ".gitattributes", "*.rs diff=own\n");
    });
    let marker = made.home.path("marker");
    for (key, value) in
        [("diff.external", "touch"), ("diff.own.textconv", "touch"), ("diff.own.command", "touch")]
    {
        let value = format!("{value} {}", text(&marker));
        crate::repository::git(&made.repository(), &["config", key, &value]);
    }
    let names = made.home.run(&["session", "diff", "--name-only"]).good();
    assert_eq!(
        names.lines().collect::<Vec<_>>(),
        [".gitattributes", "src/main.rs", "src/new/more.rs", "src/old/gone.rs"]
    );
    assert!(made.home.run(&["session", "diff", ID, "--stat"]).good().contains("4 files changed"));
    let diff = made.home.run(&["session", "diff"]).good();
    assert!(diff.contains("+fn main() { println!(); }") && !has_control(&diff), "{diff:?}");
    fs::write(made.home.path("d.patch"), diff).expect("a file");
    crate::repository::git(&made.target, &["apply", "--check", text(&made.home.path("d.patch"))]);
    assert!(!marker.exists(), "nothing of the repository was run");
}

#[test]
fn a_large_diff_is_whole() {
    let made = Made::in_git(|folder| put(folder, "large.txt", &"a line of text\n".repeat(60_000)));
    let diff = made.home.run(&["session", "diff"]).good();
    assert_eq!(diff.lines().filter(|line| *line == "+a line of text").count(), 60_000);
}
