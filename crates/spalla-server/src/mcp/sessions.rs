//! Whose the protocol's sessions are: nobody goes on with somebody else's, nobody has more than a few, and when there are many
//! those go first whose run is over, then one of whoever has the most.

use crate::auth::Client;
use spalla_domain::RunId;
use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The most sessions of one caller: an agent needs one, and one more where it begins anew.
const OF_CALLER_MAX: usize = 32;
/// The most sessions of all: each has a task.
const ALL_MAX: usize = 1_000;
/// From how many on it is looked whether runs are over that have some.
const MANY: usize = ALL_MAX / 2;
/// How many runs are looked at for a new session.
const RUNS_LOOKED_AT: usize = 16;

/// The sessions with whom they belong to.
#[derive(Debug, Default)]
pub(super) struct Owners(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    next: u64,
    /// Whose each is, and when it was used last, in order.
    sessions: HashMap<String, (Client, u64)>,
}

impl Known {
    fn order(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Returns the sessions, those first that were not used for the longest time.
    fn by_use(&self) -> Vec<(Client, &str)> {
        let mut all: Vec<_> =
            self.sessions.iter().map(|(id, (owner, order))| (*order, *owner, id.as_str())).collect();
        all.sort_unstable_by_key(|(order, ..)| *order);
        all.into_iter().map(|(_, owner, id)| (owner, id)).collect()
    }

    /// Returns the session of whoever has the most that was not used for the longest time; of several who have as many, of
    /// whoever was silent longest.
    fn fairest(&self) -> Option<String> {
        let mut counts = HashMap::<Client, usize>::new();
        let all = self.by_use();
        all.iter().for_each(|(owner, _)| *counts.entry(*owner).or_default() += 1);
        // Of equals the first is taken.
        all.into_iter().min_by_key(|(owner, _)| Reverse(counts[owner])).map(|(_, id)| id.to_owned())
    }
}

impl Owners {
    /// Tells whether a session is a caller's, who is using it then.
    pub(super) fn has(&self, id: &str, client: Client) -> bool {
        let mut known = self.lock();
        let order = known.order();
        let session = known.sessions.get_mut(id).filter(|(owner, _)| *owner == client);
        session.map(|session| session.1 = order).is_some()
    }

    /// Takes note of a new session.
    pub(super) fn add(&self, id: &str, client: Client) {
        let mut known = self.lock();
        let order = known.order();
        known.sessions.entry(id.to_owned()).or_insert((client, order));
    }

    /// Forgets a session.
    pub(super) fn remove(&self, id: &str) {
        self.lock().sessions.remove(id);
    }

    /// Returns a few runs whose sessions were not used for the longest time, where there are many sessions.
    pub(super) fn idle_runs(&self) -> BTreeSet<RunId> {
        let known = self.lock();
        if known.sessions.len() < MANY {
            return BTreeSet::new();
        }
        let runs = known.by_use().into_iter().filter_map(|(owner, _)| match owner {
            Client::Run(id) => Some(id),
            _ => None,
        });
        let mut idle = BTreeSet::new();
        for id in runs {
            idle.insert(id);
            if idle.len() == RUNS_LOOKED_AT {
                break;
            }
        }
        idle
    }

    /// Makes room for one more session of a caller, given those that live and some runs that are over: returns which have to end
    /// for it.
    pub(super) fn make_room(&self, client: Client, living: &[String], over: &BTreeSet<RunId>) -> Vec<String> {
        let mut known = self.lock();
        let living: BTreeSet<&str> = living.iter().map(String::as_str).collect();
        known.sessions.retain(|id, _| living.contains(id.as_str()));
        let is_over = |owner: &Client| matches!(owner, Client::Run(id) if over.contains(id));
        let all = known.by_use();
        let own = all.iter().filter(|(owner, _)| *owner == client);
        let too_many = (own.clone().count() + 1).saturating_sub(OF_CALLER_MAX);
        let own = own.take(too_many);
        let over = all.iter().filter(|(owner, _)| *owner != client && is_over(owner));
        let mut ended: Vec<String> = own.chain(over).map(|(_, id)| (*id).to_owned()).collect();
        for id in &ended {
            known.sessions.remove(id);
        }
        while known.sessions.len() >= ALL_MAX {
            let Some(id) = known.fairest() else { break };
            known.sessions.remove(&id);
            ended.push(id);
        }
        ended
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Client = Client::Run(RunId(1));
    const OTHER: Client = Client::Run(RunId(2));

    fn full(owners: &Owners, client: Client, count: usize, prefix: &str) -> Vec<String> {
        let ids: Vec<String> = (0..count).map(|n| format!("{prefix}{n:04}")).collect();
        ids.iter().for_each(|id| owners.add(id, client));
        ids
    }

    #[test]
    fn a_session_is_its_owner_s_alone() {
        let owners = Owners::default();
        owners.add("a", ONE);
        owners.add("a", OTHER);
        assert!(owners.has("a", ONE) && !owners.has("a", OTHER) && !owners.has("b", ONE));
        owners.remove("a");
        assert!(!owners.has("a", ONE));
    }

    fn room(owners: &Owners, client: Client, living: &[String]) -> Vec<String> {
        owners.make_room(client, living, &BTreeSet::new())
    }

    #[test]
    fn whoever_has_many_loses_the_least_used_and_nobody_else_s_end() {
        let owners = Owners::default();
        let own = full(&owners, ONE, OF_CALLER_MAX, "a");
        let other = full(&owners, OTHER, 1, "b");
        let living = [own.clone(), other].concat();
        assert!(owners.has(&own[0], ONE));
        assert_eq!(room(&owners, ONE, &living), [own[1].clone()]);
        assert_eq!(room(&owners, OTHER, &living), Vec::<String>::new());
        assert!(owners.has("b0000", OTHER) && owners.has(&own[0], ONE) && !owners.has(&own[1], ONE));
    }

    #[test]
    fn a_newcomer_finds_room_where_whoever_has_the_most_gives_one() {
        let owners = Owners::default();
        let mut living = full(&owners, OTHER, 2, "b");
        for caller in 0..(ALL_MAX - 2) as i64 {
            living.extend(full(&owners, Client::Run(RunId(100 + caller)), 1, &format!("{caller}-")));
        }
        let newcomer = Client::Run(RunId(9_999));
        assert_eq!(room(&owners, newcomer, &living), ["b0000"]);
        living.remove(0);
        owners.add("new", newcomer);
        living.push("new".to_owned());
        assert!(owners.has("b0001", OTHER) && owners.has("0-0000", Client::Run(RunId(100))));
        assert_eq!(room(&owners, ONE, &living), ["1-0000"], "of equals the least used goes");
        assert_eq!(room(&owners, ONE, &[]), Vec::<String>::new(), "what ended by itself is forgotten");
    }

    #[test]
    fn sessions_of_runs_that_are_over_go_when_there_are_many() {
        let owners = Owners::default();
        let mut living = full(&owners, ONE, 2, "a");
        assert_eq!(owners.idle_runs(), BTreeSet::new());
        for caller in 0..MANY as i64 {
            living.extend(full(&owners, Client::Run(RunId(100 + caller)), 1, &format!("{caller}-")));
        }
        assert!(owners.has("a0000", ONE) && owners.has("a0001", ONE));
        let idle: BTreeSet<RunId> = (0..RUNS_LOOKED_AT as i64).map(|id| RunId(100 + id)).collect();
        assert_eq!(owners.idle_runs(), idle);
        let over = BTreeSet::from([RunId(100), RunId(102)]);
        assert_eq!(owners.make_room(OTHER, &living, &over), ["0-0000", "2-0000"]);
    }
}
