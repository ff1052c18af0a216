//! The audit: an entry for each call that names somebody, in the transaction of what it changed.

use crate::fixture::Fixture;
use crate::fixture::verbs::{enqueue, item};
use futures_util::future::join_all;
use spalla_domain::audit::chain::Verifier;
use spalla_domain::audit::{Call, Entry, Outcome};
use spalla_domain::project::NewProject;
use spalla_store::command::IdempotencyKey;
use spalla_store::view::{AuditFilter, Page};
use spalla_store::{Command, Request};

crate::fixture::claims!(
    a_call_is_recorded_with_what_came_of_it,
    entries_make_one_chain_over_batches_servers_and_restarts,
    what_nobody_is_named_for_is_not_recorded,
    a_tick_that_started_nothing_is_not_recorded,
    a_call_that_came_to_no_command_is_recorded_by_itself,
    a_repeated_call_is_recorded_each_time,
    calls_of_one_batch_are_recorded_in_their_order,
    a_list_is_newest_first_and_shows_what_fits,
);

const PAGE: Page = Page { limit: 100, before: None, offset: 0 };

fn call(operation: &str, resource: &str) -> Call {
    Call {
        principal: "administrator".into(),
        client: "127.0.0.1".into(),
        operation: operation.into(),
        resource: resource.into(),
        request_id: "r-1".into(),
    }
}

fn named(command: Command, operation: &str, resource: &str) -> Request {
    Request { audit: Some(Box::new(call(operation, resource))), ..command.into() }
}

fn project(name: &str) -> Command {
    Command::CreateProject(NewProject {
        name: name.into(),
        description: None,
        repository: None,
        limits: None,
    })
}

async fn all(f: &Fixture) -> Vec<Entry> {
    f.store.read().audit(AuditFilter::default(), PAGE).await.unwrap()
}

async fn resources(f: &Fixture, filter: AuditFilter, page: Page) -> Vec<String> {
    let found = f.store.read().audit(filter, page).await.unwrap();
    found.into_iter().map(|entry| entry.call.resource).collect()
}

async fn a_call_is_recorded_with_what_came_of_it(mut f: Fixture) {
    f.granted(named(project("a"), "POST /projects", "/projects")).await;
    let none = named(enqueue(9.into()), "POST /scheduler/enqueue", "/scheduler/enqueue");
    f.execute(none).await.unwrap_err();
    f.restart().await;
    let shown = |entry: &Entry| {
        assert_eq!(entry.at, f.now());
        (entry.id.0, entry.call.clone(), entry.outcome, entry.code.clone())
    };
    let expected = [
        (
            2,
            call("POST /scheduler/enqueue", "/scheduler/enqueue"),
            Outcome::Refused,
            Some("not_found".into()),
        ),
        (1, call("POST /projects", "/projects"), Outcome::Done, None),
    ];
    assert_eq!(all(&f).await.iter().map(shown).collect::<Vec<_>>(), expected);
}

/// Follows the chain from its beginning to its end.
async fn verify(f: &Fixture) -> usize {
    let (read, mut verifier, mut count) = (f.store.read(), Verifier::default(), 0);
    loop {
        let page = read.audit_from(verifier.head().id, 7).await.unwrap();
        page.iter().try_for_each(|entry| verifier.take(entry)).unwrap();
        count += page.len();
        if page.is_empty() {
            verifier.reaches(read.audit_head().await.unwrap()).unwrap();
            return count;
        }
    }
}

async fn entries_make_one_chain_over_batches_servers_and_restarts(mut f: Fixture) {
    assert_eq!(verify(&f).await, 0);
    let requests = ["/1", "/2", "/3"].map(|at| named(project("a"), "POST /projects", at));
    f.store.execute_all(requests.into()).await;
    f.restart().await;
    let other = f.second_server().await;
    let both = (0..20).map(|n| {
        let store = if n % 2 == 0 { &f.store } else { &other };
        store.execute(named(project("b"), "POST /projects", "/p"))
    });
    assert!(join_all(both).await.iter().all(Result::is_ok));
    // What is refused is in the chain as well, and what names nobody is not.
    f.execute(named(enqueue(9.into()), "POST /scheduler/enqueue", "/q")).await.unwrap_err();
    f.project().await;
    assert_eq!(verify(&f).await, 24);
}

async fn what_nobody_is_named_for_is_not_recorded(f: Fixture) {
    f.queued::<1>().await;
    let run = f.claim_one("w").await;
    f.complete(&run, true).await;
    assert_eq!(all(&f).await, []);
}

async fn a_tick_that_started_nothing_is_not_recorded(f: Fixture) {
    let tick =
        || named(Command::Tick { max: 10, external_only: false }, "POST /scheduler/tick", "/scheduler/tick");
    f.granted(tick()).await;
    assert_eq!(all(&f).await, []);
    f.queued::<1>().await;
    f.granted(tick()).await;
    assert_eq!(all(&f).await.len(), 1);
}

async fn a_call_that_came_to_no_command_is_recorded_by_itself(f: Fixture) {
    let entry = call("POST /projects", "/projects").ended(Outcome::Refused, Some("invalid".into()));
    f.granted(Command::Record(Box::new(entry))).await;
    let kept = all(&f).await;
    assert_eq!(
        (kept.len(), kept[0].outcome, kept[0].code.as_deref()),
        (1, Outcome::Refused, Some("invalid"))
    );
}

async fn a_repeated_call_is_recorded_each_time(f: Fixture) {
    let key = IdempotencyKey { key: "k".into(), fingerprint: [7; 32] };
    let request =
        || Request { idempotency: Some(key.clone()), ..named(project("a"), "POST /projects", "/projects") };
    assert_eq!(f.granted(request()).await, f.granted(request()).await);
    assert_eq!(all(&f).await.len(), 2);
}

async fn calls_of_one_batch_are_recorded_in_their_order(f: Fixture) {
    let requests = ["/1", "/2", "/3"].map(|at| named(project("a"), "POST /projects", at));
    assert!(f.store.execute_all(requests.into()).await.iter().all(Result::is_ok));
    assert_eq!(resources(&f, AuditFilter::default(), PAGE).await, ["/3", "/2", "/1"]);
}

async fn a_list_is_newest_first_and_shows_what_fits(f: Fixture) {
    let made = f.project().await;
    for at in ["/runs/1", "/runs/1/cancel", "/runs/10", "/runs", "/runs/1-x", "/projects/1"] {
        f.granted(named(project("a"), "POST /projects", at)).await;
    }
    f.execute(named(enqueue(99.into()), "POST /runs", "/runs/1/logs")).await.unwrap_err();
    f.make_one(item(made)).await;
    let filter = AuditFilter::default;
    let list = async |filter: AuditFilter| resources(&f, filter, PAGE).await;
    let of = |resource: &str| AuditFilter { resource: Some(resource.into()), ..filter() };
    let beneath = list(of("/runs/1")).await;
    assert_eq!(
        beneath.iter().filter(|at| *at != "/runs/1-x").collect::<Vec<_>>(),
        ["/runs/1/logs", "/runs/1/cancel", "/runs/1"]
    );
    assert_eq!(list(AuditFilter { outcome: Some(Outcome::Refused), ..filter() }).await, ["/runs/1/logs"]);
    assert_eq!(list(AuditFilter { outcome: Some(Outcome::Done), ..of("/runs/1/cancel") }).await.len(), 1);
    assert_eq!(list(AuditFilter { outcome: Some(Outcome::Done), ..filter() }).await.len(), 6);
    assert_eq!(
        list(AuditFilter { operation: Some("POST /runs".into()), ..filter() }).await,
        ["/runs/1/logs"]
    );
    assert_eq!(list(AuditFilter { principal: Some("nobody".into()), ..filter() }).await, [""; 0]);
    let newest = Page { limit: 1, before: None, offset: 0 };
    assert_eq!(resources(&f, filter(), newest).await, ["/runs/1/logs"]);
    assert_eq!(resources(&f, filter(), Page { before: Some(2), ..PAGE }).await, ["/runs/1"]);
    assert_eq!(resources(&f, filter(), Page { offset: 6, ..PAGE }).await, ["/runs/1"]);
    for (filter, count) in
        [(filter(), 7), (of("/projects"), 1), (AuditFilter { outcome: Some(Outcome::Failed), ..filter() }, 0)]
    {
        assert_eq!(f.store.read().count_audit(filter).await.unwrap(), count);
    }
}
