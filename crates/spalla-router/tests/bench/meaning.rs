//! Decisions by meaning, over the same routes and prompts as `bench/peers/python/semantic_router_peer.py`; and the embedding.

use crate::fleets::Shipped;
use crate::measure::{measure, measure_together, round, say};
use serde_json::json;
use spalla_embedding::Embedding;
use spalla_router::{Agent, Details, Fleet, Index, Micro, Options, Question, Router, Stage, Weights};
use std::sync::Arc;

const WORDS: &str = "fix test deploy docker auth login parse schema index cache react rust async retry queue stream token image \
                     form button query invoice order user admin report metric trace config kernel lint format merge branch \
                     release backup secret proxy socket thread";
const PROMPTS: [&str; 4] = [
    "Fix the failing login test in tests/auth_test.py and explain the cause",
    "Write a Dockerfile for the billing service, then deploy the image to staging",
    "Add rate limiting to the POST /orders endpoint",
    "Upgrade react and rewrite the form with hooks",
];

pub(crate) fn routes(count: usize) {
    let words: Vec<&str> = WORDS.split_whitespace().collect();
    let agent = |number: usize| {
        let say = |k: usize| {
            format!("{} the {} {number}", words[(number * 7 + k) % 40], words[(number * 13 + 3 * k) % 40])
        };
        let description = (0..3).map(say).collect::<Vec<_>>().join(". ");
        let details = Details { description, ..Details::default() };
        Agent { id: format!("a{number}"), details, ..Agent::default() }
    };
    let index = Index::build(Fleet::of((0..count).map(agent).collect()), Some(Arc::new(Shipped)));
    let options = Options { answers_kept: 0, likeness_min: Micro::ZERO, ..Options::default() };
    let router = Router::new(Arc::new(index), Weights::default(), options);
    let questions: Vec<Question> =
        PROMPTS.iter().map(|prompt| Question { task: (*prompt).into(), ..Question::default() }).collect();
    let started = std::time::Instant::now();
    assert!(questions.iter().all(|question| router.route(question).stage == Stage::Semantic));
    let first_ms = round(started.elapsed().as_secs_f64() * 1e3);
    let taken = measure(4_000, |number| drop(router.route(&questions[number % questions.len()])));
    say(&json!({
        "metric": "router", "peer": "spalla-stage-3", "agents": count, "cpu_mean_ms": round(taken.cpu_us) / 1e3,
        "wall_p50_ms": round(taken.p50_us) / 1e3, "first_four_ms": first_ms,
    }));
}

pub(crate) fn embed() {
    let table = include_bytes!("../../../spalla-embedding/assets/minilm-256.bin");
    let started = std::time::Instant::now();
    let embedding = Embedding::load(table).expect("the table");
    let load_ms = round(started.elapsed().as_secs_f64() * 1e3);
    let short = "fix the login test and explain the cause of it";
    let short_us = measure_together(20_000, |_| {
        drop(std::hint::black_box(embedding.embed(std::hint::black_box(short))))
    });
    let mixed = "Füge im Büro einen Übersetzer für naïve café hinzu";
    let mixed_us = measure_together(20_000, |_| {
        drop(std::hint::black_box(embedding.embed(std::hint::black_box(mixed))))
    });
    say(
        &json!({"metric": "embed", "tokens": 10, "cpu_us": short_us, "not_ascii_cpu_us": mixed_us, "load_ms": load_ms}),
    );
}
