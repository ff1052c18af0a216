//! How a session ends, as the program's exit status says it.

use super::follow::Followed;
use super::{contest, rounds};
use crate::exit::Exit;
use serde_json::Value;
use spalla_domain::session::{ItemKind, Session, SessionItem};

/// Returns how the program ends: as its worst item did, and never well when something was left out. What was done again does not
/// count. A report that is red is a failure only where whoever asks takes it for one: otherwise it was asked for, and is there.
pub(super) fn of(session: &Session, items: &[Followed], red_fails: bool) -> Exit {
    let item_of =
        |followed: &Followed| session.items.iter().find(|item| item.work_item_id == Some(followed.id));
    let is_counted = |followed: &&Followed| item_of(followed).is_none_or(|item| counts(session, item));
    let end_of = |followed: &Followed| match followed.exit() {
        Exit::Done if red_fails && is_red(followed) => Exit::Failed,
        exit => exit,
    };
    let is_unmade = session.items.iter().any(|item| item.work_item_id.is_none());
    let left_out = (!session.left_out.is_empty() || is_unmade).then_some(Exit::Failed);
    let contests = contest::ends(session);
    let ends = items.iter().filter(is_counted).map(end_of);
    let ends: Vec<Exit> = ends.chain(contests).chain(left_out).collect();
    let worst = [Exit::Failed, Exit::TimedOut, Exit::Stopped, Exit::Waits];
    worst.into_iter().find(|exit| ends.contains(exit)).unwrap_or(Exit::Done)
}

/// Tells whether an end of an item is one of the session.
fn counts(session: &Session, item: &SessionItem) -> bool {
    let may_fail = rounds::piece_of(session, item).wishes.may_fail();
    matches!(item.kind, ItemKind::Work | ItemKind::Merge)
        && contest::of(session, item).is_none()
        && !rounds::is_replaced(session, item)
        && !may_fail
}

/// Tells whether an item's newest run verified the project, and found that something fails.
fn is_red(followed: &Followed) -> bool {
    let result = followed.run.as_ref().and_then(|run| run.result.as_ref());
    result.map(|result| &result["verdict"]).and_then(Value::as_str) == Some("red")
}
