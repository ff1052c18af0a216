//! What GitHub tells: believed where it is signed, and taken as a number to look at, nothing more. What an issue says is read of
//! GitHub itself by whoever looks.

use serde_json::Value;
use spalla_domain::github::is_signed;
use spalla_domain::secret::Secret;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;

/// How many numbers wait to be looked at.
const WAITING_MAX: usize = 256;
/// How many deliveries are remembered.
const DELIVERIES_KEPT: usize = 1_000;
/// The longest name of a delivery that is remembered, in bytes.
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
    seen: Mutex<VecDeque<String>>,
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is looked at.
    Heard,
    /// It came before.
    Known,
    /// It concerns nobody here.
    Ignored,
    /// Nobody can look at it now.
    Busy,
}

impl GitHubHook {
    /// Makes it for deliveries that are signed with a secret, of one repository or of any; the numbers of the issues to look at
    /// come out of what is returned beside it.
    pub fn new(secret: Secret, repository: Option<String>) -> (Self, mpsc::Receiver<u64>) {
        let (told, numbers) = mpsc::channel(WAITING_MAX);
        (Self(Arc::new(Inner { secret, repository, told, seen: Mutex::default() })), numbers)
    }

    /// Tells whether a body is GitHub's own.
    pub(crate) fn believes(&self, body: &[u8], signature: &str) -> bool {
        is_signed(self.0.secret.expose(), body, signature)
    }

    /// Takes what was told by a delivery of some kind.
    pub(crate) fn take(&self, kind: &str, delivery: &str, body: &Value) -> Taken {
        let inner = &self.0;
        let name = delivery[..delivery.floor_char_boundary(NAME_BYTES_MAX)].to_owned();
        let mut seen = inner.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if !name.is_empty() && seen.contains(&name) {
            return Taken::Known;
        }
        let is_ours = inner.repository.as_ref().is_none_or(|ours| {
            body["repository"]["full_name"].as_str().is_some_and(|name| name.eq_ignore_ascii_case(ours))
        });
        let is_wanted =
            kind == "issues" && body["action"].as_str().is_some_and(|action| ACTIONS.contains(&action));
        let number = body["issue"]["number"].as_u64().filter(|number| *number > 0 && is_ours && is_wanted);
        let Some(number) = number else { return Taken::Ignored };
        if inner.told.try_send(number).is_err() {
            return Taken::Busy;
        }
        // Only what was taken is known: what was not is taken when it is delivered again.
        seen.push_back(name);
        if seen.len() > DELIVERIES_KEPT {
            seen.pop_front();
        }
        Taken::Heard
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(repository: &str, action: &str) -> Value {
        json!({"action": action, "issue": {"number": 7}, "repository": {"full_name": repository}})
    }

    #[test]
    fn a_delivery_is_taken_once_and_gives_a_number() {
        let (hook, mut numbers) = GitHubHook::new("s".into(), Some("ada/engine".into()));
        let body = told("Ada/Engine", "labeled");
        assert_eq!(hook.take("issues", "a", &body), Taken::Heard);
        assert_eq!(hook.take("issues", "a", &body), Taken::Known);
        assert_eq!((numbers.try_recv(), numbers.try_recv().is_err()), (Ok(7), true));
    }

    #[test]
    fn what_concerns_nobody_is_ignored() {
        let (hook, mut numbers) = GitHubHook::new("s".into(), Some("ada/engine".into()));
        assert_eq!(hook.take("issues", "a", &told("eve/engine", "labeled")), Taken::Ignored);
        assert_eq!(hook.take("issues", "b", &told("ada/engine", "deleted")), Taken::Ignored);
        assert_eq!(hook.take("push", "c", &told("ada/engine", "labeled")), Taken::Ignored);
        assert_eq!(hook.take("issues", "d", &json!([])), Taken::Ignored);
        assert!(numbers.try_recv().is_err());
    }

    #[test]
    fn more_than_can_be_looked_at_is_not_taken_and_may_come_again() {
        let (hook, mut numbers) = GitHubHook::new("s".into(), None);
        let body = told("ada/engine", "opened");
        (0..WAITING_MAX).for_each(|at| assert_eq!(hook.take("issues", &at.to_string(), &body), Taken::Heard));
        assert_eq!(hook.take("issues", "last", &body), Taken::Busy);
        assert_eq!(numbers.try_recv(), Ok(7));
        assert_eq!(hook.take("issues", "last", &body), Taken::Heard);
    }
}
