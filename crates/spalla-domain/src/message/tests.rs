//! Who may say what to whom, and in which order it comes.

use super::*;
use serde_json::json;

const NOW: Timestamp = Timestamp::from_ms(1_000);

fn address(agent: &str) -> Address {
    Address { session_id: Some("orch_1".into()), agent: agent.into() }
}

fn new(to: Option<&str>) -> NewMessage {
    NewMessage {
        to: to.map(str::to_owned),
        kind: MessageType::Request,
        payload: json!({"text": "look at it"}).as_object().unwrap().clone(),
        priority: Priority::Medium,
        in_reply_to: None,
    }
}

fn made(id: i64, from: &str, to: &str, priority: Priority) -> Message {
    let new = NewMessage { priority, ..new(Some(to)) };
    new.make(MessageId(id), (ProjectId(1), address(from), None), None, NOW).unwrap()
}

fn answer(to: Option<&str>, from: &str, project: i64) -> Result<Message, Refusal> {
    let asked = made(1, "claude", "codex", Priority::Medium);
    let new = NewMessage { kind: MessageType::Response, in_reply_to: Some(asked.id), ..new(to) };
    new.make(MessageId(2), (ProjectId(project), address(from), None), Some(&asked), NOW)
}

#[test]
fn a_response_goes_to_whoever_asked_and_comes_from_whoever_was_asked() {
    assert_eq!(answer(None, "codex", 1).unwrap().to, "claude");
    assert_eq!(answer(Some("claude"), "codex", 1).unwrap().to, "claude");
    assert_eq!(answer(Some("gemini"), "codex", 1).unwrap_err().code, Code::Invalid);
    for (from, project) in [("gemini", 1), ("codex", 2)] {
        assert_eq!(answer(None, from, project).unwrap_err().code, Code::NotFound);
    }
    let of_another_session = Address { session_id: None, ..address("codex") };
    let asked = made(1, "claude", "codex", Priority::Medium);
    let new = NewMessage { in_reply_to: Some(asked.id), ..new(None) };
    let made = new.make(MessageId(2), (ProjectId(1), of_another_session, None), Some(&asked), NOW);
    assert_eq!(made.unwrap_err().code, Code::NotFound);
}

#[test]
fn what_answers_nothing_or_is_for_nobody_is_refused() {
    let make = |new: NewMessage| {
        new.make(MessageId(1), (ProjectId(1), address("codex"), None), None, NOW).unwrap_err().detail
    };
    assert!(make(NewMessage { kind: MessageType::Response, ..new(Some("x")) }).starts_with("in_reply_to:"));
    assert!(make(new(None)).starts_with("to:"));
    assert!(make(new(Some("codex"))).starts_with("to:"), "nobody speaks to itself");
    assert!(make(new(Some("a\nb"))).starts_with("to:"));
    let large = json!({"text": "x".repeat(crate::run_event::PAYLOAD_BYTES_MAX)});
    let large = NewMessage { payload: large.as_object().unwrap().clone(), ..new(Some("x")) };
    assert!(make(large).starts_with("payload:"));
}

#[test]
fn the_most_urgent_comes_first_and_of_those_the_oldest() {
    let mut boxes = Mailboxes::new(ProjectId(1));
    let sent = [Priority::Low, Priority::Medium, Priority::Critical, Priority::Medium, Priority::High];
    let sent: Vec<_> = (1..).zip(sent).map(|(id, priority)| made(id, "a", "b", priority)).collect();
    sent.iter().for_each(|message| boxes.put(message).unwrap());
    let order = |boxes: &Mailboxes| -> Vec<i64> {
        boxes.waiting(&address("b")).iter().map(|waiting| waiting.id.0).collect()
    };
    assert_eq!(order(&boxes), [3, 5, 2, 4, 1]);
    boxes.take(&sent[4]);
    assert_eq!(order(&boxes), [3, 2, 4, 1]);
    sent.iter().for_each(|message| boxes.take(message));
    assert_eq!(boxes, Mailboxes::new(ProjectId(1)), "an empty one is none");
}

#[test]
fn sessions_have_mailboxes_of_their_own() {
    let mut boxes = Mailboxes::new(ProjectId(1));
    boxes.put(&made(1, "a", "b", Priority::Low)).unwrap();
    assert_eq!(boxes.waiting(&Address { session_id: None, ..address("b") }), []);
    assert_eq!(boxes.waiting(&address("a")), []);
}

#[test]
fn so_many_wait_in_one_mailbox_and_in_all_of_a_project_and_people_have_room_of_their_own() {
    let mut boxes = Mailboxes::new(ProjectId(1));
    for id in 0..PROJECT_WAITING_MAX - PEOPLE_ROOM {
        let to = format!("to-{}", id / MAILBOX_MAX);
        boxes.put(&made(id as i64, "a", &to, Priority::Low)).unwrap();
    }
    let refused = |boxes: &mut Mailboxes, from: &str, to: &str| {
        boxes.put(&made(9_999, from, to, Priority::Critical)).unwrap_err().code
    };
    assert_eq!(refused(&mut boxes, "a", "somebody"), Code::MailboxFull);
    boxes.take(&made(0, "a", "to-0", Priority::Low));
    assert_eq!(refused(&mut boxes, "a", "to-1"), Code::MailboxFull);
    boxes.put(&made(9_999, "a", "somebody", Priority::Low)).unwrap();
    for id in 0..PEOPLE_ROOM as i64 {
        let (from, to) = if id % 2 == 0 { ("a", PEOPLE) } else { (PEOPLE, "a") };
        boxes.put(&made(10_000 + id, from, to, Priority::Low)).unwrap();
    }
    assert_eq!(refused(&mut boxes, PEOPLE, "a"), Code::MailboxFull);
}

#[test]
fn so_many_wait_of_one_run_wherever_they_wait() {
    let mut boxes = Mailboxes::new(ProjectId(1));
    let made = |id: usize, run| {
        let to = format!("to-{}", id % 3);
        let who = (ProjectId(1), address("a"), Some(RunId(run)));
        new(Some(&to)).make(MessageId(id as i64), who, None, NOW).unwrap()
    };
    for id in 0..RUN_WAITING_MAX {
        boxes.put(&made(id, 1)).unwrap();
    }
    assert_eq!(boxes.put(&made(900, 1)).unwrap_err().code, Code::MailboxFull);
    boxes.put(&made(901, 2)).unwrap();
    boxes.take(&made(0, 1));
    boxes.put(&made(900, 1)).unwrap();
}

#[test]
fn a_message_is_acknowledged_once() {
    let mut message = made(1, "a", "b", Priority::Low);
    assert_eq!(message.status(), "pending");
    assert!(message.acknowledge(NOW) && !message.acknowledge(NOW.plus_ms(1)));
    assert_eq!((message.status(), message.acknowledged_at), ("acknowledged", Some(NOW)));
}

#[test]
fn a_run_without_an_agent_speaks_under_its_number() {
    assert_eq!(Address::of_run(RunId(7), None, None).agent, "run-7");
    assert_eq!(Address::of_run(RunId(7), Some(PEOPLE), None).agent, "run-7", "nor under that of people");
    assert_eq!(Address::of_run(RunId(7), Some("codex"), Some("orch_1")), address("codex"));
}
