//! How much each kind of evidence counts, and what is looked at, at the most.

use crate::score::Micro;

/// The settings of a router. The defaults suit fleets of all sizes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Options {
    /// How much keywords and files count (α).
    pub keyword_weight: Micro,
    /// How much regexes count (β).
    pub regex_weight: Micro,
    /// How much it counts that the agent's domain is the task's (γ).
    pub domain_weight: Micro,
    /// How much it counts what is known of the agent (δ).
    pub reward_weight: Micro,
    /// How many candidates an answer has.
    pub candidates: usize,
    /// How many matching regexes count, those of the highest priority (K).
    pub regexes_counted: usize,
    /// How many regexes are tried.
    pub regexes_tried: usize,
    /// How much of a task regexes see, in bytes.
    pub regex_prompt_bytes: usize,
    /// How much of a task is looked at at all, in bytes.
    pub prompt_bytes: usize,
    /// What the second is to be behind the best by; below it they are ambiguous (tau).
    pub ambiguous_below: Micro,
    /// How alike a task and a description have to be.
    pub likeness_min: Micro,
    /// Whether agents are chosen by meaning where no trigger was found.
    pub by_meaning: bool,
    /// How many answers are remembered.
    pub answers_kept: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            keyword_weight: Micro::of_millionths(1_000_000),
            regex_weight: Micro::of_millionths(800_000),
            domain_weight: Micro::of_millionths(500_000),
            reward_weight: Micro::of_millionths(700_000),
            candidates: 3,
            regexes_counted: 16,
            regexes_tried: 64,
            regex_prompt_bytes: 4 * 1024,
            prompt_bytes: 64 * 1024,
            ambiguous_below: Micro::of_millionths(50_000),
            likeness_min: Micro::of_millionths(200_000),
            by_meaning: true,
            answers_kept: 1_024,
        }
    }
}
