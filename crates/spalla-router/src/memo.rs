//! Answers that were given before, by what was asked.

use crate::answer::Answer;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

type Key = [u8; 32];
type Answers = HashMap<Key, Arc<Answer>>;

/// Remembers answers: at least the last so many, at most twice as many.
#[derive(Debug)]
pub(crate) struct Memo {
    most: usize,
    /// The young ones, and those that were young before them.
    halves: Mutex<(Answers, Answers)>,
}

impl Memo {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, halves: Mutex::default() }
    }

    /// Tells whether anything is remembered at all.
    pub(crate) const fn is_on(&self) -> bool {
        self.most > 0
    }

    /// Returns the answer that was given.
    pub(crate) fn find(&self, key: &Key) -> Option<Arc<Answer>> {
        let halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = halves.0.get(key) {
            return Some(Arc::clone(answer));
        }
        let answer = Arc::clone(halves.1.get(key)?);
        drop(halves);
        self.keep(*key, &answer);
        Some(answer)
    }

    /// Keeps an answer; when the young ones are full, the old ones go.
    pub(crate) fn keep(&self, key: Key, answer: &Arc<Answer>) {
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        if halves.0.len() >= self.most {
            halves.1 = std::mem::take(&mut halves.0);
        }
        halves.0.insert(key, Arc::clone(answer));
    }
}
