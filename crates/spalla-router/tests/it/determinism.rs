//! The same question has the same answer, byte by byte: over restarts, threads, and whatever was asked before.

use crate::fleets::{large, prompts, router_with};
use spalla_router::{Options, Question, Router, Weights};

fn fresh(answers_kept: usize) -> Router {
    router_with(large(200), Options { answers_kept, ..Options::default() }, Weights::default())
}

fn bytes(router: &Router, question: &Question) -> Vec<u8> {
    serde_json::to_vec(&*router.route(question)).unwrap()
}

fn digest(router: &Router, questions: &[Question]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for question in questions {
        hasher.update(&bytes(router, question));
    }
    hasher.finalize()
}

#[test]
fn ten_thousand_answers_are_the_same_after_a_restart_and_with_any_number_of_threads() {
    let questions = prompts(10_000);
    let first = digest(&fresh(0), &questions);
    assert_eq!(first, digest(&fresh(1_024), &questions), "another router, which remembers");
    let shared = fresh(64);
    let all: Vec<Vec<u8>> = std::thread::scope(|scope| {
        let answer = |questions: Vec<Question>| {
            let shared = &shared;
            scope.spawn(move || questions.iter().map(|question| bytes(shared, question)).collect::<Vec<_>>())
        };
        let workers: Vec<_> = questions.chunks(1_250).map(|chunk| answer(chunk.to_vec())).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    let mut hasher = blake3::Hasher::new();
    for answer in &all {
        hasher.update(answer);
    }
    assert_eq!(first, hasher.finalize(), "eight threads, in whatever order");
}

#[test]
fn the_order_in_which_agents_come_changes_nothing() {
    let questions = prompts(300);
    let turned = large(200).into_iter().rev().collect();
    let router = router_with(turned, Options::default(), Weights::default());
    assert_eq!(digest(&fresh(0), &questions), digest(&router, &questions));
}

#[test]
fn what_was_asked_before_changes_nothing() {
    let questions = prompts(300);
    let router = fresh(0);
    let first = digest(&router, &questions);
    questions.iter().rev().for_each(|question| drop(router.route(question)));
    assert_eq!(first, digest(&router, &questions));
}
