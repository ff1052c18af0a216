//! The life of a work item's place as a table, and its laws as properties.

use super::*;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_ms(1_000_000);
const STANDING: Standing = Standing { prio: 5, fence: Fence(2), attempt: 1, failures: 0 };

fn policy() -> RetryPolicy {
    RetryPolicy { max_retries: 1, backoff_base_ms: 1_000, backoff_jitter_ms: 0, ..RetryPolicy::default() }
}

fn end(outcome: Outcome) -> Command {
    Command::End { outcome, policy: policy(), not_before: None, jitter: Jitter(0) }
}

fn places() -> Vec<(&'static str, Place)> {
    let broken = Some(Broken { reason: Code::DependencyFailed, by: WorkItemId(9) });
    vec![
        ("open", Place::Open),
        ("waiting", Place::Blocked(Holds { unmet: 1, ..Holds::default() })),
        ("blocked", Place::Blocked(Holds { unmet: 1, broken, ..Holds::default() })),
        ("unapproved", Place::Blocked(Holds { pending: 1, ..Holds::default() })),
        ("delayed", Place::Delayed { due_at: NOW.plus_ms(1) }),
        ("due", Place::Delayed { due_at: NOW }),
        ("ready", Place::Ready),
        ("leased", Place::Leased(LiveRun::new(RunId(4), NOW))),
        ("finished", Place::Finished(Finished { status: Status::Failed, at: NOW })),
    ]
}

fn commands() -> Vec<(&'static str, Command)> {
    let free = Holds::default();
    vec![
        ("enqueue", Command::Enqueue(free)),
        ("enqueue with dependency", Command::Enqueue(Holds { unmet: 1, ..free })),
        ("rehold free", Command::Rehold(free)),
        ("rehold late", Command::Rehold(Holds { due_at: Some(NOW.plus_ms(1)), ..free })),
        ("due", Command::Due),
        ("start", Command::Start { run_id: RunId(8) }),
        ("claim", Command::Claim { run_id: RunId(8), worker: WorkerId::new("w").unwrap(), ttl_ms: 1 }),
        ("success", end(Outcome::Succeeded)),
        ("failure", end(Outcome::Failed(ErrorClass::Failed))),
        ("invalid", end(Outcome::Failed(ErrorClass::Validation))),
        ("requeue", Command::Requeue(free)),
        ("cancel", Command::Cancel),
    ]
}

fn word(place: &Place) -> &'static str {
    match place {
        Place::Open => "open",
        Place::Blocked(_) => "blocked",
        Place::Delayed { .. } => "delayed",
        Place::Ready => "ready",
        Place::Leased(_) => "leased",
        Place::Finished(end) => end.status.as_str(),
    }
}

#[test]
fn every_place_answers_every_command() {
    let mut table = String::new();
    for (command_name, command) in commands() {
        for (name, place) in places() {
            let answer = match transition(&place, STANDING, command.clone(), NOW) {
                Ok(step) => word(&step.place).to_owned(),
                Err(refusal) => format!("({})", refusal.code.as_str()),
            };
            table.push_str(&format!("{command_name}: {name} -> {answer}\n"));
        }
    }
    assert_eq!(table, include_str!("table.txt"));
}

#[test]
fn a_failure_is_retried_until_the_policy_is_exhausted() {
    let run = Place::Leased(LiveRun::new(RunId(4), NOW));
    let failure = || end(Outcome::Failed(ErrorClass::Failed));
    let first = transition(&run, STANDING, failure(), NOW).unwrap();
    assert_eq!(first.place, Place::Delayed { due_at: NOW.plus_ms(2_000) });
    let second = transition(&run, first.standing, failure(), NOW).unwrap();
    assert_eq!(second.place.status(), Status::Failed);
    assert_eq!(second.facts, [Fact::WorkItemFinished { status: Status::Failed }]);
}

#[test]
fn a_person_who_requeues_a_dead_letter_gives_it_all_its_retries_back() {
    let dead = Place::Finished(Finished { status: Status::Failed, at: NOW });
    let standing = Standing { failures: 4, attempt: 4, ..STANDING };
    let step = transition(&dead, standing, Command::Requeue(Holds::default()), NOW).unwrap();
    assert_eq!((step.place, step.standing), (Place::Ready, Standing { failures: 0, ..standing }));
}

fn any_holds() -> impl Strategy<Value = Holds> {
    (0..3_u32, 0..2_u32, 0..2_u32, proptest::option::of(0..2_000_000_i64)).prop_map(
        |(unmet, pending, rejected, due)| Holds {
            unmet,
            broken: None,
            pending,
            rejected,
            due_at: due.map(Timestamp::from_ms),
        },
    )
}

fn any_command() -> impl Strategy<Value = Command> {
    prop_oneof![
        any_holds().prop_map(Command::Enqueue),
        any_holds().prop_map(Command::Rehold),
        any_holds().prop_map(Command::Requeue),
        Just(Command::Due),
        (1..99_i64).prop_map(|id| Command::Start { run_id: RunId(id) }),
        (1..99_i64).prop_map(|id| Command::Claim {
            run_id: RunId(id),
            worker: WorkerId::new("w").unwrap(),
            ttl_ms: 5,
        }),
        Just(end(Outcome::Succeeded)),
        Just(end(Outcome::Failed(ErrorClass::Network))),
        Just(end(Outcome::Lost)),
        Just(Command::Cancel),
    ]
}

proptest! {
    #[test]
    fn nothing_starts_while_held_and_tokens_and_attempts_only_grow(
        script in proptest::collection::vec(any_command(), 1..60),
    ) {
        let (mut place, mut standing) = (Place::Open, Standing { prio: 0, fence: Fence(0), attempt: 0, failures: 0 });
        for command in script {
            let Ok(step) = transition(&place, standing, command, NOW) else { continue };
            let starts = matches!(step.place, Place::Leased(_)) && !matches!(place, Place::Leased(_));
            prop_assert!(!starts || place == Place::Ready, "{place:?} started");
            prop_assert!(step.standing.fence >= standing.fence && step.standing.attempt >= standing.attempt);
            prop_assert_eq!(step.standing.attempt > standing.attempt, starts);
            (place, standing) = (step.place, step.standing);
        }
    }
}
