//! Counts the test cases of a file, by the marks its language and its test tools use.

use std::sync::LazyLock;

use regex::Regex;

use super::paths;
use super::role::{self, Role};
use super::views::Views;

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("constant pattern")
}

static RUST: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"#\s*\[\s*(?:\w+\s*::\s*)*(?:test|rstest|test_case|wasm_bindgen_test|quickcheck)\b[^\]]*\]")
});
static GO: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?m)^func\s+(?:\([^)]*\)\s*)?(?:Test|Fuzz|Example)[A-Z_]?\w*\s*\("));
static PYTHON: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?m)^\s*(?:async\s+)?def\s+test\w*\s*\("));
static SCRIPT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?:^|[^.\w$])(?:it|test)(?:\.(?:only|skip|each|concurrent|runIf|skipIf|fails)\b)*\s*[(`]|\bDeno\.test\s*\(",
    )
});
static JVM: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"@(?:Test|ParameterizedTest|RepeatedTest|Property)\b|(?m)^\s*(?:test|it)\s*\(")
});
static CSHARP: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\[\s*(?:Fact|Theory|Test|TestCase|TestMethod|DataTestMethod)\b"));
static CPP: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"\b(?:TEST|TEST_F|TEST_P|TYPED_TEST|TEST_CASE|SCENARIO|BOOST_AUTO_TEST_CASE)\s*\(")
});
static RUBY: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?m)^\s*(?:it|specify|test|scenario)[\s(]|^\s*def\s+test_"));
static PHP: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\bfunction\s+test\w*\s*\(|(?m)^\s*(?:it|test)\s*\("));
static SWIFT: LazyLock<Regex> = LazyLock::new(|| pattern(r"\bfunc\s+test\w*\s*\(|@Test\b"));
static ELIXIR: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?m)^\s*(?:test|property)\s"));
static DART: LazyLock<Regex> = LazyLock::new(|| pattern(r"\b(?:test|testWidgets|group)\s*\("));
static TCL: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?m)^\s*test\s+[{\x22]"));
static SHELL: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?m)^\s*@test\s|^\s*(?:function\s+)?test_\w+\s*\(\s*\)"));
static ZIG: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?m)^\s*test\s*(?:\x22|\{)"));

/// Counts the test cases of a file. Where tests look like calls, only files that are named as tests count.
pub(crate) fn count(language: &str, path: &str, views: &Views<'_>) -> usize {
    let is_test_file = role::by_path(path, super::language::by_path(path, false)) == Role::Test;
    let (pattern, anywhere): (&Regex, bool) = match language {
        "Rust" => (&RUST, true),
        "Go" => (&GO, paths::stem(path).ends_with("_test")),
        "Python" => (&PYTHON, false),
        "JavaScript" | "TypeScript" => (&SCRIPT, false),
        "Java" | "Kotlin" | "Scala" | "Groovy" => (&JVM, false),
        "C#" => (&CSHARP, true),
        "C" | "C++" => (&CPP, false),
        "Ruby" => (&RUBY, false),
        "PHP" => (&PHP, false),
        "Swift" => (&SWIFT, false),
        "Elixir" => (&ELIXIR, false),
        "Dart" => (&DART, false),
        "Tcl" => (&TCL, false),
        "Shell" => (&SHELL, false),
        "Zig" => (&ZIG, true),
        _ => return 0,
    };
    if anywhere || is_test_file { pattern.find_iter(&views.code).count() } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::super::language;
    use super::*;

    #[test]
    fn test_cases_are_counted_by_the_marks_of_their_tools() {
        let table = [
            (
                "Rust",
                "src/a.rs",
                "#[test]\nfn a() {}\n#[tokio::test]\nasync fn b() {}\n#[cfg(test)]\nmod t {}\n// #[test]\n",
                2,
            ),
            ("Go", "a_test.go", "func TestA(t *testing.T) {}\nfunc helper() {}\n", 1),
            ("Python", "tests/test_a.py", "def test_a():\n    pass\nasync def test_b():\n    pass\n", 2),
            ("Python", "src/a.py", "def test_a():\n    pass\n", 0),
            (
                "TypeScript",
                "a.test.ts",
                "it('a', () => {});\ntest.each([1])('b', () => {});\nawait.it(1);\n",
                2,
            ),
            ("Java", "src/test/java/ATest.java", "@Test\nvoid a() {}\n", 1),
            ("C++", "tests/a.cc", "TEST_F(A, b) {\n}\n", 1),
        ];
        for (name, path, text, expected) in table {
            let syntax = language::named(name).expect("in the table").syntax;
            assert_eq!(count(name, path, &Views::new(text, syntax)), expected, "{name}");
        }
    }
}
