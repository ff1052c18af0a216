//! Tasks and pipelines of `codex.yaml`: order, the first failure, its status, time limits, services, and no process left.

use crate::process::{Ended, Home, Process, text, until};
use serde_json::Value;
use std::fs;
use std::path::Path;

const FILE: &str = "\
tasks:
  greet: {description: says hello, commands: ['echo hello $NAME', 'pwd'], env: {NAME: you}, cwd: below}
  break: {commands: ['echo before', 'exit 7', 'echo never']}
  after: {commands: ['echo after > after.txt']}
  late: {commands: ['sleep 60'], timeout: 0.2}
  segv: {commands: ['kill -SEGV $$']}
  stay:
    service: true
    ready: I am up
    commands: ['trap \"echo bye; exit 0\" TERM; echo I am up; while :; do sleep 0.05; done']
  meet: {commands: ['echo met']}
  never: {service: true, ready: up, timeout: 0.2, commands: ['sleep 60']}
  fall: {service: true, ready: up, commands: ['echo up; until test -e go; do sleep 0.05; done; exit 9']}
  push: {commands: ['touch go; sleep 60']}
  was: {service: true, ready: up, commands: ['echo it was there']}
  hang: {commands: ['echo $$ > pid; sleep 60 & echo $! >> pid; wait']}
pipelines:
  both: [greet, after]
";

fn home() -> Home {
    let home = Home::new();
    fs::write(home.path("codex.yaml"), FILE).expect("a file");
    fs::create_dir(home.path("below")).expect("a folder");
    home
}

fn lines(ended: &Ended) -> Vec<&str> {
    ended.stdout.lines().collect()
}

#[test]
fn a_task_runs_its_commands_in_order_and_says_which_it_is() {
    let home = home();
    let ended = home.run(&["task", "greet"]);
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let below = fs::canonicalize(home.path("below")).expect("a folder");
    let expected = ["== greet: says hello", "$ echo hello $NAME", "hello you", "$ pwd", text(&below)];
    assert_eq!(lines(&ended), expected);
    let quiet = home.run(&["task", "greet", "--quiet"]);
    assert_eq!(lines(&quiet), ["hello you", text(&below)]);
}

#[test]
fn the_first_failure_ends_a_pipeline_with_its_status() {
    let home = home();
    let ended = home.run(&["pipeline", "greet", "break", "after"]);
    assert_eq!(ended.status, Some(7), "{ended:?}");
    assert!(ended.stdout.contains("hello you") && ended.stdout.contains("before"), "{ended:?}");
    assert!(!ended.stdout.contains("never") && !home.path("after.txt").exists(), "{ended:?}");
    assert_eq!(ended.stderr, "error: task break: exit status 7 of `exit 7`\n");
    assert_eq!(home.run(&["task", "segv"]).status, Some(139), "a signal counts as a shell counts it");
    assert_eq!(home.run(&["task", "break", "--file", text(&home.path("codex.yaml"))]).status, Some(7));
}

#[test]
fn a_pipeline_by_name_is_its_tasks_and_the_only_one_needs_no_name() {
    let home = home();
    for args in [&["pipeline", "both"][..], &["pipeline"]] {
        home.run(args).good();
        fs::remove_file(home.path("after.txt")).expect("the last task ran");
    }
}

#[test]
fn a_task_whose_time_is_over_is_ended_with_124() {
    let ended = home().run(&["pipeline", "late", "after"]);
    assert_eq!(ended.status, Some(124), "{ended:?}");
    assert!(ended.stderr.contains("its time was over during `sleep 60`"), "{ended:?}");
}

#[test]
fn what_came_of_it_is_there_as_json_and_the_output_elsewhere() {
    let ended = home().run(&["pipeline", "greet", "break", "after", "--json"]);
    assert_eq!(ended.status, Some(7), "{ended:?}");
    let report: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    let tasks = report["tasks"].as_array().expect("a list");
    let status: Vec<&Value> = tasks.iter().map(|task| &task["status"]).collect();
    assert_eq!(status, ["succeeded", "failed", "not_begun"]);
    assert_eq!((&report["exit_code"], &tasks[1]["exit_code"]), (&7.into(), &7.into()));
    assert!(ended.stderr.contains("hello you"), "{ended:?}");
}

#[test]
fn lists_and_plans_run_nothing() {
    let home = home();
    for command in ["task", "pipeline"] {
        let list = home.run(&[command, "--list"]).good();
        assert!(list.contains("says hello") && list.contains("greet → after"), "{list}");
        let list: Value =
            serde_json::from_str(&home.run(&[command, "--list", "--json"]).good()).expect("JSON");
        assert_eq!(list["pipelines"]["both"][1], "after");
    }
    let plan = home.run(&["pipeline", "stay", "both", "--dry-run"]).good();
    assert!(plan.contains("== stay (a service") && plan.contains("$ echo after > after.txt"), "{plan}");
    let plan = home.run(&["task", "after", "--dry-run", "--json"]).good();
    assert_eq!(serde_json::from_str::<Value>(&plan).expect("JSON")["tasks"][0]["name"], "after");
    assert!(!home.path("after.txt").exists());
}

#[test]
fn a_wrong_file_or_name_is_a_usage_error_that_says_where() {
    let home = home();
    for (args, wanted) in [
        (&["task", "gret"][..], "did you mean \"greet\"?"),
        (&["pipeline", "greet", "bth"], "did you mean \"both\"?"),
        (&["task", "greet", "--file", "none.yaml"], "--file"),
    ] {
        let ended = home.run(args);
        assert_eq!(ended.status, Some(2), "{ended:?}");
        assert!(ended.stderr.contains(wanted) && ended.stdout.is_empty(), "{ended:?}");
    }
    fs::write(home.path("codex.yaml"), "tasks:\n  a:\n    commands: [x]\n    retry: 2\n").expect("a file");
    let ended = home.run(&["task", "a"]);
    assert_eq!(ended.status, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("line 4, column 5") && ended.stderr.contains("retry"), "{ended:?}");
}

#[test]
fn a_service_is_ready_before_what_follows_and_ended_after_it() {
    let ended = home().run(&["pipeline", "stay", "meet"]);
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let said = lines(&ended);
    let place = |line: &str| said.iter().position(|said| *said == line);
    let order = [place("stay | I am up"), place("met"), place("stay | bye")];
    assert!(order.iter().all(Option::is_some) && order.is_sorted(), "{said:?}");
}

#[test]
fn a_service_that_had_nothing_to_do_holds_nothing_up() {
    home().run(&["pipeline", "was", "meet"]).good();
    home().run(&["task", "was"]).good();
}

#[test]
fn a_service_that_is_never_ready_or_fails_ends_the_pipeline() {
    let home = home();
    let late = home.run(&["pipeline", "never", "after"]);
    assert_eq!((late.status, home.path("after.txt").exists()), (Some(124), false), "{late:?}");
    let fell = home.run(&["pipeline", "fall", "push", "after", "--json"]);
    assert_eq!((fell.status, home.path("after.txt").exists()), (Some(9), false), "{fell:?}");
    let report: Value = serde_json::from_str(&fell.stdout).expect("JSON");
    let status: Vec<&Value> =
        report["tasks"].as_array().expect("a list").iter().map(|t| &t["status"]).collect();
    assert_eq!(status, ["failed", "stopped", "not_begun"]);
}

#[tokio::test]
async fn an_interrupted_task_is_ended_with_all_its_processes() {
    for (args, signal) in [(["task", "hang"], "INT"), (["pipeline", "hang"], "TERM")] {
        let home = home();
        let (process, first) = Process::start(&home, "hang.log", home.command(&args));
        assert_eq!(first, "== hang");
        let pids = until("both processes run", || async {
            let text = fs::read_to_string(home.path("pid")).unwrap_or_default();
            let pids: Vec<String> = text.lines().map(str::to_owned).collect();
            (pids.len() == 2).then_some(pids)
        });
        let pids = pids.await;
        process.signal(signal);
        assert_eq!(process.wait().code(), Some(130));
        for pid in pids {
            let gone = !Path::new(&format!("/proc/{pid}")).exists();
            assert!(gone, "{pid} is left");
        }
        assert!(home.stderr_of("hang.log").contains(&format!("SIG{signal}")));
    }
}

#[tokio::test]
async fn a_service_alone_runs_until_it_is_interrupted() {
    let home = home();
    let (mut process, _) = Process::start(&home, "stay.log", home.command(&["task", "stay"]));
    while process.next_line() != "stay | I am up" {}
    process.signal("INT");
    assert_eq!(process.next_line(), "stay | bye");
    assert_eq!(process.wait().code(), Some(130));
}

#[test]
fn the_pipeline_of_this_repository_takes_a_server_and_a_worker_through_the_demo() {
    let home = Home::new();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../codex.yaml");
    fs::copy(file, home.path("codex.yaml")).expect("the file");
    let mut command = home.command(&["pipeline", "up", "agent", "demo"]);
    let ended = crate::process::ended(command.env("SPALLA_LISTEN", "127.0.0.1:0").output().expect("it runs"));
    assert_eq!(ended.status, Some(0), "{ended:?}");
    for wanted in [
        "up | listening on http://127.0.0.1:",
        "agent | worker ",
        "project 1 (sample)",
        "approval 1 is pending",
    ] {
        assert!(ended.stdout.contains(wanted), "{wanted:?} is missing in {}", ended.stdout);
    }
    assert!(!home.data().join("server.json").exists(), "the server has ended in order");
    let list = home.run(&["pipeline", "--list", "--json"]).good();
    let list: Value = serde_json::from_str(&list).expect("JSON");
    assert_eq!(list["pipelines"]["agent-demo"], serde_json::json!(["up", "agent", "demo"]));
    assert!(list["tasks"]["codex-test"].is_object());
}
