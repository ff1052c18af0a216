//! Decisions by triggers, over the same agents and prompts as `bench/peers/node/naive_router.cjs`.

use crate::fleets;
use crate::measure::{cpu_ns, measure, memory_mb, round, say};
use serde::Deserialize;
use serde_json::json;
use spalla_router::{Agent, Fleet, Index, Keyword, Options, Pattern, Question, Router, Weights};
use std::sync::Arc;

/// The prompts of the peer.
pub(crate) const PROMPTS: [&str; 5] = [
    "Fix the failing login test in tests/auth_test.py and explain the cause",
    "Write a Dockerfile for the billing service, then deploy0 the image to staging",
    "Add rate limiting to the POST /orders endpoint and document the retry policy for clients",
    "Upgrade react18 and rewrite the form fixa1 file with hooks; keep the public API",
    "In src/net/client.rs the reconnect loop sleeps forever after the third failure. Please find the reason, fix it, and add a \
     regression test that fails without the fix",
];

#[derive(Deserialize)]
struct Dumped {
    kw: Vec<String>,
    re: Vec<String>,
}

fn agents(file: &str) -> Vec<Agent> {
    let text = std::fs::read(file).expect("the peer's agents");
    let dumped: Vec<Dumped> = serde_json::from_slice(&text).expect("agents");
    let agent = |(number, one): (usize, Dumped)| Agent {
        id: format!("agent-{number:05}"),
        domain: format!("domain-{}", number % 12),
        keywords: one.kw.iter().map(|word| Keyword::from(word.as_str())).collect(),
        regexes: one.re.into_iter().map(|pattern| Pattern { pattern, priority: 50 }).collect(),
        ..Agent::default()
    };
    dumped.into_iter().enumerate().map(agent).collect()
}

fn questions() -> Vec<Question> {
    PROMPTS.iter().map(|prompt| Question { task: (*prompt).into(), ..Question::default() }).collect()
}

pub(crate) fn file(file: &str) {
    let agents = agents(file);
    let count = agents.len();
    let fleet = Fleet::of(agents);
    let before_mb = memory_mb().0;
    let before = cpu_ns();
    let index = Arc::new(Index::build(fleet, None));
    let build_s = round((cpu_ns() - before) as f64 / 1e9);
    let (now_mb, peak_mb) = memory_mb();
    let options = |answers_kept| Options { answers_kept, by_meaning: false, ..Options::default() };
    let router = Router::new(Arc::clone(&index), Weights::default(), options(0));
    let questions = questions();
    let fresh = measure(50_000, |number| drop(router.route(&questions[number % questions.len()])));
    let remembering = Router::new(Arc::clone(&index), Weights::default(), options(1_024));
    let again = measure(50_000, |number| drop(remembering.route(&questions[number % questions.len()])));
    say(&json!({
        "metric": "router", "peer": "spalla", "agents": count, "cpu_mean_us": fresh.cpu_us, "p50_us": fresh.p50_us,
        "p99_us": fresh.p99_us, "remembered_p50_us": again.p50_us, "build_cpu_s": build_s, "added_mb": round(now_mb - before_mb),
        "process_mb": now_mb, "peak_mb": peak_mb, "automaton_mb": round(index.automaton_bytes() as f64 / 1e6),
        "after_mb": memory_mb().0,
    }));
}

/// Prints the digest of ten thousand answers: another start prints the same.
pub(crate) fn same() {
    let router = fleets::router_with(fleets::large(500), Options::default(), Weights::default());
    let mut hasher = blake3::Hasher::new();
    for question in fleets::prompts(10_000) {
        hasher.update(&serde_json::to_vec(&*router.route(&question)).expect("an answer"));
    }
    say(
        &json!({"metric": "router_same", "answers": 10_000, "digest": hasher.finalize().to_hex().to_string()}),
    );
}
