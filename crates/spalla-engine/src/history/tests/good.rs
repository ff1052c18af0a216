//! Histories that keep every law.

use super::log::{Log, on};
use super::{History, Rules, broken};
use spalla_domain::approval::Status as Answer;
use spalla_domain::event::Fact;
use spalla_domain::problem::Code;
use spalla_domain::retry::ErrorClass::{Failed, Network};
use spalla_domain::work_item::Status;

fn keeps_every_law(name: &str, log: Log) {
    assert_eq!(broken(log, Rules::default()), [], "{name}");
}

#[test]
fn a_life_with_takeovers_retries_and_a_requeue_keeps_every_law() {
    let log = Log::ready(&[1]).claimed(1, 1, 1).expired(1, 1, 1).claimed_as(1, 1, 1, 2, 1);
    let log = log.handed_back(1, 1, 2).claimed_as(1, 1, 1, 3, 1).expired(1, 1, 3).resumed(1, 1, 3);
    let log = log.expired(1, 1, 3).lost(1, 1, 1).retried(1, 1, 5_000).pass(4_000).turns_ready(1);
    let log = log.claimed_as(1, 2, 2, 4, 0).failed(1, 2, 4, Network).finished(1, Status::Failed);
    let log = log.requeued(1).turns_ready(1).begun(1, 3, 3).succeeded(1, 3, None);
    keeps_every_law("a long life", log.finished(1, Status::Succeeded));
}

#[test]
fn a_paused_run_that_is_resumed_is_given_on() {
    let log = Log::ready(&[1]).claimed(1, 1, 1).paused(1, 1).expired(1, 1, 1).unpaused(1, 1);
    let log = log.claimed_as(1, 1, 1, 2, 1).succeeded(1, 1, Some(2)).finished(1, Status::Succeeded);
    keeps_every_law("a pause", log);
}

#[test]
fn what_waits_is_freed_blocked_and_unblocked_by_what_it_waits_for() {
    let log = Log::ready(&[1]).made(2, &[on(1)]).queued_with(2, 1, 0, None).made(3, &[on(2)]);
    let log = log.queued_with(3, 1, 0, None).gave_up(1, 1);
    let log = log.blocked(2, Code::DependencyFailed, 1).blocked(3, Code::DependencyFailed, 2);
    let log = log.requeued(1).turns_ready(1);
    let log = log.say(2, Fact::WorkItemUnblocked {}).say(3, Fact::WorkItemUnblocked {});
    let log = log.claimed_as(1, 2, 2, 2, 0).succeeded(1, 2, Some(2)).finished(1, Status::Succeeded);
    keeps_every_law("a chain", log.turns_ready(2).done(2, 3, 1).turns_ready(3).done(3, 4, 1));
}

#[test]
fn a_parent_that_is_reopened_takes_readiness_back_without_a_word() {
    let log =
        Log::ready(&[1]).done(1, 1, 1).made(2, &[on(1)]).queued(2).turns_ready(2).requeued(1).turns_ready(1);
    let log = log.claimed_as(1, 2, 2, 2, 0).succeeded(1, 2, Some(2)).finished(1, Status::Succeeded);
    keeps_every_law("reopened", log.turns_ready(2).done(2, 3, 1));
}

#[test]
fn approvals_and_time_hold_until_they_do_not() {
    let log = Log::ready(&[1]).asked(1, 1).asked(1, 2).answered(1, 1, Answer::Approved);
    let log = log.answered(1, 2, Answer::Approved).turns_ready(1).queued_with(1, 0, 0, Some(9_000));
    keeps_every_law("approved", log.pass(8_000).turns_ready(1).done(1, 1, 1));
}

#[test]
fn what_an_agent_was_refused_in_the_middle_of_its_work_holds_nothing() {
    let log = Log::ready(&[1]).claimed(1, 1, 1).asked_in_turn(1, 1).answered(1, 1, Answer::Rejected);
    let log = log.failed(1, 1, 1, Failed).finished(1, Status::Failed).requeued(1).turns_ready(1);
    keeps_every_law(
        "refused in mid-turn",
        log.begun(1, 2, 2).succeeded(1, 2, None).finished(1, Status::Succeeded),
    );
}

#[test]
fn an_item_that_waits_is_cancelled_as_it_is_put_away_and_blocks_what_waits_for_it() {
    let log = Log::ready(&[1]).made(2, &[on(1)]).queued_with(2, 1, 0, None);
    let log = log.finished(1, Status::Cancelled).say(1, Fact::WorkItemArchived {});
    keeps_every_law("archived", log.blocked(2, Code::DependencyCancelled, 1).made(3, &[]));
}

#[test]
fn a_history_says_how_much_it_holds() {
    let mut history = History::new(Rules::default());
    let log = Log::ready(&[1, 2]).claimed(1, 1, 1);
    log.events.iter().for_each(|event| history.take(event));
    let counts = history.counts();
    assert_eq!((counts.events, counts.items, counts.runs), (7, 2, 1));
}

#[test]
fn what_is_said_of_a_project_alone_names_no_item() {
    let quota = Fact::QuotaChanged { quota: Default::default() };
    keeps_every_law(
        "a quota",
        Log::new().say_of_nothing(quota).say_of_nothing(Fact::VisionChanged { version: 1 }),
    );
}
