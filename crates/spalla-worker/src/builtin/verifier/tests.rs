//! The report in all its forms.

use super::*;

fn step(command: &str, outcome: Outcome) -> Step {
    let output = vec!["a <b> & \u{1b}[31m".to_owned()];
    Step { command: command.into(), outcome, exit_code: None, duration_ms: 1_500, output, tests: None }
}

fn verification() -> Verification {
    let mut tests = step("make test", Outcome::Failed("exit 2".into()));
    let failure = FailedTest {
        name: "a::b".into(),
        message: "1 < 2".into(),
        file: Some("src/a.rs".into()),
        line: Some(7),
    };
    let counts = Counts { passed: 5, failed: 1, skipped: 2 };
    tests.tests = Some(Tests { runners: vec!["cargo test".into()], counts, failures: vec![failure] });
    let mut lint = step("make lint", Outcome::Failed("exit 1".into()));
    lint.output = vec!["src/b.c:3:4: error: no".into()];
    let steps = vec![step("make build", Outcome::Passed), tests, step("make deploy", Outcome::NotRun), lint];
    Verification { goal: "g".into(), commit: Some("c".into()), steps, unknown: vec![], unverified: None }
}

#[test]
fn what_failed_stands_in_every_form_with_the_end_of_its_output() {
    let all = verification();
    assert_eq!(all.verdict(), Verdict::Red);
    assert_eq!(
        all.summary(),
        "1 passed, 2 failed: make test, make lint; tests: 5 passed, 1 failed, 2 skipped"
    );
    let page = all.as_markdown();
    assert!(page.contains("| `make test` | **failed** | 5 / 1 / 2 | 1.5 |"), "{page}");
    assert!(page.contains("- `a::b` (src/a.rs:7): 1 < 2"), "{page}");
    let junit = all.as_junit();
    assert!(junit.contains("tests=\"4\" failures=\"2\" skipped=\"1\""), "{junit}");
    assert!(junit.contains("<failure message=\"exit 2\">a &lt;b&gt; &amp; [31m</failure>"), "{junit}");
    assert!(junit.contains("name=\"make test\" tests=\"8\" failures=\"1\" skipped=\"2\""), "{junit}");
    assert_eq!(all.as_json()["steps"][2]["skipped"], true);
    assert_eq!(all.as_json()["tests"]["passed"], 5);
}

#[test]
fn sarif_names_the_place_of_each_failed_test_and_each_complaint() {
    let sarif = verification().as_sarif();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let told: Vec<_> = results
        .iter()
        .map(|result| {
            let place = &result["locations"][0]["physicalLocation"];
            (
                result["ruleId"].as_str().unwrap(),
                place["artifactLocation"]["uri"].as_str(),
                place["region"]["startLine"].as_u64(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("command-failed", None, None),
            ("test-failed", Some("src/a.rs"), Some(7)),
            ("command-failed", None, None),
            ("complaint", Some("src/b.c"), Some(3)),
        ]
    );
}

#[test]
fn a_report_in_the_form_of_junit_is_read_back_as_it_was_written() {
    let read = junit_xml::read(&verification().as_junit());
    assert_eq!(read.counts, Counts { passed: 1, failed: 3, skipped: 1 });
}

#[test]
fn what_could_not_be_done_is_unverified_and_never_red() {
    let lack = || Outcome::Unverified("the program go is not there".into());
    let none = Verification { steps: vec![step("go build", lack())], ..verification() };
    assert_eq!(
        (none.verdict(), none.summary().as_str()),
        (Verdict::Unverified, "nothing could be verified: the program go is not there")
    );
    let some =
        Verification { steps: vec![step("make", Outcome::Passed), step("go vet", lack())], ..verification() };
    assert_eq!(
        (some.verdict(), some.summary().as_str()),
        (Verdict::Green, "all passes: 1 commands; unverified: go vet")
    );
    assert!(some.as_markdown().contains("Unverified, `go vet`: the program go is not there."));
    assert!(some.as_junit().contains("<skipped message=\"the program go is not there\"/>"));
    assert!(some.as_sarif()["runs"][0]["results"].as_array().unwrap().is_empty());
}

#[test]
fn nothing_to_run_is_said() {
    let none = Verification { steps: vec![], unverified: Some("no project file".into()), ..verification() };
    assert_eq!(none.summary(), "nothing could be verified: no project file");
}

#[test]
fn a_fence_in_the_output_does_not_end_the_excerpt() {
    let mut failed = step("x", Outcome::Failed("e".into()));
    failed.output = vec!["```".into(), "# heading".into()];
    let page = Verification { steps: vec![failed], ..verification() }.as_markdown();
    assert!(page.contains("````text\n```\n# heading\n````"), "{page}");
}
