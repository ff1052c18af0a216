//! `spalla run --ci` with the real binary: what a pipeline finds afterwards.

use crate::process::{Ended, ended, text};
use crate::scripted::Place;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

/// A token that nothing may show.
const TOKEN: &str = "ghp_0123456789abcdefghijSECRET";

fn run(place: &Place, args: &[&str], env: &[(&str, &str)]) -> Ended {
    let all = [&["run", "--target", text(&place.target), "--agents", "codex"][..], args].concat();
    ended(place.command(&all).envs(env.iter().copied()).output().expect("the binary runs"))
}

fn read(place: &Place, name: &str) -> String {
    let path = place.home.path("spalla-report").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn a_task_that_is_done_is_told_in_three_files() {
    let place = Place::make();
    place.let_go();
    let goal = format!("Write hello.txt and never {TOKEN}");
    let done = run(&place, &["--ci", &goal], &[("GITHUB_TOKEN", TOKEN)]);
    assert_eq!(done.status, Some(0), "{done:?}");
    assert!(!done.stdout.contains("::"), "no runner listens: {}", done.stdout);
    let junit = read(&place, "junit.xml");
    assert!(
        junit.contains("classname=\"spalla.work.codex\"") && junit.contains("classname=\"spalla.merge."),
        "{junit}"
    );
    assert!(junit.contains("failures=\"0\" errors=\"0\""), "{junit}");
    let sarif: Value = serde_json::from_str(&read(&place, "report.sarif")).expect("JSON");
    assert_eq!(
        (&sarif["version"], &sarif["runs"][0]["invocations"][0]["exitCode"]),
        (&"2.1.0".into(), &0.into())
    );
    assert!(read(&place, "summary.md").contains("Spalla: done"));
    for name in ["junit.xml", "report.sarif", "summary.md"] {
        assert!(!read(&place, name).contains(TOKEN), "{name}");
    }
}

#[test]
fn what_fails_is_annotated_where_github_actions_listens() {
    let place = Place::make();
    let summary = place.home.path("step");
    let env =
        [("GITHUB_ACTIONS", "true"), ("GITHUB_STEP_SUMMARY", text(&summary)), ("ORCH_MAX_RETRIES", "0")];
    // Without a place to write, the agent changes nothing, which is a failure.
    let failed = run(&place, &["--ci", "--report-dir", "out", "You and other are asked"], &env);
    assert_eq!(failed.status, Some(1), "{failed:?}");
    let lines: Vec<&str> = failed.stdout.lines().collect();
    let word = lines[0].strip_prefix("::stop-commands::").expect("the runner takes no commands of agents");
    let resumed =
        lines.iter().position(|line| *line == format!("::{word}::")).expect("until they are silent");
    assert!(lines[resumed + 1..].iter().all(|line| line.starts_with("::error ")), "{lines:?}");
    assert!(lines.len() > resumed + 1, "{lines:?}");
    assert!(fs::read_to_string(&summary).expect("a summary").contains("Spalla: failed"));
    let junit = fs::read_to_string(place.home.path("out/junit.xml")).expect("a report");
    assert!(junit.contains("<failure "), "{junit}");
}

#[test]
fn what_can_not_begin_is_told_as_well() {
    let place = Place::make();
    let args = ["run", "--ci", "--target", "/nowhere/at/all", "Write hello.txt"];
    let refused = ended(place.command(&args).output().expect("the binary runs"));
    assert_eq!(refused.status, Some(2), "{refused:?}");
    let junit = read(&place, "junit.xml");
    assert!(junit.contains("errors=\"1\"") && junit.contains("/nowhere/at/all"), "{junit}");
}

/// Makes a repository whose test is a command.
fn checked(place: &Place, command: &str) -> PathBuf {
    let target = place.home.path("checked");
    fs::create_dir(&target).expect("a folder");
    fs::write(target.join("Makefile"), format!("test:\n\t{command}\n")).expect("a file");
    let git = |args: &[&str]| crate::repository::git(&target, args);
    git(&["init", "--quiet", "--initial-branch=main"]);
    git(&["add", "."]);
    git(&["-c", "user.name=Me", "-c", "user.email=me@localhost", "commit", "--quiet", "-m", "a test"]);
    target
}

#[test]
fn red_tests_fail_a_pipeline_and_are_told_with_places_and_cases() {
    let place = Place::make();
    let target = checked(&place, "@echo 'src/main.c:3:5: error: no such thing'; exit 1");
    let run = |flags: &[&str]| {
        let all = [&["run", "--target", text(&target)][..], flags, &["Run the tests and report"]].concat();
        let mut command = place.home.command(&all);
        ended(command.env("ORCH_BACKOFF_BASE_SECONDS", "0.05").output().expect("the binary runs"))
    };
    let asked = run(&["--json"]);
    assert_eq!(asked.status, Some(0), "whoever asks for a report has it: {asked:?}");
    let done = run(&["--ci", "--json"]);
    let told: Value = serde_json::from_str(&done.stdout).expect("JSON");
    assert_eq!(
        (done.status, &told["exit_status"], &told["status"]),
        (Some(1), &1.into(), &"failed".into()),
        "{done:?}"
    );
    let junit = read(&place, "junit.xml");
    assert!(junit.contains("<testsuite name=\"verifier\"") && junit.contains("make"), "{done:?} {junit}");
    let sarif: Value = serde_json::from_str(&read(&place, "report.sarif")).expect("JSON");
    assert_eq!(sarif["runs"][0]["invocations"][0]["exitCode"], 1);
    let results = sarif["runs"][0]["results"].as_array().expect("results");
    assert!(results.iter().any(|result| result["ruleId"] == "command-failed"), "{sarif}");
}

#[test]
fn green_tests_let_a_pipeline_go_on() {
    let place = Place::make();
    let target = checked(&place, "@true");
    let args = ["run", "--ci", "--target", text(&target), "Run the tests and report"];
    let done = ended(place.home.command(&args).output().expect("the binary runs"));
    assert_eq!(done.status, Some(0), "{done:?}");
}

#[test]
fn a_task_comes_over_standard_input_too_and_needs_words() {
    let place = Place::make();
    let empty = ended(place.command(&["run", "--prompt", "-"]).output().expect("the binary runs"));
    assert_eq!(empty.status, Some(2), "{empty:?}");
    let none = ended(place.command(&["run"]).output().expect("the binary runs"));
    assert_eq!(none.status, Some(2), "{none:?}");
}

#[test]
fn the_workflow_for_others_reads_only_and_names_flags_that_there_are() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.github/workflows/spalla.yml");
    let workflow: Value =
        serde_saphyr::from_str(&fs::read_to_string(path).expect("the workflow")).expect("YAML");
    assert!(workflow["on"]["workflow_call"]["inputs"]["task"]["required"] == true, "{workflow}");
    assert_eq!(workflow["permissions"], serde_json::json!({"contents": "read"}));
    let place = Place::make();
    let mut called = Vec::new();
    for step in workflow["jobs"]["run"]["steps"].as_array().expect("steps") {
        if let Some(action) = step["uses"].as_str() {
            assert!(["actions/checkout@v4", "actions/upload-artifact@v4"].contains(&action), "{action}");
        }
        let script = step["run"].as_str().unwrap_or_default();
        assert!(!script.contains("${{"), "what somebody wrote would be a part of the script: {script}");
        for line in script.lines().filter_map(|line| line.trim().strip_prefix("spalla ")) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let verbs: Vec<&str> = words
                .iter()
                .take(2)
                .copied()
                .filter(|word| ["run", "session", "pr"].contains(word))
                .collect();
            let help = place.home.run(&[&verbs[..], &["--help"]].concat()).good();
            let flags = line
                .split(|c: char| c.is_whitespace() || c == '=' || c == '+')
                .filter(|word| word.starts_with("--"));
            flags.for_each(|flag| assert!(help.contains(flag), "{verbs:?} has no {flag}"));
            called.push(verbs.join(" "));
        }
    }
    assert_eq!(called, ["run", "session pr"]);
}
