//! What a task file promises: strictness with places, and names that lead to tasks.

use super::*;

const FILE: &str = "\
tasks:
  up: {description: a server, service: true, ready: listening, timeout: 1.5, commands: [serve]}
  test:
    commands:
      - one
      - |
        two
        three
    env: {A: x, B: '1'}
    cwd: below/it
pipelines:
  both: [up, test]
";

fn problem(text: &str) -> String {
    read::task_file(text).unwrap_err()
}

#[test]
fn a_file_says_what_its_tasks_are_in_their_order() {
    let file = read::task_file(FILE).unwrap();
    let (up, test) = (file.task("up").unwrap(), file.task("test").unwrap());
    assert_eq!((up.service, up.ready.as_deref(), up.timeout_ms), (true, Some("listening"), Some(1_500)));
    assert_eq!(test.commands, ["one", "two\nthree\n"]);
    assert_eq!((test.env["B"].as_str(), test.cwd.as_deref(), test.service), ("1", Some("below/it"), false));
    assert_eq!(file.pipelines["both"], ["up", "test"]);
    assert!(!serde_json::to_string(&file).unwrap().contains("\"A\""), "a variable may be a secret");
}

#[test]
fn what_nobody_knows_is_refused_with_line_and_column() {
    for (text, place, wanted) in [
        ("tasks:\n  a:\n    commands: [x]\n    comands: [y]\n", "line 4, column 5", "comands"),
        ("tasks: {}\npipes: {}\n", "line 2, column 1", "pipes"),
        ("tasks:\n  a: {commands: x}\n", "line 2, column 17", ""),
        ("tasks:\n  a: {}\n", "line 2, column 6", "commands"),
        ("tasks:\n  a: {commands: [x]}\n  a: {commands: [y]}\n", "line 3, column 3", "a"),
        ("tasks: [\n", "line ", ""),
        ("", "line 1, column 1", ""),
        ("tasks: {}\n---\ntasks: {}\n", "line ", ""),
    ] {
        let problem = problem(text);
        assert!(problem.starts_with(place) && problem.contains(wanted), "{text:?}: {problem}");
    }
}

#[test]
fn what_can_not_be_meant_is_refused_with_line_and_column() {
    for (text, place, wanted) in [
        ("tasks:\n  a: {commands: []}\n", "line 2, column 6", "no commands"),
        ("tasks:\n  a: {commands: [x, '']}\n", "line 2, column 21", "not empty"),
        ("tasks:\n  a b: {commands: [x]}\n", "line 2", "no name"),
        ("tasks:\n  a: {commands: [x], cwd: ../b}\n", "line 2, column 27", "inside"),
        ("tasks:\n  a: {commands: [x], cwd: /b}\n", "line 2, column 27", "inside"),
        ("tasks:\n  a: {commands: [x], timeout: 0}\n", "line 2, column 31", "above 0"),
        ("tasks:\n  a: {commands: [x], timeout: .nan}\n", "line 2, column 31", "above 0"),
        ("tasks:\n  a: {commands: [x], ready: y}\n", "line 2, column 29", "service: true"),
        ("tasks:\n  a: {commands: [x], env: {'A B': y}}\n", "line 2", "no variable"),
        ("tasks:\n  a: {commands: [x]}\npipelines:\n  p: [a, b]\n", "line 4, column 10", "\"b\""),
        ("tasks:\n  a: {commands: [x]}\npipelines:\n  a: [a]\n", "line 4, column 6", "already"),
        ("tasks:\n  a: {commands: [x]}\npipelines:\n  p: []\n", "line 4, column 6", "no tasks"),
    ] {
        let problem = problem(text);
        assert!(problem.starts_with(place) && problem.contains(wanted), "{text:?}: {problem}");
    }
}

#[test]
fn names_are_those_of_tasks_and_of_pipelines() {
    let file = read::task_file(FILE).unwrap();
    let names = |given: &[&str]| {
        let given: Vec<String> = given.iter().map(|name| (*name).to_owned()).collect();
        file.resolve(&given).map(|tasks| tasks.iter().map(|task| task.name.clone()).collect::<Vec<_>>())
    };
    assert_eq!(names(&["test", "both"]).unwrap(), ["test", "up", "test"]);
    assert_eq!(names(&[]).unwrap(), ["up", "test"], "there is one pipeline only");
    assert_eq!(
        names(&["tset"]).unwrap_err().to_string(),
        "there is no task or pipeline \"tset\"; did you mean \"test\"?"
    );
    assert_eq!(
        file.task("both").unwrap_err().to_string(),
        "there is no task \"both\"; --list shows all of them"
    );
    let several = read::task_file("tasks: {a: {commands: [x]}}\n").unwrap();
    assert!(several.resolve(&[]).unwrap_err().to_string().contains("--list"));
}
