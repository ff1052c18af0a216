//! One decision: what the stages find, who is left out, what speaks for and against the rest.

mod choose;
mod find;

use crate::answer::{Answer, Cut};
use crate::fleet::Number;
use crate::index::Index;
use crate::memo::Memo;
use crate::options::Options;
use crate::question::{Question, Weights};
use crate::score::Micro;
use crate::scratch::Scratch;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// How many scratches are kept for decisions that are made at the same time.
const SCRATCHES_MAX: usize = 64;

/// Answers questions about one index, with weights of one version. Threads may share it.
#[derive(Debug)]
pub struct Router {
    index: Arc<Index>,
    options: Options,
    weights: Weights,
    /// What was learned of each agent, by its number.
    rewards: Vec<Option<Micro>>,
    memo: Memo,
    scratches: Mutex<Vec<Scratch>>,
}

/// What is known about a decision beside its candidates.
#[derive(Debug, Default)]
struct Aside {
    cut: BTreeSet<Cut>,
    notes: Vec<String>,
    touched: usize,
    filtered: usize,
}

impl Router {
    /// Makes a router.
    #[must_use]
    pub fn new(index: Arc<Index>, weights: Weights, options: Options) -> Self {
        let reward = |id: &String| weights.rewards.get(id).copied();
        let rewards = index.entries.iter().map(|entry| reward(&entry.id)).collect();
        let memo = Memo::new(options.answers_kept);
        Self { index, options, weights, rewards, memo, scratches: Mutex::default() }
    }

    /// Returns the index that is asked.
    #[must_use]
    pub const fn index(&self) -> &Arc<Index> {
        &self.index
    }

    /// Answers a question, however long it takes: what is done is bounded.
    #[must_use]
    pub fn route(&self, question: &Question) -> Arc<Answer> {
        self.route_until(question, &|| false)
    }

    /// Answers a question. Once `is_late` says so, no further regex is tried; what was found by then counts, and the answer says
    /// that it was cut.
    #[must_use]
    pub fn route_until(&self, question: &Question, is_late: &dyn Fn() -> bool) -> Arc<Answer> {
        if !self.memo.is_on() {
            return Arc::new(self.decide(question, is_late));
        }
        let key = question.digest(&self.options);
        if let Some(answer) = self.memo.find(&key) {
            return answer;
        }
        let answer = Arc::new(self.decide(question, is_late));
        // What the clock had a hand in is no function of the question.
        if !answer.cut.contains(&Cut::Time) {
            self.memo.keep(key, &answer);
        }
        answer
    }

    fn decide(&self, question: &Question, is_late: &dyn Fn() -> bool) -> Answer {
        let mut scratch = self.scratch();
        scratch.begin();
        let answer = self.decide_on(question, is_late, &mut scratch);
        let mut all = self.scratches.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < SCRATCHES_MAX {
            all.push(scratch);
        }
        answer
    }

    fn scratch(&self) -> Scratch {
        let kept = self.scratches.lock().unwrap_or_else(PoisonError::into_inner).pop();
        kept.unwrap_or_else(|| Scratch::new(self.index.texts.len(), self.index.len(), self.index.domains))
    }

    fn decide_on(&self, question: &Question, is_late: &dyn Fn() -> bool, scratch: &mut Scratch) -> Answer {
        let mut aside = Aside::default();
        self.find_triggers(question, is_late, scratch, &mut aside);
        let mut chosen = self.choose(question, scratch, &mut aside);
        if chosen.is_empty() {
            self.find_meanings(question, scratch, &mut aside);
            chosen = self.choose(question, scratch, &mut aside);
        }
        if chosen.is_empty() {
            self.find_generalists(question, scratch, &mut aside);
            chosen = self.choose(question, scratch, &mut aside);
        }
        self.answer(question, scratch, chosen, aside)
    }

    /// Returns what was learned of an agent.
    fn learned(&self, agent: Number) -> Option<Micro> {
        self.rewards[agent as usize]
    }
}
