//! A process that is ordered to die does so at its point, and another one never does.

use spalla_crash::{AT_VARIABLE, TRACE_VARIABLE, crash_point};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Command;

/// What the child of the other tests does: three acts, each of which leaves a file. By itself it has no folder.
#[test]
fn acts_leave_a_file_each() {
    let Ok(folder) = std::env::var("FOLDER") else { return };
    for number in 1..=3 {
        let path = Path::new(&folder).join(number.to_string());
        crash_point!("test.act", std::fs::write(path, "")).expect("a file");
    }
    crash_point!("test.end");
}

/// Runs it, and returns the signal that ended it and how many files it left.
fn run(folder: &Path, env: &[(&str, &str)]) -> (Option<i32>, usize) {
    let this = std::env::current_exe().expect("this program");
    let mut command = Command::new(this);
    command.args(["--exact", "acts_leave_a_file_each", "--test-threads=1"]).env("FOLDER", folder);
    let output = command.envs(env.iter().copied()).output().expect("it runs");
    let files = (1..=3).filter(|number| folder.join(number.to_string()).exists()).count();
    (output.status.signal(), files)
}

fn at(order: &str) -> (Option<i32>, usize) {
    let folder = tempfile::tempdir().expect("a folder");
    run(folder.path(), &[(AT_VARIABLE, order)])
}

#[test]
fn without_an_order_nobody_dies() {
    assert_eq!(at("no.such.point:1"), (None, 3));
    assert_eq!(run(tempfile::tempdir().expect("a folder").path(), &[]), (None, 3));
}

#[test]
fn the_process_is_killed_at_the_nth_passage_before_or_after_the_act() {
    const KILL: Option<i32> = Some(9);
    assert_eq!(at("test.act.before:1"), (KILL, 0));
    assert_eq!(at("test.act.before:3"), (KILL, 2));
    assert_eq!(at("test.act.after:3"), (KILL, 3));
    assert_eq!(at("test.act.after:4"), (None, 3));
    assert_eq!(at("test.end:1"), (KILL, 3));
}

#[test]
fn of_several_processes_with_one_witness_one_dies() {
    let folder = tempfile::tempdir().expect("a folder");
    let order = format!("test.act.before:2:{}", folder.path().join("witness").display());
    let env = [(AT_VARIABLE, order.as_str())];
    assert_eq!(run(folder.path(), &env), (Some(9), 1));
    assert!(folder.path().join("witness").exists());
    assert_eq!(run(folder.path(), &env), (None, 3));
}

#[test]
fn a_trace_names_every_passage_in_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let trace = folder.path().join("trace");
    let path = trace.to_str().expect("text");
    assert_eq!(
        run(folder.path(), &[(TRACE_VARIABLE, path), (AT_VARIABLE, "test.act.after:2")]),
        (Some(9), 2)
    );
    let lines = std::fs::read_to_string(&trace).expect("the trace");
    assert_eq!(lines, "test.act.before\ntest.act.after\ntest.act.before\ntest.act.after\n");
}
