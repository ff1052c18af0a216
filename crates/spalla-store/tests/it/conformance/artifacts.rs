//! Artifacts: a run's holder keeps files by their paths, and nobody with an old token does.

use crate::fixture::Fixture;
use crate::fixture::verbs::LEASE_MS;
use spalla_domain::artifact::{ARTIFACTS_MAX, ArtifactPath, RUN_BYTES_MAX, Totals};
use spalla_domain::event::Fact;
use spalla_domain::problem::Code;
use spalla_domain::{ArtifactId, Fence, RunId};
use spalla_store::command::{IdempotencyKey, NewArtifact};
use spalla_store::view::Page;
use spalla_store::{Command, Reply, Request};

crate::fixture::claims!(
    a_file_is_kept_whole_and_in_its_order,
    a_path_that_is_written_again_is_replaced_and_what_was_there_goes,
    only_the_holder_writes_while_there_is_one,
    a_person_writes_while_nobody_holds_the_run,
    a_run_leaves_no_more_than_it_may,
    a_file_that_never_became_whole_goes,
    what_is_given_up_goes_at_once,
    a_list_is_newest_first_and_of_one_run,
    the_same_file_under_one_key_is_kept_once,
    a_fact_says_what_was_kept,
);

const PAGE: Page = Page { limit: 100, before: None, offset: 0 };

fn path(text: &str) -> ArtifactPath {
    ArtifactPath::new(text).unwrap()
}

fn small(run_id: RunId, fence: Option<Fence>, at: &str, data: &str) -> NewArtifact {
    NewArtifact {
        run_id,
        fencing_token: fence,
        path: path(at),
        media_type: "text/plain".into(),
        bytes: data.len() as u64,
        sha256: "0".repeat(64),
        upload: None,
        last: data.into(),
    }
}

fn keep(new: NewArtifact) -> Command {
    Command::StoreArtifact(Box::new(new))
}

async fn store(f: &Fixture, new: NewArtifact) -> ArtifactId {
    id(f.granted(keep(new)).await)
}

fn id(reply: Reply) -> ArtifactId {
    match reply {
        Reply::Artifact(id) => id,
        other => panic!("{other:?}"),
    }
}

async fn content(f: &Fixture, id: ArtifactId) -> String {
    let (mut text, mut place) = (String::new(), 0);
    while let Some(data) = f.store.read().artifact_chunk(id, place).await.unwrap() {
        text.push_str(std::str::from_utf8(&data).unwrap());
        place += 1;
    }
    text
}

async fn a_file_is_kept_whole_and_in_its_order(mut f: Fixture) {
    f.queued::<1>().await;
    let run = f.claim_one("w").await;
    let (run_id, fencing_token) = (run.run_id, Some(run.fencing_token));
    let upload = id(f.granted(Command::BeginUpload { run_id, fencing_token }).await);
    for (place, data) in [(0, "one "), (1, "two ")] {
        f.granted(Command::KeepChunk { upload, place, data: data.into() }).await;
    }
    assert_eq!(f.store.read().artifacts(run_id, PAGE).await.unwrap(), [], "not before it is whole");
    let new =
        NewArtifact { bytes: 13, upload: Some((upload, 2)), ..small(run_id, fencing_token, "d/a", "three") };
    assert_eq!(store(&f, new).await, upload);
    let empty = store(&f, small(run_id, fencing_token, "d/empty", "")).await;
    f.restart().await;
    let kept = f.store.read().artifact(run_id, path("d/a")).await.unwrap().unwrap();
    assert_eq!((kept.id, kept.bytes, kept.media_type.as_str()), (upload, 13, "text/plain"));
    assert_eq!(kept.stored_at, f.now());
    assert_eq!(content(&f, upload).await, "one two three");
    assert_eq!(content(&f, empty).await, "");
    assert_eq!(f.store.read().artifact(run_id, path("d/b")).await.unwrap(), None);
}

async fn a_path_that_is_written_again_is_replaced_and_what_was_there_goes(f: Fixture) {
    f.queued::<1>().await;
    let run = f.claim_one("w").await;
    let write = |data| small(run.run_id, Some(run.fencing_token), "a", data);
    let first = store(&f, write("first")).await;
    let second = store(&f, write("second")).await;
    assert_eq!((content(&f, first).await, content(&f, second).await), (String::new(), "second".into()));
    let totals = f.store.read().artifact_totals(run.run_id).await.unwrap();
    assert_eq!(totals, Totals { count: 1, bytes: 6 });
    let both = [write("third"), write("fourth")].map(|new| Request::from(keep(new)));
    let ids: Vec<ArtifactId> =
        f.store.execute_all(both.into()).await.into_iter().map(|reply| id(reply.unwrap())).collect();
    assert_eq!((content(&f, second).await, content(&f, ids[0]).await), (String::new(), String::new()));
    assert_eq!(content(&f, ids[1]).await, "fourth");
}

async fn only_the_holder_writes_while_there_is_one(f: Fixture) {
    f.queued::<1>().await;
    let old = f.claim_one("w").await;
    let (run_id, stale) = (old.run_id, Some(old.fencing_token));
    let store = |fence| keep(small(run_id, fence, "a", "x"));
    assert_eq!(f.refused(store(None)).await, Code::LeaseHeld);
    assert_eq!(f.refused(store(Some(old.fencing_token.next()))).await, Code::StaleToken);
    f.clock.advance_ms(LEASE_MS + 1);
    f.granted(Command::KeepTime { max: 10 }).await;
    let new = f.claim_one("v").await;
    assert_eq!(new.run_id, run_id);
    for command in [store(stale), Command::BeginUpload { run_id, fencing_token: stale }] {
        assert_eq!(f.refused(command).await, Code::StaleToken);
    }
    f.granted(store(Some(new.fencing_token))).await;
    f.complete(&new, true).await;
    assert_eq!(f.refused(store(Some(new.fencing_token))).await, Code::RunEnded);
    assert_eq!(f.refused(store(stale)).await, Code::StaleToken);
    assert_eq!(f.refused(keep(small(RunId(99), None, "a", "x"))).await, Code::NotFound);
}

async fn a_person_writes_while_nobody_holds_the_run(f: Fixture) {
    let [item] = f.open_items().await;
    let run_id = f.start(item).await;
    store(&f, small(run_id, None, "before", "x")).await;
    let run = f.claim_one("w").await;
    f.clock.advance_ms(LEASE_MS + 1);
    store(&f, small(run_id, None, "between", "x")).await;
    f.granted(Command::KeepTime { max: 10 }).await;
    let run = f.claim_run(run.run_id, "v").await;
    f.complete(&run, true).await;
    store(&f, small(run_id, None, "after", "x")).await;
    let paths = f.store.read().artifacts(run_id, PAGE).await.unwrap().into_iter().map(|kept| kept.path);
    assert_eq!(paths.map(String::from).collect::<Vec<_>>(), ["after", "between", "before"]);
}

async fn a_run_leaves_no_more_than_it_may(f: Fixture) {
    f.queued::<1>().await;
    let run = f.claim_one("w").await;
    let (run_id, fence) = (run.run_id, Some(run.fencing_token));
    // What is counted is what is said; nobody has to send so much here.
    store(&f, NewArtifact { bytes: RUN_BYTES_MAX, ..small(run_id, fence, "large", "x") }).await;
    assert_eq!(f.refused(keep(small(run_id, fence, "more", "x"))).await, Code::ArtifactsFull);
    store(&f, small(run_id, fence, "large", "")).await;
    let many = (1..ARTIFACTS_MAX).map(|number| small(run_id, fence, &format!("{number}"), ""));
    let many = many.map(|new| Request::from(keep(new))).collect();
    assert!(f.store.execute_all(many).await.iter().all(Result::is_ok));
    assert_eq!(f.refused(keep(small(run_id, fence, "more", ""))).await, Code::ArtifactsFull);
    store(&f, small(run_id, fence, "large", "y")).await;
}

async fn a_file_that_never_became_whole_goes(f: Fixture) {
    f.queued::<1>().await;
    let run = f.claim_one("w").await;
    let (run_id, fencing_token) = (run.run_id, Some(run.fencing_token));
    let upload = id(f.granted(Command::BeginUpload { run_id, fencing_token }).await);
    f.granted(Command::KeepChunk { upload, place: 0, data: b"half".into() }).await;
    f.clock.advance_ms(3_600_000);
    f.granted(Command::KeepTime { max: 10 }).await;
    assert_eq!(content(&f, upload).await, "");
    let late = Command::KeepChunk { upload, place: 1, data: b"late".into() };
    assert_eq!(f.refused(late).await, Code::NotFound);
}

async fn what_is_given_up_goes_at_once(f: Fixture) {
    f.queued::<1>().await;
    let run = f.claim_one("w").await;
    let (run_id, fencing_token) = (run.run_id, Some(run.fencing_token));
    let upload = id(f.granted(Command::BeginUpload { run_id, fencing_token }).await);
    f.granted(Command::KeepChunk { upload, place: 0, data: b"half".into() }).await;
    let kept = store(&f, small(run_id, fencing_token, "a", "whole")).await;
    f.granted(Command::DropUpload { id: upload }).await;
    f.granted(Command::DropUpload { id: kept }).await;
    assert_eq!((content(&f, upload).await, content(&f, kept).await), (String::new(), "whole".into()));
}

async fn a_list_is_newest_first_and_of_one_run(f: Fixture) {
    f.queued::<2>().await;
    let runs = [f.claim_one("w").await, f.claim_one("w").await];
    for run in &runs {
        for at in ["b", "a", "c"] {
            store(&f, small(run.run_id, Some(run.fencing_token), at, at)).await;
        }
    }
    let list = async |page: Page| -> Vec<(i64, String)> {
        let found = f.store.read().artifacts(runs[0].run_id, page).await.unwrap();
        found.into_iter().map(|kept| (kept.id.0, kept.path.into())).collect()
    };
    let all = list(PAGE).await;
    assert_eq!(all.iter().map(|(_, path)| path.as_str()).collect::<Vec<_>>(), ["c", "a", "b"]);
    assert_eq!(list(Page { limit: 1, ..PAGE }).await, all[..1]);
    assert_eq!(list(Page { before: Some(all[0].0), ..PAGE }).await, all[1..]);
    assert_eq!(list(Page { offset: 2, ..PAGE }).await, all[2..]);
}

async fn the_same_file_under_one_key_is_kept_once(f: Fixture) {
    f.queued::<1>().await;
    let run = f.claim_one("w").await;
    let command = || keep(small(run.run_id, Some(run.fencing_token), "a", "x"));
    let key = IdempotencyKey { key: "k".into(), fingerprint: [7; 32] };
    let request = || Request { idempotency: Some(key.clone()), ..command().into() };
    let first = id(f.granted(request()).await);
    assert_eq!(id(f.granted(request()).await), first);
    assert_eq!(content(&f, first).await, "x");
}

async fn a_fact_says_what_was_kept(f: Fixture) {
    f.queued::<1>().await;
    let run = f.claim_one("w").await;
    let kept = store(&f, small(run.run_id, Some(run.fencing_token), "dist/a", "abc")).await;
    let event = f.events().await.pop().unwrap();
    assert_eq!((event.run_id, event.work_item_id), (Some(run.run_id), Some(run.work_item_id)));
    let expected = Fact::ArtifactStored {
        artifact_id: kept,
        path: path("dist/a"),
        bytes: 3,
        sha256: "0".repeat(64),
        fence: Some(run.fencing_token),
    };
    assert_eq!(event.fact, expected);
}
