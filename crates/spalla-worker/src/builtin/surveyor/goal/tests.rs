//! Tables of goals and what they ask for.

use super::*;

#[test]
fn goals_of_looking_need_no_model() {
    let goals = [
        "",
        "   ",
        "Analyze the codebase structure",
        "analyse the code base",
        "Survey this repository.",
        "describe the architecture",
        "List all TODO and FIXME marks",
        "find TODOs",
        "Audit the dependencies",
        "audit security risks",
        "dependencies and hot spots",
        "What are the entry points?",
        "Show me where the tests are",
        "Write a report on the dependencies",
        "create a dependency graph",
        "Generate an overview of the project",
        "Draw a diagram of the modules",
        "Review the dependencies",
        "explain the structure of the repository",
        "How many files are there, and how large is the codebase?",
        "Describe how the modules depend on each other",
        "don't fix anything, only list the TODOs",
        "Look for hard-coded secrets without changing files",
        "list fixed bugs in the history",
        "ANALYZE THE CODEBASE STRUCTURE",
        "please give me a summary of the project's tests",
        "count lines of code",
        "an overview of the design",
    ];
    for goal in goals {
        assert_eq!(goal_needs_model(goal), None, "{goal}");
    }
}

#[test]
fn goals_of_making_need_a_model() {
    let goals = [
        "Fix the login bug",
        "implement OAuth",
        "Refactor the parser",
        "write tests for the queue",
        "Add a dark mode",
        "Find and fix all TODOs",
        "Analyze the codebase, then refactor it",
        "Update the dependencies",
        "Find the slow query & optimize it",
        "make it faster",
        "Create a REST API for reports of users and admins",
        "audit the code; remove dead functions",
        "translate the README",
        "We are fixing the build",
        "Please could you rename the module?",
        "generate unit tests",
        "Document the public API",
        "Explore options to migrate the database",
    ];
    for goal in goals {
        assert_eq!(goal_needs_model(goal), Some(NEEDS_A_MAKER), "{goal}");
    }
}

#[test]
fn goals_of_judging_need_a_model() {
    for goal in [
        "Why does the login fail?",
        "explain how the scheduler picks a worker",
        "Review the code",
        "Analyze why the build is slow",
        "How does authentication work",
        "Should we use Postgres",
        "suggest improvements",
        "describe how retries work",
    ] {
        assert_eq!(goal_needs_model(goal), Some(NEEDS_UNDERSTANDING), "{goal}");
    }
}

#[test]
fn goals_without_a_known_word_say_so() {
    for goal in ["hello", "the login page is broken", "don't", "the search index is broken"] {
        assert_eq!(goal_needs_model(goal), Some(NAMES_NOTHING_KNOWN), "{goal}");
    }
}

#[test]
fn sections_named_by_the_goal_come_first() {
    assert_eq!(section_order("Analyze the codebase structure")[..2], [Section::Structure, Section::Risks]);
    assert_eq!(section_order("list TODOs and dependencies")[..2], [Section::Marks, Section::Dependencies]);
    assert_eq!(section_order("where are the tests?")[0], Section::Tests);
    assert_eq!(section_order("security audit")[0], Section::Risks);
    assert_eq!(section_order("hot spots in the history")[0], Section::History);
    assert_eq!(section_order("anything"), ORDER);
}

#[test]
fn strange_goals_do_no_harm() {
    for goal in ["ing", "ééing", "''''", "\u{202e}fix", &"a ".repeat(10_000)] {
        let _ = goal_needs_model(goal);
        assert_eq!(section_order(goal).len(), 7);
    }
}

#[test]
fn a_goal_that_asks_for_an_answer_wants_no_change_and_every_other_does() {
    for goal in [
        "Analyze the codebase structure",
        "Explain how to add a plugin",
        "Explain what is in this repository",
        "Why does the build fail?",
        "Please list the tests that write files",
    ] {
        assert!(!wants_change(goal), "{goal}");
    }
    for goal in [
        "Add a test",
        "Please implement the parser",
        "Find the bug and fix it",
        "Explain the module, then rename it",
        "Put alpha into notes.txt",
        "hello.txt with the word hi",
        "Das Modul umbenennen",
    ] {
        assert!(wants_change(goal), "{goal}");
    }
}

#[test]
fn a_goal_that_asks_for_checks_and_for_nothing_else_is_known() {
    for goal in [
        "Run the tests and report",
        "Build and test",
        "Please run the linter",
        "Verify the build, tell what fails",
    ] {
        assert!(wants_checks(goal), "{goal}");
    }
    for goal in [
        "Run the tests and fix what fails",
        "Add tests",
        "Report the languages",
        "Run the migration",
        "Explain the tests",
    ] {
        assert!(!wants_checks(goal), "{goal}");
    }
}

#[test]
fn a_question_whether_checks_pass_is_a_wish_for_them() {
    for goal in ["Are the tests green?", "Do all tests pass?", "Is the build broken?"] {
        assert!(wants_checks(goal), "{goal}");
    }
    for goal in ["Are there tests?", "Does it have a build?", "Do the tests cover the parser?"] {
        assert!(!wants_checks(goal), "{goal}");
    }
}

#[test]
fn checks_and_something_that_is_measured_are_two_wishes() {
    for goal in [
        "Analyze the codebase structure and run the tests",
        "Run the tests and report, then analyze the codebase structure",
        "List the dependencies; run the linter",
    ] {
        assert!(wants_checks_besides(goal) && !wants_checks(goal), "{goal}");
    }
    for goal in [
        "Run the tests and report",
        "Analyze the codebase structure",
        "Analyze the codebase structure, run the tests and fix what fails",
        "Build and test, tell what fails",
    ] {
        assert!(!wants_checks_besides(goal), "{goal}");
    }
}

#[test]
fn goals_in_other_languages_are_understood_where_their_words_are_known() {
    for goal in [
        "Analysiere die Struktur der Codebasis",
        "Zeige alle Abhängigkeiten",
        "Analysez la structure du code",
        "Analiza la estructura del código",
        "分析代码库的结构",
    ] {
        assert_eq!(goal_needs_model(goal), None, "{goal}");
        assert!(!wants_change(goal), "{goal}");
    }
    for goal in [
        "Behebe den Fehler beim Anmelden",
        "Analysiere die Codebasis und schreibe Tests",
        "Corrige le bogue de connexion",
        "Añade un modo oscuro",
        "修复登录错误",
    ] {
        assert_eq!(goal_needs_model(goal), Some(NEEDS_A_MAKER), "{goal}");
        assert!(wants_change(goal), "{goal}");
    }
    assert!(goal_needs_model("Führe eine neue Rolle ein").is_some(), "it is introduced, not run");
    assert!(goal_needs_model("ログインを直して").is_some(), "what is not known is not claimed");
}

#[test]
fn wishes_for_checks_are_known_in_many_words() {
    for goal in [
        "Run the tests and report",
        "Run the test suite, then tell me what fails",
        "Please run all tests.",
        "Execute the tests and summarize the results",
        "build and test",
        "Verify the build",
        "Führe die Tests aus und berichte",
        "Exécute les tests et rapporte",
        "Ejecuta las pruebas e informa",
        "运行测试并报告",
    ] {
        assert!(wants_checks(goal), "{goal}");
    }
    for goal in [
        "Run the tests and fix what fails",
        "Write tests",
        "Run the migration",
        "Führe die Tests aus und behebe die Fehler",
        "运行测试并修复",
        "Test-drive a new parser and add it",
    ] {
        assert!(!wants_checks(goal), "{goal}");
    }
}
