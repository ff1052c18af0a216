//! Tells a project that fails from a machine that lacks something: a program, a package, a module, the network. What could
//! not be tried says nothing about the project, and is never counted as its failure.

use super::tally::{Counts, Tests};
use super::{Outcome, Step};
use regex::Regex;
use std::sync::LazyLock;

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("constant pattern")
}

/// The name of a program that a shell did not find.
static NO_PROGRAM: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?:^|: )(?:\d+: )?([\w./+-]+): (?:command )?not found$|^env: .*?([\w.+-]+)['’]?: No such file")
});
/// A tool of Python's that was called as a module.
static NO_MODULE_TOOL: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?:^|/)python[\d.]*: No module named ([\w.]+)"));
/// A package that Python code wants.
static NO_MODULE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?:ModuleNotFoundError|ImportError): No module named '?([\w.]+)'?"));
/// A package manager that reached nobody.
static NO_NETWORK: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)could not resolve host|temporary failure in name resolution|name or service not known|\benotfound\b|\beai_again\b|\benetunreach\b|network is unreachable|unknown ?host|no such host|dial tcp: lookup|failed to establish a new connection|spurious network error|unable to update registry|failed to download from|error trying to connect|getaddrinfo|network request failed|could not transfer artifact|could not get '?https?://|could not head '?https?://|no matching distribution found|--offline was specified|you're using offline mode|dns error",
    )
});
/// A toolchain that is too old, or not there.
static NO_TOOLCHAIN: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"requires rustc \d|toolchain '.*' is not installed|JAVA_HOME (?:environment variable )?is not (?:set|defined)|no java compiler|go: go\.mod (?:file indicates|requires) go|module requires Go|release version \d+ not supported|invalid target release|linker `\w+` not found|No such file or directory: '(?:gcc|cc|clang)'",
    )
});

/// Says what came of the steps, in their order. A step that fails after one that could not be done may fail because of it.
pub fn judge(steps: &mut [Step]) {
    let mut missing: Option<String> = None;
    for step in steps {
        if has_found_none(step) {
            step.outcome = Outcome::Unverified("it found no tests".to_owned());
            continue;
        }
        let Outcome::Failed(error) = &step.outcome else { continue };
        let lack = lack(step).or_else(|| {
            let before = missing.as_ref()?;
            // Tests that ran and failed did not need what was missing.
            let has_run = step.tests.as_ref().is_some_and(|tests| tests.counts.passed > 0);
            (!has_run).then(|| format!("`{before}` could not be done before it ({error})"))
        });
        if let Some(lack) = lack {
            missing.get_or_insert_with(|| step.command.clone());
            step.outcome = Outcome::Unverified(lack);
        }
    }
}

/// Tells whether a step that looks for tests itself ended well because it found none: that says nothing about the project.
fn has_found_none(step: &Step) -> bool {
    let is_none = |tests: &Tests| {
        let Counts { passed, failed, skipped } = tests.counts;
        (passed, failed, skipped) == (0, 0, 0)
    };
    let looks = step.command.contains("unittest discover") && step.outcome == Outcome::Passed;
    looks && step.tests.as_ref().is_some_and(is_none)
}

/// Returns what a failed step lacked; none where the failure is the project's own.
fn lack(step: &Step) -> Option<String> {
    let lines = || step.output.iter().rev();
    let first = |known: &Regex| {
        lines().find_map(|line| {
            let found = known.captures(line)?;
            found.iter().skip(1).flatten().next().map(|name| name.as_str().to_owned())
        })
    };
    if let Some(name) = first(&NO_MODULE_TOOL) {
        return Some(format!("the Python module {name} is not installed"));
    }
    if matches!(step.exit_code, Some(126 | 127)) {
        return Some(match first(&NO_PROGRAM) {
            Some(name) => format!("the program {name} is not there, or can't be started"),
            None => "a program that it calls is not there, or can't be started".to_owned(),
        });
    }
    if let Some(tests) = step.tests.as_ref().filter(|tests| tests.counts.failed > 0) {
        return of_tests(tests, step);
    }
    let says = |known: &Regex| lines().find(|line| known.is_match(line)).map(|line| excerpt(line));
    None.or_else(|| says(&NO_NETWORK).map(|line| format!("what it needs could not be fetched: {line}")))
        .or_else(|| says(&NO_TOOLCHAIN).map(|line| format!("the toolchain here does not fit: {line}")))
        .or_else(|| first(&NO_MODULE).map(|name| format!("the Python package {name} is not installed")))
}

/// Tests lack something where each that failed did so for want of it.
fn of_tests(tests: &Tests, step: &Step) -> Option<String> {
    let all = |known: &Regex| {
        let said = |message: &str, name: &str| {
            known.is_match(message) || (message.is_empty() && speaks_of(step, name, known))
        };
        tests.failures.len() as u64 >= tests.counts.failed
            && tests.failures.iter().all(|test| said(&test.message, &test.name))
    };
    if all(&NO_MODULE) {
        let name = step.output.iter().find_map(|line| Some(NO_MODULE.captures(line)?[1].to_owned()));
        return Some(format!("the Python package {} is not installed", name.unwrap_or_default()));
    }
    all(&NO_NETWORK).then(|| "every failed test wanted a network, and there is none".to_owned())
}

/// A file that pytest could not collect has no message of its own in the summary; the reason stands below its heading.
fn speaks_of(step: &Step, name: &str, known: &Regex) -> bool {
    let heading = format!(" {name} ");
    let below = step.output.iter().skip_while(|line| !(line.starts_with('_') && line.contains(&heading)));
    below.skip(1).take_while(|line| !line.starts_with(['_', '='])).any(|line| known.is_match(line))
}

fn excerpt(line: &str) -> String {
    line.trim().chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Tally;
    use super::*;

    fn step(command: &str, exit_code: i32, output: &str) -> Step {
        let mut tally = Tally::default();
        output.lines().for_each(|line| tally.hear(line));
        Step {
            command: command.into(),
            outcome: Outcome::Failed(format!("exit {exit_code}")),
            exit_code: Some(exit_code),
            duration_ms: 1,
            output: output.lines().map(str::to_owned).collect(),
            tests: tally.tests(),
        }
    }

    fn judged(mut steps: Vec<Step>) -> Vec<Outcome> {
        judge(&mut steps);
        steps.into_iter().map(|step| step.outcome).collect()
    }

    #[test]
    fn a_runner_that_found_no_tests_says_nothing_of_the_project() {
        let ran = |output: &str| {
            let step = step("python3 -m unittest discover", 0, output);
            judged(vec![Step { outcome: Outcome::Passed, ..step }])
        };
        assert_eq!(ran("Ran 0 tests in 0.000s\n\nOK"), [Outcome::Unverified("it found no tests".to_owned())]);
        assert_eq!(ran("Ran 1 test in 0.001s\n\nOK"), [Outcome::Passed]);
    }

    #[test]
    fn what_the_machine_lacks_is_no_failure_of_the_project() {
        let cases = [
            (
                "python3 -m pytest",
                1,
                "/usr/bin/python3: No module named pytest",
                "the Python module pytest is not installed",
            ),
            (
                "npm run test",
                127,
                "> x@1 test\n> vitest\nsh: 1: vitest: not found",
                "the program vitest is not there",
            ),
            ("go test ./...", 127, "/bin/sh: 1: go: not found", "the program go is not there"),
            (
                "npm ci",
                1,
                "npm error code EAI_AGAIN\nnpm error request to https://r.example/x failed",
                "could not be fetched",
            ),
            (
                "cargo build",
                101,
                "error: failed to get `serde`\n  [6] Couldn't resolve host name (Could not resolve host: i.example)",
                "could not be fetched",
            ),
            (
                "mvn test",
                1,
                "[ERROR] Could not transfer artifact x from/to central: Unknown host r.example",
                "could not be fetched",
            ),
            (
                "cargo build",
                101,
                "error: package `x v1.0.0` cannot be built because it requires rustc 1.99 or newer",
                "toolchain",
            ),
            (
                "python3 -m unittest discover tests",
                1,
                "ModuleNotFoundError: No module named 'werkzeug'",
                "the Python package werkzeug",
            ),
        ];
        for (command, code, output, expected) in cases {
            let outcome = judged(vec![step(command, code, output)]);
            assert!(
                matches!(&outcome[0], Outcome::Unverified(why) if why.contains(expected)),
                "{command}: {outcome:?}"
            );
        }
    }

    #[test]
    fn what_the_project_does_wrong_is_its_failure() {
        let real = [
            ("cargo test", 101, include_str!("tally/samples/cargo.txt")),
            ("python3 -m pytest", 1, include_str!("tally/samples/pytest.txt")),
            ("go test ./...", 1, include_str!("tally/samples/go.txt")),
            ("cargo build", 101, "error[E0425]: cannot find value `x` in this scope\n --> src/lib.rs:1:1"),
            ("make test", 2, "one <test> fails\nmake: *** [Makefile:4: test] Error 3"),
        ];
        for (command, code, output) in real {
            assert!(matches!(judged(vec![step(command, code, output)])[0], Outcome::Failed(_)), "{command}");
        }
    }

    #[test]
    fn files_that_could_not_be_collected_for_want_of_a_package_are_unverified() {
        let outcome =
            judged(vec![step("python3 -m pytest", 2, include_str!("tally/samples/pytest-collect.txt"))]);
        assert_eq!(outcome, [Outcome::Unverified("the Python package nope is not installed".into())]);
    }

    #[test]
    fn what_fails_after_an_install_that_failed_is_unverified_and_what_ran_is_not() {
        let install = step("npm ci", 1, "npm error code ENOTFOUND");
        let lint = step("npm run lint", 2, "Error: Cannot find module 'eslint'");
        let tests = step("npm run test", 1, include_str!("tally/samples/mocha.txt"));
        let outcome = judged(vec![install, lint, tests]);
        assert!(matches!(&outcome[1], Outcome::Unverified(why) if why.contains("`npm ci`")), "{outcome:?}");
        assert!(matches!(outcome[2], Outcome::Failed(_)), "{outcome:?}");
    }
}
