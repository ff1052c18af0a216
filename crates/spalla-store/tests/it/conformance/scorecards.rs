//! Scorecards: what came of each run of an agent is added to its project's record, and too many failures are told once.

use crate::fixture::Fixture;
use crate::fixture::verbs::{complete, end};
use serde_json::Value;
use serde_json::value::RawValue;
use spalla_domain::ProjectId;
use spalla_domain::adapter::Adapter;
use spalla_domain::agent_policy::AgentPolicy;
use spalla_domain::claim::Usage;
use spalla_domain::event::Fact;
use spalla_domain::scorecard::Scorecards;
use spalla_domain::slo::Slo;
use spalla_domain::work_item::{Executor, NewWorkItem, Policy, Spec};
use spalla_store::Command;
use spalla_store::command::RunEnd;
use spalla_store::document::Kept;
use std::sync::Arc;

crate::fixture::claims!(
    each_run_of_an_agent_is_added_to_its_record_and_stays_there,
    a_verdict_counts_for_whoever_was_reviewed,
    too_many_failures_are_told_once_and_to_whom,
    runs_that_are_not_as_was_promised_are_told_once,
    runs_of_recipes_have_no_record,
);

fn of_agent(project_id: ProjectId, policy: Option<AgentPolicy>, labels: Vec<String>) -> NewWorkItem {
    let adapter = policy.map(|policy| Adapter { policy: Some(Box::new(policy)), ..Adapter::default() });
    let spec = Spec {
        executor: Executor::Agent,
        agent: Some("codex".into()),
        adapter,
        labels,
        ..Spec::new("for an agent")
    };
    NewWorkItem { project_id, spec, depends_on: vec![] }
}

async fn cards(f: &Fixture) -> Option<Scorecards> {
    let document = f.store.read().document(Scorecards::KIND, 1).await.unwrap();
    document.map(|document| document.read().unwrap())
}

fn result(text: &str) -> Option<Box<RawValue>> {
    Some(RawValue::from_string(text.to_owned()).unwrap())
}

async fn each_run_of_an_agent_is_added_to_its_record_and_stays_there(mut f: Fixture) {
    let project = f.project().await;
    let policy =
        AgentPolicy { id: "tester".into(), trigger: Some("docker".into()), ..AgentPolicy::default() };
    let item = f.make_one(of_agent(project, Some(policy), vec![])).await;
    f.enqueue(item).await;
    let run = f.claim_one("w").await;
    f.clock.advance_ms(2_000);
    let usage = Some(Usage { input_tokens: Some(30), output_tokens: Some(12), cost_usd: Some(0.25) });
    let result = result(r#"{"agent":"codex","refused_tools":{"count":2},"denied":["x"]}"#);
    f.granted(Command::Complete(RunEnd { usage, result, ..end(run.run_id, Some(run.fencing_token), true) }))
        .await;
    f.restart().await;
    let cards = cards(&f).await.unwrap();
    let card = &cards.agents["tester"];
    assert_eq!((card.task_count, card.successes, card.tokens, card.tool_errors), (1, 1.0, 42.0, 3.0));
    assert_eq!((card.latency_ms, card.cost_usd), (2_000.0, 0.25));
    assert_eq!(cards.triggers["docker → tester"].task_count, 1);
}

async fn a_verdict_counts_for_whoever_was_reviewed(f: Fixture) {
    let project = f.project().await;
    let worked = f.make_one(of_agent(project, None, vec![])).await;
    let labels = vec![format!("reviews:{worked}"), "reviews:999".into()];
    let reviewer = NewWorkItem {
        spec: Spec { agent: Some("claude".into()), ..of_agent(project, None, labels).spec },
        ..of_agent(project, None, vec![])
    };
    let review = f.make_one(reviewer).await;
    f.enqueue(review).await;
    let run = f.claim_one("w").await;
    let result = result(r#"{"agent":"claude","verdict":{"verdict":"concern","text":"why?"}}"#);
    f.granted(Command::Complete(RunEnd { result, ..end(run.run_id, Some(run.fencing_token), true) })).await;
    let cards = cards(&f).await.unwrap();
    assert_eq!((cards.agents["codex"].concerns, cards.agents["codex"].task_count), (1.0, 0));
    assert_eq!((cards.agents["claude"].concerns, cards.agents["claude"].task_count), (0.0, 1));
}

async fn too_many_failures_are_told_once_and_to_whom(f: Fixture) {
    let project = f.project().await;
    let policy = AgentPolicy {
        id: "tester".into(),
        failure_rate_permille: Some(300),
        notify: vec!["ops".into()],
        ..AgentPolicy::default()
    };
    for _ in 0..8 {
        let item = f.make_one(of_agent(project, Some(policy.clone()), vec![])).await;
        f.set_policy(item, Policy { max_retries: Some(0), ..Policy::default() }).await;
        f.enqueue(item).await;
        let run = f.claim_one("w").await;
        f.granted(complete(&run, false)).await;
    }
    let told: Vec<_> = f
        .events()
        .await
        .into_iter()
        .filter_map(|event| match event.fact {
            Fact::AgentTold(told) => Some(*told),
            _ => None,
        })
        .collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(
        (&told[0].payload["alert"], &told[0].payload["notify"][0]),
        (&"failure_rate_pct".into(), &"ops".into())
    );
    assert_eq!(told[0].agent.as_deref(), Some("tester"));
}

async fn runs_that_are_not_as_was_promised_are_told_once(f: Fixture) {
    let slo = Slo { latency_ms: Some(1_000), success_permille: Some(990) };
    let slos = Arc::new([("codex".to_owned(), slo)].into());
    let f = f.with(move |settings| settings.slos = slos).await;
    let project = f.project().await;
    for _ in 0..7 {
        let item = f.make_one(of_agent(project, None, vec![])).await;
        f.set_policy(item, Policy { max_retries: Some(0), ..Policy::default() }).await;
        f.enqueue(item).await;
        let run = f.claim_one("w").await;
        f.clock.advance_ms(1_500);
        f.granted(complete(&run, false)).await;
    }
    let told: Vec<_> = f
        .events()
        .await
        .into_iter()
        .filter_map(|event| match event.fact {
            Fact::AgentTold(told) => {
                let of = |name: &str| told.payload.get(name).cloned().unwrap_or_default();
                Some([of("alert"), of("threshold_ms"), of("threshold_pct")])
            }
            _ => None,
        })
        .collect();
    let latency: [Value; 3] = ["slo_latency_ms".into(), 1_000.into(), Value::Null];
    assert_eq!(told, [latency, ["slo_success_pct".into(), Value::Null, 99.0.into()]]);
}

async fn runs_of_recipes_have_no_record(f: Fixture) {
    f.queued::<2>().await;
    f.run_next(true).await;
    f.run_next(false).await;
    assert_eq!(cards(&f).await, None);
}
