//! Plays turns of the agent command lines through the listener and the diagnosis, and compares what comes of it with
//! what a person says is right: which recovery, within which grants, and whether the turn may count as done.
//!
//! The rules were written with the half `seen`, and without the half `unseen`, of which the first run understood 92 of
//! 98 cases (93.9 %), with no grant too much and no turn wrongly taken as done. What it missed was mended where the rule
//! was wrong in general, so that its figure of today says less than that first one. The same
//! holds for the sets after it: of `fresh` 74 of 86 were understood at the first run, of `later` 25 of 32, of `newest` 48 of 81
//! and of `last` 58 of 68, each without a grant too much or a turn wrongly taken as done.
//!
//! The `wide` set asks for many more programs. It was written before the rules were read: 136 of 176 (77.3 %) were understood at the
//! first run, 73 of 93 of the half `wide-open` and 63 of 83 of `wide-closed`. Rules were mended by the open half alone, after which
//! 79 of 83 (95.2 %) of the closed one were understood; but whoever mended them had written both halves. So three sets of what
//! others reported were taken after that, each run once before anything was mended by it: of `reported` 43 of 58 (74.1 %),
//! of `reported-later` 34 of 50 (68.0 %) and of `reported-last` 14 of 28 (50.0 %) were understood, the last of which has only what is
//! unlike all before. There, too, no grant was too much and no turn wrongly taken as done.
//!
//! The `blind` set is of the three command lines again, by an author who knew no rule: at the first run 51 of 60 (85.0 %) of
//! `blind-open` were understood and 52 of 60 (86.7 %) of `blind-closed`, with no grant too much and no turn wrongly taken as done. Rules
//! were mended by the open half alone, and of the closed one nobody who mended them saw more than its figures, which the test
//! keeps to itself: 56 of 60 (93.3 %) are understood since then. `blind-later` was written after that, by an author who knew no rule
//! either, of stops as most people meet them: 72 of 75 (96.0 %) at its first run, and nothing was mended by it.

use jiff::Timestamp;
use serde::Deserialize;
use spalla_adapter::definition::built_in;
use spalla_adapter::heard::Heard;
use spalla_adapter::listen::Listener;
use spalla_adapter::recovery::{Action, Allowed, Change, Diagnosis, Ended, diagnose};
use spalla_adapter::trouble::Cause;
use std::collections::BTreeSet;
use std::path::Path;

#[derive(Deserialize)]
struct Turn {
    name: String,
    adapter: String,
    now: Timestamp,
    policy: Policy,
    stdout: Vec<String>,
    stderr: Vec<String>,
    exit: Option<i32>,
    changed: bool,
    tried: BTreeSet<Cause>,
    expected: Expected,
}

#[derive(Deserialize)]
struct Policy {
    folders: Vec<String>,
    tools: Vec<String>,
    trust: bool,
    longest_wait_seconds: u64,
}

#[derive(Deserialize)]
struct Expected {
    cause: Option<Cause>,
    action: String,
    grants: Vec<String>,
    resets_at: Option<Timestamp>,
    may_succeed: bool,
}

#[test]
fn the_turns_that_the_rules_were_written_with_are_understood() {
    check("seen");
}

#[test]
fn the_turns_that_nobody_looked_at_are_understood() {
    check("unseen");
}

#[test]
fn the_turns_of_the_second_set_that_nobody_looked_at_are_understood() {
    check("fresh");
}

#[test]
fn the_turns_of_the_third_set_that_nobody_looked_at_are_understood() {
    check("later");
}

#[test]
fn the_turns_of_the_fourth_set_that_nobody_looked_at_are_understood() {
    check("newest");
}

#[test]
fn the_turns_of_the_fifth_set_that_nobody_looked_at_are_understood() {
    check("last");
}

#[test]
fn the_turns_of_the_wide_set_that_rules_may_be_mended_by_are_understood() {
    check("wide-open");
}

#[test]
fn the_turns_of_the_wide_set_that_no_rule_was_mended_by_are_understood() {
    check("wide-closed");
}

#[test]
fn the_turns_that_others_reported_are_understood() {
    check("reported");
}

#[test]
fn the_turns_that_others_reported_of_more_programs_are_understood() {
    check("reported-later");
}

#[test]
fn the_turns_that_others_reported_last_are_understood() {
    check("reported-last");
}

#[test]
fn the_turns_of_the_blind_set_that_rules_may_be_mended_by_are_understood() {
    check("blind-open");
}

#[test]
fn the_turns_of_the_blind_set_that_no_rule_was_mended_by_are_understood() {
    check_unread("blind-closed", 56);
}

#[test]
fn the_turns_of_the_last_blind_set_are_understood() {
    check_unread("blind-later", 72);
}

fn check(half: &str) {
    let figures = figures_of(half);
    println!("{}", figures.misses.join("\n"));
    figures.check(half);
}

/// Checks a set of which nobody who mends a rule may know what was missed: figures alone are printed, and no fewer turns may be
/// understood than ever were.
fn check_unread(half: &str, least: usize) {
    figures_of(half).check_from(half, least);
}

/// What came of a set.
#[derive(Default)]
struct Figures {
    count: usize,
    understood: usize,
    /// How many ends of limits were read right.
    resets: usize,
    /// How many turns got a grant beyond what is right.
    grants: usize,
    /// How many turns were wrongly taken as done.
    done: usize,
    misses: Vec<String>,
}

impl Figures {
    /// Checks that at least 95 of 100 were understood.
    fn check(&self, half: &str) {
        self.check_from(half, (self.count * 95).div_ceil(100));
    }

    fn check_from(&self, half: &str, least: usize) {
        let Self { count, understood, resets, grants, done, .. } = *self;
        println!(
            "{half}: {understood} of {count} understood, {resets} resets, {grants} grants too much, {done} wrongly done"
        );
        assert!(count > 0, "no case in {half}");
        assert!(understood >= least, "{half}: {understood} of {count} understood");
        assert_eq!(
            (grants, done),
            (0, 0),
            "{half}: grants beyond the policy, and turns wrongly taken as done"
        );
    }
}

fn figures_of(half: &str) -> Figures {
    let turns = read(half);
    let mut figures = Figures { count: turns.len(), ..Figures::default() };
    for turn in &turns {
        let found = found(turn);
        let (action, granted) = told(&found.action);
        let wanted = &turn.expected;
        let is_understood = found.cause == wanted.cause && action == wanted.action;
        let is_too_much = granted.iter().any(|grant| !wanted.grants.contains(grant));
        let is_wrongly_done = found.may_succeed && !wanted.may_succeed;
        figures.understood += usize::from(is_understood);
        figures.resets += usize::from(found.resets_at == wanted.resets_at);
        figures.grants += usize::from(is_too_much);
        figures.done += usize::from(is_wrongly_done);
        let is_same = granted == wanted.grants && found.may_succeed == wanted.may_succeed;
        if !is_understood || !is_same || found.resets_at != wanted.resets_at {
            figures.misses.push(format!(
                "{}: wanted {:?} {} {:?} {:?} {}, found {:?} {action} {granted:?} {:?} {}: {}",
                turn.name,
                wanted.cause,
                wanted.action,
                wanted.grants,
                wanted.resets_at,
                wanted.may_succeed,
                found.cause,
                found.resets_at,
                found.may_succeed,
                found.reason
            ));
        }
    }
    figures
}

fn read(half: &str) -> Vec<Turn> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(half);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let parse = |file: &std::path::PathBuf| {
        let text = std::fs::read_to_string(file).unwrap();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    };
    files.iter().map(parse).collect()
}

fn found(turn: &Turn) -> Diagnosis {
    static ADAPTERS: std::sync::LazyLock<Vec<spalla_adapter::definition::Definition>> =
        std::sync::LazyLock::new(|| {
            // The lines are those of programs that nobody spoke with.
            let all = built_in().unwrap().into_iter();
            all.map(|adapter| adapter.other_way().unwrap_or(adapter)).collect()
        });
    let adapter = ADAPTERS.iter().find(|adapter| adapter.name == turn.adapter).unwrap();
    let mut listener = Listener::new(adapter.output, adapter.trouble.clone());
    let (mut troubles, mut denied, mut end, mut thread) = (vec![], vec![], None, None);
    let mut heard: Vec<Heard> = vec![];
    for line in &turn.stdout {
        heard.extend(listener.hear(line.as_bytes(), turn.now));
    }
    for line in &turn.stderr {
        heard.extend(listener.hear_error(line.as_bytes(), turn.now));
    }
    for heard in heard {
        match heard {
            Heard::Trouble(trouble) => troubles.push(trouble),
            Heard::Denied(one) => denied.push(one),
            Heard::Over(how) => end = Some(how),
            Heard::Thread(id) => thread = Some(id),
            Heard::Event(_) | Heard::Did(_) | Heard::Words(_) | Heard::Spent(_) => {}
        }
    }
    let ended = Ended {
        troubles: &troubles,
        denied: &denied,
        end,
        exit_code: turn.exit,
        has_changed: turn.changed,
        thread: thread.as_deref(),
    };
    let allowed = Allowed {
        folders: turn.policy.folders.clone(),
        tools: turn.policy.tools.clone(),
        trust: turn.policy.trust,
        longest_wait_ms: turn.policy.longest_wait_seconds * 1_000,
    };
    diagnose(adapter, &ended, &allowed, &turn.tried, turn.now)
}

/// Returns an action as the cases name it, and what it grants.
fn told(action: &Action) -> (&'static str, Vec<String>) {
    match action {
        Action::None => ("none", vec![]),
        Action::Relaunch { change: Change::Folders(folders) } => ("relaunch_with_folders", folders.clone()),
        Action::Relaunch { change: Change::Tools(tools) } => ("relaunch_with_tool", tools.clone()),
        Action::Relaunch { change: Change::Trust } => ("relaunch_trusted", vec![]),
        Action::Relaunch { change: Change::Compact } => ("compact_and_resume", vec![]),
        Action::Relaunch { change: Change::Restart } => ("restart", vec![]),
        Action::Wait { .. } => ("wait", vec![]),
        Action::NextAgent { .. } => ("next_agent", vec![]),
        Action::Ask { .. } => ("ask_person", vec![]),
        Action::Fail { .. } => ("fail", vec![]),
    }
}
