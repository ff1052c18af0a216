//! Hosts that a run's proxy refused: each becomes an event of the run, once, under the token of its lease.

use crate::fixture::Fixture;
use crate::fixture::verbs::beat;
use spalla_domain::Fence;
use spalla_domain::agent_event::{AgentEvent, AgentEventType};
use spalla_domain::claim::Assignment;
use spalla_domain::event::Fact;
use spalla_domain::problem::Code;
use spalla_domain::refused_host::{REFUSED_HOSTS_MAX, RefusedHost};
use spalla_domain::run_event::RunEvent;
use spalla_store::Command;
use spalla_store::command::Reply;
use spalla_store::document::Kind;
use spalla_store::view::EventFilter;

crate::fixture::claims!(
    a_refused_host_is_an_event_of_its_run,
    a_host_is_told_of_once_in_a_run_whoever_holds_it,
    a_run_has_so_many_refused_hosts_and_no_more,
    an_old_token_tells_of_no_host,
    what_is_known_only_for_a_run_that_goes_on_goes_after_its_end,
);

fn refused(host: &str, port: u16) -> RefusedHost {
    RefusedHost { host: host.into(), port, reason: "not on the list".into() }
}

fn report(run: &Assignment, hosts: Vec<RefusedHost>) -> Command {
    Command::ReportRefusedHosts { holder: beat(run), hosts }
}

async fn told(f: &Fixture, run: &Assignment) -> Vec<String> {
    let name = |fact: Fact| match fact {
        Fact::HostRefused { host, port, .. } => Some(format!("{host}:{port}")),
        _ => None,
    };
    f.facts(run.work_item_id).await.into_iter().filter_map(name).collect()
}

async fn a_refused_host_is_an_event_of_its_run(f: Fixture) {
    f.queued::<1>().await;
    let run = f.claim_one("w").await;
    assert_eq!(f.granted(report(&run, vec![refused("a.test", 443)])).await, Reply::Done);
    let events = f.store.read().events(EventFilter::default(), 1_000).await.unwrap();
    let event = events.last().unwrap();
    let (host, reason) = ("a.test".to_owned(), "not on the list".to_owned());
    assert_eq!(event.fact, Fact::HostRefused { host, port: 443, reason });
    assert_eq!((event.run_id, event.work_item_id), (Some(run.run_id), Some(run.work_item_id)));
}

async fn a_host_is_told_of_once_in_a_run_whoever_holds_it(f: Fixture) {
    f.queued::<2>().await;
    let runs = f.claim("w", 2).await;
    let both = vec![refused("a.test", 443), refused("a.test", 80), refused("a.test", 443)];
    f.granted(report(&runs[0], both.clone())).await;
    let otherwise = RefusedHost { reason: "a private address".into(), ..refused("a.test", 443) };
    f.granted(report(&runs[0], vec![otherwise, refused("b.test", 443)])).await;
    f.hand_back(&runs[0]).await;
    let again = f.claim_one("w").await;
    assert_eq!(again.run_id, runs[0].run_id);
    f.granted(report(&again, both.clone())).await;
    assert_eq!(told(&f, &again).await, ["a.test:443", "a.test:80", "b.test:443"]);
    f.granted(report(&runs[1], both)).await;
    assert_eq!(told(&f, &runs[1]).await, ["a.test:443", "a.test:80"], "another run tells for itself");
}

async fn a_run_has_so_many_refused_hosts_and_no_more(f: Fixture) {
    f.queued::<1>().await;
    let run = f.claim_one("w").await;
    let many =
        |port| (0..REFUSED_HOSTS_MAX).map(|n| refused(&format!("h{n}.test"), port)).collect::<Vec<_>>();
    let more = [many(443), many(80)].concat();
    assert_eq!(f.refused(report(&run, more)).await, Code::Invalid);
    f.granted(report(&run, many(443)[1..].to_vec())).await;
    f.granted(report(&run, many(80))).await;
    assert_eq!(told(&f, &run).await.len(), REFUSED_HOSTS_MAX);
}

async fn an_old_token_tells_of_no_host(f: Fixture) {
    f.queued::<1>().await;
    let run = f.claim_one("w").await;
    let stale = Assignment { fencing_token: Fence(run.fencing_token.0 + 1), ..run.clone() };
    assert_eq!(f.refused(report(&stale, vec![refused("a.test", 443)])).await, Code::StaleToken);
    let long = refused(&"x".repeat(501), 443);
    assert_eq!(f.refused(report(&run, vec![long])).await, Code::Invalid);
    f.complete(&run, true).await;
    assert_eq!(f.refused(report(&run, vec![refused("a.test", 443)])).await, Code::RunEnded);
    assert!(told(&f, &run).await.is_empty());
}

async fn what_is_known_only_for_a_run_that_goes_on_goes_after_its_end(f: Fixture) {
    const HOUR_MS: i64 = 3_600_000;
    f.queued::<1>().await;
    let run = f.claim_one("w").await;
    f.granted(report(&run, vec![refused("a.test", 443)])).await;
    let event = RunEvent::of(&AgentEvent::new(AgentEventType::Finding, "a"));
    f.granted(Command::TellEvents { holder: beat(&run), events: vec![event] }).await;
    f.clock.advance_ms(HOUR_MS);
    f.keep_time().await;
    assert_eq!(kept(&f, &run).await, [true, true], "the run is not over, only its lease");
    let again = f.claim_one("w").await;
    f.granted(report(&again, vec![refused("a.test", 443)])).await;
    assert_eq!(told(&f, &again).await, ["a.test:443"], "what was told is known as long as the run");
    f.complete(&again, true).await;
    f.clock.advance_ms(HOUR_MS);
    f.keep_time().await;
    assert_eq!(kept(&f, &run).await, [false, false]);
    assert_eq!(told(&f, &run).await, ["a.test:443"], "the events stay");
}

async fn kept(f: &Fixture, run: &Assignment) -> [bool; 2] {
    let read = f.store.read();
    let found = async |kind| read.document(kind, run.run_id.0).await.unwrap().is_some();
    [found(Kind::Refusals).await, found(Kind::RunEvents).await]
}
