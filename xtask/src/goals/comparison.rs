//! Our figure against one of somebody else, and whether that is enough.

use super::figures::{Figures, OURS, RAW};

/// A metric on a store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) store: &'static str,
    pub(crate) metric: &'static str,
}

/// Whose figure ours is set beside.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Against {
    /// The best of all peers.
    BestPeer(Place),
    /// One peer.
    Peer(&'static str, Place),
    /// The best of these, each on its own store.
    BestOf(&'static [(&'static str, Place)]),
    /// A hand-written loop.
    Raw(Place),
    /// The time in milliseconds that the hand-written loop's rate leaves for each of its commits.
    RawEach(Place),
    /// A figure of its own: (value, unit).
    Fixed(f64, &'static str),
}

/// What our figure, divided by theirs, has to be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
    /// Nothing: it is told for comparison. The word says which of several peers is the best.
    Told(Better),
}

/// Which figure is the better one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Better {
    Larger,
    Smaller,
}

/// One comparison of one row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Comparison {
    pub(crate) ours: Place,
    pub(crate) against: Against,
    pub(crate) goal: Goal,
}

/// Somebody else's figure.
#[derive(Debug, PartialEq)]
pub(crate) struct Theirs {
    pub(crate) name: String,
    pub(crate) value: f64,
}

/// Whether a goal was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Met,
    Missed,
    /// There was none.
    Told,
    /// A figure is missing.
    Unmeasured,
}

impl Comparison {
    /// Returns our figure.
    pub(crate) fn our_value(&self, figures: &Figures) -> Option<f64> {
        figures.of(OURS, self.ours.store, self.ours.metric).map(super::figures::Measured::median)
    }

    /// Returns theirs.
    pub(crate) fn theirs(&self, figures: &Figures) -> Option<Theirs> {
        let theirs = |name: &str, value| Theirs { name: name.to_owned(), value };
        let of = |name: &str, place: Place| Some(figures.of(name, place.store, place.metric)?.median());
        match self.against {
            Against::BestPeer(place) => {
                let peers = figures.of_peers(place.store, place.metric);
                self.best(peers.map(|(name, measured)| theirs(name, measured.median())))
            }
            Against::BestOf(peers) => {
                self.best(peers.iter().filter_map(|(name, place)| Some(theirs(name, of(name, *place)?))))
            }
            Against::Peer(name, place) => Some(theirs(name, of(name, place)?)),
            Against::Raw(place) => Some(theirs(RAW, of(RAW, place)?)),
            Against::RawEach(place) => Some(theirs("raw, each", 1_000.0 / of(RAW, place)?)),
            Against::Fixed(value, unit) => Some(theirs(unit, value)),
        }
    }

    /// Returns our figure divided by theirs.
    pub(crate) fn ratio(&self, figures: &Figures) -> Option<f64> {
        Some(self.our_value(figures)? / self.theirs(figures)?.value)
    }

    /// Returns whether that is enough.
    pub(crate) fn verdict(&self, figures: &Figures) -> Verdict {
        let Some(ratio) = self.ratio(figures) else { return Verdict::Unmeasured };
        let met = |is_met| if is_met { Verdict::Met } else { Verdict::Missed };
        match self.goal {
            Goal::AtLeast(least) => met(ratio >= least),
            Goal::AtMost(most) => met(ratio <= most),
            Goal::Told(_) => Verdict::Told,
        }
    }

    fn best(&self, peers: impl Iterator<Item = Theirs>) -> Option<Theirs> {
        let by_value = |a: &Theirs, b: &Theirs| a.value.total_cmp(&b.value);
        match self.better() {
            Better::Larger => peers.max_by(by_value),
            Better::Smaller => peers.min_by(by_value),
        }
    }

    fn better(&self) -> Better {
        match self.goal {
            Goal::AtLeast(_) => Better::Larger,
            Goal::AtMost(_) => Better::Smaller,
            Goal::Told(better) => better,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Against, Better, Comparison, Figures, Goal, Place, Verdict};

    const DRAIN: Place = Place { store: "postgres", metric: "drain" };

    fn figures() -> Figures {
        let mut figures = Figures::default();
        for (peer, value) in [("spalla", 100), ("raw", 200), ("slow", 20), ("fast", 50)] {
            let line = format!(
                r#"{{"peer":"{peer}","version":"1","store":"postgres","metric":"drain","value":{value},"unit":"jobs/s"}}"#
            );
            figures.add(&line).unwrap();
        }
        figures
    }

    fn verdict(against: Against, goal: Goal) -> Verdict {
        Comparison { ours: DRAIN, against, goal }.verdict(&figures())
    }

    #[test]
    fn the_best_peer_is_the_fastest_or_the_one_that_takes_least() {
        let best = |goal| {
            let comparison = Comparison { ours: DRAIN, against: Against::BestPeer(DRAIN), goal };
            comparison.theirs(&figures()).unwrap().name
        };
        assert_eq!(best(Goal::AtLeast(1.0)), "fast");
        assert_eq!(best(Goal::AtMost(1.0)), "slow");
        assert_eq!(best(Goal::Told(Better::Larger)), "fast");
    }

    #[test]
    fn a_goal_is_met_at_its_very_limit() {
        assert_eq!(verdict(Against::Raw(DRAIN), Goal::AtLeast(0.5)), Verdict::Met);
        assert_eq!(verdict(Against::Raw(DRAIN), Goal::AtLeast(0.51)), Verdict::Missed);
        assert_eq!(verdict(Against::Raw(DRAIN), Goal::AtMost(0.5)), Verdict::Met);
        assert_eq!(verdict(Against::Fixed(99.0, "MiB"), Goal::AtMost(1.0)), Verdict::Missed);
    }

    #[test]
    fn what_was_not_measured_is_neither_met_nor_missed() {
        assert_eq!(verdict(Against::Peer("absent", DRAIN), Goal::AtLeast(1.0)), Verdict::Unmeasured);
    }
}
