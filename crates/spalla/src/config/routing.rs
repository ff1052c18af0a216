//! The settings of choosing agents: where they are published, and how much what counts.

use super::keys::{Key, Kind, key};
use serde::Deserialize;
use spalla_router::{Micro, Options};
use std::path::PathBuf;
use std::time::Duration;

/// Where agents are published.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AgentsSettings {
    /// The folder with `index.json` and `triggers.json`.
    pub(crate) dir: PathBuf,
    /// How often a server looks whether something else is published; 0 means never.
    pub(crate) watch_seconds: f64,
}

/// How an agent is chosen.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoutingSettings {
    /// How much keywords and files count.
    alpha: f64,
    /// How much regexes count.
    beta: f64,
    /// How much the domain counts.
    gamma: f64,
    /// How much counts what is known of the agent.
    delta: f64,
    /// Below which margin two agents are ambiguous.
    tau: f64,
    /// How many candidates are told.
    candidates: usize,
    /// How many matching regexes count.
    regexes_counted: usize,
    /// How many regexes are tried.
    regexes_tried: usize,
    /// How much of a task regexes see.
    regex_prompt_bytes: usize,
    /// How much of a task is looked at.
    prompt_bytes: usize,
    /// After how long no further regex is tried.
    matchers_ms: u64,
    /// Whether agents are chosen by what a task means.
    semantic: bool,
    /// How alike a task and what an agent is for have to be.
    likeness_min: f64,
    /// How many answers are remembered.
    answers_kept: usize,
}

impl RoutingSettings {
    /// Returns what the router is told.
    pub(crate) fn options(&self) -> Options {
        Options {
            keyword_weight: Micro::of(self.alpha),
            regex_weight: Micro::of(self.beta),
            domain_weight: Micro::of(self.gamma),
            reward_weight: Micro::of(self.delta),
            candidates: self.candidates,
            regexes_counted: self.regexes_counted,
            regexes_tried: self.regexes_tried,
            regex_prompt_bytes: self.regex_prompt_bytes,
            prompt_bytes: self.prompt_bytes,
            ambiguous_below: Micro::of(self.tau),
            likeness_min: Micro::of(self.likeness_min),
            by_meaning: self.semantic,
            answers_kept: self.answers_kept,
        }
    }

    /// Returns how long regexes are tried.
    pub(crate) const fn matchers(&self) -> Duration {
        Duration::from_millis(self.matchers_ms)
    }
}

/// How much something may count, at the most.
const WEIGHT_MAX: f64 = 100.0;

/// The settings of both.
pub(super) const KEYS: &[Key] = &[
    key(
        "agents.dir",
        Kind::Path,
        "codex/agents",
        "the folder in which agents are published; what stands there is what tasks are given to",
    )
    .env(&["SPALLA_AGENTS_DIR"]),
    key(
        "agents.watch_seconds",
        Kind::Number(0.0, 3_600.0),
        "1",
        "how often a server looks whether other agents are published, in seconds; 0 is never",
    )
    .env(&["SPALLA_AGENTS_WATCH_SECONDS"]),
    key(
        "alias",
        Kind::Aliases,
        "{}",
        "agents under other names: tables [alias.NAME] with id and overrides; in a variable as JSON",
    )
    .env(&["SPALLA_ALIASES"]),
    key(
        "slo",
        Kind::Slos,
        "{}",
        "what is promised of agents' runs: tables [slo.NAME] with latency_ms and success_pct; in a variable as JSON",
    )
    .env(&["SPALLA_SLO"]),
    key(
        "routing.alpha",
        Kind::Number(0.0, WEIGHT_MAX),
        "1.0",
        "how much the words and files of a task count",
    )
    .env(&["SPALLA_ROUTING_ALPHA"]),
    key("routing.beta", Kind::Number(0.0, WEIGHT_MAX), "0.8", "how much patterns that a task matches count")
        .env(&["SPALLA_ROUTING_BETA"]),
    key(
        "routing.gamma",
        Kind::Number(0.0, WEIGHT_MAX),
        "0.5",
        "how much it counts that what was found points to an agent's domain",
    )
    .env(&["SPALLA_ROUTING_GAMMA"]),
    key("routing.delta", Kind::Number(0.0, WEIGHT_MAX), "0.7", "how much counts what is known of an agent")
        .env(&["SPALLA_ROUTING_DELTA"]),
    key(
        "routing.tau",
        Kind::Number(0.0, WEIGHT_MAX),
        "0.05",
        "the best and the second are ambiguous where less than this is between them",
    )
    .env(&["SPALLA_ROUTING_TAU"]),
    key("routing.candidates", Kind::Whole(1, 50), "3", "how many agents an answer names")
        .env(&["SPALLA_ROUTING_CANDIDATES"]),
    key(
        "routing.regexes_counted",
        Kind::Whole(0, 1_000),
        "16",
        "how many patterns that match count, those of the highest priority",
    )
    .env(&["SPALLA_ROUTING_REGEXES_COUNTED"]),
    key("routing.regexes_tried", Kind::Whole(0, 10_000), "64", "how many patterns are tried on one task")
        .env(&["SPALLA_ROUTING_REGEXES_TRIED"]),
    key(
        "routing.regex_prompt_bytes",
        Kind::Whole(0, 1_048_576),
        "4096",
        "how much of a task patterns see, in bytes",
    )
    .env(&["SPALLA_ROUTING_REGEX_PROMPT_BYTES"]),
    key(
        "routing.prompt_bytes",
        Kind::Whole(1, 1_048_576),
        "65536",
        "how much of a task is looked at at all, in bytes",
    )
    .env(&["SPALLA_ROUTING_PROMPT_BYTES"]),
    key(
        "routing.matchers_ms",
        Kind::Whole(1, 60_000),
        "20",
        "after how many milliseconds no further pattern is tried; the answer then says so",
    )
    .env(&["SPALLA_ROUTING_MATCHERS_MS"]),
    key(
        "routing.semantic",
        Kind::Flag,
        "true",
        "where no word, file or pattern speaks for an agent, one is looked for by what the task means",
    )
    .env(&["SPALLA_ROUTING_SEMANTIC"]),
    key(
        "routing.likeness_min",
        Kind::Number(0.0, 1.0),
        "0.2",
        "how alike a task and what an agent is for have to be, from 0 to 1",
    )
    .env(&["SPALLA_ROUTING_LIKENESS_MIN"]),
    key(
        "routing.answers_kept",
        Kind::Whole(0, 1_000_000),
        "1024",
        "how many answers are remembered; 0 is none",
    )
    .env(&["SPALLA_ROUTING_ANSWERS_KEPT"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_the_routers_own() {
        let own = KEYS.iter().filter_map(|key| Some((key.name.strip_prefix("routing.")?, key)));
        let default = |(name, key): (&str, &Key)| {
            (name.to_owned(), serde_json::to_value(key.kind.parse(key.default).unwrap()).unwrap())
        };
        let table: serde_json::Value = own.map(default).collect::<serde_json::Map<_, _>>().into();
        let settings: RoutingSettings = serde_json::from_value(table).unwrap();
        assert_eq!(settings.options(), Options::default());
    }
}
