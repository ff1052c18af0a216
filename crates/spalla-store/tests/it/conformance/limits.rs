//! No agent has more runs at once than it may, by whichever path they start.

use crate::fixture::Fixture;
use crate::fixture::verbs::item;
use spalla_domain::WorkItemId;
use spalla_domain::concurrency::Limits;
use spalla_domain::problem::Code;
use spalla_domain::quota::Quota;
use spalla_domain::work_item::{Executor, NewWorkItem, SpecPatch};
use spalla_store::Command;

crate::fixture::claims!(
    no_agent_has_more_runs_than_the_server_allows_each,
    an_agents_limit_holds_in_every_project_and_on_every_path,
    the_tightest_of_several_limits_holds,
    an_item_that_gets_another_agent_counts_for_that_one,
);

async fn limited(f: Fixture, alias: u32) -> Fixture {
    let limits = Limits { alias: Some(alias), ..Limits::default() };
    f.with(|settings| settings.limits = limits).await
}

fn of(agent: &str, project: spalla_domain::ProjectId) -> NewWorkItem {
    let mut new = item(project);
    (new.spec.executor, new.spec.agent) = (Executor::Agent, Some(agent.to_owned()));
    new
}

async fn queued(f: &Fixture, agents: &[&str]) -> Vec<WorkItemId> {
    let project = f.project().await;
    let ids = f.make(agents.iter().map(|agent| of(agent, project))).await;
    for id in &ids {
        f.enqueue(*id).await;
    }
    ids
}

async fn no_agent_has_more_runs_than_the_server_allows_each(f: Fixture) {
    let f = limited(f, 1).await;
    let ids = queued(&f, &["a", "a", "b"]).await;
    let [free] = f.queued().await;
    let runs = f.claim("w", 9).await;
    let items: Vec<_> = runs.iter().map(|run| run.work_item_id).collect();
    assert_eq!(items, [ids[0], free, ids[2]]);
    assert_eq!(f.claimed_items("w", 9).await, []);
    f.complete(&runs[2], true).await;
    assert_eq!(f.claimed_items("w", 9).await, [], "another agent's end makes no room");
    f.complete(&runs[0], true).await;
    assert_eq!(f.claimed_items("w", 9).await, [ids[1]]);
}

async fn an_agents_limit_holds_in_every_project_and_on_every_path(f: Fixture) {
    let f = limited(f, 1).await;
    let here = queued(&f, &["a"]).await;
    let there = queued(&f, &["a", "b"]).await;
    f.start(here[0]).await;
    assert_eq!(f.refused(Command::Start { work_item_id: there[0] }).await, Code::ConcurrencyLimit);
    assert_eq!(f.tick().await, [there[1]]);
}

async fn the_tightest_of_several_limits_holds(f: Fixture) {
    let f = limited(f, 2).await;
    let ids = queued(&f, &["a", "b", "a", "a"]).await;
    let project_id = f.item(ids[0]).await.item.project_id;
    let quota = Quota { max_concurrent_runs: Some(3), ..Quota::default() };
    f.granted(Command::SetQuota { project_id, quota }).await;
    let others = queued(&f, &["b", "b"]).await;
    assert_eq!(f.claimed_items("w", 9).await, [ids[0], others[0], ids[1], ids[2]]);
    assert_eq!(f.claimed_items("w", 9).await, []);
}

async fn an_item_that_gets_another_agent_counts_for_that_one(f: Fixture) {
    let f = limited(f, 1).await;
    let ids = queued(&f, &["a", "a"]).await;
    assert_eq!(f.claimed_items("w", 9).await, [ids[0]]);
    let agent = Some(Some("b".to_owned()));
    f.update(ids[1], SpecPatch { agent, ..SpecPatch::default() }).await;
    assert_eq!(f.claimed_items("w", 9).await, [ids[1]]);
}
