//! Texts that people and machines send: whatever the store accepts comes back as it went in, on every store.

use crate::fixture::Fixture;
use crate::fixture::verbs::item;
use spalla_domain::approval::Decision;
use spalla_domain::project::NewProject;
use spalla_domain::work_item::{Executor, NewWorkItem, Spec, TITLE_CHARS_MAX, WORD_CHARS_MAX};
use spalla_store::command::{Command, IdempotencyKey, Reply, Request};

crate::fixture::claims!(
    hostile_texts_come_back_as_they_went_in,
    a_nul_is_kept_like_any_other_character,
    the_longest_names_are_kept,
    large_texts_are_kept,
);

const HOSTILE: [&str; 6] = [
    "'; drop table work_item; --",
    "\"quoted\" \\ back\\slash \\0 \\x00",
    "tab\tline\nreturn\rescape\u{1b}[0m",
    "grüße ключ 鍵 \u{1f9f1}\u{200d}\u{1f6e0} \u{10ffff}",
    "%s $1 ?1 :name {0}",
    "\u{feff}\u{2028}\u{202e}\u{fffd}",
];

/// Puts one text everywhere and reads it back.
async fn assert_kept(f: &Fixture, text: &str) {
    let new = NewProject {
        name: format!("n{text}"),
        description: Some(text.into()),
        repository: Some(text.into()),
        limits: None,
    };
    let key = IdempotencyKey { key: text.into(), fingerprint: [7; 32] };
    let make = || Request {
        command: Command::CreateProject(new.clone()),
        idempotency: Some(key.clone()),
        audit: None,
        scope: None,
    };
    let Reply::Project(project_id) = f.granted(make()).await else { panic!("no project") };
    assert_eq!(f.granted(make()).await, Reply::Project(project_id));
    let kept = f.store.read().project(project_id).await.unwrap().unwrap();
    assert_eq!(
        (&kept.name, &kept.description, &kept.repository),
        (&new.name, &new.description, &new.repository)
    );

    let spec = Spec {
        title: format!("t{text}"),
        description: Some(text.into()),
        prompt: Some(text.into()),
        recipe: Some(text.into()),
        ..item(project_id).spec
    };
    let id = f.make_one(NewWorkItem { project_id, spec: spec.clone(), depends_on: vec![] }).await;
    assert_eq!(f.item(id).await.item.spec, spec);
    let approval = f.request_approval(id).await;
    let (by, note) = (Some(text.to_owned()), Some(text.to_owned()));
    let decision = Decision::Approve;
    f.granted(Command::DecideApproval {
        id: approval,
        decision,
        by: by.clone(),
        note: note.clone(),
        roles: vec![],
    })
    .await;
    let kept = f.store.read().approval(approval).await.unwrap().unwrap().approval;
    assert_eq!((kept.decided_by, kept.note), (by, note));
    f.enqueue(id).await;
    let run = f.claim_one("w").await;
    assert_eq!((run.title, run.prompt, run.repository), (spec.title, spec.prompt, new.repository));
}

async fn hostile_texts_come_back_as_they_went_in(f: Fixture) {
    for text in HOSTILE {
        assert_kept(&f, text).await;
    }
}

async fn a_nul_is_kept_like_any_other_character(f: Fixture) {
    assert_kept(&f, "before \u{0} after").await;
}

async fn the_longest_names_are_kept(f: Fixture) {
    let project = f.project().await;
    let word = "ß".repeat(WORD_CHARS_MAX);
    let spec = Spec {
        title: format!("  {}  ", "鍵".repeat(TITLE_CHARS_MAX)),
        category: Some(word.clone()),
        agent: Some(word.clone()),
        executor: Executor::Agent,
        labels: (0..32).map(|n| format!("{n:02}{}", "ß".repeat(WORD_CHARS_MAX - 2))).collect(),
        ..item(project).spec
    };
    let spec = spec.checked().unwrap();
    let id = f.make_one(NewWorkItem { project_id: project, spec: spec.clone(), depends_on: vec![] }).await;
    assert_eq!(f.item(id).await.item.spec, spec);
    let name = format!("  {}  ", "鍵".repeat(spalla_domain::project::NAME_CHARS_MAX));
    spalla_domain::project::check_name(&name).unwrap();
    f.granted(Command::CreateProject(NewProject { name, description: None, repository: None, limits: None }))
        .await;
    f.enqueue(id).await;
    let worker = "w".repeat(spalla_domain::id::WORKER_ID_BYTES_MAX);
    f.claim_one(&worker).await;
    assert_eq!(f.forget(&worker).await, 1);
}

async fn large_texts_are_kept(f: Fixture) {
    let project = f.project().await;
    let large: String = (0..300_000).map(|n| char::from(b'a' + (n % 26) as u8)).collect();
    let spec = Spec { prompt: Some(large.clone()), recipe: Some(large), ..item(project).spec };
    let id = f.make_one(NewWorkItem { project_id: project, spec: spec.clone(), depends_on: vec![] }).await;
    f.enqueue(id).await;
    assert_eq!(f.claim_one("w").await.prompt, spec.prompt);
    assert_eq!(f.item(id).await.item.spec, spec);
}
