//! Beside: what another process writes counts at once, however lately this one knew it otherwise.

use crate::fixture::Fixture;
use crate::fixture::verbs::{LEASE_MS, complete, exchange, hand_back, item};
use spalla_domain::problem::Code;
use spalla_domain::work_item::{Policy, Status};
use spalla_store::{Command, Reply};
use std::collections::BTreeSet;

crate::fixture::claims!(
    a_run_that_another_process_cancelled_is_not_completed,
    a_run_that_another_process_took_over_is_not_completed,
    a_policy_that_another_process_changed_counts_when_the_run_fails,
    what_this_process_wrote_since_counts_as_well,
    a_batch_of_runs_is_completed_by_those_that_go_on,
    a_project_that_another_process_archived_takes_no_more_items,
    items_of_two_processes_stand_in_one_queue_and_are_numbered_apart,
);

async fn a_run_that_another_process_cancelled_is_not_completed(f: Fixture) {
    let [id] = f.queued().await;
    let run = f.claim_one("w").await;
    let beside = f.opened_beside().await;
    beside.execute(Command::CancelRun { run_id: run.run_id }).await.unwrap();
    assert_eq!(f.refused(complete(&run, true)).await, Code::RunEnded);
    assert_eq!(f.standing(id).await, (Status::Cancelled, None));
}

async fn a_run_that_another_process_took_over_is_not_completed(f: Fixture) {
    let [id] = f.queued().await;
    let run = f.claim_one("w").await;
    let beside = f.opened_beside().await;
    beside.execute(hand_back(&run)).await.unwrap();
    beside.execute(Command::Exchange(exchange(&[], "other", 1))).await.unwrap();
    assert_eq!(f.refused(complete(&run, true)).await, Code::StaleToken);
    assert_eq!(f.standing(id).await.0, Status::Running);
}

async fn a_policy_that_another_process_changed_counts_when_the_run_fails(f: Fixture) {
    let [id] = f.queued().await;
    let run = f.claim_one("w").await;
    let beside = f.opened_beside().await;
    let policy = Policy { max_retries: Some(0), ..Policy::default() };
    let update = Command::UpdateWorkItem { id, patch: Default::default(), policy };
    beside.execute(update).await.unwrap();
    f.granted(complete(&run, false)).await;
    assert_eq!(f.standing(id).await.0, Status::Failed);
}

async fn what_this_process_wrote_since_counts_as_well(f: Fixture) {
    let [id] = f.queued().await;
    let first = f.claim_one("w").await;
    f.clock.advance_ms(LEASE_MS);
    let second = f.claim_one("other").await;
    assert_eq!(f.refused(complete(&first, true)).await, Code::StaleToken);
    let policy = Policy { max_retries: Some(0), ..Policy::default() };
    f.granted(Command::UpdateWorkItem { id, patch: Default::default(), policy }).await;
    f.granted(complete(&second, false)).await;
    assert_eq!(f.standing(id).await.0, Status::Failed);
}

async fn a_batch_of_runs_is_completed_by_those_that_go_on(f: Fixture) {
    let ids = f.queued::<40>().await;
    let claimed = f.exchange(exchange(&[], "w", 40)).await;
    assert_eq!(claimed.runs.len(), ids.len());
    let gone = &claimed.runs[7];
    let beside = f.opened_beside().await;
    beside.execute(Command::CancelRun { run_id: gone.run_id }).await.unwrap();
    let reply = f.exchange(exchange(&claimed.runs, "w", 0)).await;
    assert_eq!(reply.completed.len(), ids.len() - 1);
    assert_eq!(reply.refused.iter().map(|refused| refused.run_id).collect::<Vec<_>>(), [gone.run_id]);
    for id in ids {
        let expected = if id == gone.work_item_id { Status::Cancelled } else { Status::Succeeded };
        assert_eq!(f.standing(id).await.0, expected);
    }
}

async fn a_project_that_another_process_archived_takes_no_more_items(f: Fixture) {
    let id = f.project().await;
    f.make([item(id), item(id)]).await;
    f.make_one(item(id)).await;
    let beside = f.opened_beside().await;
    beside.execute(Command::ArchiveProject { id }).await.unwrap();
    let more = Command::CreateWorkItems { items: vec![item(id).into()], enqueue: false };
    assert_eq!(f.refused(more).await, Code::ProjectArchived);
}

async fn items_of_two_processes_stand_in_one_queue_and_are_numbered_apart(f: Fixture) {
    let project = f.project().await;
    let beside = f.opened_beside().await;
    let mut made = vec![];
    for _ in 0..40 {
        for store in [&f.store, &beside] {
            let new = Command::CreateWorkItems { items: vec![item(project).into()], enqueue: true };
            let Ok(Reply::WorkItems(ids)) = store.execute(new).await else { panic!("no items") };
            made.extend(ids);
        }
    }
    assert_eq!(made.iter().collect::<BTreeSet<_>>().len(), 80);
    let claimed: Vec<_> = f.claim("w", 100).await.into_iter().map(|run| run.work_item_id).collect();
    assert_eq!(claimed.iter().collect::<BTreeSet<_>>(), made.iter().collect::<BTreeSet<_>>());
}
