//! Histories that each break one law, and nothing else.

use super::log::{Log, on};
use super::{Law, Rules, broken};
use spalla_domain::approval::Status as Answer;
use spalla_domain::event::Fact;
use spalla_domain::problem::Code;
use spalla_domain::retry::ErrorClass::{Failed, Validation};
use spalla_domain::work_item::{Status, When};
use spalla_domain::{WorkItemId, approval};

/// An item that waits for another one, which is ready.
fn pair() -> Log {
    Log::ready(&[1]).made(2, &[on(1)]).queued_with(2, 1, 0, None)
}

fn depends(log: Log, id: i64, on: i64) -> Log {
    log.say(id, Fact::DependencyAdded { depends_on: WorkItemId(on), when: When::Success })
}

fn archived(log: Log, id: i64) -> Log {
    log.say(id, Fact::WorkItemArchived {})
}

fn unblocked(log: Log, id: i64) -> Log {
    log.say(id, Fact::WorkItemUnblocked {})
}

fn laws_of_order() -> Vec<(&'static str, Law, Log)> {
    let ready = || Log::ready(&[1]);
    vec![
        ("a number twice", Law::SequenceGrows, Log::new().made(1, &[]).made(2, &[]).numbered(1)),
        ("no item", Law::SubjectNamed, Log::new().say_of_nothing(Fact::WorkItemReady {})),
        (
            "a priority far from what was set",
            Law::PriorityNear,
            ready().say(1, Fact::PriorityMoved { priority: 8, set: 5, reasons: vec![] }),
        ),
        ("no run", Law::SubjectNamed, ready().say(1, Fact::RunCreated { attempt: 1 })),
        ("queued, never made", Law::ItemMadeFirst, Log::new().queued(1)),
        ("made twice", Law::ItemMadeFirst, Log::new().made(1, &[]).made(1, &[])),
        ("ended, never begun", Law::RunMadeFirst, ready().succeeded(1, 1, None)),
        ("begun twice", Law::RunMadeFirst, ready().begun(1, 1, 1).begun(1, 1, 1)),
        ("a run of two items", Law::RunMadeFirst, Log::ready(&[1, 2]).claimed(1, 1, 1).expired(2, 1, 1)),
        ("waits for nothing known", Law::EdgesSound, Log::new().made(1, &[on(2)])),
        ("waits for itself", Law::EdgesSound, depends(Log::new().made(1, &[]), 1, 1)),
        ("a circle", Law::EdgesSound, depends(Log::new().made(1, &[]).made(2, &[on(1)]), 1, 2)),
        ("an edge twice", Law::EdgesSound, depends(Log::new().made(1, &[]).made(2, &[on(1)]), 2, 1)),
        ("archived in the queue", Law::ArchivedRests, archived(ready(), 1)),
        (
            "queued in the archive",
            Law::ArchivedRests,
            archived(Log::new().made(1, &[]), 1).queued(1).turns_ready(1),
        ),
        (
            "begun in an archived project",
            Law::ArchivedRests,
            ready().say(1, Fact::ProjectArchived {}).begun(1, 1, 1),
        ),
    ]
}

fn laws_of_runs() -> Vec<(&'static str, Law, Log)> {
    let ready = || Log::ready(&[1]);
    let held = || Log::ready(&[1]).claimed(1, 1, 1);
    let free = || held().expired(1, 1, 1);
    let done = |log: Log| log.finished(1, Status::Succeeded);
    vec![
        ("two runs", Law::OneRunAtATime, held().claimed_as(1, 2, 2, 2, 0)),
        ("attempts skip", Law::AttemptsCount, ready().begun(1, 1, 2)),
        ("attempts move", Law::AttemptsCount, free().claimed_as(1, 1, 2, 2, 1)),
        ("a token twice", Law::FencesGrow, free().claimed_as(1, 1, 1, 1, 1)),
        (
            "a new run's token is old",
            Law::FencesGrow,
            held().failed(1, 1, 1, Failed).retried(1, 1, 0).turns_ready(1).claimed_as(1, 2, 2, 1, 0),
        ),
        ("two holders", Law::OneHolder, held().claimed_as(1, 1, 1, 2, 1)),
        (
            "a paused run is given on",
            Law::PausedRests,
            held().paused(1, 1).expired(1, 1, 1).claimed_as(1, 1, 1, 2, 1),
        ),
        ("expires twice", Law::OneHolder, free().expired(1, 1, 1)),
        ("resumes what is held", Law::OneHolder, held().resumed(1, 1, 1)),
        ("claimed after it resumed", Law::OneHolder, free().resumed(1, 1, 1).claimed_as(1, 1, 1, 2, 1)),
        (
            "an old token completes",
            Law::NewestFence,
            done(free().claimed_as(1, 1, 1, 2, 1).succeeded(1, 1, Some(1))),
        ),
        (
            "an old token fails",
            Law::NewestFence,
            free().claimed_as(1, 1, 1, 2, 1).failed(1, 1, 1, Failed).retried(1, 1, 0).turns_ready(1),
        ),
        ("an old token hands back", Law::NewestFence, free().claimed_as(1, 1, 1, 2, 1).handed_back(1, 1, 1)),
        ("an old token expires", Law::NewestFence, free().claimed_as(1, 1, 1, 2, 1).expired(1, 1, 1)),
        ("a token of nobody", Law::NewestFence, done(ready().begun(1, 1, 1).succeeded(1, 1, Some(0)))),
        (
            "a token that was given back",
            Law::NewestFence,
            done(held().handed_back(1, 1, 1).succeeded(1, 1, Some(1))),
        ),
        (
            "the token of the run before",
            Law::NewestFence,
            done(held().failed(1, 1, 1, Failed).retried(1, 1, 0).turns_ready(1).begun(1, 2, 2).succeeded(
                1,
                2,
                Some(1),
            )),
        ),
        ("a person while it is held", Law::ByHandWhileFree, done(held().succeeded(1, 1, None))),
        ("done twice", Law::OneEnd, Log::ready(&[1]).done(1, 1, 1).succeeded(1, 1, Some(1))),
        (
            "cancelled and succeeded",
            Law::OneEnd,
            held().cancelled(1, 1).finished(1, Status::Cancelled).succeeded(1, 1, Some(1)),
        ),
        ("claimed when over", Law::OneEnd, Log::ready(&[1]).done(1, 1, 1).claimed_as(1, 1, 1, 2, 1)),
        ("a takeover is not counted", Law::TakeoversCount, free().claimed_as(1, 1, 1, 2, 0)),
        (
            "a hand-back is counted",
            Law::TakeoversCount,
            held().handed_back(1, 1, 1).claimed_as(1, 1, 1, 2, 1),
        ),
        ("a new run was taken over", Law::TakeoversCount, ready().claimed_as(1, 1, 1, 1, 1)),
        ("lost after others", Law::TakeoversCount, free().lost(1, 1, 1).retried(1, 1, 0).turns_ready(1)),
        ("lost while held", Law::LostAfterTakeovers, held().lost(1, 1, 0).retried(1, 1, 0).turns_ready(1)),
        (
            "lost and given back",
            Law::LostAfterTakeovers,
            held().handed_back(1, 1, 1).lost(1, 1, 0).retried(1, 1, 0).turns_ready(1),
        ),
    ]
}

fn laws_of_starts() -> Vec<(&'static str, Law, Log)> {
    let asked = || Log::new().made(1, &[]).asked(1, 1).queued_with(1, 0, 1, None);
    let rejected = || asked().answered(1, 1, Answer::Rejected);
    vec![
        ("begun unapproved", Law::ApprovalsFirst, asked().begun(1, 1, 1)),
        ("claimed unapproved", Law::ApprovalsFirst, asked().claimed(1, 1, 1)),
        ("begun when rejected", Law::ApprovalsFirst, rejected().begun(1, 1, 1)),
        ("ready, then asked", Law::ApprovalsFirst, Log::ready(&[1]).asked(1, 1).claimed(1, 1, 1)),
        (
            "a pending run is claimed",
            Law::ApprovalsFirst,
            Log::ready(&[1]).begun(1, 1, 1).asked(1, 1).claimed(1, 1, 1),
        ),
        (
            "a pending run is completed by hand",
            Law::ApprovalsFirst,
            Log::ready(&[1]).begun(1, 1, 1).asked(1, 1).succeeded(1, 1, None).finished(1, Status::Succeeded),
        ),
        ("the parent is not done", Law::DependenciesFirst, pair().claimed(2, 1, 1)),
        (
            "the parent is reopened",
            Law::DependenciesFirst,
            Log::ready(&[1])
                .done(1, 1, 1)
                .made(2, &[on(1)])
                .queued(2)
                .turns_ready(2)
                .requeued(1)
                .turns_ready(1)
                .claimed(2, 2, 1),
        ),
        ("not queued", Law::QueuedFirst, Log::new().made(1, &[]).begun(1, 1, 1)),
        ("finished", Law::QueuedFirst, Log::ready(&[1]).done(1, 1, 1).begun(1, 2, 2)),
        (
            "before its time",
            Law::ReadyFirst,
            Log::new().made(1, &[]).queued_with(1, 0, 0, Some(9_000)).claimed(1, 1, 1),
        ),
        ("ready twice", Law::ReadyWhenFree, Log::ready(&[1]).turns_ready(1)),
        ("ready with a parent", Law::ReadyWhenFree, pair().turns_ready(2)),
        ("ready unapproved", Law::ReadyWhenFree, asked().turns_ready(1)),
        ("ready, not queued", Law::ReadyWhenFree, Log::new().made(1, &[]).turns_ready(1)),
        (
            "ready too early",
            Law::NotBeforeDue,
            Log::new().made(1, &[]).queued_with(1, 0, 0, Some(9_000)).turns_ready(1),
        ),
        ("approved and forgotten", Law::FreedAtOnce, asked().answered(1, 1, Answer::Approved).made(2, &[])),
        ("a decrement is lost", Law::FreedAtOnce, pair().done(1, 1, 1).made(3, &[])),
        ("the queue forgets", Law::FreedAtOnce, Log::new().made(1, &[]).queued(1)),
        (
            "miscounted parents",
            Law::HoldsCount,
            Log::ready(&[1]).made(2, &[on(1)]).queued_with(2, 2, 0, None),
        ),
        (
            "miscounted approvals",
            Law::HoldsCount,
            Log::new().made(1, &[]).asked(1, 1).queued_with(1, 0, 0, None),
        ),
        ("asked twice", Law::ApprovalDecidedOnce, asked().asked(1, 1)),
        ("decided twice", Law::ApprovalDecidedOnce, rejected().answered(1, 1, Answer::Approved)),
        ("never asked", Law::ApprovalDecidedOnce, Log::new().made(1, &[]).answered(1, 1, Answer::Approved)),
        ("decided as pending", Law::ApprovalDecidedOnce, asked().answered(1, 1, approval::Status::Pending)),
    ]
}

fn laws_of_ends() -> Vec<(&'static str, Law, Log)> {
    let held = || Log::ready(&[1]).claimed(1, 1, 1);
    let failed = || held().failed(1, 1, 1, Failed);
    let done = || Log::ready(&[1]).done(1, 1, 1);
    vec![
        ("queued while live", Law::QueuedWhileIdle, held().queued(1)),
        ("queued at its end", Law::QueuedWhileIdle, done().queued(1)),
        ("requeued while live", Law::QueuedWhileIdle, held().requeued(1)),
        ("blocked by nothing", Law::BlockedByParents, pair().blocked(2, Code::DependencyFailed, 1)),
        (
            "blocked for another reason",
            Law::BlockedByParents,
            pair().gave_up(1, 1).blocked(2, Code::DependencyCancelled, 1),
        ),
        ("not said to be blocked", Law::BlockedByParents, pair().gave_up(1, 1).made(3, &[])),
        (
            "blocked twice",
            Law::BlockedByParents,
            pair().gave_up(1, 1).blocked(2, Code::DependencyFailed, 1).blocked(2, Code::DependencyFailed, 1),
        ),
        ("unblocked, never blocked", Law::BlockedByParents, unblocked(pair(), 2)),
        (
            "not said to be unblocked",
            Law::BlockedByParents,
            pair().gave_up(1, 1).blocked(2, Code::DependencyFailed, 1).requeued(1).turns_ready(1),
        ),
        ("a run ends and nothing follows", Law::EndHasConsequence, failed().made(2, &[])),
        ("failed, and yet succeeded", Law::FinishFollowsEnd, failed().finished(1, Status::Succeeded)),
        (
            "cancelled, and yet succeeded",
            Law::FinishFollowsEnd,
            held().cancelled(1, 1).finished(1, Status::Succeeded),
        ),
        ("succeeded without a run", Law::FinishFollowsEnd, Log::ready(&[1]).finished(1, Status::Succeeded)),
        ("finished while live", Law::FinishFollowsEnd, held().finished(1, Status::Cancelled)),
        ("finished twice", Law::FinishedOnce, done().finished(1, Status::Succeeded)),
        ("succeeded, then cancelled", Law::FinishedOnce, done().finished(1, Status::Cancelled)),
        (
            "tried again after success",
            Law::RetryAfterFailure,
            held().succeeded(1, 1, Some(1)).retried(1, 1, 0).turns_ready(1),
        ),
        (
            "tried again after a cancel",
            Law::RetryAfterFailure,
            held().cancelled(1, 1).retried(1, 1, 0).turns_ready(1),
        ),
        (
            "tried again in vain",
            Law::RetryAfterFailure,
            held().failed(1, 1, 1, Validation).retried(1, 1, 0).turns_ready(1),
        ),
        ("tried again without a failure", Law::RetryAfterFailure, Log::ready(&[1]).retried(1, 1, 0)),
        ("a failure too many", Law::FailuresCount, failed().retried(1, 2, 0).turns_ready(1)),
        (
            "failures survive a requeue",
            Law::FailuresCount,
            failed()
                .retried(1, 1, 0)
                .turns_ready(1)
                .requeued(1)
                .claimed_as(1, 2, 2, 2, 0)
                .failed(1, 2, 2, Failed)
                .retried(1, 2, 0)
                .turns_ready(1),
        ),
    ]
}

#[test]
fn each_bad_history_breaks_its_law_and_no_other() {
    let tables = [laws_of_order(), laws_of_runs(), laws_of_starts(), laws_of_ends()];
    for (name, law, log) in tables.into_iter().flatten() {
        assert_eq!(broken(log, Rules::default()), [law], "{name}");
    }
}

#[test]
fn every_law_of_the_log_has_a_bad_history() {
    let tables = [laws_of_order(), laws_of_runs(), laws_of_starts(), laws_of_ends()];
    let shown: Vec<Law> = tables.into_iter().flatten().map(|(_, law, _)| law).collect();
    let of_rows = Law::ALL.iter().position(|law| *law == Law::ItemKept).unwrap();
    let missing: Vec<_> = Law::ALL[..of_rows].iter().filter(|law| !shown.contains(law)).collect();
    assert_eq!(missing, Vec::<&Law>::new());
}

#[test]
fn how_many_takeovers_are_allowed_is_checked_where_it_is_known() {
    let once = || Log::ready(&[1]).claimed(1, 1, 1).expired(1, 1, 1);
    let lost = |log: Log, takeovers| log.lost(1, 1, takeovers).retried(1, 1, 0).turns_ready(1);
    let twice = || once().claimed_as(1, 1, 1, 2, 1);
    let rules = |max| Rules { takeovers_max: Some(max), ..Rules::default() };
    assert_eq!(broken(lost(once(), 0), rules(1)), [Law::LostAfterTakeovers]);
    assert_eq!(broken(lost(twice().expired(1, 1, 2), 1), rules(1)), []);
    assert_eq!(broken(twice(), rules(0)), [Law::LostAfterTakeovers]);
    assert_eq!(broken(twice(), rules(1)), []);
}

#[test]
fn approvals_hold_nothing_where_they_are_not_required() {
    let log = Log::new().made(1, &[]).asked(1, 1).queued(1).turns_ready(1).done(1, 1, 1);
    assert_eq!(broken(log, Rules { approvals_required: false, ..Rules::default() }), []);
}
