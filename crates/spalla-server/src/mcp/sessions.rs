//! Whose the protocol's sessions are: nobody goes on with somebody else's, and nobody has more than a few.

use crate::auth::Client;
use crate::problem::Problem;
use axum::http::StatusCode;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The most sessions of one caller: an agent needs one, and one more where it begins anew.
const OF_CALLER_MAX: usize = 32;
/// The most sessions of all: each has a task.
const ALL_MAX: usize = 1_000;

/// The sessions with whom they belong to.
#[derive(Debug, Default)]
pub(super) struct Owners(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    next: u64,
    sessions: HashMap<String, (Client, u64)>,
}

impl Owners {
    /// Tells whether a session is a caller's.
    pub(super) fn has(&self, id: &str, client: Client) -> bool {
        self.lock().sessions.get(id).is_some_and(|(owner, _)| *owner == client)
    }

    /// Takes note of a new session.
    pub(super) fn add(&self, id: &str, client: Client) {
        let mut known = self.lock();
        known.next += 1;
        let order = known.next;
        known.sessions.entry(id.to_owned()).or_insert((client, order));
    }

    /// Forgets a session.
    pub(super) fn remove(&self, id: &str) {
        self.lock().sessions.remove(id);
    }

    /// Makes room for one more session of a caller, given those that live: returns which of theirs has to end for it.
    pub(super) fn make_room(&self, client: Client, living: &[String]) -> Result<Vec<String>, Problem> {
        let mut known = self.lock();
        let living: BTreeSet<&str> = living.iter().map(String::as_str).collect();
        known.sessions.retain(|id, _| living.contains(id.as_str()));
        let mut own: Vec<(u64, String)> = known
            .sessions
            .iter()
            .filter(|(_, (owner, _))| *owner == client)
            .map(|(id, (_, order))| (*order, id.clone()))
            .collect();
        own.sort();
        let too_many = (own.len() + 1).saturating_sub(OF_CALLER_MAX);
        let ended: Vec<String> = own.into_iter().take(too_many).map(|(_, id)| id).collect();
        for id in &ended {
            known.sessions.remove(id);
        }
        if known.sessions.len() >= ALL_MAX {
            let detail = format!("{ALL_MAX} sessions of the protocol are open; no more are served");
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail).retry_after(60));
        }
        Ok(ended)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spalla_domain::RunId;

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

    #[test]
    fn whoever_has_many_loses_the_oldest_and_nobody_else_s_end() {
        let owners = Owners::default();
        let own = full(&owners, ONE, OF_CALLER_MAX, "a");
        let other = full(&owners, OTHER, 1, "b");
        let living = [own.clone(), other].concat();
        assert_eq!(owners.make_room(ONE, &living).unwrap(), [own[0].clone()]);
        assert_eq!(owners.make_room(OTHER, &living).unwrap(), Vec::<String>::new());
        assert!(owners.has("b0000", OTHER) && !owners.has(&own[0], ONE));
    }

    #[test]
    fn what_ended_by_itself_is_forgotten_and_all_together_are_so_many_at_most() {
        let owners = Owners::default();
        let mut living = vec![];
        for caller in 0..=(ALL_MAX / OF_CALLER_MAX) as i64 {
            living.extend(full(&owners, Client::Run(RunId(caller)), OF_CALLER_MAX, &format!("{caller}-")));
        }
        let newcomer = Client::Run(RunId(9_999));
        let refused = owners.make_room(newcomer, &living).unwrap_err();
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(owners.make_room(newcomer, &[]).unwrap(), Vec::<String>::new());
    }
}
