//! The agents that every installation has: the command lines that are known, and those that need no model.

use spalla_router::{Agent, Fleet, Keyword};

/// Of each its id, its tier, what it is for, and its words.
const AGENTS: &[(&str, &str, &str, &[&str])] = &[
    ("claude", "generalist", "Works on code of every kind with Claude Code", &["claude", "claude code"]),
    ("codex", "generalist", "Works on code of every kind with the Codex CLI", &["codex"]),
    ("gemini", "generalist", "Works on code of every kind with the Gemini CLI", &["gemini"]),
    (
        "surveyor",
        "specialist",
        "Measures a code base without a model: its languages, size, structure and open marks",
        &["analyze", "analyse", "structure", "codebase", "code base", "survey", "overview", "lines of code"],
    ),
    (
        "verifier",
        "specialist",
        "Builds, lints and tests a project without a model, and reports",
        &["run the tests", "tests and report", "build and test", "lint", "verify", "verification"],
    ),
];

/// Returns them.
pub(super) fn fleet() -> Fleet {
    let agent = |(id, tier, description, words): &(&str, &str, &str, &[&str])| {
        let mut agent = Agent {
            id: (*id).into(),
            name: (*id).into(),
            domain: "built-in".into(),
            tier: (*tier).into(),
            keywords: words.iter().map(|word| Keyword::from(*word)).collect(),
            ..Agent::default()
        };
        agent.details.description = (*description).into();
        agent
    };
    Fleet::of(AGENTS.iter().map(agent).collect())
}
