//! The run's life as a table, and its laws as properties.

use super::*;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_ms(1_000_000);

fn worker(name: &str) -> WorkerId {
    WorkerId::new(name).unwrap()
}

fn never() -> LiveRun {
    LiveRun::new(RunId(7), NOW)
}

fn live() -> LiveRun {
    LiveRun { lease: Some(Lease::new(worker("a"), 1_000, NOW)), started_at: Some(NOW), ..never() }
}

fn overdue() -> LiveRun {
    LiveRun { lease: Some(Lease::new(worker("a"), 0, NOW)), ..live() }
}

fn dropped() -> LiveRun {
    LiveRun { lease: None, ..live() }
}

fn commands() -> Vec<(&'static str, Command)> {
    let done = |fence| Command::Complete { fence, outcome: Outcome::Succeeded };
    vec![
        ("claim", Command::Claim { worker: worker("b"), ttl_ms: 1_000 }),
        ("heartbeat", Command::Heartbeat { worker: worker("a"), fence: Fence(3), ttl_ms: 1_000 }),
        ("old heartbeat", Command::Heartbeat { worker: worker("a"), fence: Fence(2), ttl_ms: 1_000 }),
        ("complete", done(Some(Fence(3)))),
        ("old complete", done(Some(Fence(2)))),
        ("complete by hand", done(None)),
        ("hand back", Command::HandBack { fence: Fence(3) }),
        ("old hand back", Command::HandBack { fence: Fence(2) }),
        ("cancel", Command::Cancel),
        ("expire", Command::Expire { takeovers_max: 3 }),
    ]
}

#[test]
fn every_state_answers_every_command() {
    let states = [("never", never()), ("dropped", dropped()), ("live", live()), ("overdue", overdue())];
    let mut table = String::new();
    for (state, run) in &states {
        for (name, command) in commands() {
            let answer = match transition(run, 1, Fence(3), command, NOW) {
                Ok(Step { next: Next::Live(next), fence, .. }) => {
                    format!("{} #{fence}", next.status().as_str())
                }
                Ok(Step { next: Next::Ended(outcome), .. }) => outcome.status().as_str().to_owned(),
                Err(refusal) => format!("refused: {}", refusal.code.as_str()),
            };
            table.push_str(&format!("{state} + {name} = {answer}\n"));
        }
    }
    assert_eq!(
        table,
        "\
never + claim = running #4
never + heartbeat = refused: stale_token
never + old heartbeat = refused: stale_token
never + complete = refused: stale_token
never + old complete = refused: stale_token
never + complete by hand = succeeded
never + hand back = refused: stale_token
never + old hand back = refused: stale_token
never + cancel = cancelled
never + expire = pending #3
dropped + claim = running #4
dropped + heartbeat = running #3
dropped + old heartbeat = refused: stale_token
dropped + complete = succeeded
dropped + old complete = refused: stale_token
dropped + complete by hand = succeeded
dropped + hand back = pending #3
dropped + old hand back = refused: stale_token
dropped + cancel = cancelled
dropped + expire = pending #3
live + claim = refused: lease_held
live + heartbeat = running #3
live + old heartbeat = refused: stale_token
live + complete = succeeded
live + old complete = refused: stale_token
live + complete by hand = refused: lease_held
live + hand back = pending #3
live + old hand back = refused: stale_token
live + cancel = cancelled
live + expire = running #3
overdue + claim = running #4
overdue + heartbeat = running #3
overdue + old heartbeat = refused: stale_token
overdue + complete = succeeded
overdue + old complete = refused: stale_token
overdue + complete by hand = succeeded
overdue + hand back = pending #3
overdue + old hand back = refused: stale_token
overdue + cancel = cancelled
overdue + expire = pending #3
"
    );
}

#[test]
fn a_run_is_lost_when_its_last_allowed_holder_vanishes() {
    let mut run = overdue();
    let mut fence = Fence(1);
    for takeover in 1..=3 {
        let step = transition(&run, 1, fence, Command::Expire { takeovers_max: 3 }, NOW).unwrap();
        let Next::Live(free) = step.next else { panic!("lost after {} takeovers", takeover - 1) };
        let claim = Command::Claim { worker: worker("b"), ttl_ms: 0 };
        let step = transition(&free, 1, step.fence, claim, NOW).unwrap();
        let Next::Live(taken) = step.next else { panic!("a claim ended the run") };
        assert_eq!(taken.takeovers, takeover);
        (run, fence) = (taken, step.fence);
    }
    let step = transition(&run, 1, fence, Command::Expire { takeovers_max: 3 }, NOW).unwrap();
    assert_eq!(step.next, Next::Ended(Outcome::Lost));
}

#[test]
fn a_run_that_waits_for_an_approval_is_neither_claimed_nor_completed_by_hand() {
    let run = LiveRun { holds: 1, ..never() };
    for command in [commands()[0].1.clone(), commands()[5].1.clone()] {
        assert_eq!(transition(&run, 1, Fence(3), command, NOW).unwrap_err().code, Code::ApprovalPending);
    }
}

#[test]
fn no_holder_leaves_or_comes_back_without_a_trace() {
    let by_hand = Command::Complete { fence: None, outcome: Outcome::Succeeded };
    let claim = Command::Claim { worker: worker("b"), ttl_ms: 1_000 };
    let beat = || Command::Heartbeat { worker: worker("a"), fence: Fence(3), ttl_ms: 1_000 };
    let facts = |run: LiveRun, command| transition(&run, 1, Fence(3), command, NOW).unwrap().facts;
    let expired = Fact::LeaseExpired { worker: worker("a"), fence: Fence(3) };
    let succeeded = Fact::RunSucceeded { fence: None };
    let claimed = Fact::RunClaimed { attempt: 1, worker: worker("b"), fence: Fence(4), takeovers: 1 };
    assert_eq!(facts(overdue(), by_hand.clone()), [expired.clone(), succeeded.clone()]);
    assert_eq!(facts(dropped(), by_hand), [succeeded]);
    assert_eq!(facts(overdue(), claim.clone()), [expired, claimed.clone()]);
    assert_eq!(facts(dropped(), claim), [claimed]);
    assert_eq!(facts(dropped(), beat()), [Fact::LeaseResumed { worker: worker("a"), fence: Fence(3) }]);
    assert_eq!([facts(live(), beat()), facts(overdue(), beat())], [[], []]);
}

fn any_command() -> impl Strategy<Value = Command> {
    let fence = (0..6_i64).prop_map(Fence);
    let name = prop_oneof![Just("a"), Just("b")].prop_map(worker);
    prop_oneof![
        (name.clone(), 0..50_i64).prop_map(|(worker, ttl_ms)| Command::Claim { worker, ttl_ms }),
        (name, fence.clone(), 0..50_i64).prop_map(|(worker, fence, ttl_ms)| Command::Heartbeat {
            worker,
            fence,
            ttl_ms
        }),
        proptest::option::of(fence.clone())
            .prop_map(|fence| Command::Complete { fence, outcome: Outcome::Succeeded }),
        fence.prop_map(|fence| Command::HandBack { fence }),
        Just(Command::Cancel),
        Just(Command::Expire { takeovers_max: 2 }),
    ]
}

proptest! {
    #[test]
    fn tokens_only_grow_and_a_live_lease_changes_hands_only_by_its_own_token(
        script in proptest::collection::vec((any_command(), 0..40_i64), 1..60),
    ) {
        let (mut run, mut fence, mut now) = (never(), Fence::NONE, NOW);
        for (command, wait) in script {
            now = now.plus_ms(wait);
            let holder = run.lease.clone().filter(|lease| !lease.is_expired(now));
            let claims = matches!(command, Command::Claim { .. });
            let Ok(step) = transition(&run, 1, fence, command, now) else { continue };
            prop_assert!(step.fence >= fence, "a token shrank");
            prop_assert!(!(claims && holder.is_some()), "two holders at once");
            prop_assert_eq!(step.fence == fence.next(), claims, "only a claim makes a token");
            let Next::Live(next) = step.next else { break };
            (run, fence) = (next, step.fence);
        }
    }
}
