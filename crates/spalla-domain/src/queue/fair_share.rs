//! The order among projects: within one, rank decides alone; between several that wait for the same claimer, they take
//! turns, so that nobody's long queue holds up a short one behind it.
//!
//! Turns are start tags of start-time fair queueing (Goyal, Vin, Cheng 1996) with equal weights: a project that comes
//! back after a while gets no credit for the time in which it wanted nothing. An entry that is more urgent goes first all
//! the same; one that is less urgent takes turns once its age has brought it near.

use crate::queue::rank::UNITS_PER_LEVEL;
use crate::{ProjectId, WorkItemId};
use std::collections::{BTreeMap, VecDeque};

/// What of an entry the order goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// Whose it is.
    pub project_id: ProjectId,
    /// 0 to 9, 9 is the most urgent.
    pub priority: u8,
    /// The ordering key, smallest first; see [`super::rank`].
    pub key: i64,
    /// What decides between equals.
    pub id: WorkItemId,
}

/// Whose turn it was. It is about nothing but the order, so it may be lost at any time.
#[derive(Debug, Clone, Default)]
pub struct Turns {
    /// The tag under which a project was served last.
    now: u64,
    /// The tags under which projects come next, where they are behind.
    next: BTreeMap<ProjectId, u64>,
}

impl Turns {
    /// Takes up to `limit` of the candidates, in the order in which they start, passing over those that do not fit beside
    /// what was taken. What is taken counts as a turn.
    pub fn take<T>(
        &mut self,
        candidates: Vec<T>,
        waiting: impl Fn(&T) -> Waiting,
        limit: usize,
        mut fits: impl FnMut(&T) -> bool,
    ) -> Vec<T> {
        let mut candidates: Vec<_> = candidates.into_iter().map(|it| (waiting(&it), it)).collect();
        candidates.sort_by_key(|(waiting, _)| (waiting.key, waiting.id));
        let mut lines: BTreeMap<ProjectId, VecDeque<(Waiting, T)>> = BTreeMap::new();
        for candidate in candidates {
            lines.entry(candidate.0.project_id).or_default().push_back(candidate);
        }
        let mut taken = Vec::new();
        while taken.len() < limit {
            let heads = lines.values().filter_map(|line| line.front().map(|(waiting, _)| *waiting));
            let Some(project) = self.choose(heads) else { break };
            let Some((_, chosen)) = lines.get_mut(&project).and_then(VecDeque::pop_front) else { break };
            if fits(&chosen) {
                self.count(project);
                taken.push(chosen);
            }
        }
        let now = self.now;
        self.next.retain(|_, tag| *tag > now);
        taken
    }

    /// Chooses among the best entries of each project.
    fn choose(&self, heads: impl Iterator<Item = Waiting> + Clone) -> Option<ProjectId> {
        let best = heads.clone().min_by_key(|head| (head.key, head.id))?;
        let rivals = heads.filter(|head| is_rival(head, &best));
        let chosen = rivals.min_by_key(|head| (self.tag(head.project_id), head.key, head.id))?;
        Some(chosen.project_id)
    }

    /// Counts a turn.
    fn count(&mut self, project: ProjectId) {
        self.now = self.tag(project);
        self.next.insert(project, self.now + 1);
    }

    fn tag(&self, project_id: ProjectId) -> u64 {
        self.next.get(&project_id).copied().unwrap_or_default().max(self.now)
    }
}

/// How near an entry of lower priority has to be to the best one: half a level, or five hours of age. A whole one would
/// let what is less urgent in for being a moment older.
const NEAR: i64 = UNITS_PER_LEVEL / 2;

/// Tells whether an entry takes turns with the best one.
fn is_rival(head: &Waiting, best: &Waiting) -> bool {
    head.priority >= best.priority || head.key.saturating_sub(best.key) < NEAR
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(project: i64, priority: u8, age: i64, count: i64) -> Vec<Waiting> {
        let of = |place| Waiting {
            project_id: ProjectId(project),
            priority,
            key: place - age - i64::from(priority) * UNITS_PER_LEVEL,
            id: WorkItemId(project * 1_000_000 + place),
        };
        (0..count).map(of).collect()
    }

    fn projects(taken: &[Waiting]) -> Vec<i64> {
        taken.iter().map(|waiting| waiting.project_id.0).collect()
    }

    fn take(turns: &mut Turns, lines: &[Vec<Waiting>], limit: usize) -> Vec<i64> {
        projects(&turns.take(lines.concat(), |waiting| *waiting, limit, |_| true))
    }

    #[test]
    fn a_short_queue_is_not_held_up_by_a_long_one_before_it() {
        let taken = take(&mut Turns::default(), &[line(1, 5, 100, 1_000), line(2, 5, 0, 3)], 8);
        assert_eq!(taken, [1, 2, 1, 2, 1, 2, 1, 1]);
    }

    #[test]
    fn turns_go_on_over_single_claims() {
        let mut turns = Turns::default();
        let lines = [line(1, 5, 100, 10), line(2, 5, 0, 10)];
        let taken: Vec<_> = (0..4).flat_map(|_| take(&mut turns, &lines, 1)).collect();
        assert_eq!(taken, [1, 2, 1, 2]);
    }

    #[test]
    fn a_project_that_wanted_nothing_gets_no_credit_for_it() {
        let mut turns = Turns::default();
        take(&mut turns, &[line(1, 5, 0, 100)], 100);
        let taken = take(&mut turns, &[line(1, 5, 1, 10), line(2, 5, 0, 10)], 6);
        assert!(taken.iter().filter(|project| **project == 1).count() >= 2, "{taken:?}");
    }

    #[test]
    fn what_is_a_level_more_urgent_goes_first() {
        let taken = take(&mut Turns::default(), &[line(1, 5, 0, 2), line(2, 6, 0, 2)], 4);
        assert_eq!(taken, [2, 2, 1, 1]);
    }

    #[test]
    fn a_backlog_of_any_age_takes_turns_with_what_is_as_urgent() {
        let taken = take(&mut Turns::default(), &[line(1, 5, 50 * UNITS_PER_LEVEL, 4), line(2, 5, 0, 4)], 4);
        assert_eq!(taken, [1, 2, 1, 2]);
    }

    #[test]
    fn what_waited_for_levels_longer_is_not_starved_by_what_is_more_urgent() {
        let taken = take(&mut Turns::default(), &[line(1, 2, 4 * UNITS_PER_LEVEL, 2), line(2, 5, 0, 2)], 4);
        assert_eq!(taken, [1, 2, 1, 2]);
    }

    #[test]
    fn what_does_not_fit_is_passed_over_and_costs_no_turn() {
        let lines = [line(1, 5, 100, 4), line(2, 5, 0, 4)].concat();
        let taken = Turns::default().take(lines, |waiting| *waiting, 3, |waiting| waiting.id.0 % 2 == 0);
        assert_eq!(projects(&taken), [1, 2, 1]);
    }

    proptest! {
        #[test]
        fn each_project_keeps_its_own_order_and_nobody_is_passed_over(
            counts in proptest::collection::vec((0..10_u8, 0..1_000_000_i64, 1..30_i64), 1..6), limit in 0..100_usize,
        ) {
            let lines: Vec<_> = counts.iter().zip(1..).map(|(&(p, age, n), id)| line(id, p, age, n)).collect();
            let taken = Turns::default().take(lines.concat(), |waiting| *waiting, limit, |_| true);
            prop_assert_eq!(taken.len(), limit.min(lines.concat().len()));
            for line in &lines {
                let own: Vec<_> = taken.iter().filter(|it| it.project_id == line[0].project_id).copied().collect();
                prop_assert_eq!(&own[..], &line[..own.len()]);
            }
        }

        #[test]
        fn as_urgent_projects_differ_by_one_turn_at_most_while_all_wait(count in 2..8_i64, limit in 1..100_usize) {
            let lines: Vec<_> = (1..=count).map(|id| line(id, 5, id, 100)).collect();
            let taken = take(&mut Turns::default(), &lines, limit);
            let shares: Vec<_> =
                (1..=count).map(|id| taken.iter().filter(|project| **project == id).count()).collect();
            prop_assert!(shares.iter().max().unwrap() - shares.iter().min().unwrap() <= 1, "{:?}", shares);
        }
    }
}
