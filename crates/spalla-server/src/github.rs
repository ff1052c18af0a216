//! What GitHub tells: believed where it is signed, and taken as a number to look at, nothing more. What an issue says is read of
//! GitHub itself by whoever looks. Which deliveries were taken is kept in the store, among the keys of what came before.

use serde_json::Value;
use spalla_domain::github::is_signed;
use spalla_domain::secret::Secret;
use spalla_store::command::IdempotencyKey;
use std::sync::Arc;
use tokio::sync::mpsc;

/// How many numbers wait to be looked at.
const WAITING_MAX: usize = 256;
/// The longest name of a delivery that is remembered, in bytes; of a longer one the beginning is.
const NAME_BYTES_MAX: usize = 100;
/// What happened to an issue that may make it work.
const ACTIONS: [&str; 5] = ["opened", "labeled", "reopened", "edited", "transferred"];

/// Takes in what GitHub tells; cheap to clone.
#[derive(Debug, Clone)]
pub struct GitHubHook(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    secret: Secret,
    repository: Option<String>,
    told: mpsc::Sender<u64>,
}

/// What a delivery asks for.
#[derive(Debug)]
pub(crate) enum Wanted<'a> {
    /// That an issue is looked at.
    Look(Look<'a>),
    /// Nothing that concerns anybody here.
    Nothing,
    /// More than can be looked at now.
    TooMuch,
}

/// An issue that is looked at as soon as it is said to be new.
#[derive(Debug)]
pub(crate) struct Look<'a> {
    number: u64,
    room: mpsc::Permit<'a, u64>,
}

impl Look<'_> {
    /// Has the issue looked at.
    pub(crate) fn begin(self) {
        self.room.send(self.number);
    }
}

impl GitHubHook {
    /// Makes it for deliveries that are signed with a secret, of one repository or of any; the numbers of the issues to look at
    /// come out of what is returned beside it.
    pub fn new(secret: Secret, repository: Option<String>) -> (Self, mpsc::Receiver<u64>) {
        let (told, numbers) = mpsc::channel(WAITING_MAX);
        (Self(Arc::new(Inner { secret, repository, told })), numbers)
    }

    /// Tells whether a body is GitHub's own.
    pub(crate) fn believes(&self, body: &[u8], signature: &str) -> bool {
        is_signed(self.0.secret.expose(), body, signature)
    }

    /// Returns what a delivery of some kind asks for.
    pub(crate) fn wants(&self, kind: &str, body: &Value) -> Wanted<'_> {
        let inner = &self.0;
        let is_ours = inner.repository.as_ref().is_none_or(|ours| {
            body["repository"]["full_name"].as_str().is_some_and(|name| name.eq_ignore_ascii_case(ours))
        });
        let is_wanted =
            kind == "issues" && body["action"].as_str().is_some_and(|action| ACTIONS.contains(&action));
        let number = body["issue"]["number"].as_u64().filter(|number| *number > 0 && is_ours && is_wanted);
        match (number, inner.told.try_reserve()) {
            (None, _) => Wanted::Nothing,
            (Some(_), Err(_)) => Wanted::TooMuch,
            (Some(number), Ok(room)) => Wanted::Look(Look { number, room }),
        }
    }
}

/// Returns the key under which it is kept that a delivery was taken; none for one without a name. Each taking has a number of its
/// own, so that the same name with another number is told to have come before. No client's key has a space in front.
pub(crate) fn key_of(delivery: &str, taking: u64) -> Option<IdempotencyKey> {
    let name = &delivery[..delivery.floor_char_boundary(NAME_BYTES_MAX)];
    let fingerprint = *blake3::hash(&taking.to_le_bytes()).as_bytes();
    (!name.is_empty()).then(|| IdempotencyKey { key: format!(" github {name}"), fingerprint })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(repository: &str, action: &str) -> Value {
        json!({"action": action, "issue": {"number": 7}, "repository": {"full_name": repository}})
    }

    fn look(hook: &GitHubHook, kind: &str, body: &Value) -> bool {
        match hook.wants(kind, body) {
            Wanted::Look(look) => {
                look.begin();
                true
            }
            Wanted::Nothing | Wanted::TooMuch => false,
        }
    }

    #[test]
    fn a_delivery_gives_a_number_once_it_is_said_to_be_new() {
        let (hook, mut numbers) = GitHubHook::new("s".into(), Some("ada/engine".into()));
        let body = told("Ada/Engine", "labeled");
        assert!(matches!(hook.wants("issues", &body), Wanted::Look(_)), "one that is not new is dropped");
        assert!(look(&hook, "issues", &body));
        assert_eq!((numbers.try_recv(), numbers.try_recv().is_err()), (Ok(7), true));
    }

    #[test]
    fn what_concerns_nobody_is_ignored() {
        let (hook, mut numbers) = GitHubHook::new("s".into(), Some("ada/engine".into()));
        for (kind, body) in [
            ("issues", told("eve/engine", "labeled")),
            ("issues", told("ada/engine", "deleted")),
            ("push", told("ada/engine", "labeled")),
            ("issues", json!([])),
        ] {
            assert!(matches!(hook.wants(kind, &body), Wanted::Nothing), "{kind} {body}");
        }
        assert!(numbers.try_recv().is_err());
    }

    #[test]
    fn more_than_can_be_looked_at_is_not_taken_and_may_come_again() {
        let (hook, mut numbers) = GitHubHook::new("s".into(), None);
        let body = told("ada/engine", "opened");
        (0..WAITING_MAX).for_each(|_| assert!(look(&hook, "issues", &body)));
        assert!(matches!(hook.wants("issues", &body), Wanted::TooMuch));
        assert_eq!(numbers.try_recv(), Ok(7));
        assert!(look(&hook, "issues", &body));
    }

    #[test]
    fn each_taking_of_a_delivery_has_one_key_and_a_print_of_its_own() {
        let (first, second) = (key_of("a", 1).unwrap(), key_of("a", 2).unwrap());
        assert_eq!(first.key, second.key);
        assert_ne!(first.fingerprint, second.fingerprint);
        assert!(key_of("", 1).is_none());
        assert!(key_of(&"é".repeat(200), 1).unwrap().key.len() < 150);
        assert!(first.key.starts_with(' '), "no key that a client sends is this one");
    }
}
