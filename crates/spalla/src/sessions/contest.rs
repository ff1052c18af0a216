//! Several tries at the same piece: each is reviewed by the others, the best is merged, and where that one does not pass its
//! checks, the next best.

use super::advance::{Next, is_delivered, is_done, is_over, merge_of, with_change};
use super::rounds;
use crate::exit::Exit;
use serde_json::Value;
use spalla_domain::review::{Decision, Opinion};
use spalla_domain::session::{ItemKind, Session, SessionDecision, SessionItem, Vote};
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// How good a try is: the least is the best. After the doubt, the shares of its reviewers' weight that approve and that have
/// concerns, in thousandths, and the length.
type Rank = (u8, Reverse<u64>, u64, u64);

/// Has the best try of each contest merged that is decided.
pub(super) fn advance(session: &Session, next: &mut Next) {
    for contest in all(session) {
        let tries: Vec<&SessionItem> = tries(session, contest).collect();
        let is_settled = tries.iter().all(|item| is_over(item) && !waits_for_reviews(session, item, next));
        let merges: Vec<&SessionItem> = tries.iter().filter_map(|item| merge(session, item)).collect();
        let is_merging = merges.iter().any(|merge| !is_over(merge) || is_done(merge));
        if is_settled && !is_merging {
            let left = tries.iter().filter(|item| merge(session, item).is_none());
            let best = left
                .filter_map(|item| Some((rank(session, item, next)?, item)))
                .min_by_key(|(rank, _)| *rank);
            next.items.extend(best.map(|(_, item)| merge_of(item)));
        }
    }
}

/// Returns how the program ends for each contest.
pub(super) fn ends(session: &Session) -> Vec<Exit> {
    let end = |contest| {
        let may_fail = tries(session, contest).any(|item| item.wishes.may_fail());
        let is_held = |item: &SessionItem| {
            let last = session.decisions.iter().rfind(|decision| decision.key == item.key);
            last.is_some_and(|decision| decision.decision == Decision::StopAndEscalate)
        };
        match () {
            () if may_fail || is_delivered(session, contest) => Exit::Done,
            () if tries(session, contest).any(|item| !is_over(item)) => Exit::Waits,
            () if tries(session, contest).any(is_held) => Exit::Stopped,
            () => Exit::Failed,
        }
    };
    all(session).into_iter().map(end).collect()
}

/// Tells whether a piece is one of several tries.
pub(super) const fn is_try(item: &SessionItem) -> bool {
    item.part.contest.is_some()
}

/// Tells whether an item is a try at a piece.
pub(super) fn is_try_at(item: &SessionItem, key: &str) -> bool {
    item.kind == ItemKind::Work && item.part.contest.as_deref() == Some(key)
}

/// Returns the keys of the pieces at which there are several tries.
pub(super) fn all(session: &Session) -> BTreeSet<&str> {
    session.items.iter().filter_map(|item| item.part.contest.as_deref()).collect()
}

/// Returns the contest that an item is of: a try, its review, or its merging.
pub(super) fn of<'a>(session: &'a Session, item: &'a SessionItem) -> Option<&'a str> {
    let about = || {
        let key = session.reviewed_by(item)?;
        session.items.iter().find(|work| work.key == key)?.part.contest.as_deref()
    };
    item.part.contest.as_deref().or_else(about)
}

/// Returns the tries that count: one that was begun again counts as what it became.
fn tries<'a>(session: &'a Session, contest: &'a str) -> impl Iterator<Item = &'a SessionItem> {
    let counts = move |item: &&SessionItem| is_try_at(item, contest) && !rounds::is_replaced(session, item);
    session.items.iter().filter(counts)
}

fn merge<'a>(session: &'a Session, work: &SessionItem) -> Option<&'a SessionItem> {
    let key = format!("{}.merge", work.key);
    session.items.iter().find(|item| item.key == key)
}

fn waits_for_reviews(session: &Session, work: &SessionItem, next: &Next) -> bool {
    is_done(work) && with_change(work).is_some() && decided(session, work, next).is_none()
}

fn decided<'a>(session: &'a Session, work: &SessionItem, next: &'a Next) -> Option<&'a SessionDecision> {
    session.decisions.iter().chain(&next.decisions).rfind(|decision| decision.key == work.key)
}

/// Says how good a try is; none where it can't be merged.
fn rank(session: &Session, work: &SessionItem, next: &Next) -> Option<Rank> {
    let change = &with_change(work).filter(|_| is_done(work))?.result.as_ref()?["change"];
    let decided = decided(session, work, next)?;
    let doubt = match decided.decision {
        Decision::Continue => 0,
        Decision::LogWarning => 1,
        Decision::PauseAndClarify => 2,
        Decision::StopAndEscalate => return None,
    };
    // Each try has reviewers of its own: what counts is how much of their weight is for it. Who is absent is not.
    let weight = |votes: &mut dyn Iterator<Item = &Vote>| votes.map(|vote| vote.weight).sum::<f64>();
    let all = weight(&mut decided.votes.iter());
    let share = |opinion| {
        let is_of = |vote: &&Vote| vote.verdict.as_ref().is_some_and(|verdict| verdict.verdict == opinion);
        let of_it = weight(&mut decided.votes.iter().filter(is_of));
        if all > 0.0 { (of_it / all * 1e3).round() as u64 } else { 0 }
    };
    let lines = |name: &str| change.get(name).and_then(Value::as_u64).unwrap_or(0);
    // Of two that are as good, the shorter one is the better one.
    let length = lines("insertions").saturating_add(lines("deletions"));
    Some((doubt, Reverse(share(Opinion::Approved)), share(Opinion::Concern), length))
}
