//! Health checks: data in, reports out.

use crate::world::{Setup, TOKEN, World};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use spalla_server::{Access, Builtin, Check, HealthCheck, HealthOptions, Runner, Token};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;

/// Runs no program, but knows what each would have said.
#[derive(Default)]
struct Fake {
    is_broken: AtomicBool,
}

impl Runner for Fake {
    fn run(&self, words: Vec<String>, _: Duration) -> BoxFuture<'static, Result<(), String>> {
        let is_broken = self.is_broken.load(Ordering::SeqCst);
        Box::pin(async move {
            match words.first().map(String::as_str) {
                Some("hang") => std::future::pending().await,
                _ if is_broken => Err(format!("{}: exit status 3", words.join(" "))),
                _ => Ok(()),
            }
        })
    }
}

fn check(name: &str, check: Check) -> HealthCheck {
    HealthCheck {
        name: name.into(),
        interval: Duration::from_millis(10),
        timeout: Duration::from_millis(500),
        check,
    }
}

/// Waits until a report is as it should be.
async fn until(world: &World, name: &str, fits: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..100_000 {
        let health = world.get("/observability/health").await.json(200);
        let checks = health["details"]["checks"].as_array().unwrap();
        if let Some(report) = checks.iter().find(|check| check["name"] == name).filter(|check| fits(check)) {
            return report.clone();
        }
        tokio::task::yield_now().await;
    }
    panic!("{name} never became what it should");
}

#[tokio::test]
async fn every_kind_of_check_reports_whether_its_object_is_well() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let fake = Arc::new(Fake::default());
    let checks = vec![
        check("tcp", Check::Tcp(address)),
        check("shut", Check::Http("http://127.0.0.1:1/".into())),
        check("program", Check::Command(vec!["probe".into(), "-x".into()])),
        check("hangs", Check::Command(vec!["hang".into()])),
    ];
    let health = HealthOptions { checks, data: Some("/".into()), runner: Some(fake.clone()) };
    let world = World::with(Setup { health, ..Setup::default() }).await;
    let is = |healthy: bool| move |report: &Value| report["healthy"] == healthy;
    let tcp = until(&world, "tcp", is(true)).await;
    assert!(tcp["duration_ms"].is_u64() && tcp.get("error").is_none(), "{tcp}");
    for name in ["store", "worker", "disk", "program"] {
        until(&world, name, is(true)).await;
    }
    let shut = until(&world, "shut", is(false)).await;
    assert!(shut["error"].as_str().unwrap().contains("refused"), "{shut}");
    let hangs = until(&world, "hangs", is(false)).await;
    assert_eq!(hangs["error"], "no answer within 0.5 s");
    fake.is_broken.store(true, Ordering::SeqCst);
    let broken = until(&world, "program", is(false)).await;
    assert_eq!(broken["error"], "probe -x: exit status 3");
    fake.is_broken.store(false, Ordering::SeqCst);
    until(&world, "program", is(true)).await;
    world.until_metrics("spalla_health_check_healthy{check=\"shut\"} 0").await;
}

#[tokio::test]
async fn without_a_token_only_the_status_is_told() {
    let checks = vec![check("shut", Check::Tcp("127.0.0.1:1".into()))];
    let health = HealthOptions { checks, ..HealthOptions::default() };
    let access = Access::Token(Token::new(TOKEN));
    let world = World::with(Setup { access, health, ..Setup::default() }).await;
    until(&world, "shut", |report| report["healthy"] == false).await;
    for path in ["/health", "/observability/health"] {
        assert_eq!(
            world.send(world.bare("GET", path)).await.json(200),
            json!({"status": "degraded"}),
            "{path}"
        );
        assert_eq!(world.get(path).await.json(200)["status"], "degraded");
    }
}

#[tokio::test]
async fn work_that_waits_while_no_worker_calls_is_told() {
    let worker = check("worker", Check::Builtin(Builtin::Worker));
    let health = HealthOptions { checks: vec![worker], ..HealthOptions::default() };
    let world = World::with(Setup { health, ..Setup::default() }).await;
    until(&world, "worker", |report| report["healthy"] == true).await;
    world.queued(json!({})).await;
    let report = until(&world, "worker", |report| report["healthy"] == false).await;
    assert_eq!(report["error"], "1 items wait to be carried out, and no worker asks for any");
    world.post("/scheduler/claim", json!({"worker_id": "w"})).await.json(200);
    until(&world, "worker", |report| report["healthy"] == true).await;
}
