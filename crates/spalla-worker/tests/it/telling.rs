//! What an agent's command line tells, on its way to the server.

use crate::fake::Wanted;
use crate::site::Site;
use serde_json::Value;
use spalla_adapter::definition::Definition;
use spalla_domain::agent_event::AgentEventType;
use spalla_domain::limits::{Limit, Limits, Said, Source};
use spalla_domain::run_event::{PAYLOAD_BYTES_MAX, PAYLOAD_DEPTH_MAX, RunEvent};
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

#[tokio::test]
async fn an_event_beyond_the_bounds_of_its_item_is_told_as_an_error() {
    let site = Site::new();
    let script = r#"echo '{"type":"finding","payload":{"text":"deep","more":[[[1]]]}}'
        printf '{"type":"finding","payload":{"text":"'; head -c 2000 /dev/zero | tr '\0' x; echo '"}}'
        echo '{"type":"finding","payload":{"text":"fits","more":[[1]]}}'"#;
    let definition = teller(&site, script);
    let limits = Limits([(Limit::EventDepth, 4), (Limit::EventBytes, 1_024)].into());
    let run = site.fake.add(Wanted { limits: vec![Said { source: Source::Item, limits }], ..wanted() });
    let mut worker = site.start_with(|options| {
        options.adapters = Arc::new(vec![definition]);
        // The operator allows more than what is usual, and the item less.
        options.limits.event_depth_max = 100;
    });
    site.fake.ended(run).await;
    worker.stop().await;
    let state = site.fake.state();
    let of = |kind| state.told.iter().filter(move |told| told.kind == kind);
    let text = |told: &RunEvent| told.payload["text"].as_str().unwrap().to_owned();
    assert_eq!(of(AgentEventType::Finding).map(text).collect::<Vec<_>>(), ["fits"]);
    let errors: Vec<_> = of(AgentEventType::Error).map(text).collect();
    assert!(errors.iter().any(|error| error.contains("nested more than 4 deep")), "{errors:?}");
    assert!(errors.iter().any(|error| error.contains("at most 1024 are read")), "{errors:?}");
}

#[tokio::test]
async fn an_event_that_is_more_than_is_kept_is_told_with_its_beginning_and_the_reason() {
    let site = Site::new();
    // As much as is kept, and one byte or one level more.
    let large = PAYLOAD_BYTES_MAX - r#"{"text":""}"#.len();
    let deep = |levels| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    let script = format!(
        r#"x() {{ head -c $1 /dev/zero | tr '\0' x; }}
        for n in {large} {}; do printf '{{"type":"finding","payload":{{"text":"'; x $n; echo '"}}}}'; done
        echo '{{"type":"finding","payload":{{"text":"deep","more":{}}}}}'
        echo '{{"type":"finding","payload":{{"text":"deeper","more":{}}}}}'"#,
        large + 1,
        deep(PAYLOAD_DEPTH_MAX - 1),
        deep(PAYLOAD_DEPTH_MAX),
    );
    let definition = teller(&site, &script);
    let run = site.fake.add(wanted());
    let mut worker = site.start_with(|options| options.adapters = Arc::new(vec![definition]));
    site.fake.ended(run).await;
    worker.stop().await;
    let state = site.fake.state();
    let told: Vec<_> = state.told.iter().filter(|told| told.kind == AgentEventType::Finding).collect();
    let reasons: Vec<_> =
        told.iter().map(|told| told.payload.get("reason").and_then(Value::as_str)).collect();
    let bytes =
        format!("it has {} bytes of JSON; at most {PAYLOAD_BYTES_MAX} are kept", PAYLOAD_BYTES_MAX + 1);
    let levels = format!("it is nested more than {PAYLOAD_DEPTH_MAX} deep");
    assert_eq!(reasons, [None, Some(bytes.as_str()), None, Some(levels.as_str())]);
    let texts: Vec<_> = told.iter().map(|told| told.payload["text"].as_str().unwrap()).collect();
    assert_eq!((texts[0].len(), texts[2], texts[3]), (large, "deep", "deeper"));
    assert!((1..large).contains(&texts[1].len()) && told[1].payload["cut"] == true, "{}", texts[1].len());
}
