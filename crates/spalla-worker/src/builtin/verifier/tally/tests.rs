//! What is understood of what runners really printed: the samples are of small projects with a test of each fate. Those of
//! Maven and Gradle are written after reports of others.

use super::*;

fn tests_of(text: &str) -> Option<Tests> {
    let mut tally = Tally::default();
    text.lines().for_each(|line| tally.hear(line));
    tally.tests()
}

/// The runners, the counts of passed, failed and skipped tests, and the failures as `name | message | file:line`.
fn told(text: &str) -> (String, [u64; 3], Vec<String>) {
    let tests = tests_of(text).unwrap_or_default();
    let line = |failure: &FailedTest| {
        let place = match (&failure.file, failure.line) {
            (Some(file), Some(line)) => format!("{file}:{line}"),
            (Some(file), None) => file.clone(),
            (None, line) => line.map(|line| line.to_string()).unwrap_or_default(),
        };
        format!("{} | {} | {place}", failure.name, failure.message)
    };
    let Counts { passed, failed, skipped } = tests.counts;
    (tests.runners.join(", "), [passed, failed, skipped], tests.failures.iter().map(line).collect())
}

macro_rules! sample {
    ($name:literal) => {
        told(include_str!(concat!("samples/", $name, ".txt")))
    };
}

#[test]
fn pytest_is_understood_loud_and_quiet() {
    for (runners, counts, failures) in [sample!("pytest"), sample!("pytest-q")] {
        assert_eq!((runners, counts), ("pytest".to_owned(), [3, 4, 2]));
        assert_eq!(
            failures,
            [
                "test_a.py::test_bad | AssertionError: numbers differ | test_a.py:5",
                "test_a.py::test_p[2] | assert 2 < 2 | test_a.py:16",
                "test_a.py::TestC::test_m | AssertionError: assert 'a' in 'bcd' | test_a.py:18",
                "test_a.py::test_err | RuntimeError: no database | test_a.py:13",
            ]
        );
    }
}

#[test]
fn file_that_pytest_could_not_read_is_a_failure() {
    let (_, counts, failures) = sample!("pytest-collect");
    assert_eq!((counts, failures), ([0, 1, 0], vec!["test_b.py |  | test_b.py:1".to_owned()]));
    assert_eq!(sample!("pytest-none"), ("pytest".to_owned(), [0, 0, 0], vec![]));
}

#[test]
fn unittest_is_understood() {
    let (runners, counts, failures) = sample!("unittest");
    assert_eq!((runners, counts), ("unittest".to_owned(), [1, 3, 2]));
    assert_eq!(
        failures,
        [
            "test_err (un.A.test_err) | ValueError: x | /w/un.py:5",
            "test_bad (un.A.test_bad) | AssertionError: 1 != 2 | /w/un.py:4",
            "test_sub (un.A.test_sub) (i=1) | AssertionError: 1 == 1 | /w/un.py:12",
        ]
    );
}

#[test]
fn cargo_test_is_summed_over_its_programs() {
    let (runners, counts, failures) = sample!("cargo");
    assert_eq!((runners, counts), ("cargo test".to_owned(), [2, 3, 1]));
    assert_eq!(
        failures,
        [
            "tests::panics_not | note: test did not panic as expected at src/lib.rs:15:8 | ",
            "tests::result | Error: \"no\" | ",
            "tests::bad | assertion `left == right` failed: numbers | src/lib.rs:9",
        ]
    );
}

#[test]
fn nextest_closes_once() {
    let text = "        PASS [   0.004s] (1/3) x tests::ok\n        FAIL [   0.005s] (2/3) x tests::bad\n     \
                Summary [   0.012s] 3 tests run: 1 passed, 1 failed, 1 timed out, 4 skipped\n";
    let (_, counts, failures) = told(text);
    assert_eq!((counts, failures), ([1, 2, 4], vec!["x tests::bad |  | ".to_owned()]));
}

#[test]
fn go_test_counts_each_test_where_it_prints_each() {
    let failures = [
        "TestBad | got 1, want 2 | a_test.go:4",
        "TestSub |  | ",
        "TestSub/y | no | a_test.go:6",
        "example.org/x/c | build failed | ",
    ];
    let (runners, counts, found) = sample!("go-v");
    assert_eq!((runners, counts), ("go test".to_owned(), [3, 4, 1]));
    assert_eq!(found, failures);
    let (_, counts, found) = sample!("go");
    assert_eq!((counts, found), ([1, 4, 0], failures.map(str::to_owned).to_vec()));
}

#[test]
fn jest_is_understood_and_a_file_that_it_could_not_read_is_a_failure() {
    let (runners, counts, failures) = sample!("jest");
    assert_eq!((runners, counts), ("jest".to_owned(), [1, 2, 2]));
    assert_eq!(
        failures,
        [
            "j/a.test.js › math › bad | expect(received).toBe(expected) // Object.is equality | j/a.test.js:1",
            "j/b.test.js › Test suite failed to run | Cannot find module './nope' from 'b.test.js' | j/b.test.js:1",
        ]
    );
}

#[test]
fn vitest_is_understood() {
    let (runners, counts, failures) = sample!("vitest");
    assert_eq!((runners, counts), ("vitest".to_owned(), [1, 1, 2]));
    assert_eq!(
        failures,
        ["a.test.mjs > math > bad | AssertionError: expected 1 to be 2 // Object.is equality | a.test.mjs:2"]
    );
}

#[test]
fn mocha_is_understood() {
    let (runners, counts, failures) = sample!("mocha");
    assert_eq!((runners, counts), ("mocha".to_owned(), [1, 1, 2]));
    assert_eq!(failures, ["math bad | AssertionError [ERR_ASSERTION]: 1 == 2 | m/a.js:2"]);
    assert_eq!(sample!("mocha-tap").1, [1, 1, 0]);
}

#[test]
fn node_is_understood_in_both_of_its_reports() {
    let (runners, counts, failures) = sample!("node-tap");
    assert_eq!((runners, counts), ("node --test".to_owned(), [2, 2, 2]));
    assert_eq!(failures, ["fails | 1 == 2 | /w/a.test.mjs:2", "inner bad | boom | /w/a.test.mjs:4"]);
    let (_, counts, failures) = sample!("node-spec");
    assert_eq!(counts, [2, 2, 2]);
    assert_eq!(
        failures,
        [
            "fails | AssertionError [ERR_ASSERTION]: 1 == 2 | a.test.mjs:2",
            "inner bad | Error: boom | a.test.mjs:4"
        ]
    );
}

#[test]
fn maven_counts_its_closing_lines_and_not_those_of_each_class() {
    let (runners, counts, failures) = sample!("surefire");
    assert_eq!((runners, counts), ("JUnit".to_owned(), [3, 2, 1]));
    assert_eq!(failures, ["ATest.bad | expected:<2> but was:<1> | 3", "ATest.err | IllegalState boom | 5"]);
}

#[test]
fn gradle_tells_only_where_something_failed() {
    let (_, counts, failures) = sample!("gradle");
    let expected = ["x.ATest > bad | java.lang.AssertionError at ATest.java:3 | "];
    assert_eq!((counts, failures), ([2, 1, 1], expected.map(str::to_owned).to_vec()));
    assert_eq!(tests_of("> Task :test\n\nBUILD SUCCESSFUL in 3s\n"), None);
}

#[test]
fn prose_about_tests_is_no_count() {
    let prose =
        "All 12 tests passed.\nTests: fine\n3 passing fancies\nRan 5 tests\nOK\ntest result: ok\nok\n";
    assert_eq!(tests_of(prose), None);
}

#[test]
fn runners_of_one_command_are_summed() {
    let text = format!("{}{}", include_str!("samples/pytest.txt"), include_str!("samples/jest.txt"));
    let (runners, counts, _) = told(&text);
    assert_eq!((runners, counts), ("pytest, jest".to_owned(), [4, 6, 4]));
}

#[test]
fn colours_do_not_hide_a_count() {
    let text = "\u{1b}[31m=== \u{1b}[31m\u{1b}[1m1 failed\u{1b}[0m, \u{1b}[32m2 passed\u{1b}[0m\u{1b}[31m in 0.06s\u{1b}[0m\u{1b}[31m ===\u{1b}[0m\n";
    assert_eq!(told(text).1, [2, 1, 0]);
}
