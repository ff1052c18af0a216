//! Messages: each waits for its receiver until it is acknowledged, the most urgent first, and nobody takes another's.

use crate::fixture::Fixture;
use crate::fixture::verbs::beat;
use serde_json::json;
use spalla_domain::claim::Assignment;
use spalla_domain::event::Fact;
use spalla_domain::message::{
    Address, MAILBOX_MAX, MESSAGE_KEPT_MS, Mailboxes, Message, MessageType, NewMessage, PEOPLE, Priority,
    RUN_MESSAGES_MAX, RUN_WAITING_MAX,
};
use spalla_domain::problem::Code;
use spalla_domain::run_event::RunEvents;
use spalla_domain::work_item::{Executor, SpecPatch};
use spalla_domain::{Fence, MessageId, ProjectId, WorkItemId};
use spalla_store::Command;
use spalla_store::command::{Reply, Request, Sender};
use spalla_store::document::{Kept, Kind};
use spalla_store::view::EventFilter;

crate::fixture::claims!(
    a_message_waits_for_its_receiver_until_it_is_acknowledged,
    the_most_urgent_comes_first_and_of_those_the_oldest,
    a_run_speaks_and_takes_as_its_own_agent_alone,
    a_run_sends_so_many_and_a_mailbox_holds_so_many,
    what_is_not_taken_in_time_goes_and_is_told_of,
    messages_are_there_after_a_restart,
    many_who_send_at_once_lose_nothing,
    what_is_known_of_a_run_goes_an_hour_after_it_although_it_sent_something,
    one_run_fills_no_mailbox_and_people_find_room,
);

fn new(to: &str, priority: Priority) -> Box<NewMessage> {
    Box::new(NewMessage {
        to: Some(to.into()),
        kind: MessageType::Request,
        payload: json!({"text": "x"}).as_object().unwrap().clone(),
        priority,
        in_reply_to: None,
    })
}

fn address(agent: &str) -> Address {
    Address { session_id: Some("orch_1".into()), agent: agent.into() }
}

fn said(from: &str, to: &str, priority: Priority) -> Command {
    let sender = Sender::Named { project_id: Some(ProjectId(1)), address: address(from) };
    Command::SendMessage { sender, message: new(to, priority) }
}

async fn send(f: &Fixture, command: Command) -> MessageId {
    match f.granted(command).await {
        Reply::Message(id) => id,
        other => panic!("{other:?}"),
    }
}

async fn waiting(f: &Fixture, agent: &str) -> Vec<i64> {
    let document = f.store.read().document(Mailboxes::KIND, 1).await.unwrap();
    let boxes: Option<Mailboxes> = document.map(|document| document.read().unwrap());
    boxes.iter().flat_map(|boxes| boxes.waiting(&address(agent))).map(|waiting| waiting.id.0).collect()
}

async fn kept(f: &Fixture, id: MessageId) -> Option<Message> {
    f.store.read().document(Kind::Message, id.0).await.unwrap().map(|document| document.read().unwrap())
}

async fn facts(f: &Fixture) -> Vec<Fact> {
    let events = f.store.read().events(EventFilter::default(), 1_000).await.unwrap();
    let is_of_messages = |fact: &Fact| {
        matches!(
            fact,
            Fact::MessageSent { .. } | Fact::MessageAcknowledged { .. } | Fact::MessageExpired { .. }
        )
    };
    events.into_iter().map(|event| event.fact).filter(is_of_messages).collect()
}

/// Gives an item to an agent of the session, and claims its run.
async fn run_of(f: &Fixture, item: WorkItemId, agent: &str) -> Assignment {
    let patch = SpecPatch {
        executor: Some(Executor::Agent),
        agent: Some(Some(agent.into())),
        labels: Some(vec!["session:orch_1".into()]),
        ..SpecPatch::default()
    };
    f.update(item, patch).await;
    f.claim_one("w").await
}

fn by(run: &Assignment, to: &str) -> Command {
    Command::SendMessage { sender: Sender::Run(beat(run)), message: new(to, Priority::Medium) }
}

async fn a_message_waits_for_its_receiver_until_it_is_acknowledged(f: Fixture) {
    f.queued::<1>().await;
    let id = send(&f, said("claude", "codex", Priority::Medium)).await;
    assert_eq!(waiting(&f, "codex").await, [id.0]);
    for _ in 0..2 {
        f.granted(Command::AcknowledgeMessage { id, reader: None }).await;
    }
    assert_eq!(waiting(&f, "codex").await, [0; 0]);
    let message = kept(&f, id).await.unwrap();
    assert_eq!((message.from.as_str(), message.status()), ("claude", "acknowledged"));
    let session_id = || Some("orch_1".to_owned());
    let sent = Fact::MessageSent {
        message_id: id,
        session_id: session_id(),
        from: "claude".into(),
        to: "codex".into(),
        kind: MessageType::Request,
        priority: Priority::Medium,
        in_reply_to: None,
    };
    let taken = Fact::MessageAcknowledged { message_id: id, session_id: session_id(), to: "codex".into() };
    assert_eq!(facts(&f).await, [sent, taken], "taken twice is taken once");
    let unknown = Command::AcknowledgeMessage { id: MessageId(99), reader: None };
    assert_eq!(f.refused(unknown).await, Code::NotFound);
}

async fn the_most_urgent_comes_first_and_of_those_the_oldest(f: Fixture) {
    f.queued::<1>().await;
    for priority in [Priority::Low, Priority::Critical, Priority::Medium, Priority::Critical] {
        send(&f, said("a", "b", priority)).await;
    }
    assert_eq!(waiting(&f, "b").await, [2, 4, 3, 1]);
}

async fn a_run_speaks_and_takes_as_its_own_agent_alone(f: Fixture) {
    let [one, two] = f.queued::<2>().await;
    let codex = run_of(&f, one, "codex").await;
    let claude = run_of(&f, two, "claude").await;
    let id = send(&f, by(&codex, "claude")).await;
    let message = kept(&f, id).await.unwrap();
    assert_eq!((message.from.as_str(), message.session_id.as_deref()), ("codex", Some("orch_1")));
    assert_eq!(message.run_id, Some(codex.run_id));
    let take = |run: &Assignment| Command::AcknowledgeMessage { id, reader: Some(beat(run)) };
    assert_eq!(f.refused(take(&codex)).await, Code::NotFound, "it is for somebody else");
    let stale = Assignment { fencing_token: Fence(codex.fencing_token.0 + 1), ..codex.clone() };
    assert_eq!(f.refused(by(&stale, "claude")).await, Code::StaleToken);
    f.granted(take(&claude)).await;
    f.complete(&codex, true).await;
    assert_eq!(f.refused(by(&codex, "claude")).await, Code::RunEnded);
}

async fn a_run_sends_so_many_and_a_mailbox_holds_so_many(f: Fixture) {
    let [one] = f.queued::<1>().await;
    let run = run_of(&f, one, "codex").await;
    for sent in 0..RUN_MESSAGES_MAX {
        let id = send(&f, by(&run, "claude")).await;
        if sent >= 10 {
            f.granted(Command::AcknowledgeMessage { id, reader: None }).await;
        }
    }
    assert_eq!(f.refused(by(&run, "claude")).await, Code::MessagesFull);
    for _ in 10..MAILBOX_MAX {
        send(&f, said("gemini", "claude", Priority::Low)).await;
    }
    assert_eq!(f.refused(said("gemini", "claude", Priority::Critical)).await, Code::MailboxFull);
    send(&f, said("gemini", "codex", Priority::Low)).await;
}

async fn what_is_not_taken_in_time_goes_and_is_told_of(f: Fixture) {
    f.queued::<1>().await;
    let taken = send(&f, said("a", "b", Priority::Medium)).await;
    let left = send(&f, said("a", "b", Priority::Medium)).await;
    f.granted(Command::AcknowledgeMessage { id: taken, reader: None }).await;
    f.clock.advance_ms(MESSAGE_KEPT_MS);
    f.granted(Command::KeepTime { max: 100 }).await;
    assert_eq!((kept(&f, taken).await, kept(&f, left).await), (None, None));
    assert_eq!(waiting(&f, "b").await, [0; 0]);
    let gone = Fact::MessageExpired { message_id: left, session_id: Some("orch_1".into()), to: "b".into() };
    assert_eq!(facts(&f).await.last(), Some(&gone));
}

async fn messages_are_there_after_a_restart(mut f: Fixture) {
    f.queued::<1>().await;
    let id = send(&f, said("a", "b", Priority::Medium)).await;
    f.restart().await;
    assert_eq!(waiting(&f, "b").await, [id.0]);
    assert_eq!(send(&f, said("a", "b", Priority::Medium)).await, MessageId(id.0 + 1));
}

async fn many_who_send_at_once_lose_nothing(f: Fixture) {
    f.queued::<1>().await;
    let sending =
        (0..40).map(|n| f.store.execute(Request::from(said(&format!("a{n}"), "b", Priority::Medium))));
    let sent = futures_util::future::join_all(sending).await;
    assert!(sent.iter().all(Result::is_ok), "{sent:?}");
    assert_eq!(waiting(&f, "b").await.len(), 40);
}

async fn what_is_known_of_a_run_goes_an_hour_after_it_although_it_sent_something(f: Fixture) {
    let [one] = f.queued::<1>().await;
    let run = run_of(&f, one, "codex").await;
    send(&f, by(&run, "claude")).await;
    f.complete(&run, true).await;
    let known = async || f.store.read().document(RunEvents::KIND, run.run_id.0).await.unwrap();
    assert!(known().await.is_some());
    f.clock.advance_ms(3_600_000);
    f.granted(Command::KeepTime { max: 100 }).await;
    assert_eq!(known().await, None);
}

async fn one_run_fills_no_mailbox_and_people_find_room(f: Fixture) {
    let [one] = f.queued::<1>().await;
    let run = run_of(&f, one, "codex").await;
    let mut first = None;
    for _ in 0..RUN_WAITING_MAX {
        first.get_or_insert(send(&f, by(&run, "claude")).await);
    }
    assert_eq!(f.refused(by(&run, "gemini")).await, Code::MailboxFull);
    assert_eq!(f.refused(by(&run, PEOPLE)).await, Code::MailboxFull);
    send(&f, said("gemini", "claude", Priority::Low)).await;
    f.granted(Command::AcknowledgeMessage { id: first.unwrap(), reader: None }).await;
    send(&f, by(&run, "gemini")).await;
}
