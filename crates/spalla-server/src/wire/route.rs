//! Questions for agents, and the answers, on the wire.

use super::text::{Needle, Prose, Word};
use super::{Body, words};
use serde::{Deserialize, Serialize};
use spalla_router::{self as router, Answer, Constraints, Question};
use utoipa::ToSchema;

/// The most candidates of an answer.
const TOP_MAX: u8 = 50;

/// A task for which an agent is looked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Route {
    /// What is to be done, in words.
    #[serde(default)]
    #[schema(inline)]
    task: Option<Prose>,
    /// The files that it is about, as paths with `/`.
    #[serde(default)]
    #[schema(inline, max_items = 256)]
    files: Vec<Needle>,
    /// The domain that the agent has to be of.
    #[serde(default)]
    #[schema(inline)]
    domain: Option<Word>,
    /// The tools that it has to be allowed.
    #[serde(default)]
    #[schema(inline, max_items = 256)]
    tools: Vec<Word>,
    /// The agent whose memory it has to be allowed to read.
    #[serde(default)]
    #[schema(inline)]
    memory_of: Option<Word>,
    /// The agents that it may not be.
    #[serde(default)]
    #[schema(inline, max_items = 256)]
    excluded: Vec<Word>,
    /// How many agents are wanted; 3 when left out, 50 at most.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 50)]
    top: Option<Top>,
}

impl Body for Route {}

/// How many are wanted.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(try_from = "u8")]
#[schema(value_type = u8)]
struct Top(u8);

impl TryFrom<u8> for Top {
    type Error = String;

    fn try_from(number: u8) -> Result<Self, String> {
        let fits = (1..=TOP_MAX).contains(&number);
        fits.then_some(Self(number)).ok_or_else(|| format!("{number} is not from 1 to {TOP_MAX}"))
    }
}

impl From<Route> for Question {
    fn from(route: Route) -> Self {
        let words = |words: Vec<Word>| words.into_iter().map(String::from).collect();
        Self {
            task: route.task.map(Into::into).unwrap_or_default(),
            files: route.files.into_iter().map(Into::into).collect(),
            constraints: Constraints {
                domain: route.domain.map(Into::into),
                tools: words(route.tools),
                memory_of: route.memory_of.map(Into::into),
                excluded: words(route.excluded),
            },
            candidates: route.top.map(|top| usize::from(top.0)),
            ..Self::default()
        }
    }
}

words! {
    /// By what an agent was found: the first stage that says something for it.
    RouteStage for router::Stage {
        /// By the files that the task is about.
        Files = "files",
        /// By words of the task.
        Keywords = "keywords",
        /// By patterns of the task.
        Regex = "regex",
        /// By what the task means.
        Semantic = "semantic",
        /// By rules alone: the generalists.
        Rules = "rules",
    }
}

words! {
    /// What was not looked at to the end.
    RouteCut for router::Cut {
        /// The end of the task.
        Prompt = "prompt",
        /// The end of the task, by regexes.
        RegexPrompt = "regex_prompt",
        /// Files beyond the first.
        Files = "files",
        /// Agents of the commonest keywords.
        Keywords = "keywords",
        /// Regexes beyond those that are tried.
        Regexes = "regexes",
        /// Regexes, because the time was over.
        Time = "time",
    }
}

/// The agents that a task is for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RouteAnswer {
    /// By what the best was found.
    stage: RouteStage,
    /// The agents, the best first; none where nobody fits.
    candidates: Vec<RouteCandidate>,
    /// How far the second is behind the best; null where there is only one.
    margin: Option<f64>,
    /// Whether that is so little that a person may want to decide.
    ambiguous: bool,
    /// How many agents something spoke for.
    touched: usize,
    /// How many of them are not what the task needs.
    filtered: usize,
    /// What was not looked at to the end.
    cut: Vec<RouteCut>,
    /// What else is to be known.
    notes: Vec<String>,
    /// The version of the index of agents.
    index: String,
    /// The version of what was learned of them.
    weights: String,
    /// The version of how they stand just now: which of them break what was promised of their runs; null where nobody does.
    standing: Option<String>,
}

/// An agent that may be the one.
#[derive(Debug, Serialize, ToSchema)]
struct RouteCandidate {
    /// Its id.
    id: String,
    /// Its domain.
    domain: String,
    /// The sum of the terms, without the penalties.
    score: f64,
    /// What the score is made of.
    terms: RouteTerms,
    /// What it was found by.
    matched: Vec<RouteMatch>,
}

/// What a score is made of.
#[derive(Debug, Serialize, ToSchema)]
struct RouteTerms {
    /// What the files say.
    files: f64,
    /// What the words say.
    keyword: f64,
    /// What the patterns say.
    regex: f64,
    /// How much of what was found points to its domain.
    domain: f64,
    /// How alike the task is to what it is for.
    semantic: f64,
    /// What is known of it.
    reward: f64,
    /// What counts against it.
    penalties: RoutePenalties,
}

/// What counts against an agent.
#[derive(Debug, Serialize, ToSchema)]
struct RoutePenalties {
    /// What the policy holds against it.
    policy: f64,
    /// The task says what it is not for.
    conflicts: f64,
    /// Its breaker is open, it is busy, failed of late, or is dear.
    load: f64,
}

/// A trigger that was found.
#[derive(Debug, Serialize, ToSchema)]
struct RouteMatch {
    /// By which stage.
    by: RouteStage,
    /// The glob, the keyword or the pattern.
    trigger: String,
    /// Where in the task it begins, in bytes; of a glob, which of the files it is, from 0.
    at: usize,
}

impl From<&Answer> for RouteAnswer {
    fn from(answer: &Answer) -> Self {
        Self {
            stage: answer.stage.into(),
            candidates: answer.candidates.iter().map(Into::into).collect(),
            margin: answer.margin.map(router::Micro::to_f64),
            ambiguous: answer.ambiguous,
            touched: answer.touched,
            filtered: answer.filtered,
            cut: answer.cut.iter().map(|cut| (*cut).into()).collect(),
            notes: answer.notes.clone(),
            index: answer.index.clone(),
            weights: answer.weights.clone(),
            standing: answer.standing.clone(),
        }
    }
}

impl From<&router::Candidate> for RouteCandidate {
    fn from(one: &router::Candidate) -> Self {
        let matched = |found: &router::Match| RouteMatch {
            by: found.by.into(),
            trigger: found.trigger.clone(),
            at: found.at,
        };
        Self {
            id: one.id.clone(),
            domain: one.domain.clone(),
            score: one.score.to_f64(),
            terms: (&one.terms).into(),
            matched: one.matched.iter().map(matched).collect(),
        }
    }
}

impl From<&router::Terms> for RouteTerms {
    fn from(terms: &router::Terms) -> Self {
        let router::Penalties { policy, conflicts, load } = terms.penalties;
        Self {
            files: terms.files.to_f64(),
            keyword: terms.keyword.to_f64(),
            regex: terms.regex.to_f64(),
            domain: terms.domain.to_f64(),
            semantic: terms.semantic.to_f64(),
            reward: terms.reward.to_f64(),
            penalties: RoutePenalties {
                policy: policy.to_f64(),
                conflicts: conflicts.to_f64(),
                load: load.to_f64(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spalla_router::{Agent, Fleet, Index, Options, Router, Weights};
    use std::sync::Arc;

    #[test]
    fn the_wire_says_what_the_command_line_says() {
        let agent = Agent { id: "a".into(), keywords: vec!["docker".into()], ..Agent::default() };
        let index = Arc::new(Index::build(Fleet::of(vec![agent]), None));
        let router = Router::new(index, Weights::default(), Options::default());
        for task in ["a docker image", "nothing"] {
            let answer = router.route(&Question { task: task.into(), ..Question::default() });
            let wire = serde_json::to_value(RouteAnswer::from(&*answer)).unwrap();
            let mut said = serde_json::to_value(&*answer).unwrap();
            // The command line leaves out what only records of runs could tell.
            said["standing"].take();
            assert_eq!(wire, said);
        }
    }
}
