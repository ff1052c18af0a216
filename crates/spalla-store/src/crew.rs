//! Remembers which workers were heard of, so that not every word of theirs is written down: their rows say when, give or
//! take [`NOTE_MS`].

use spalla_domain::claim::Offer;
use spalla_domain::{Timestamp, WorkerId};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A worker that keeps talking is written down this often, in milliseconds.
pub(crate) const NOTE_MS: i64 = 20_000;
/// A worker that said nothing for this long is forgotten, in milliseconds.
pub(crate) const WORKER_KEPT_MS: i64 = 86_400_000;

/// The workers that this process heard of.
#[derive(Debug, Default)]
pub(crate) struct Crew(Mutex<BTreeMap<WorkerId, (Timestamp, Option<Offer>)>>);

impl Crew {
    /// Tells whether a worker's word is to be written down: the last note is old, or what it offers is another thing.
    pub(crate) fn is_news(&self, worker: &WorkerId, offer: Option<&Offer>, now: Timestamp) -> bool {
        let mut known = self.known();
        if let Some((at, last)) = known.get(worker)
            && now.ms().abs_diff(at.ms()) < NOTE_MS.unsigned_abs()
            && offer.is_none_or(|offer| last.as_ref() == Some(offer))
        {
            return false;
        }
        known.retain(|_, (at, _)| now.ms().saturating_sub(at.ms()) < WORKER_KEPT_MS);
        let kept = known.get(worker).and_then(|(_, last)| last.clone());
        known.insert(worker.clone(), (now, offer.cloned().or(kept)));
        true
    }

    /// Forgets what it knows: after a batch that was rolled back nobody knows what is written.
    pub(crate) fn forget(&self) {
        self.known().clear();
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<WorkerId, (Timestamp, Option<Offer>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_news_when_it_is_new_late_or_says_something_else() {
        let (crew, worker) = (Crew::default(), WorkerId::new("w").unwrap());
        let at = Timestamp::from_ms;
        let offer = Offer { labels: vec!["gpu".into()], ..Offer::default() };
        assert!(crew.is_news(&worker, None, at(0)));
        assert!(!crew.is_news(&worker, None, at(1)));
        assert!(crew.is_news(&worker, Some(&offer), at(2)));
        assert!(!crew.is_news(&worker, Some(&offer), at(3)));
        assert!(!crew.is_news(&worker, None, at(4)), "a heartbeat says nothing of what it offers");
        assert!(crew.is_news(&worker, Some(&offer), at(2 + NOTE_MS)));
        assert!(crew.is_news(&worker, Some(&Offer::default()), at(3 + NOTE_MS)));
        crew.forget();
        assert!(crew.is_news(&worker, None, at(4 + NOTE_MS)));
    }
}
