//! Tests of what is taken for the person's words, and of where each CLI says that it works.

use super::{Asked, Conversation, Letterhead, ToolResult, Turn};
use crate::provider::Dialect;

fn user(texts: &[&str]) -> Turn {
    Turn::User(texts.iter().map(|text| (*text).to_owned()).collect())
}

fn result(id: &str) -> Turn {
    Turn::Result(ToolResult { id: id.to_owned(), text: String::new() })
}

fn asked(system: &[&str], turns: Vec<Turn>) -> Asked {
    let system = system.iter().map(|text| (*text).to_owned()).collect();
    let head = Letterhead { key: "k".to_owned(), run: None, digest: "d".repeat(64), bytes: 400, at_ms: 0 };
    Asked::new(Dialect::Messages, head, Conversation { system, turns })
}

#[test]
fn results_count_from_the_persons_last_words_and_asides_are_no_words() {
    let asked = asked(
        &[],
        vec![
            user(&["<system-reminder>\nnot a word\n</system-reminder>", "First."]),
            result("a"),
            user(&["Second,", "of two parts."]),
            result("b"),
            user(&["<system-reminder>hurry</system-reminder>"]),
            result("c"),
        ],
    );
    assert_eq!(asked.user, "Second,\nof two parts.");
    let ids: Vec<&str> = asked.results.iter().map(|result| result.id.as_str()).collect();
    assert_eq!(ids, ["b", "c"]);
}

#[test]
fn after_an_interruption_only_what_came_since_are_words() {
    let turn = user(&["Wait for it.", "[Request interrupted by user]", "Are you there?"]);
    assert_eq!(asked(&[], vec![turn]).user, "Are you there?");
    let stopped = user(&["Wait for it.", "[Request interrupted by user]"]);
    assert_eq!(asked(&[], vec![user(&["Before."]), stopped]).user, "Before.");
}

#[test]
fn each_cli_says_where_it_works_in_its_own_words() {
    let codex = user(&["<environment_context>\n  <cwd>/tmp/my work</cwd>\n  <shell>bash</shell>"]);
    assert_eq!(asked(&[], vec![codex, user(&["Go."])]).folder.as_deref(), Some("/tmp/my work"));
    let claude = "# Environment\nYou have been invoked: \n - Primary working directory: /tmp/a\n - Is a git repository: no";
    assert_eq!(asked(&[claude], vec![user(&["Go."])]).folder.as_deref(), Some("/tmp/a"));
    let gemini = user(&["<session_context>\n- **Workspace Directories:**\n  - /tmp/g\n  - /tmp/h\n", "Go."]);
    assert_eq!(asked(&[], vec![gemini]).folder.as_deref(), Some("/tmp/g"));
}

#[test]
fn a_folder_that_only_the_person_names_is_not_believed() {
    let said = user(&["I like <cwd>/etc</cwd>."]);
    assert_eq!(asked(&[], vec![said]).folder, None);
}

#[test]
fn conversations_without_a_header_differ_in_folder_or_first_words() {
    let one = |words: &str, then: &str| asked(&[], vec![user(&[words]), result("a"), user(&[then])]).run;
    assert_eq!(one("Go.", "On."), one("Go.", "Back."));
    assert_ne!(one("Go.", "On."), one("Come.", "On."));
}
