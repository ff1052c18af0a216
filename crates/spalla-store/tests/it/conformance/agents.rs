//! What agents do: what was seen is kept where it is news, and told with what was before. And which agents there are.

use crate::fixture::Fixture;
use spalla_domain::agent_state::{AgentStates, Seen, State};
use spalla_domain::event::Fact;
use spalla_domain::run::Status;
use spalla_domain::work_item::{Executor, SpecPatch};
use spalla_domain::{EventSeq, ProjectId, RunId, WorkItemId};
use spalla_store::Command;
use spalla_store::command::Reply;
use spalla_store::document::Kept;
use spalla_store::view::{AgentView, EventFilter};

crate::fixture::claims!(
    a_change_is_told_once_with_what_was_before_and_is_kept,
    the_agents_are_those_that_were_given_something_and_their_held_runs,
    how_the_last_work_of_an_agent_ended_is_read_without_its_runs,
);

async fn note(f: &Fixture, as_of: i64, state: State, current: Option<(WorkItemId, RunId)>) -> bool {
    let seen = vec![Seen { agent: "codex".into(), state, current }];
    let command = Command::NoteAgents { project_id: ProjectId(1), as_of: EventSeq(as_of), seen };
    match f.granted(command).await {
        Reply::AgentsNoted { is_taken } => is_taken,
        other => panic!("{other:?}"),
    }
}

async fn a_change_is_told_once_with_what_was_before_and_is_kept(mut f: Fixture) {
    let [item] = f.queued::<1>().await;
    assert!(note(&f, 1, State::Idle, None).await);
    for _ in 0..2 {
        assert!(note(&f, 2, State::Busy, Some((item, RunId(7)))).await);
    }
    assert!(note(&f, 3, State::Busy, Some((item, RunId(8)))).await);
    assert!(!note(&f, 1, State::Offline, None).await, "it is older than what is known");
    f.restart().await;
    assert!(note(&f, 4, State::Error, None).await);
    let events = f.store.read().events(EventFilter::default(), 1_000).await.unwrap();
    let told = events.into_iter().filter_map(|event| match event.fact {
        Fact::AgentStateChanged { agent, before, after } => {
            Some((agent, before, after, event.work_item_id, event.run_id))
        }
        _ => None,
    });
    let codex = || "codex".to_owned();
    let expected = [
        (codex(), None, State::Idle, None, None),
        (codex(), Some(State::Idle), State::Busy, Some(item), Some(RunId(7))),
        (codex(), Some(State::Busy), State::Error, None, None),
    ];
    assert_eq!(told.collect::<Vec<_>>(), expected);
    let document = f.store.read().document(AgentStates::KIND, 1).await.unwrap().unwrap();
    assert_eq!(document.read::<AgentStates>().unwrap().agents["codex"].state, State::Error);
}

async fn the_agents_are_those_that_were_given_something_and_their_held_runs(f: Fixture) {
    let [one, two, three, _] = f.queued::<4>().await;
    for (item, agent) in [(one, "codex"), (two, "codex"), (three, "claude")] {
        let (executor, agent) = (Some(Executor::Agent), Some(Some(agent.to_owned())));
        f.update(item, SpecPatch { executor, agent, ..SpecPatch::default() }).await;
    }
    let view = |agent: &str, held: Vec<(WorkItemId, RunId)>| AgentView {
        project_id: ProjectId(1),
        agent: agent.into(),
        held,
        last_ended: None,
    };
    let agents = async |project| f.store.read().agents(project, None).await.unwrap();
    assert_eq!(agents(None).await, [view("claude", vec![]), view("codex", vec![])]);
    let runs = f.claim("w", 4).await;
    let of = |item| (item, runs.iter().find(|run| run.work_item_id == item).unwrap().run_id);
    let mut both = vec![of(one), of(two)];
    both.sort_by_key(|held| held.1);
    assert_eq!(agents(Some(ProjectId(1))).await, [view("claude", vec![of(three)]), view("codex", both)]);
    assert_eq!(agents(Some(ProjectId(2))).await, []);
    for run in &runs {
        f.complete(run, true).await;
    }
    let ended = |agent| AgentView { last_ended: Some(Status::Succeeded), ..view(agent, vec![]) };
    assert_eq!(agents(None).await, [ended("claude"), ended("codex")]);
}

async fn how_the_last_work_of_an_agent_ended_is_read_without_its_runs(f: Fixture) {
    let [one, two, other] = f.queued::<3>().await;
    for (item, agent) in [(one, "codex"), (two, "codex"), (other, "claude")] {
        let (executor, agent) = (Some(Executor::Agent), Some(Some(agent.to_owned())));
        f.update(item, SpecPatch { executor, agent, ..SpecPatch::default() }).await;
    }
    let named = async |agent: &str| {
        let found = f.store.read().agents(Some(ProjectId(1)), Some(agent.into())).await.unwrap();
        found.into_iter().map(|view| (view.agent, view.last_ended)).collect::<Vec<_>>()
    };
    let outcomes = async |agent: &str, limit| {
        let found = f.store.read().agent_outcomes(ProjectId(1), agent.into(), limit).await.unwrap();
        found.into_iter().map(|run| (run.status, run.ended_at.is_some())).collect::<Vec<_>>()
    };
    let codex = |last| vec![("codex".to_owned(), last)];
    assert_eq!(named("codex").await, codex(None));
    let mut runs = f.claim("w", 3).await;
    runs.sort_by_key(|run| run.run_id);
    let of_codex: Vec<_> = runs.iter().filter(|run| run.work_item_id != other).collect();
    f.complete(of_codex[1], false).await;
    assert_eq!(named("codex").await, codex(Some(Status::Failed)));
    f.complete(of_codex[0], true).await;
    assert_eq!(named("codex").await, codex(Some(Status::Failed)), "the newest run counts");
    assert_eq!(named("claude").await, [("claude".to_owned(), None)]);
    assert_eq!(named("gemini").await, []);
    assert_eq!(outcomes("codex", 5).await, [(Status::Failed, true), (Status::Succeeded, true)]);
    assert_eq!(outcomes("codex", 1).await, [(Status::Failed, true)]);
    assert_eq!(outcomes("claude", 5).await, [(Status::Running, false)]);
    assert_eq!(outcomes("gemini", 5).await, []);
}
