//! What a goal wants to be checked: to build, to test, to lint, or all three.

/// What can be wanted, in the order in which it is done, with the words that mean it.
const WISHES: [(&str, &[&str]); 3] = [
    ("build", &["build", "builds", "building", "compile", "compiles", "compiling"]),
    ("test", &["test", "tests", "testing", "suite", "suites", "pytest", "unittest"]),
    ("lint", &["lint", "lints", "linter", "linters", "linting", "clippy", "ruff", "eslint"]),
];
/// Words that mean all of it.
const ALL: [&str; 5] = ["check", "checks", "verify", "everything", "all"];

/// Returns the verbs that a goal asks for: all of them where it names none, and a build before tests, which need one.
pub fn wanted(goal: &str) -> Vec<&'static str> {
    let words: Vec<String> = goal.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase).collect();
    let says = |known: &[&str]| words.iter().any(|word| known.contains(&word.as_str()));
    let named: Vec<&str> = WISHES.iter().filter(|(_, known)| says(known)).map(|(verb, _)| *verb).collect();
    // "All tests" is no wish for all there is.
    let is_all = named.is_empty() || (says(&ALL) && !says(&["tests", "suite", "suites"]));
    match () {
        () if is_all => WISHES.iter().map(|(verb, _)| *verb).collect(),
        () if named.contains(&"test") && !named.contains(&"build") => [vec!["build"], named].concat(),
        () => named,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_checked_as_far_as_it_asks() {
        let cases: [(&str, &[&str]); 7] = [
            ("Run the tests and report", &["build", "test"]),
            ("Run all tests", &["build", "test"]),
            ("Run the linter", &["lint"]),
            ("Build it", &["build"]),
            ("Build, lint and test", &["build", "test", "lint"]),
            ("Run the checks", &["build", "test", "lint"]),
            ("Verify everything", &["build", "test", "lint"]),
        ];
        for (goal, verbs) in cases {
            assert_eq!(wanted(goal), verbs, "{goal}");
        }
    }
}
