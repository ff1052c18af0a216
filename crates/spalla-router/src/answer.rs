//! What is answered: candidates, each with what speaks for and against it, and what it was found by.

use crate::score::Micro;
use serde::{Deserialize, Serialize};

/// By what the best candidate was found: the first stage that says something for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// By the files that the task is about.
    Files,
    /// By words of the task.
    Keywords,
    /// By patterns of the task.
    Regex,
    /// By what the task means.
    Semantic,
    /// By rules alone: the generalists.
    Rules,
}

/// An answer. The same question, with agents that stand alike, to the same index with the same weights has the same one, byte
/// by byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// By what the best was found.
    pub stage: Stage,
    /// The best agents, the best first; none where nobody fits.
    pub candidates: Vec<Candidate>,
    /// How far the second is behind the best; none where there is only one.
    pub margin: Option<Micro>,
    /// Whether that is so little that a person may want to decide.
    pub ambiguous: bool,
    /// How many agents something spoke for.
    pub touched: usize,
    /// How many of them were left out, because they are not what the task needs.
    pub filtered: usize,
    /// What was not looked at to the end.
    pub cut: Vec<Cut>,
    /// What else whoever asks should know.
    pub notes: Vec<String>,
    /// The version of the index.
    pub index: String,
    /// The version of the weights.
    pub weights: String,
    /// The version of how agents stand just now; none where nothing is known of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing: Option<String>,
}

/// What was not looked at to the end, because it would have been too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// The end of the task.
    Prompt,
    /// The end of the task, by regexes.
    RegexPrompt,
    /// Files beyond the first.
    Files,
    /// Agents of the commonest keywords.
    Keywords,
    /// Regexes beyond those that are tried.
    Regexes,
    /// Regexes, because the time was over. Such an answer is not remembered.
    Time,
}

/// An agent that may be the one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its id.
    pub id: String,
    /// Its domain.
    pub domain: String,
    /// The sum of the terms.
    pub score: Micro,
    /// What the score is made of, each part with its weight in it.
    pub terms: Terms,
    /// What it was found by.
    pub matched: Vec<Match>,
}

/// What a score is made of. The penalties are taken away, the rest is added.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// What the files say.
    pub files: Micro,
    /// What the words say.
    pub keyword: Micro,
    /// What the patterns say.
    pub regex: Micro,
    /// How much of what was found points to its domain.
    pub domain: Micro,
    /// How alike the task is to what it is for.
    pub semantic: Micro,
    /// What is known of it.
    pub reward: Micro,
    /// What counts against it.
    pub penalties: Penalties,
}

/// What counts against an agent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Penalties {
    /// What the policy holds against it.
    pub policy: Micro,
    /// The task says what it is not for.
    pub conflicts: Micro,
    /// Its breaker is open, it is busy, failed of late, or is dear.
    pub load: Micro,
}

impl Terms {
    /// Returns the sum.
    #[must_use]
    pub fn total(&self) -> Micro {
        let Penalties { policy, conflicts, load } = self.penalties;
        self.files + self.keyword + self.regex + self.domain + self.semantic + self.reward
            - policy
            - conflicts
            - load
    }
}

/// A trigger that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Match {
    /// By which stage.
    pub by: Stage,
    /// The glob, the keyword or the pattern.
    pub trigger: String,
    /// Where in the task it begins, in bytes; of a glob, which file of the question it is, from 0.
    pub at: usize,
}
