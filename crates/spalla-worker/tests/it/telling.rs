//! What an agent's command line tells, on its way to the server.

use crate::fake::Wanted;
use crate::site::Site;
use spalla_adapter::definition::Definition;
use spalla_domain::agent_event::AgentEventType;
use spalla_domain::work_item::Executor;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

/// A command line that a script plays.
fn teller(site: &Site, script: &str) -> Definition {
    let file = site.shared("teller");
    std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    let program = file.display();
    Definition::parse(&format!(
        "name = 'teller'\ntitle = 'Teller'\nprogram = '{program}'\ninstall = ''\noutput = 'jsonl-events'\nprompt = 'stdin'\n"
    ))
    .unwrap()
}

fn wanted() -> Wanted {
    Wanted { title: "tell", executor: Executor::Agent, agent: Some("teller"), ..Wanted::default() }
}

#[tokio::test]
async fn what_an_agent_says_is_told_while_it_works_and_once_although_answers_are_lost() {
    let site = Site::new();
    let on = site.shared("on");
    let line = r#"{"type":"finding","payload":{"text":"two tests fail","line":3}}"#;
    let definition =
        teller(&site, &format!("echo '{line}'; until test -e {}; do sleep 0.01; done", on.display()));
    let run = site.fake.add(wanted());
    site.fake.state().lost_tellings = 2;
    let mut worker = site.start_with(|options| options.adapters = Arc::new(vec![definition]));
    let found =
        |kind| move |state: &crate::fake::State| state.told.iter().find(|told| told.kind == kind).cloned();
    let told = site.fake.until("the finding is told", found(AgentEventType::Finding)).await;
    assert!(site.fake.state().runs[&run].completion.is_none(), "the run goes on");
    assert_eq!(told.agent.as_deref(), Some("teller"));
    assert_eq!((&told.payload["text"], &told.payload["line"]), (&"two tests fail".into(), &3.into()));
    std::fs::write(on, "").unwrap();
    site.fake.ended(run).await;
    worker.stop().await;
    let file = std::fs::read_to_string(site.data().join("reports/run-1-1/events.jsonl"));
    let state = site.fake.state();
    let ids: Vec<_> = state.told.iter().map(|told| told.id.clone().unwrap()).collect();
    let expected: Vec<_> = (1..=ids.len()).map(|n| format!("1-1-{n}")).collect();
    assert_eq!(ids, expected, "{file:?}");
}
