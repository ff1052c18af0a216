//! Events that are told of a run: each is in the log of events once, under the token of the run's lease, and so many at most.

use crate::fixture::Fixture;
use crate::fixture::verbs::beat;
use serde_json::{Map, Value};
use spalla_domain::Fence;
use spalla_domain::agent_event::{AgentEvent, AgentEventType};
use spalla_domain::audit::Outcome;
use spalla_domain::claim::Assignment;
use spalla_domain::event::Fact;
use spalla_domain::problem::Code;
use spalla_domain::run_event::{
    EVENTS_AT_ONCE, PAYLOAD_BYTES_MAX, REFUSED_TOOL, RUN_EVENTS_MAX, RunEvent, Told,
};
use spalla_domain::work_item::SpecPatch;
use spalla_store::Command;
use spalla_store::command::Reply;
use spalla_store::view::{AuditFilter, EventFilter};

crate::fixture::claims!(
    what_is_told_of_a_run_is_an_event_of_its_agent_and_session,
    what_is_told_twice_under_one_name_is_one_event_whoever_holds_the_run,
    a_run_tells_so_many_events_and_says_once_that_it_was_cut_short,
    an_old_token_tells_nothing_and_an_ended_run_is_over,
    what_is_told_is_there_after_a_restart,
    a_tool_that_may_not_be_used_stands_in_the_audit,
);

async fn a_tool_that_may_not_be_used_stands_in_the_audit(f: Fixture) {
    f.queued::<1>().await;
    let run = f.claim_one("w").await;
    let refused = AgentEvent::new(AgentEventType::Finding, "no")
        .with(REFUSED_TOOL, "Bash")
        .with("refusal", "restricted")
        .with("call", "Bash(rm x)");
    let refused = RunEvent { agent: Some("codex".into()), id: Some("1".into()), ..RunEvent::of(&refused) };
    for _ in 0..2 {
        f.granted(tell(&run, vec![event(Some("2"), "other"), refused.clone()])).await;
    }
    let audit = f.store.read().audit(AuditFilter::default(), crate::fixture::snapshot::ALL).await.unwrap();
    assert_eq!(audit.len(), 1, "what is told twice under one name is one entry");
    let (call, outcome) = (&audit[0].call, audit[0].outcome);
    assert_eq!((call.principal.as_str(), call.operation.as_str()), ("agent codex", "tool restricted"));
    assert_eq!((call.resource.as_str(), outcome), ("Bash(rm x)", Outcome::Refused));
    assert_eq!(audit[0].code.as_deref(), Some("tool_refused"));
}

fn event(id: Option<&str>, text: &str) -> RunEvent {
    let told = AgentEvent::new(AgentEventType::Finding, text).with("line", 3);
    RunEvent { id: id.map(str::to_owned), ..RunEvent::of(&told) }
}

fn tell(run: &Assignment, events: Vec<RunEvent>) -> Command {
    Command::TellEvents { holder: beat(run), events }
}

async fn told(f: &Fixture, run: &Assignment) -> Vec<Told> {
    let own = |fact: Fact| match fact {
        Fact::AgentTold(told) => Some(*told),
        _ => None,
    };
    f.facts(run.work_item_id).await.into_iter().filter_map(own).collect()
}

async fn texts(f: &Fixture, run: &Assignment) -> Vec<String> {
    let text = |told: Told| told.payload["text"].as_str().unwrap_or_default().to_owned();
    told(f, run).await.into_iter().map(text).collect()
}

async fn what_is_told_of_a_run_is_an_event_of_its_agent_and_session(f: Fixture) {
    let [item] = f.queued::<1>().await;
    let labels = Some(vec!["x".to_owned(), "session:orch_1".to_owned()]);
    f.update(item, SpecPatch { labels, ..SpecPatch::default() }).await;
    let run = f.claim_one("w").await;
    let named = RunEvent { agent: Some("codex".into()), ..event(None, "a") };
    assert_eq!(f.granted(tell(&run, vec![named])).await, Reply::EventsTold { kept: 1 });
    let events = f.store.read().events(EventFilter::default(), 1_000).await.unwrap();
    let last = events.last().unwrap();
    let payload = Map::from_iter([("text".into(), Value::from("a")), ("line".into(), Value::from(3))]);
    let (agent, session_id) = (Some("codex".into()), Some("orch_1".into()));
    let expected = Told { kind: AgentEventType::Finding, agent, session_id, payload };
    assert_eq!(last.fact, Fact::AgentTold(Box::new(expected)));
    assert_eq!((last.run_id, last.work_item_id), (Some(run.run_id), Some(run.work_item_id)));
    let of_run = EventFilter { run_id: Some(run.run_id), ..EventFilter::default() };
    assert_eq!(f.store.read().events(of_run, 1_000).await.unwrap().last(), Some(last));
}

async fn what_is_told_twice_under_one_name_is_one_event_whoever_holds_the_run(f: Fixture) {
    f.queued::<2>().await;
    let runs = f.claim("w", 2).await;
    let batch = vec![event(Some("1"), "a"), event(Some("2"), "b"), event(Some("1"), "c")];
    assert_eq!(f.granted(tell(&runs[0], batch.clone())).await, Reply::EventsTold { kept: 2 });
    let more = [batch.clone(), vec![event(Some("3"), "d")]].concat();
    assert_eq!(f.granted(tell(&runs[0], more)).await, Reply::EventsTold { kept: 1 });
    f.hand_back(&runs[0]).await;
    let again = f.claim_one("w").await;
    assert_eq!(f.granted(tell(&again, batch.clone())).await, Reply::EventsTold { kept: 0 });
    assert_eq!(texts(&f, &again).await, ["a", "b", "d"]);
    f.granted(tell(&runs[1], batch)).await;
    assert_eq!(texts(&f, &runs[1]).await, ["a", "b"], "another run has names of its own");
}

async fn a_run_tells_so_many_events_and_says_once_that_it_was_cut_short(f: Fixture) {
    f.queued::<1>().await;
    let run = f.claim_one("w").await;
    let many = |count: usize| vec![event(None, "x"); count];
    assert_eq!(f.refused(tell(&run, many(EVENTS_AT_ONCE + 1))).await, Code::Invalid);
    let mut left = RUN_EVENTS_MAX as usize;
    while left > 0 {
        let count = left.min(EVENTS_AT_ONCE);
        let kept = u32::try_from(count).unwrap();
        assert_eq!(f.granted(tell(&run, many(count))).await, Reply::EventsTold { kept });
        left -= count;
    }
    for _ in 0..2 {
        assert_eq!(f.granted(tell(&run, many(2))).await, Reply::EventsTold { kept: 0 });
    }
    let told = told(&f, &run).await;
    let errors = told.iter().filter(|told| told.kind == AgentEventType::Error).count();
    assert_eq!((told.len(), errors), (RUN_EVENTS_MAX as usize + 1, 1));
}

async fn an_old_token_tells_nothing_and_an_ended_run_is_over(f: Fixture) {
    f.queued::<1>().await;
    let run = f.claim_one("w").await;
    let stale = Assignment { fencing_token: Fence(run.fencing_token.0 + 1), ..run.clone() };
    assert_eq!(f.refused(tell(&stale, vec![event(Some("1"), "a")])).await, Code::StaleToken);
    let large = event(None, &"x".repeat(PAYLOAD_BYTES_MAX));
    assert_eq!(large.payload["cut"], true, "what an agent says is cut on its way");
    let payload = Map::from_iter([("text".to_owned(), "x".repeat(PAYLOAD_BYTES_MAX).into())]);
    let large = RunEvent { payload, ..event(None, "") };
    assert_eq!(f.refused(tell(&run, vec![event(None, "b"), large])).await, Code::Invalid);
    f.complete(&run, true).await;
    assert_eq!(f.refused(tell(&run, vec![event(Some("1"), "a")])).await, Code::RunEnded);
    assert!(told(&f, &run).await.is_empty());
}

async fn what_is_told_is_there_after_a_restart(mut f: Fixture) {
    f.queued::<1>().await;
    let run = f.claim_one("w").await;
    f.granted(tell(&run, vec![event(Some("1"), "a")])).await;
    f.restart().await;
    assert_eq!(f.granted(tell(&run, vec![event(Some("1"), "a")])).await, Reply::EventsTold { kept: 0 });
    assert_eq!(texts(&f, &run).await, ["a"]);
}
