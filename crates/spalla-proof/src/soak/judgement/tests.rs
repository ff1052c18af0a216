//! A made-up record in order is found in order, and each defect planted in it is found.

use super::*;
use crate::soak::ledger::{Item, Run};
use serde_json::json;

fn promise(item: i64, nature: Nature, parents: &[i64]) -> Promise {
    let title = format!("t{item}");
    Promise { item, title, nature, parents: parents.to_vec(), leaves_line: nature == Nature::Sound }
}

fn event(id: i64, kind: &str, item: i64, run: i64, payload: Value) -> Event {
    Event { id, kind: kind.to_owned(), item: Some(item), run: Some(run), payload }
}

/// Four items: one done, one after it done with an approval, one failed for good and requeued once, one blocked by it.
fn in_order() -> (Ledger, Record) {
    let promises = vec![
        promise(1, Nature::Sound, &[]),
        promise(2, Nature::Sound, &[1]),
        promise(3, Nature::Doomed, &[]),
        promise(4, Nature::Barred, &[3]),
    ];
    let mut ledger = Ledger { promises, ..Ledger::default() };
    ledger.approved.insert(2);
    ledger.requeued.insert(3, 1);
    ledger.completed.push((10, 1));
    ledger.lines.push((10, "early".to_owned()));
    ledger.stale_tried.push((10, "late".to_owned()));
    let mut record = Record::default();
    for (id, status) in [(1, "succeeded"), (2, "succeeded"), (3, "failed"), (4, "blocked")] {
        record.items.insert(id, Item { title: format!("t{id}"), status: status.to_owned() });
    }
    let runs = [(10, 1, "succeeded"), (20, 2, "succeeded"), (30, 3, "failed"), (31, 3, "failed")];
    for (id, item, status) in runs {
        record.runs.insert(id, Run { item, status: status.to_owned() });
    }
    let none = || json!({});
    record.events = vec![
        event(1, "run.claimed", 1, 10, none()),
        event(2, "run.succeeded", 1, 10, json!({"fence": 1})),
        event(3, "run.claimed", 3, 30, none()),
        event(4, "run.failed", 3, 30, none()),
        event(5, "approval.decided", 2, 0, json!({"status": "approved"})),
        event(6, "run.claimed", 2, 20, none()),
        event(7, "run.succeeded", 2, 20, json!({"fence": 1})),
        event(8, "work_item.requeued", 3, 0, none()),
        event(9, "run.claimed", 3, 31, none()),
        event(10, "run.failed", 3, 31, none()),
    ];
    record.logs.insert(10, "Starting\nearly\ndone\n".to_owned());
    record.executions = [(1, 1), (2, 2)].into();
    (ledger, record)
}

/// Counts what is found after a change: lost, doubled, stale, violations.
fn found(change: impl FnOnce(&mut Ledger, &mut Record)) -> [usize; 4] {
    let (mut ledger, mut record) = in_order();
    change(&mut ledger, &mut record);
    let found = judge(&ledger, &record);
    [found.lost.len(), found.doubled.len(), found.stale.len(), found.violations.len()]
}

fn set(record: &mut Record, item: i64, status: &str) {
    record.items.get_mut(&item).expect("an item").status = status.to_owned();
}

#[test]
fn a_record_in_order_is_found_in_order() {
    let (ledger, record) = in_order();
    assert_eq!(judge(&ledger, &record), Judgement { completed: 4, ..Judgement::default() });
}

#[test]
fn an_item_that_is_gone_or_came_to_no_end_is_lost() {
    assert_eq!(found(|_, record| drop(record.items.remove(&1))), [1, 0, 0, 0]);
    for status in ["queued", "open", "running", "archived"] {
        assert_eq!(found(|_, record| set(record, 1, status)), [1, 0, 0, 0], "{status}");
    }
    assert_eq!(found(|_, record| set(record, 3, "succeeded")), [1, 0, 0, 1], "blocked by nothing, and odd");
    assert_eq!(found(|_, record| _ = record.executions.remove(&2)), [1, 0, 0, 0], "never carried out");
}

#[test]
fn an_acknowledged_change_that_is_not_recorded_is_lost() {
    assert_eq!(found(|ledger, _| ledger.completed.push((20, 2))), [1, 0, 0, 0], "under another token");
    assert_eq!(found(|ledger, _| ledger.cancelled.push((30, 3))), [1, 0, 0, 0]);
    assert_eq!(found(|ledger, _| _ = ledger.requeued.insert(3, 2)), [1, 0, 0, 0]);
    assert_eq!(found(|ledger, _| ledger.lines.push((10, "gone".to_owned()))), [1, 0, 0, 0]);
    assert_eq!(found(|_, record| drop(record.runs.remove(&31))), [1, 0, 0, 0]);
}

#[test]
fn what_happened_twice_is_doubled() {
    let twin = Item { title: "t1".to_owned(), status: "open".to_owned() };
    assert_eq!(found(|_, record| drop(record.items.insert(5, twin))), [0, 1, 0, 0], "a submission");
    let again = || event(11, "run.succeeded", 1, 10, json!({"fence": 1}));
    assert_eq!(
        found(|_, record| record.events.push(again())),
        [0, 2, 0, 0],
        "a run's end, an item's success"
    );
    assert_eq!(found(|ledger, _| _ = ledger.requeued.remove(&3)), [0, 0, 0, 0], "requeued by whoever");
    assert_eq!(found(|ledger, _| _ = ledger.requeued.insert(3, 0)), [0, 1, 0, 0], "a requeue");
    let second = Run { item: 1, status: "succeeded".to_owned() };
    let counts = found(|_, record| {
        record.runs.insert(11, second);
        record.events.push(event(11, "run.claimed", 1, 11, json!({})));
        record.events.push(event(12, "run.succeeded", 1, 11, json!({"fence": 2})));
    });
    assert_eq!(counts, [0, 3, 0, 0], "begun again, done again, two successful runs");
}

#[test]
fn a_late_write_is_stale_when_it_was_accepted_or_left_a_trace() {
    assert_eq!(found(|ledger, _| ledger.stale_accepted.push("heartbeat".to_owned())), [0, 0, 1, 0]);
    let wrote =
        |text: &'static str| found(|_, record| record.logs.get_mut(&10).expect("a log").push_str(text));
    assert_eq!(wrote("late\n"), [0, 0, 1, 0]);
    assert_eq!(wrote("zombie-2 in time on 10 under 1\nworker a executes the run under token 2\n"), [0; 4]);
    assert_eq!(
        wrote("worker a executes the run under token 2\nzombie-2 in time on 10 under 1\n"),
        [0, 0, 1, 0]
    );
}

#[test]
fn what_the_record_cannot_explain_is_a_violation() {
    assert_eq!(
        found(|ledger, _| ledger.promises[0].nature = Nature::Slow),
        [0; 4],
        "it need not be cancelled"
    );
    assert_eq!(found(|ledger, _| ledger.promises[0].nature = Nature::Doomed), [0, 0, 0, 1]);
    assert_eq!(found(|_, record| record.events[1].id = 1), [0, 0, 0, 1], "numbers that do not grow");
    assert_eq!(found(|_, record| drop(record.events.remove(4))), [0, 0, 0, 1], "no approval");
    assert_eq!(found(|_, record| drop(record.events.pop())), [0, 0, 0, 1], "an end without event");
    assert_eq!(
        found(|_, record| record.runs.get_mut(&30).expect("a run").status = "cancelled".into()),
        [0, 0, 0, 1]
    );
    let counts = found(|_, record| {
        record.events.swap(1, 6);
        for (event, id) in record.events.iter_mut().zip(1..) {
            event.id = id;
        }
    });
    assert_eq!(counts, [0, 1, 0, 1], "a child that began before its parent's end, and again after its own");
    assert_eq!(found(|ledger, _| ledger.faults.push("a hang".to_owned())), [0, 0, 0, 1]);
}

#[test]
fn a_failure_is_explained_by_a_lost_run_alone() {
    let fail = |record: &mut Record, end: &str| {
        set(record, 2, "failed");
        record.runs.get_mut(&20).expect("a run").status = end.to_owned();
        record.events[6] = event(7, &format!("run.{end}"), 2, 20, json!({}));
    };
    assert_eq!(found(|_, record| fail(record, "lost")), [0; 4]);
    assert_eq!(found(|_, record| fail(record, "failed")), [0, 0, 0, 1]);
}
