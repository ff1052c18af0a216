//! Records of sessions, and what comes next in each.

use super::*;
use serde_json::json;
use spalla_domain::session::{Asked, Look, SessionStatus, Trigger};

fn session(agents: &[&str]) -> Session {
    Session {
        id: "orch_1".into(),
        goal: "g".into(),
        target: "/t".into(),
        workspace: "/w".into(),
        tier: 1,
        agents: agents.iter().map(|agent| (*agent).to_owned()).collect(),
        selector: Default::default(),
        status: SessionStatus::Running,
        created_at: Timestamp::from_ms(0),
        ended_at: None,
        project_id: None,
        base: None,
        proposal: None,
        items: vec![item("1".into(), ItemKind::Work, "t".into(), "the task".into(), agents[0])],
        left_out: vec![],
        decisions: vec![],
        asked: vec![],
        looks: vec![],
        report: None,
        applied: vec![],
        in_place: false,
        by_server: None,
    }
}

fn ends(session: &mut Session, key: &str, status: &str, result: Value) {
    let item = session.items.iter_mut().find(|item| item.key == key).unwrap_or_else(|| panic!("{key}"));
    item.status = Some(status.into());
    item.runs.push(SessionRun {
        run_id: 1,
        attempt: 1,
        started_at: None,
        ended_at: None,
        usage: None,
        sandbox: None,
        result: Some(result),
        error: None,
    });
}

fn changed(agent: &str) -> Value {
    json!({ "agent": agent, "change": { "files": [{ "status": "A", "path": "a.rs" }], "insertions": 1, "deletions": 0 } })
}

/// Advances and takes note of what comes next, as a pursuit does.
fn step(session: &mut Session) -> Next {
    let next = advance(session, &Policy::default(), Timestamp::from_ms(1));
    session.items.extend(next.items.iter().cloned());
    session.decisions.extend(next.decisions.iter().cloned());
    next
}

fn keys(next: &Next) -> Vec<&str> {
    next.items.iter().map(|item| item.key.as_str()).collect()
}

fn reviewed(opinions: &[&str]) -> (Session, Next) {
    let mut session = session(&["codex", "claude", "gemini"]);
    ends(&mut session, "1", "succeeded", changed("codex"));
    assert_eq!(keys(&step(&mut session)), ["1.review.claude", "1.review.gemini"]);
    for (agent, opinion) in ["claude", "gemini"].iter().zip(opinions) {
        let verdict = json!({ "verdict": { "verdict": opinion, "text": format!("{agent} thinks") } });
        ends(&mut session, &format!("1.review.{agent}"), "succeeded", verdict);
    }
    let next = step(&mut session);
    (session, next)
}

#[test]
fn all_approved_and_one_concern_lead_to_the_merge() {
    for (opinions, decision) in
        [(["approved", "approved"], Decision::Continue), (["approved", "concern"], Decision::LogWarning)]
    {
        let (_, next) = reviewed(&opinions);
        assert_eq!(next.decisions[0].decision, decision);
        assert_eq!(keys(&next), ["1.merge"]);
    }
}

#[test]
fn two_concerns_are_given_to_the_worker_which_does_it_again_and_is_reviewed_again() {
    let (mut session, next) = reviewed(&["concern", "concern"]);
    assert_eq!(next.decisions[0].decision, Decision::PauseAndClarify);
    assert_eq!(keys(&next), ["1.again-2"]);
    let prompt = &next.items[0].prompt;
    assert!(prompt.contains("claude says: claude thinks") && prompt.contains("the task"), "{prompt}");
    ends(&mut session, "1.again-2", "succeeded", changed("codex"));
    assert_eq!(keys(&step(&mut session)), ["1.again-2.review.claude", "1.again-2.review.gemini"]);
}

#[test]
fn a_blocker_stops_everything_with_its_reason() {
    let (mut session, next) = reviewed(&["approved", "blocker"]);
    assert_eq!(next.decisions[0].decision, Decision::StopAndEscalate);
    assert!(next.items.is_empty() && next.stop.unwrap().contains("gemini says: gemini thinks"));
    assert!(step(&mut session).stop.is_some(), "it stays stopped");
}

#[test]
fn who_wrote_a_change_does_not_review_it_also_where_it_stood_in_for_another() {
    let mut session = session(&["codex", "claude"]);
    ends(&mut session, "1", "succeeded", changed("claude"));
    assert_eq!(keys(&step(&mut session)), ["1.review.codex"]);
}

#[test]
fn a_reviewer_that_fails_is_absent_and_without_any_the_rules_decide() {
    let mut session = session(&["codex", "claude"]);
    ends(&mut session, "1", "succeeded", changed("codex"));
    step(&mut session);
    ends(&mut session, "1.review.claude", "failed", json!(null));
    let next = step(&mut session);
    assert!(next.decisions[0].by_rules && next.decisions[0].votes[0].absent.is_some());
    assert_eq!(keys(&next), ["1.merge"]);
}

#[test]
fn alone_the_rules_decide_at_once_and_nothing_is_done_twice() {
    let mut session = session(&["codex"]);
    ends(&mut session, "1", "succeeded", changed("codex"));
    assert_eq!(keys(&step(&mut session)), ["1.merge"]);
    let next = step(&mut session);
    assert!(next.items.is_empty() && next.decisions.is_empty());
}

#[test]
fn an_answer_needs_neither_review_nor_merge() {
    let mut session = session(&["codex", "claude"]);
    ends(&mut session, "1", "succeeded", json!({ "agent": "codex", "change": null }));
    assert!(step(&mut session).items.is_empty());
}

#[test]
fn a_conflict_is_given_back_until_the_rounds_are_over() {
    let mut session = session(&["codex"]);
    let conflict = json!({ "conflict": { "files": ["a.rs"] } });
    for round in ["1", "1.again-2"] {
        ends(&mut session, round, "succeeded", changed("codex"));
        step(&mut session);
        ends(&mut session, &format!("{round}.merge"), "failed", conflict.clone());
        assert_eq!(step(&mut session).items.len(), 1);
    }
    ends(&mut session, "1.again-3", "succeeded", changed("codex"));
    step(&mut session);
    ends(&mut session, "1.again-3.merge", "failed", conflict);
    assert!(step(&mut session).items.is_empty());
    assert!(rounds::is_replaced(&session, &session.items[0]));
}

#[test]
fn a_piece_that_builds_on_another_begins_when_that_is_on_the_branch() {
    let mut session = session(&["codex"]);
    let later = item("2".into(), ItemKind::Work, "t".into(), "then".into(), "codex");
    let later = SessionItem { depends_on: vec!["1".into()], ..later };
    session.items.push(later.clone());
    assert!(!is_ready(&session, &later));
    ends(&mut session, "1", "succeeded", changed("codex"));
    step(&mut session);
    assert!(!is_ready(&session, &later), "the change is not merged yet");
    ends(&mut session, "1.merge", "failed", json!({ "conflict": { "files": ["a.rs"] } }));
    step(&mut session);
    ends(&mut session, "1.again-2", "succeeded", changed("codex"));
    step(&mut session);
    ends(&mut session, "1.again-2.merge", "succeeded", json!({ "commit": "c" }));
    assert!(is_ready(&session, &later));
}

#[test]
fn what_reviewers_hold_a_person_may_overrule_and_nothing_else() {
    let (mut session, _) = reviewed(&["approved", "blocker"]);
    session.decisions.extend(overruled(&session, Timestamp::from_ms(2)));
    assert_eq!(keys(&step(&mut session)), ["1.merge"]);
    assert!(overruled(&session, Timestamp::from_ms(3)).is_empty());
    let (session, _) = reviewed(&["concern", "concern"]);
    assert!(overruled(&session, Timestamp::from_ms(2)).is_empty(), "the worker answers first");
}

#[test]
fn a_review_that_a_person_asks_for_is_another_round_and_counts_from_then_on() {
    let (mut session, next) = reviewed(&["approved", "approved"]);
    assert_eq!(keys(&next), ["1.merge"]);
    session.asked.push(Asked { at: Timestamp::from_ms(2), worker: Some("claude".into()) });
    assert_eq!(keys(&step(&mut session)), [""; 0], "nothing of claude's was asked about");
    session.asked.push(Asked { at: Timestamp::from_ms(2), worker: Some("codex".into()) });
    assert_eq!(keys(&step(&mut session)), ["1.review-2.claude", "1.review-2.gemini"]);
    assert_eq!(keys(&step(&mut session)), [""; 0], "the merging waits for the answer");
    for (agent, opinion) in [("claude", "approved"), ("gemini", "blocker")] {
        let verdict = json!({ "verdict": { "verdict": opinion, "text": "look here" } });
        ends(&mut session, &format!("1.review-2.{agent}"), "succeeded", verdict);
    }
    let next = step(&mut session);
    assert_eq!(next.decisions[0].decision, Decision::StopAndEscalate);
    assert!(next.stop.is_some());
    session.decisions.extend(overruled(&session, Timestamp::from_ms(3)));
    assert!(step(&mut session).stop.is_none(), "a person's word counts, and asks for no third round");
}

fn with_second(wishes: &str) -> Session {
    let mut session = session(&["codex"]);
    session.items[0].wishes = serde_json::from_str(wishes).unwrap();
    let second = item("2".into(), ItemKind::Work, "t".into(), "build on it".into(), "codex");
    session.items.push(SessionItem { depends_on: vec!["1".into()], ..second });
    session
}

fn is_ready_now(session: &Session, key: &str) -> bool {
    is_ready(session, session.items.iter().find(|item| item.key == key).unwrap())
}

#[test]
fn what_builds_on_a_piece_that_failed_begins_only_where_the_plan_can_do_without_it() {
    for (wishes, begins) in
        [("{}", false), (r#"{"critical": false}"#, true), (r#"{"on_error": "continue"}"#, true)]
    {
        let mut session = with_second(wishes);
        assert!(!is_ready_now(&session, "2"), "it is not known yet");
        ends(&mut session, "1", "failed", Value::Null);
        assert_eq!(is_ready_now(&session, "2"), begins, "{wishes}");
        assert!(step(&mut session).stop.is_none());
    }
}

#[test]
fn a_piece_whose_failure_is_to_stop_all_stops_all_once_no_round_is_left() {
    let mut session = with_second(r#"{"on_error": "stop"}"#);
    ends(&mut session, "1", "succeeded", changed("codex"));
    assert_eq!(keys(&step(&mut session)), ["1.merge"]);
    for round in ["1", "1.again-2", "1.again-3"] {
        ends(&mut session, &format!("{round}.merge"), "failed", json!({"red": {"error": "make test"}}));
        let next = step(&mut session);
        assert_eq!(next.stop.is_some(), round == "1.again-3", "{round}: {:?}", keys(&next));
        if let Some(again) = next.items.first().map(|item| item.key.clone()) {
            ends(&mut session, &again, "succeeded", changed("codex"));
            assert_eq!(keys(&step(&mut session)), [&*format!("{again}.merge")]);
        }
    }
}

#[test]
fn a_group_has_room_for_as_many_as_it_says() {
    let mut session = session(&["codex"]);
    let group = serde_json::from_str(r#"{"group": {"concurrency": 2}}"#);
    session.items[0].wishes = group.unwrap();
    for key in ["2", "3"] {
        let more = SessionItem { key: key.into(), ..session.items[0].clone() };
        session.items.push(more);
    }
    for index in 0..2 {
        assert!(is_ready(&session, &session.items[index]));
        session.items[index].work_item_id = Some(1);
    }
    assert!(!is_ready_now(&session, "3"));
    ends(&mut session, "1", "succeeded", Value::Null);
    assert!(is_ready_now(&session, "3"));
}

#[test]
fn the_integrator_is_told_what_the_plan_wants_of_the_result() {
    let mut session = with_second(r#"{"validator": "make check"}"#);
    ends(&mut session, "1", "succeeded", changed("codex"));
    assert_eq!(step(&mut session).items[0].prompt, "make check");
}

#[test]
fn what_was_done_again_is_not_reviewed_once_more() {
    let (mut session, _) = reviewed(&["concern", "concern"]);
    ends(&mut session, "1.again-2", "succeeded", changed("codex"));
    step(&mut session);
    for agent in ["claude", "gemini"] {
        let verdict = json!({ "verdict": { "verdict": "approved", "text": "good" } });
        ends(&mut session, &format!("1.again-2.review.{agent}"), "succeeded", verdict);
    }
    assert_eq!(keys(&step(&mut session)), ["1.again-2.merge"]);
    session.asked.push(Asked { at: Timestamp::from_ms(2), worker: None });
    assert_eq!(keys(&step(&mut session)), ["1.again-2.review-2.claude", "1.again-2.review-2.gemini"]);
}

/// A session in which reviewers look at work that goes on, and what they think of it.
fn looked_at(opinions: [&str; 2]) -> (Session, Next) {
    let mut session = session(&["codex", "claude", "gemini"]);
    session.looks.push(Look {
        work: "1".into(),
        number: 1,
        run_id: 1,
        at: Timestamp::from_ms(0),
        why: Trigger::Blocker,
        text: "no way".into(),
        base: None,
    });
    assert_eq!(keys(&step(&mut session)), ["1.look-1.claude", "1.look-1.gemini"]);
    for (agent, opinion) in ["claude", "gemini"].iter().zip(opinions) {
        let verdict = json!({ "verdict": { "verdict": opinion, "text": format!("{agent} thinks") } });
        ends(&mut session, &format!("1.look-1.{agent}"), "succeeded", verdict);
    }
    let next = step(&mut session);
    (session, next)
}

#[test]
fn what_reviewers_say_of_work_that_goes_on_has_the_consequences_of_a_review() {
    let (mut session, next) = looked_at(["approved", "concern"]);
    assert!(next.items.is_empty() && next.halt.is_empty() && next.stop.is_none());
    ends(&mut session, "1", "succeeded", changed("codex"));
    assert_eq!(
        keys(&step(&mut session)),
        ["1.review.claude", "1.review.gemini"],
        "its end is reviewed as ever"
    );

    let (mut session, next) = looked_at(["concern", "concern"]);
    assert_eq!((keys(&next), &next.halt), (vec!["1.again-2"], &vec!["1".to_owned()]));
    assert_eq!(step(&mut session).halt, ["1"], "after a crash it is ended all the same");
    ends(&mut session, "1", "cancelled", json!(null));
    assert!(step(&mut session).halt.is_empty());

    let (_, next) = looked_at(["approved", "blocker"]);
    assert!(next.stop.unwrap().contains("gemini says: gemini thinks"));
}

#[test]
fn nobody_has_to_look_and_what_ended_meanwhile_is_only_reviewed() {
    let (mut session, _) = looked_at(["approved", "approved"]);
    session.looks.push(Look { number: 2, ..session.looks[0].clone() });
    step(&mut session);
    for agent in ["claude", "gemini"] {
        ends(&mut session, &format!("1.look-2.{agent}"), "failed", json!(null));
    }
    let next = step(&mut session);
    assert_eq!(
        (next.decisions[0].decision, next.decisions[0].rule.as_str()),
        (Decision::Continue, "nobody looked")
    );
    session.looks.push(Look { number: 3, ..session.looks[0].clone() });
    ends(&mut session, "1", "succeeded", changed("codex"));
    assert_eq!(keys(&step(&mut session)), ["1.review.claude", "1.review.gemini"]);
}

#[test]
fn a_last_round_that_reviewers_have_concerns_about_goes_on_and_only_its_end_is_a_persons() {
    let mut session = session(&["codex", "claude", "gemini"]);
    session.items[0].key = "1.again-3".into();
    session.looks.push(Look {
        work: "1.again-3".into(),
        number: 1,
        run_id: 1,
        at: Timestamp::from_ms(0),
        why: Trigger::Milestone,
        text: "half".into(),
        base: None,
    });
    step(&mut session);
    for agent in ["claude", "gemini"] {
        let verdict = json!({ "verdict": { "verdict": "concern", "text": "hm" } });
        ends(&mut session, &format!("1.again-3.look-1.{agent}"), "succeeded", verdict);
    }
    let next = step(&mut session);
    assert_eq!(next.decisions[0].decision, Decision::PauseAndClarify);
    assert!(next.halt.is_empty() && next.person.is_none());
    ends(&mut session, "1.again-3", "succeeded", changed("codex"));
    step(&mut session);
    for agent in ["claude", "gemini"] {
        let verdict = json!({ "verdict": { "verdict": "approved", "text": "fine" } });
        ends(&mut session, &format!("1.again-3.review.{agent}"), "succeeded", verdict);
    }
    let next = step(&mut session);
    assert_eq!((keys(&next), &next.person), (vec!["1.again-3.merge"], &None));
}

#[test]
fn a_try_that_succeeded_just_as_it_was_begun_again_keeps_no_contest_waiting() {
    let mut session = contest();
    let tries: Vec<String> = session.items.iter().map(|item| item.key.clone()).collect();
    let again = SessionItem { key: format!("{}.again-2", tries[0]), ..session.items[0].clone() };
    for key in &tries {
        ends(&mut session, key, "succeeded", changed("codex"));
    }
    session.items.push(again);
    let again = format!("{}.again-2", tries[0]);
    ends(&mut session, &again, "failed", json!(null));
    step(&mut session);
    let reviews: Vec<String> = session
        .items
        .iter()
        .filter(|item| item.kind == ItemKind::Review)
        .map(|item| item.key.clone())
        .collect();
    for key in reviews {
        let verdict = json!({ "verdict": { "verdict": "approved", "text": "fine" } });
        ends(&mut session, &key, "succeeded", verdict);
    }
    let next = step(&mut session);
    assert!(keys(&next).iter().any(|key| key.ends_with(".merge")), "{:?}", keys(&next));
}

/// Three tries at one piece.
fn contest() -> Session {
    let mut session = session(&["codex", "claude", "gemini"]);
    let own = session.items.remove(0);
    for (number, agent) in (1..).zip(["codex", "claude", "gemini"]) {
        let part = Part { contest: Some("1".into()), ..Part::default() };
        session.items.push(SessionItem {
            key: format!("1.try-{number}"),
            agent: agent.into(),
            part,
            ..own.clone()
        });
    }
    session.items.push(SessionItem { key: "2".into(), depends_on: vec!["1".into()], ..own });
    session
}

/// Lets the reviewers of a try think this of it.
fn thought(session: &mut Session, number: usize, opinions: [&str; 2]) {
    let work = format!("1.try-{number}");
    let prefix = format!("{work}.review.");
    let keys: Vec<String> =
        session.items.iter().map(|item| item.key.clone()).filter(|key| key.starts_with(&prefix)).collect();
    for (key, opinion) in keys.iter().zip(opinions) {
        ends(session, key, "succeeded", json!({ "verdict": { "verdict": opinion, "text": "so" } }));
    }
}

#[test]
fn of_several_tries_the_best_is_merged_and_where_that_fails_the_next_best() {
    let mut session = contest();
    for (number, agent) in (1..).zip(["codex", "claude", "gemini"]) {
        ends(&mut session, &format!("1.try-{number}"), "succeeded", changed(agent));
    }
    assert_eq!(step(&mut session).items.len(), 6);
    thought(&mut session, 1, ["approved", "blocker"]);
    thought(&mut session, 2, ["approved", "concern"]);
    assert!(step(&mut session).stop.is_none(), "one bad try stops nothing");
    assert!(session.items.iter().all(|item| item.kind != ItemKind::Merge), "the third is not reviewed yet");
    thought(&mut session, 3, ["approved", "approved"]);
    assert_eq!(keys(&step(&mut session)), ["1.try-3.merge"]);
    assert!(step(&mut session).items.is_empty(), "once");
    ends(&mut session, "1.try-3.merge", "failed", json!({ "red": { "error": "a test fails" } }));
    assert_eq!(keys(&step(&mut session)), ["1.try-2.merge"]);
    assert!(!is_ready(&session, session.items.iter().find(|item| item.key == "2").unwrap()));
    ends(&mut session, "1.try-2.merge", "succeeded", json!({ "commit": "c" }));
    assert!(step(&mut session).items.is_empty());
    assert!(is_ready(&session, session.items.iter().find(|item| item.key == "2").unwrap()));
    assert_eq!(contest::ends(&session), [crate::exit::Exit::Done]);
}

#[test]
fn a_contest_without_a_try_that_can_be_merged_does_not_end_well() {
    let mut session = contest();
    for number in 1..=3 {
        assert_eq!(contest::ends(&session), [crate::exit::Exit::Waits]);
        ends(&mut session, &format!("1.try-{number}"), "failed", json!(null));
    }
    assert!(step(&mut session).items.is_empty());
    assert_eq!(contest::ends(&session), [crate::exit::Exit::Failed]);
}
