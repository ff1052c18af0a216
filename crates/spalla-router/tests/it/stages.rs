//! Which stage finds whom, and what is said where a stage can't.

use crate::fleets::{Shipped, agent, ids, router, router_with, small, task};
use spalla_router::{Cut, Fleet, Index, Options, Question, Router, Stage, Weights};
use std::sync::Arc;

fn described() -> Vec<spalla_router::Agent> {
    let mut agents = small();
    agents[0].details.description = "Builds and shrinks container images.".into();
    agents[1].details.description = "Writes safe and fast systems programs in Rust.".into();
    agents[2].details.description = "Writes Python web services and data scripts.".into();
    agents[3].details.description = "Looks for defects in changes before they are merged.".into();
    agents
}

fn by_meaning(options: Options) -> Router {
    let index = Index::build(Fleet::of(described()), Some(Arc::new(Shipped)));
    Router::new(Arc::new(index), Weights::default(), options)
}

#[test]
fn files_find_their_agents() {
    let question = Question { files: vec!["src/main.rs".into(), "Dockerfile".into()], ..task("mend this") };
    let answer = router(small()).route(&question);
    assert_eq!((answer.stage, ids(&answer)), (Stage::Files, vec!["docker-expert", "rust-engineer"]));
    assert_eq!(
        (answer.candidates[1].matched[0].at, answer.candidates[1].matched[0].trigger.as_str()),
        (0, "*.rs")
    );
}

#[test]
fn words_are_found_in_any_spelling_and_only_whole() {
    let router = router(vec![agent("a", "x", &["Größe", "go"]), agent("b", "x", &["c++"])]);
    assert_eq!(ids(&router.route(&task("die GRÖßE ändern"))), ["a"]);
    assert_eq!(ids(&router.route(&task("a C++ program"))), ["b"]);
    assert!(router.route(&task("a good django")).candidates.is_empty());
    let answer = router.route(&task("«ÄÖÜ» go"));
    assert_eq!(answer.candidates[0].matched[0].at, "«ÄÖÜ» ".len());
}

#[test]
fn meaning_is_asked_only_where_no_trigger_was_found() {
    let router = by_meaning(Options::default());
    let answer = router.route(&task("look for bugs in what was changed before merging"));
    assert_eq!((answer.stage, ids(&answer)[0]), (Stage::Semantic, "code-reviewer"));
    let answer = router.route(&task("look for bugs in rust before merging"));
    assert_eq!(answer.stage, Stage::Keywords);
}

#[test]
fn without_a_table_or_with_nothing_alike_the_generalists_get_it() {
    let answer = router(small()).route(&task("xyzzy"));
    assert_eq!((answer.stage, ids(&answer)), (Stage::Rules, vec!["anybody"]));
    assert_eq!(answer.notes, ["no agent was looked for by its meaning: there is no table of meanings"]);
    let answer = by_meaning(Options::default()).route(&task("ⴰⴱⴳ"));
    assert_eq!((answer.stage, ids(&answer), answer.notes.len()), (Stage::Rules, vec!["anybody"], 0));
    let answer =
        by_meaning(Options { by_meaning: false, ..Options::default() }).route(&task("look for bugs"));
    assert_eq!((answer.stage, answer.notes.len()), (Stage::Rules, 1));
}

#[test]
fn where_nobody_fits_the_answer_says_so() {
    let answer = router(vec![agent("a", "x", &["go"])]).route(&task("nothing of that"));
    assert!(answer.candidates.is_empty() && answer.notes.len() == 2, "{answer:?}");
    let answer = router(Vec::new()).route(&task("anything"));
    assert!(answer.candidates.is_empty());
}

#[test]
fn triggers_of_agents_that_may_not_do_it_do_not_end_the_search() {
    let mut question = task("a docker image");
    question.constraints.domain = Some("general".into());
    let answer = router(small()).route(&question);
    assert_eq!((answer.stage, ids(&answer)), (Stage::Rules, vec!["anybody"]));
}

#[test]
fn regexes_see_the_beginning_and_the_answer_says_so() {
    let mut agents = small();
    agents[0].keywords.clear();
    let router = router_with(agents, Options::default(), Weights::default());
    let long = format!("{} dockerfile", "x ".repeat(2_100));
    let answer = router.route(&task(&long));
    assert_eq!((answer.stage, answer.cut.as_slice()), (Stage::Rules, &[Cut::RegexPrompt][..]));
    let answer = router.route(&task(&format!("dockerfile {long}")));
    assert_eq!((answer.stage, ids(&answer)), (Stage::Regex, vec!["docker-expert"]));
}

#[test]
fn when_the_time_is_over_what_was_found_counts_and_is_not_remembered() {
    let router = router(small());
    let question = task("a dockerfile for this image");
    let late = router.route_until(&question, &|| true);
    assert_eq!((ids(&late), late.cut.as_slice()), (vec!["docker-expert"], &[Cut::Time][..]));
    assert!(router.route(&question).cut.is_empty());
}
