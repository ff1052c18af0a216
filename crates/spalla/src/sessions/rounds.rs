//! Work that is given back to its agent: because what it changed could not be merged, or because its reviewers have concerns.
//! Each piece has so many rounds and no more.

use super::advance::{change_of, item, reasons};
use serde_json::Value;
use spalla_domain::session::{ItemKind, Session, SessionDecision, SessionItem};

/// How often one piece of work is done at most.
const ROUNDS_MAX: usize = 3;
/// What stands between a piece's key and the number of its round.
const ROUND: &str = ".again-";

/// Returns the work that follows a merge that failed for a reason that its agent can do something about; none where it can't,
/// or had its chances.
pub(super) fn of_failed_merge(session: &Session, merge: &SessionItem) -> Option<SessionItem> {
    let is_failed = merge.status.as_deref() == Some("failed");
    let result = merge.runs.last().filter(|_| is_failed)?.result.as_ref()?;
    let work = work_of(session, merge)?;
    again(session, work, &format!("your change could not be merged: {}", why_not_merged(result)?))
}

/// Returns the work in which an agent is given its reviewers' concerns; none where it had its chances.
pub(super) fn of_concerns(
    session: &Session,
    work: &SessionItem,
    decided: &SessionDecision,
) -> Option<SessionItem> {
    again(
        session,
        work,
        &format!("your reviewers have concerns, which have to be answered first. {}.", reasons(decided)),
    )
}

/// Returns the work in which an agent is given the concerns about what it had changed so far; none where it had its chances.
pub(super) fn of_look(
    session: &Session,
    work: &SessionItem,
    decided: &SessionDecision,
    seen: Option<&Value>,
) -> Option<SessionItem> {
    let why = format!(
        "while you were at it, your reviewers had concerns, which have to be answered first. {}.",
        reasons(decided)
    );
    again_with(session, work, &why, seen.map(change_of))
}

/// Returns the piece as it was planned.
pub(super) fn first_of<'a>(session: &'a Session, work: &'a SessionItem) -> &'a SessionItem {
    let (first, _) = parts(&work.key);
    session.items.iter().find(|item| item.key == first).unwrap_or(work)
}

/// Tells whether an item is a round of a piece.
pub(super) fn is_of(item: &SessionItem, key: &str) -> bool {
    parts(&item.key).0 == key
}

/// Tells whether an item is a piece as it was planned, and no later round of it.
pub(super) fn is_first(item: &SessionItem) -> bool {
    parts(&item.key).1 == 1
}

/// Returns the piece as it was planned that an item works on, reviews or merges.
pub(super) fn piece_of<'a>(session: &'a Session, item: &'a SessionItem) -> &'a SessionItem {
    let work = match item.kind {
        ItemKind::Work | ItemKind::Plan => Some(item),
        ItemKind::Merge | ItemKind::Review => work_of(session, item),
    };
    first_of(session, work.unwrap_or(item))
}

/// Tells whether an item is a later round of what has this key.
pub(super) fn is_after(item: &SessionItem, key: &str) -> bool {
    item.kind == ItemKind::Work && follows(key, &item.key)
}

/// Tells whether one item's work was done again because of what it came to.
pub(super) fn is_replaced(session: &Session, item: &SessionItem) -> bool {
    let key = match item.kind {
        ItemKind::Work => &item.key,
        ItemKind::Plan => return false,
        ItemKind::Merge | ItemKind::Review => match item.depends_on.first() {
            Some(key) => key,
            None => return false,
        },
    };
    session.items.iter().any(|other| is_after(other, key))
}

fn work_of<'a>(session: &'a Session, merge: &SessionItem) -> Option<&'a SessionItem> {
    let key = merge.depends_on.first()?;
    session.items.iter().find(|item| item.key == *key && item.kind == ItemKind::Work)
}

fn again(session: &Session, work: &SessionItem, why: &str) -> Option<SessionItem> {
    let change = work.runs.last().and_then(|run| run.result.as_ref()).map(change_of);
    again_with(session, work, why, change)
}

fn again_with(
    session: &Session,
    work: &SessionItem,
    why: &str,
    change: Option<String>,
) -> Option<SessionItem> {
    let (first, round) = parts(&work.key);
    if round >= ROUNDS_MAX {
        return None;
    }
    let own = first_of(session, work);
    let change = change.map(|change| format!("\n\nYour change:\n\n{change}")).unwrap_or_default();
    let merge = format!("{}.merge", work.key);
    let is_merged = |item: &SessionItem| item.key == merge && item.status.as_deref() == Some("succeeded");
    let (here, what) = match session.items.iter().any(is_merged) {
        true => ("with your change", "Answer them in it"),
        false => ("without your change", "Do the task again on it"),
    };
    let prompt = format!(
        "You did the task below, and {why}\n\nThe working tree has what was merged by now, {here}. {what}.\n\nThe task:\n\n{}{change}",
        own.prompt
    );
    let key = format!("{first}{ROUND}{}", round + 1);
    let item = item(key, ItemKind::Work, own.title.clone(), prompt, &work.agent);
    Some(SessionItem {
        timeout_ms: own.timeout_ms,
        definition: own.definition.clone(),
        wishes: own.wishes.clone(),
        part: own.part.clone(),
        ..item
    })
}

/// Returns the key of the piece as it was planned, and the round, from 1.
fn parts(key: &str) -> (&str, usize) {
    match key.split_once(ROUND) {
        Some((first, round)) => (first, round.parse().unwrap_or(ROUNDS_MAX)),
        None => (key, 1),
    }
}

fn follows(earlier: &str, later: &str) -> bool {
    let ((first, round), (other, later)) = (parts(earlier), parts(later));
    first == other && later > round
}

fn why_not_merged(result: &Value) -> Option<String> {
    if let Some(files) = result["conflict"]["files"].as_array() {
        let names: Vec<&str> = files.iter().filter_map(|file| file.as_str()).collect();
        return Some(format!(
            "another change to the same places was merged before it ({}).",
            names.join(", ")
        ));
    }
    let red = result["red"]["error"].as_str()?;
    Some(format!("built and tested together with what was merged before it, it does not pass: {red}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_round_follows_an_earlier_one_of_the_same_piece() {
        assert!(follows("1", "1.again-2") && follows("1.again-2", "1.again-3"));
        assert!(!follows("1", "1") && !follows("1.again-2", "1") && !follows("1", "11.again-2"));
    }
}
