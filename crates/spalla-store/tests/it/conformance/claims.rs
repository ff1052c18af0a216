//! What a claim hands over, and to whom: executors, labels, limits.

use crate::fixture::Fixture;
use crate::fixture::verbs::{LEASE_MS, claim_run, item, request};
use spalla_domain::adapter::Adapter;
use spalla_domain::chosen::{ChosenBy, ChosenDefinition, StandsIn};
use spalla_domain::claim::{Assignment, CLAIM_RUNS_MAX, ClaimRequest};
use spalla_domain::limits::{Limit, Limits, Said, Source};
use spalla_domain::problem::Code;
use spalla_domain::project::{NewProject, ProjectPatch};
use spalla_domain::resources::Amounts;
use spalla_domain::work_item::{Executor, NewWorkItem, Policy, Spec, SpecPatch, Status};
use spalla_domain::{Fence, ProjectId, RunId, WorkItemId};
use spalla_store::command::{Command, Reply};

crate::fixture::claims!(
    a_claim_hands_over_all_that_the_run_needs,
    what_nobody_said_has_its_default,
    a_worker_gets_only_what_its_executors_can_do,
    a_worker_gets_only_items_with_one_of_its_labels,
    a_worker_without_wishes_gets_anything,
    a_changed_executor_or_label_changes_who_gets_an_item,
    pending_runs_follow_the_filters_too,
    a_claim_of_nothing_takes_nothing,
    no_claim_takes_more_than_the_most,
    a_run_is_claimed_by_its_number,
    the_trace_of_a_run_stays_the_same,
);

fn made_for(project: ProjectId, executor: Executor, labels: &[&str]) -> NewWorkItem {
    let labels = labels.iter().map(|label| (*label).to_owned()).collect();
    let agent = (executor == Executor::Agent).then(|| "surveyor".to_owned());
    let spec = Spec { executor, agent, labels, ..Spec::new("for somebody") };
    NewWorkItem { project_id: project, spec, depends_on: vec![] }
}

async fn queue_up(f: &Fixture, items: impl IntoIterator<Item = NewWorkItem>) -> Vec<WorkItemId> {
    let ids = f.make(items).await;
    for id in &ids {
        f.enqueue(*id).await;
    }
    ids
}

fn able(executors: &[Executor], labels: &[&str]) -> ClaimRequest {
    let labels = labels.iter().map(|label| (*label).to_owned()).collect();
    ClaimRequest { executors: executors.to_vec(), labels, ..request("w", 9) }
}

async fn items_for(f: &Fixture, executors: &[Executor], labels: &[&str]) -> Vec<WorkItemId> {
    f.claim_as(able(executors, labels)).await.into_iter().map(|run| run.work_item_id).collect()
}

async fn a_claim_hands_over_all_that_the_run_needs(f: Fixture) {
    let project = NewProject {
        name: "span".into(),
        description: Some("a bridge".into()),
        repository: Some("https://host/span.git".into()),
        limits: None,
    };
    let Reply::Project(project_id) = f.granted(Command::CreateProject(project)).await else {
        panic!("no project")
    };
    let adapter = Some(Adapter { args: vec!["--deep".into()], web_search: Some(true), ..Adapter::default() });
    let definition = Some(Box::new(ChosenDefinition {
        id: "reviewer".into(),
        alias: Some("careful".into()),
        digest: "d".into(),
        publication: "p".into(),
        by: ChosenBy::Routed,
        ambiguous: true,
        stands_in: Some(StandsIn { wanted: "lost".into(), notify: vec!["ada".into()] }),
        explanation: Some(serde_json::json!({"stage": "keywords"})),
        instructions: "You review.".into(),
    }));
    let spec = Spec {
        title: "survey the banks".into(),
        description: Some("both of them".into()),
        prompt: Some("walk along the river".into()),
        executor: Executor::Agent,
        agent: Some("surveyor".into()),
        category: Some("survey".into()),
        priority: 7,
        critical: false,
        timeout_ms: Some(90_000),
        recipe: Some("steps: [echo]".into()),
        labels: vec!["field".into(), "river".into()],
        resources: Some(Amounts { memory_mb: 512, ..Amounts::default() }),
        adapter: adapter.clone(),
        definition: definition.clone(),
        limits: Some(Limits([(Limit::MemoryMb, 512), (Limit::LineBytes, 1_024)].into())),
    };
    let id = f.make_one(NewWorkItem { project_id, spec: spec.clone(), depends_on: vec![] }).await;
    let of_project = Limits([(Limit::Processes, 9)].into());
    let patch = ProjectPatch { limits: Some(Some(of_project.clone())), ..ProjectPatch::default() };
    f.granted(Command::UpdateProject { id: project_id, patch }).await;
    let policy = Policy { token_budget: Some(2_500), review: Some(true), ..Policy::default() };
    f.granted(Command::UpdateWorkItem { id, patch: Box::default(), policy }).await;
    f.enqueue(id).await;

    let run = f.claim_one("w").await;

    let expected = Assignment {
        run_id: RunId(1),
        work_item_id: id,
        project_id,
        fencing_token: Fence(1),
        expires_at: f.now().plus_ms(LEASE_MS),
        attempt: 1,
        trace_id: run.trace_id.clone(),
        next_log_seq: 1,
        executor: Executor::Agent,
        agent: Some("surveyor".into()),
        title: "survey the banks".into(),
        description: Some("both of them".into()),
        prompt: Some("walk along the river".into()),
        labels: vec!["field".into(), "river".into()],
        recipe: Some("steps: [echo]".into()),
        adapter,
        definition,
        token_budget: Some(2_500),
        timeout_ms: 90_000,
        limits: vec![
            Said { source: Source::Project, limits: of_project },
            Said { source: Source::Item, limits: spec.limits.clone().expect("limits") },
        ],
        repository: Some("https://host/span.git".into()),
    };
    assert_eq!(run, expected);
    let view = f.item(id).await;
    assert_eq!((view.item.spec, view.item.created_at), (spec, crate::fixture::START));
    assert_eq!(view.item.policy, policy);
    let view = f.run(run.run_id).await;
    assert_eq!((view.agent.as_deref(), view.executor), (Some("surveyor"), Executor::Agent));
    assert_eq!((view.title.as_str(), view.trace_id), ("survey the banks", run.trace_id));
}

async fn what_nobody_said_has_its_default(f: Fixture) {
    f.queued::<1>().await;
    let run = f.claim_one("w").await;
    assert_eq!(run.timeout_ms, spalla_domain::work_item::TIMEOUT_MS_DEFAULT);
    assert_eq!((run.agent, run.description, run.prompt, run.recipe), (None, None, None, None));
    assert_eq!(run.labels, Vec::<String>::new());
    assert_eq!(run.trace_id.len(), 32);
}

async fn a_worker_gets_only_what_its_executors_can_do(f: Fixture) {
    let project = f.project().await;
    let kinds = [Executor::Recipe, Executor::Agent, Executor::External];
    let ids = queue_up(&f, kinds.map(|executor| made_for(project, executor, &[]))).await;
    assert_eq!(items_for(&f, &[Executor::External], &[]).await, [ids[2]]);
    assert_eq!(items_for(&f, &[Executor::External], &[]).await, []);
    assert_eq!(items_for(&f, &[Executor::Agent, Executor::Recipe], &[]).await, [ids[0], ids[1]]);
}

async fn a_worker_gets_only_items_with_one_of_its_labels(f: Fixture) {
    let project = f.project().await;
    let labels: [&[&str]; 4] = [&[], &["gpu"], &["arm", "gpu"], &["arm"]];
    let ids = queue_up(&f, labels.map(|labels| made_for(project, Executor::Recipe, labels))).await;
    assert_eq!(items_for(&f, &[], &["gp"]).await, []);
    assert_eq!(items_for(&f, &[], &["GPU"]).await, []);
    assert_eq!(items_for(&f, &[Executor::External], &["gpu"]).await, []);
    assert_eq!(items_for(&f, &[Executor::Recipe], &["tpu", "gpu"]).await, [ids[1], ids[2]]);
    assert_eq!(items_for(&f, &[], &["arm"]).await, [ids[3]]);
    assert_eq!(f.status(ids[0]).await, Status::Queued);
}

async fn a_worker_without_wishes_gets_anything(f: Fixture) {
    let project = f.project().await;
    let ids = queue_up(
        &f,
        [
            made_for(project, Executor::Recipe, &["gpu"]),
            made_for(project, Executor::Agent, &[]),
            made_for(project, Executor::External, &["arm", "gpu"]),
        ],
    )
    .await;
    assert_eq!(items_for(&f, &[], &[]).await, ids);
}

async fn a_changed_executor_or_label_changes_who_gets_an_item(f: Fixture) {
    let [a, b, c] = f.queued().await;
    f.update(a, SpecPatch { executor: Some(Executor::External), ..SpecPatch::default() }).await;
    f.update(
        b,
        SpecPatch { labels: Some(vec!["gpu".into(), "arm".into(), "gpu".into()]), ..SpecPatch::default() },
    )
    .await;
    assert_eq!(f.item(b).await.item.spec.labels, ["arm", "gpu"]);
    assert_eq!(items_for(&f, &[], &["gpu"]).await, [b]);
    assert_eq!(items_for(&f, &[Executor::External], &[]).await, [a]);
    assert_eq!(items_for(&f, &[Executor::Recipe], &[]).await, [c]);
}

async fn pending_runs_follow_the_filters_too(f: Fixture) {
    let project = f.project().await;
    let ids = queue_up(
        &f,
        [made_for(project, Executor::Recipe, &["gpu"]), made_for(project, Executor::External, &[])],
    )
    .await;
    assert_eq!(f.tick().await, ids);
    assert_eq!(items_for(&f, &[Executor::External], &["gpu"]).await, []);
    assert_eq!(items_for(&f, &[Executor::Recipe], &["gpu"]).await, [ids[0]]);
    // A changed item is found by what it is now, also while a run of it waits for a worker.
    f.update(ids[1], SpecPatch { labels: Some(vec!["late".into()]), ..SpecPatch::default() }).await;
    assert_eq!(items_for(&f, &[], &["late"]).await, [ids[1]]);
}

async fn a_claim_of_nothing_takes_nothing(f: Fixture) {
    assert_eq!(f.claim("w", 3).await, []);
    let [id] = f.queued().await;
    assert_eq!(f.claim("w", 0).await, []);
    assert_eq!(f.status(id).await, Status::Queued);
}

async fn no_claim_takes_more_than_the_most(f: Fixture) {
    let project = f.project().await;
    let items = (0..CLAIM_RUNS_MAX + 1).map(|_| item(project).into()).collect();
    f.granted(Command::CreateWorkItems { items, enqueue: true }).await;
    assert_eq!(f.claim("w", 10_000).await.len() as u32, CLAIM_RUNS_MAX);
    assert_eq!(f.claim("w", 10_000).await.len(), 1);
}

async fn a_run_is_claimed_by_its_number(f: Fixture) {
    let [a, b] = f.queued().await;
    f.tick().await;
    let run = f.claim_run(RunId(2), "w").await;
    assert_eq!((run.run_id, run.work_item_id), (RunId(2), b));
    assert_eq!(f.refused(claim_run(RunId(2), "v")).await, Code::LeaseHeld);
    assert_eq!(f.refused(claim_run(RunId(2), "w")).await, Code::LeaseHeld);
    f.complete(&run, true).await;
    assert_eq!(f.refused(claim_run(RunId(2), "w")).await, Code::RunEnded);
    assert_eq!(f.claim_one("v").await.work_item_id, a);
}

async fn the_trace_of_a_run_stays_the_same(f: Fixture) {
    let [_, _] = f.queued().await;
    let (first, second) = (f.claim_one("w").await, f.claim_one("w").await);
    assert_ne!(first.trace_id, second.trace_id);
    assert_eq!(f.run(first.run_id).await.trace_id, first.trace_id);
    f.hand_back(&first).await;
    assert_eq!(f.claim_one("v").await.trace_id, first.trace_id);
    f.complete(&second, true).await;
    assert_eq!(f.run(second.run_id).await.trace_id, second.trace_id);
}
