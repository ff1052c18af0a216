//! What is asked: a task, what it needs, and how the agents stand just now.

use crate::options::Options;
use crate::score::Micro;
use std::collections::BTreeMap;

/// How many files of a question are looked at.
pub(crate) const FILES_MAX: usize = 256;

/// A task for which an agent is looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question {
    /// What is to be done, in words.
    pub task: String,
    /// The files that it is about, as paths with `/`; the first 256 count.
    pub files: Vec<String>,
    /// What an agent has to be like.
    pub constraints: Constraints,
    /// How agents stand just now, by their ids; one that is not named stands well.
    pub conditions: BTreeMap<String, Condition>,
    /// The version of what is known of these conditions; none where nothing is.
    pub standing: Option<String>,
    /// How many candidates are wanted; as many as the settings say where nothing is said.
    pub candidates: Option<usize>,
}

/// What an agent has to be like, to be looked at at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Constraints {
    /// The domain that it has to be of.
    pub domain: Option<String>,
    /// The tools that it has to be allowed. An agent of which nothing is said has none refused.
    pub tools: Vec<String>,
    /// The agent whose memory it has to be allowed to read.
    pub memory_of: Option<String>,
    /// The agents that it may not be.
    pub excluded: Vec<String>,
}

/// How an agent stands just now. Shares go from 0 to 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Condition {
    /// It can't be reached, and is not looked at.
    pub is_down: bool,
    /// Its breaker is open.
    pub is_broken: bool,
    /// How much of what it can do at once it does.
    pub busy: Micro,
    /// How much of what it did of late failed.
    pub failing: Micro,
    /// What it costs, beside the dearest.
    pub cost: Micro,
    /// What the policy holds against it.
    pub policy: Micro,
}

/// What was learned of agents, of one version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Weights {
    /// The version: other weights have another one.
    pub version: String,
    /// How well each does, from 0 to 1, by its id.
    pub rewards: BTreeMap<String, Micro>,
}

impl Question {
    /// Returns the part of the task that is looked at.
    pub(crate) fn seen(&self, options: &Options) -> &str {
        &self.task[..self.task.floor_char_boundary(options.prompt_bytes)]
    }

    /// Returns a digest of everything that decides, but for the index and the weights.
    pub(crate) fn digest(&self, options: &Options) -> [u8; 32] {
        let seen = self.seen(options);
        let mut hasher = blake3::Hasher::new();
        let mut add = |bytes: &[u8]| {
            hasher.update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
        };
        add(seen.as_bytes());
        add(&[u8::from(seen.len() < self.task.len())]);
        add(&self.files.len().to_le_bytes());
        self.files.iter().take(FILES_MAX).for_each(|file| add(file.as_bytes()));
        // What `Debug` shows of plain data is all of it; most questions have neither.
        if self.constraints != Constraints::default() {
            add(format!("{:?}", self.constraints).as_bytes());
        }
        add(&self.candidates.unwrap_or(usize::MAX).to_le_bytes());
        add(b"conditions");
        if !self.conditions.is_empty() {
            add(format!("{:?}", self.conditions).as_bytes());
        }
        add(b"standing");
        if let Some(standing) = &self.standing {
            add(standing.as_bytes());
        }
        *hasher.finalize().as_bytes()
    }
}
