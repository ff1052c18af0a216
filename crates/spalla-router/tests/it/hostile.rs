//! Whatever is in a fleet or a task, there is an answer, soon, and in bounded memory.

use crate::fleets::{agent, ids, pattern, router, small, task};
use proptest::prelude::*;
use spalla_router::{Agent, Cut, Fleet, Index, Keyword, Options, Question, Router, Weights};
use std::sync::Arc;

/// The states and bytes that are looked at are bounded; so many a second are looked at by the slowest machine without
/// optimisation, and a mistake takes hours.
fn soon<T>(act: impl FnOnce() -> T) -> T {
    let started = std::time::Instant::now();
    let done = act();
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
    done
}

fn with_regexes(regexes: &[&str]) -> (Router, Arc<Index>) {
    let mut one = agent("a", "x", &["other"]);
    one.regexes = regexes.iter().map(|regex| pattern(regex, 50)).collect();
    let index = Arc::new(Index::build(Fleet::of(vec![one]), None));
    (Router::new(Arc::clone(&index), Weights::default(), Options::default()), index)
}

#[test]
fn regexes_that_explode_elsewhere_take_linear_time() {
    let (router, index) = with_regexes(&["(a+)+b$", "(a|aa)+$c", "(a|a)*bbb", r"(\w+\s?)*!$", "(x+x+)+y"]);
    assert_eq!(index.problems().count, 0, "{:?}", index.problems());
    let answer = soon(|| router.route(&task(&"a".repeat(100_000))));
    assert!(answer.candidates.is_empty() && answer.cut.contains(&Cut::RegexPrompt));
}

#[test]
fn regexes_that_are_too_large_are_told_and_the_others_hold() {
    let (router, index) = soon(|| with_regexes(&["(((abc{99}){99}){99}){99}", "(?=x)", "(", "", "deploy"]));
    assert_eq!(index.problems().count, 4);
    assert_eq!(ids(&router.route(&task("DEPLOY it"))), ["a"]);
}

#[test]
fn many_regexes_of_one_literal_are_tried_up_to_a_bound() {
    let many: Vec<String> = (0..500).map(|number| format!("deploy.{{0,{number}}}zzz")).collect();
    let (router, _) = with_regexes(&many.iter().map(String::as_str).collect::<Vec<_>>());
    let answer = soon(|| router.route(&task("deploy")));
    assert_eq!(answer.cut, [Cut::Regexes]);
}

#[test]
fn ten_megabytes_of_a_task_are_cut() {
    let router = router(small());
    for piece in ["docker ", "ü漢\u{301}", "x", "\u{0}", "rust docker python "] {
        let long = piece.repeat(10 * 1024 * 1024 / piece.len());
        let answer = soon(|| router.route(&task(&long)));
        assert!(answer.cut.contains(&Cut::Prompt), "{piece}");
        assert!(serde_json::to_vec(&*answer).unwrap().len() < 10_000);
    }
}

#[test]
fn keywords_that_are_parts_of_each_other_are_looked_at_up_to_a_bound() {
    let words: Vec<String> = (1..=100).map(|length| "a ".repeat(length / 2 + 1).trim().to_owned()).collect();
    let one = agent("a", "x", &words.iter().map(String::as_str).collect::<Vec<_>>());
    let answer = soon(|| router(vec![one]).route(&task(&"a ".repeat(100_000))));
    assert_eq!((ids(&answer), answer.cut.contains(&Cut::Keywords)), (vec!["a"], true));
}

#[test]
fn a_hundred_thousand_keywords_of_one_agent_are_one_index() {
    let mut one = agent("a", "x", &[]);
    one.keywords = (0..100_000).map(|number| Keyword::from(format!("word{number}").as_str())).collect();
    let router = soon(|| router(vec![one, agent("b", "y", &["word7 x"])]));
    assert_eq!(ids(&router.route(&task("word99999 and word7 x"))), ["a", "b"]);
    assert!(router.index().automaton_bytes() < 64 * 1024 * 1024, "{}", router.index().automaton_bytes());
}

#[test]
fn a_keyword_that_everybody_has_is_looked_at_up_to_a_bound() {
    let agents: Vec<Agent> =
        (0..20_000).map(|number| agent(&format!("a{number}"), "x", &["code", "test"])).collect();
    let router = soon(|| router(agents));
    let answer = soon(|| router.route(&task("test the code")));
    assert_eq!(answer.cut, [Cut::Keywords]);
}

#[test]
fn many_files_are_looked_at_up_to_a_bound() {
    let files = (0..1_000).map(|number| format!("{}x.rs", "deep/".repeat(number % 50))).collect();
    let answer = soon(|| router(small()).route(&Question { files, ..task("mend") }));
    assert_eq!((ids(&answer), answer.cut.as_slice()), (vec!["rust-engineer"], &[Cut::Files][..]));
}

#[test]
fn broken_globs_and_keywords_are_told() {
    let mut one = agent("a", "x", &["", " ", &"long".repeat(100), "good"]);
    one.file_patterns = vec!["[".into(), "{a,{b".into(), "*.rs".into()];
    let index = Index::build(Fleet::of(vec![one.clone(), one]), None);
    assert_eq!((index.len(), index.problems().count), (1, 6), "{:?}", index.problems());
}

#[test]
fn an_index_of_the_wrong_kind_is_an_error_with_a_place() {
    for (index, triggers) in [
        ("[]", "{}"),
        (r#"{"agents": [{"id": 7}]}"#, "{}"),
        (r#"{"agents": []}"#, r#"{"keywords": {"a": "b"}}"#),
        (r#"{"agents": []}"#, r#"{"regex": [{"priority": 1}]}"#),
    ] {
        let error = Fleet::published(index.as_bytes(), triggers.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("line 1 column"), "{error}");
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(Fleet::published(deep.as_bytes(), b"{}").is_err());
    assert!(Fleet::published(b"{\"agents\": []}", b"\xff").is_err());
}

proptest! {
    #[test]
    fn no_task_and_no_trigger_bring_it_down(
        text in "\\PC{0,200}",
        word in "\\PC{0,20}",
        regex in "\\PC{0,20}",
        glob in "\\PC{0,20}",
        file in "\\PC{0,40}",
    ) {
        let mut one = agent("a", "x", &[&word]);
        one.regexes = vec![pattern(&regex, 1)];
        one.file_patterns = vec![glob];
        let router = router(vec![one, agent("b", "y", &["the"])]);
        let question = Question { files: vec![file], ..task(&format!("{text} {word} {text}")) };
        let answer = router.route(&question);
        for found in answer.candidates.iter().flat_map(|one| &one.matched) {
            let in_task = found.by == spalla_router::Stage::Files || question.task.is_char_boundary(found.at);
            prop_assert!(in_task, "{found:?}");
        }
    }

    #[test]
    fn no_bytes_make_a_fleet_that_brings_it_down(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Fleet::published(&bytes, b"{}");
        let _ = Fleet::published(br#"{"agents": [{"id": "a"}]}"#, &bytes);
        let _ = spalla_router::Details::parse(&String::from_utf8_lossy(&bytes));
    }
}
