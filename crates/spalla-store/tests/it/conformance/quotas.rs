//! Quotas: no path starts a run of a project that used up what it may use, until the day ends or the quota is raised.

use crate::fixture::Fixture;
use crate::fixture::verbs::{completion, request};
use spalla_domain::claim::{Exchange, Usage};
use spalla_domain::concurrency::Limits;
use spalla_domain::problem::Code;
use spalla_domain::quota::{MicroUsd, Quota, UtcDay};
use spalla_domain::{ProjectId, Timestamp};
use spalla_store::Command;
use spalla_store::command::{Held, Reply};

crate::fixture::claims!(
    a_daily_quota_of_runs_holds_every_path,
    a_quota_ends_with_its_day,
    a_raised_quota_counts_at_once,
    a_quota_of_runs_at_once_leaves_room_when_one_ends,
    tokens_and_cost_hold_once_they_are_used_up,
    a_quota_of_nothing_holds_the_first_run,
    one_projects_quota_does_not_hold_another_project,
    a_claim_takes_no_more_than_there_is_room_for,
    no_more_runs_go_on_than_the_server_allows,
    no_project_has_more_runs_than_the_server_allows_each,
);

async fn set(f: &Fixture, project_id: ProjectId, quota: Quota) {
    f.granted(Command::SetQuota { project_id, quota }).await;
}

async fn project_of(f: &Fixture, id: spalla_domain::WorkItemId) -> ProjectId {
    f.item(id).await.item.project_id
}

fn runs(daily_runs: u64) -> Quota {
    Quota { daily_runs: Some(daily_runs), ..Quota::default() }
}

async fn a_daily_quota_of_runs_holds_every_path(f: Fixture) {
    let [one, two] = f.queued().await;
    set(&f, project_of(&f, one).await, runs(1)).await;
    assert_eq!(f.claimed_items("w", 5).await, [one]);
    assert_eq!(f.claimed_items("w", 5).await, []);
    assert_eq!(f.refused(Command::Start { work_item_id: two }).await, Code::Quota);
    let Reply::Ticked { started, blocked } = f.granted(Command::Tick { max: 5, external_only: false }).await
    else {
        panic!("no tick")
    };
    assert_eq!((started, blocked), (vec![], vec![Held { work_item_id: two, reason: Code::Quota }]));
}

async fn a_quota_ends_with_its_day(f: Fixture) {
    let [one, two] = f.queued().await;
    set(&f, project_of(&f, one).await, runs(1)).await;
    f.run_next(true).await;
    assert_eq!(f.claimed_items("w", 5).await, []);
    f.clock.set(UtcDay::of(f.now()).end());
    assert_eq!(f.claimed_items("w", 5).await, [two]);
}

async fn a_raised_quota_counts_at_once(f: Fixture) {
    let [one, two] = f.queued().await;
    let project = project_of(&f, one).await;
    set(&f, project, runs(1)).await;
    assert_eq!(f.claimed_items("w", 1).await, [one]);
    set(&f, project, runs(2)).await;
    assert_eq!(f.claimed_items("w", 1).await, [two]);
}

async fn a_quota_of_runs_at_once_leaves_room_when_one_ends(f: Fixture) {
    let [one, two] = f.queued().await;
    let quota = Quota { max_concurrent_runs: Some(1), ..Quota::default() };
    set(&f, project_of(&f, one).await, quota).await;
    let first = f.claim_one("w").await;
    assert_eq!(f.claimed_items("w", 5).await, []);
    f.complete(&first, true).await;
    assert_eq!(f.claimed_items("w", 5).await, [two]);
}

async fn tokens_and_cost_hold_once_they_are_used_up(f: Fixture) {
    let caps = [
        Quota { daily_tokens: Some(10), ..Quota::default() },
        Quota { daily_cost_usd: MicroUsd::from_usd(0.5), ..Quota::default() },
    ];
    for quota in caps {
        let [one, _, _] = f.queued().await;
        let project = project_of(&f, one).await;
        set(&f, project, quota).await;
        let first = f.claim_one("w").await;
        let usage = Usage { input_tokens: Some(7), output_tokens: Some(4), cost_usd: Some(0.75) };
        let completed =
            vec![spalla_domain::claim::Completion { usage: Some(usage), ..completion(&first, true) }];
        let after = Exchange { completed, heartbeats: vec![], claim: request("w", 5) };
        assert_eq!(f.exchange(after).await.runs, []);
        let used = f.store.read().usage_of(project, UtcDay::of(f.now())).await.unwrap();
        assert_eq!((used.runs, used.tokens, used.cost_usd.micros()), (1, 11, 750_000));
    }
}

async fn a_quota_of_nothing_holds_the_first_run(f: Fixture) {
    let project = f.project().await;
    set(&f, project, runs(0)).await;
    let id = f.make_one(crate::fixture::verbs::item(project)).await;
    assert_eq!(f.refused(Command::Start { work_item_id: id }).await, Code::Quota);
    f.enqueue(id).await;
    assert_eq!(f.claimed_items("w", 5).await, []);
}

async fn one_projects_quota_does_not_hold_another_project(f: Fixture) {
    let [held] = f.queued().await;
    let [free] = f.queued().await;
    set(&f, project_of(&f, held).await, runs(0)).await;
    assert_eq!(f.claimed_items("w", 5).await, [free]);
}

async fn a_claim_takes_no_more_than_there_is_room_for(f: Fixture) {
    let [one, two, three] = f.queued().await;
    let quota = Quota { daily_runs: Some(2), max_concurrent_runs: Some(5), ..Quota::default() };
    set(&f, project_of(&f, one).await, quota).await;
    assert_eq!(f.claimed_items("w", 5).await, [one, two]);
    assert_eq!(f.claimed_items("w", 5).await, []);
    let later = Timestamp::from_ms(f.now().ms() + 86_400_000);
    f.clock.set(later);
    assert!(f.claimed_items("w", 5).await.contains(&three));
}

async fn no_more_runs_go_on_than_the_server_allows(f: Fixture) {
    let limits = Limits { global: Some(2), ..Limits::default() };
    let f = f.with(|settings| settings.limits = limits).await;
    let [one, two, three] = f.queued().await;
    assert_eq!(f.claimed_items("w", 5).await, [one, two]);
    assert_eq!(f.claimed_items("w", 5).await, []);
    assert_eq!(f.refused(Command::Start { work_item_id: three }).await, Code::ConcurrencyLimit);
    assert_eq!(f.tick().await, []);
}

async fn no_project_has_more_runs_than_the_server_allows_each(f: Fixture) {
    let limits = Limits { project: Some(1), ..Limits::default() };
    let f = f.with(|settings| settings.limits = limits).await;
    let [one, _] = f.queued().await;
    let [other, _] = f.queued().await;
    let mut taken = f.claimed_items("w", 5).await;
    taken.sort();
    assert_eq!(taken, [one, other]);
    assert_eq!(f.claimed_items("w", 5).await, []);
}
