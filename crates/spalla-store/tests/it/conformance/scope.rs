//! Tokens, and scope: what a request names beyond what its sender may see does not exist for them.

use crate::fixture::Fixture;
use crate::fixture::verbs::{enqueue, item, request};
use spalla_domain::access::role::Role;
use spalla_domain::access::token::{Kind, NewToken, SecretHash, Status, Token};
use spalla_domain::access::{Conditions, Projects};
use spalla_domain::claim::{Completion, Exchange};
use spalla_domain::problem::Code;
use spalla_domain::{Fence, ProjectId, RunId};
use spalla_store::command::{IdempotencyKey, RunEnd, Scope};
use spalla_store::document::Kept;
use spalla_store::{Command, ExecuteError, Reply, Request};
use std::collections::BTreeSet;
use std::sync::Arc;

crate::fixture::claims!(
    a_token_is_kept_without_its_secret_and_revoked_for_ever,
    a_token_of_a_project_that_does_not_exist_is_refused,
    what_belongs_to_another_project_does_not_exist,
    a_scope_of_single_items_and_runs_stands_for_no_project,
    a_claim_takes_nothing_of_other_projects,
    a_worker_ends_and_extends_nothing_that_it_does_not_hold,
    a_kept_reply_is_told_to_nobody_who_may_not_see_it,
);

fn token(project: Option<ProjectId>) -> NewToken {
    NewToken {
        kind: Kind::User,
        name: "ada".into(),
        role: Some(Role::Operator),
        project_ids: project.map(|id| [id].into()),
        policies: vec![],
        approval_roles: BTreeSet::new(),
        life_ms: Some(1_000),
        subject: None,
        secret_hash: SecretHash::of("the secret"),
        made_by: "administrator".into(),
    }
}

fn within(projects: &[ProjectId]) -> Scope {
    let projects = Projects::Only(projects.iter().copied().collect());
    Scope { projects, besides: vec![], run_id: None, holder: None }
}

fn scoped(command: Command, scope: Scope) -> Request {
    Request { scope: Some(Arc::new(scope)), ..command.into() }
}

async fn a_token_is_kept_without_its_secret_and_revoked_for_ever(mut f: Fixture) {
    let Reply::Token(id) = f.granted(Command::CreateToken(Box::new(token(None)))).await else {
        panic!("no token")
    };
    f.restart().await;
    let document = f.store.read().document(Token::KIND, id.0).await.unwrap().unwrap();
    assert!(!document.body.contains("the secret"));
    let kept: Token = document.read().unwrap();
    assert_eq!((kept.status(f.now()), kept.secret_hash.is_of("the secret")), (Status::Active, true));
    f.granted(Command::RevokeToken { id }).await;
    let read = async || -> Token {
        f.store.read().document(Token::KIND, id.0).await.unwrap().unwrap().read().unwrap()
    };
    let revoked = read().await;
    assert_eq!(revoked.status(f.now()), Status::Revoked);
    f.clock.advance_ms(10);
    f.granted(Command::RevokeToken { id }).await;
    assert_eq!(read().await, revoked);
    assert_eq!(f.refused(Command::RevokeToken { id: 99.into() }).await, Code::NotFound);
}

async fn a_token_of_a_project_that_does_not_exist_is_refused(f: Fixture) {
    assert_eq!(f.refused(Command::CreateToken(Box::new(token(Some(7.into()))))).await, Code::NotFound);
    let odd = NewToken { role: None, ..token(None) };
    assert_eq!(f.refused(Command::CreateToken(Box::new(odd))).await, Code::Invalid);
}

async fn refused(f: &Fixture, request: Request) -> String {
    match f.store.execute(request).await {
        Err(ExecuteError::Refused(refusal)) if refusal.code == Code::NotFound => refusal.detail,
        other => panic!("{other:?}"),
    }
}

async fn what_belongs_to_another_project_does_not_exist(f: Fixture) {
    let (own, foreign) = (f.project().await, f.project().await);
    let (mine, theirs) = (f.make_one(item(own)).await, f.make_one(item(foreign)).await);
    let approval = f.request_approval(theirs).await;
    let named = [
        (Command::Start { work_item_id: theirs }, format!("work item {theirs} does not exist")),
        (enqueue(theirs), format!("work item {theirs} does not exist")),
        (Command::ArchiveProject { id: foreign }, format!("project {foreign} does not exist")),
        (
            Command::CreateWorkItems { items: vec![item(foreign).into()], enqueue: false },
            format!("project {foreign} does not exist"),
        ),
        (
            Command::DecideApproval {
                id: approval,
                decision: spalla_domain::approval::Decision::Approve,
                by: None,
                roles: vec![],
                note: None,
            },
            format!("approval {approval} does not exist"),
        ),
    ];
    for (command, detail) in named {
        assert_eq!(refused(&f, scoped(command, within(&[own]))).await, detail);
    }
    // The words are those of what does not exist at all.
    assert_eq!(refused(&f, enqueue(99.into()).into()).await, "work item 99 does not exist");
    f.granted(scoped(enqueue(mine), within(&[own]))).await;
    let depends =
        Command::Enqueue { work_item_id: mine, depends_on: Some(theirs), priority: None, delay_ms: 0 };
    assert_eq!(
        refused(&f, scoped(depends, within(&[own]))).await,
        format!("work item {theirs} does not exist")
    );
}

async fn a_scope_of_single_items_and_runs_stands_for_no_project(f: Fixture) {
    let project = f.project().await;
    let (mine, other) = (f.make_one(item(project)).await, f.make_one(item(project)).await);
    let of_item = Conditions { work_item_ids: Some([mine].into()), ..Conditions::default() };
    let beside = |conditions: &Conditions| Scope { besides: vec![conditions.clone()], ..within(&[]) };
    let both = Command::Enqueue { work_item_id: mine, depends_on: Some(other), priority: None, delay_ms: 0 };
    for (command, named) in [
        (enqueue(other), format!("work item {other}")),
        (both, format!("work item {other}")),
        (Command::ArchiveProject { id: project }, format!("project {project}")),
        (
            Command::CreateWorkItems { items: vec![item(project).into()], enqueue: false },
            format!("project {project}"),
        ),
    ] {
        let detail = refused(&f, scoped(command, beside(&of_item))).await;
        assert_eq!(detail, format!("{named} does not exist"));
    }
    f.granted(scoped(enqueue(mine), beside(&of_item))).await;
    f.granted(enqueue(other)).await;
    let (first, second) = (f.claim_one("w").await, f.claim_one("w").await);
    let of_run = Conditions { run_ids: Some([first.run_id].into()), ..Conditions::default() };
    let cancel = |run_id| Command::CancelRun { run_id };
    let detail = refused(&f, scoped(cancel(second.run_id), beside(&of_run))).await;
    assert_eq!(detail, format!("run {} does not exist", second.run_id));
    f.granted(scoped(cancel(first.run_id), beside(&of_run))).await;
}

async fn a_claim_takes_nothing_of_other_projects(f: Fixture) {
    let (own, foreign) = (f.project().await, f.project().await);
    for project in [foreign, own, foreign] {
        let id = f.make_one(item(project)).await;
        f.granted(enqueue(id)).await;
    }
    let claim = |scope| scoped(Command::Claim(request("w", 9)), scope);
    let Reply::Claimed(runs) = f.granted(claim(within(&[own]))).await else { panic!("no claim") };
    assert_eq!(runs.iter().map(|run| run.project_id).collect::<Vec<_>>(), [own]);
    let Reply::Claimed(runs) = f.granted(claim(within(&[]))).await else { panic!("no claim") };
    assert!(runs.is_empty());
    let Reply::Claimed(runs) = f.granted(Command::Claim(request("w", 9))).await else { panic!("no claim") };
    assert_eq!(runs.len(), 2);
}

async fn a_worker_ends_and_extends_nothing_that_it_does_not_hold(f: Fixture) {
    f.queued::<1>().await;
    let run = f.claim_one("other/1").await;
    let holder = || Some("mine/".into());
    let scope = || Scope { projects: Projects::All, besides: vec![], run_id: None, holder: holder() };
    let completion = |run_id: RunId, fencing_token: Fence| Completion {
        run_id,
        fencing_token,
        success: true,
        exit_code: None,
        result: None,
        usage: None,
        error: None,
        sandbox: None,
    };
    let end = RunEnd::from(completion(run.run_id, run.fencing_token));
    let detail = refused(&f, scoped(Command::Complete(end), scope())).await;
    assert_eq!(detail, format!("run {} does not exist", run.run_id));
    let exchange = |scope| {
        let completed = vec![completion(run.run_id, run.fencing_token)];
        let exchange = Exchange { completed, heartbeats: vec![], claim: request("w", 0) };
        scoped(Command::Exchange(exchange), scope)
    };
    let Reply::Exchanged(reply) = f.granted(exchange(scope())).await else { panic!("no exchange") };
    assert_eq!((reply.completed.len(), reply.refused[0].reason.as_str()), (0, "not_found"));
    let own = Scope { holder: Some("other/".into()), ..scope() };
    let Reply::Exchanged(reply) = f.granted(exchange(own)).await else { panic!("no exchange") };
    assert_eq!(reply.completed, [run.run_id]);
}

async fn a_kept_reply_is_told_to_nobody_who_may_not_see_it(f: Fixture) {
    let (own, foreign) = (f.project().await, f.project().await);
    let make = |scope: Option<Scope>| Request {
        idempotency: Some(IdempotencyKey { key: "k".into(), fingerprint: [7; 32] }),
        scope: scope.map(Arc::new),
        ..Command::CreateWorkItems { items: vec![item(foreign).into()], enqueue: false }.into()
    };
    f.granted(make(None)).await;
    refused(&f, make(Some(within(&[own])))).await;
}
