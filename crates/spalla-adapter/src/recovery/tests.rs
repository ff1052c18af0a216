//! Each cause leads to its recovery, once, and only within the policy.

use super::*;
use crate::definition::built_in;
use crate::heard::DeniedBy;
use crate::trouble::Certainty::{self, Clear, Guessed, Vague};
use std::sync::LazyLock;

pub(super) static ADAPTERS: LazyLock<Vec<Definition>> = LazyLock::new(|| built_in().unwrap());

pub(super) fn adapter(name: &str) -> &'static Definition {
    ADAPTERS.iter().find(|adapter| adapter.name == name).unwrap()
}

pub(super) fn now() -> Timestamp {
    "2026-11-20T10:00:00Z".parse().unwrap()
}

fn allowed() -> Allowed {
    Allowed {
        folders: vec!["/srv/shared".into()],
        tools: vec!["Write".into(), "Bash(cargo test:*)".into()],
        trust: true,
        longest_wait_ms: 60_000,
    }
}

fn ended<'a>(troubles: &'a [Trouble], denied: &'a [Denied]) -> Ended<'a> {
    let end = Some(if troubles.is_empty() { TurnEnd::Completed } else { TurnEnd::Failed });
    Ended { troubles, denied, end, exit_code: Some(0), has_changed: false, thread: Some("t") }
}

fn trouble(cause: Cause, wait_ms: Option<i64>) -> Trouble {
    let resets_at = wait_ms.map(|ms| now().checked_add(SignedDuration::from_millis(ms)).unwrap());
    Trouble { cause, text: "what was said".into(), is_final: true, resets_at, certainty: Certainty::Clear }
}

fn denied(tool: &str, paths: &[&str], input: Option<&str>, by: DeniedBy) -> Denied {
    let outside =
        "Path not in workspace: Attempted path resolves outside the allowed workspace directories: /w";
    let reason = if paths.is_empty() { "it was not allowed" } else { outside };
    Denied {
        tool: Some(tool.into()),
        reason: reason.into(),
        paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        input: input.map(str::to_owned),
        by,
    }
}

fn diagnosed(name: &str, ended: &Ended<'_>, tried: &[Cause]) -> Diagnosis {
    diagnose(adapter(name), ended, &allowed(), &tried.iter().copied().collect(), now())
}

fn suggestions(diagnosis: Diagnosis) -> String {
    match diagnosis.action {
        Action::Ask { suggestions } => suggestions.join("\n"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_cause_has_one_recovery_and_another_end_when_that_did_not_help() {
    let at = |ms| now().checked_add(SignedDuration::from_millis(ms)).unwrap();
    let next = |walled_until| Action::NextAgent { walled_until };
    let relaunch = |change| Action::Relaunch { change };
    let fail = |class| Action::Fail { class };
    use Cause::{
        BadRequest, ContextFull, Crashed, Network, Overloaded, Quota, RateLimit, Refusal, ServerError,
        Unknown, Usage,
    };
    for (cause, wait_ms, first, again) in [
        (RateLimit, None, Action::Wait { until: at(30_000) }, next(None)),
        (RateLimit, Some(20), Action::Wait { until: at(20) }, next(Some(at(20)))),
        (Overloaded, Some(60_001), next(Some(at(60_001))), next(Some(at(60_001)))),
        (Quota, None, next(None), next(None)),
        (Quota, Some(60_000), Action::Wait { until: at(60_000) }, next(Some(at(60_000)))),
        (Quota, Some(3_600_000), next(Some(at(3_600_000))), next(Some(at(3_600_000)))),
        (ContextFull, None, relaunch(Change::Compact), next(None)),
        (Crashed, None, relaunch(Change::Restart), next(None)),
        (ServerError, None, relaunch(Change::Restart), next(None)),
        (Network, None, relaunch(Change::Restart), next(None)),
        (Cause::Untrusted, None, relaunch(Change::Trust), Action::None),
        (Usage, None, fail(ErrorClass::Validation), fail(ErrorClass::Validation)),
        (BadRequest, None, fail(ErrorClass::Validation), fail(ErrorClass::Validation)),
        (Refusal, None, next(None), next(None)),
        (Unknown, None, fail(ErrorClass::Failed), fail(ErrorClass::Failed)),
    ] {
        let troubles = [trouble(cause, wait_ms)];
        let diagnosis = diagnosed("codex", &ended(&troubles, &[]), &[]);
        assert_eq!((diagnosis.cause, diagnosis.action), (Some(cause), first));
        let diagnosis = diagnosed("codex", &ended(&troubles, &[]), &[cause]);
        match again {
            Action::None => assert!(matches!(diagnosis.action, Action::Ask { .. }), "{cause:?}"),
            again => assert_eq!(diagnosis.action, again, "{cause:?}"),
        }
        assert!(!diagnosis.may_succeed);
    }
}

#[test]
fn nothing_is_waited_for_longer_than_the_policy_says() {
    let troubles = [trouble(Cause::RateLimit, None)];
    let short = Allowed { longest_wait_ms: 29_999, ..allowed() };
    let diagnosis = diagnose(adapter("codex"), &ended(&troubles, &[]), &short, &BTreeSet::new(), now());
    assert_eq!(diagnosis.action, Action::NextAgent { walled_until: None });
}

#[test]
fn what_was_denied_is_granted_once_within_the_policy_and_asked_otherwise() {
    let outside = |path| [denied("write_file", &[path], None, DeniedBy::Guard)];
    let found = diagnosed("gemini", &ended(&[], &outside("/srv/shared/a/x")), &[]);
    let granted = Action::Relaunch { change: Change::Folders(vec!["/srv/shared/a".into()]) };
    assert_eq!((found.cause, found.action), (Some(Cause::OutsideWorkspace), granted));
    for (path, tried) in [("/etc/passwd", vec![]), ("/srv/shared/a/x", vec![Cause::OutsideWorkspace])] {
        let asked = suggestions(diagnosed("gemini", &ended(&[], &outside(path)), &tried));
        assert!(asked.contains(path) && asked.contains("--include-directories"), "{asked}");
    }
    let bash = |command| [denied("Bash", &[], Some(command), DeniedBy::Guard)];
    let granted = Action::Relaunch { change: Change::Tools(vec!["Bash(cargo test:*)".into()]) };
    assert_eq!(diagnosed("claude", &ended(&[], &bash("cargo test -p a")), &[]).action, granted);
    let asked = suggestions(diagnosed("claude", &ended(&[], &bash("rm -rf target")), &[]));
    assert!(asked.contains("--allowedTools Bash(rm -rf target)"), "{asked}");
}

#[test]
fn a_turn_that_was_denied_something_is_done_only_where_it_got_past_it() {
    let output = |was_passed| [denied("shell", &[], Some("find /"), DeniedBy::Output { was_passed })];
    let guard = [denied("shell", &[], None, DeniedBy::Guard)];
    let stderr = [denied("shell", &[], None, DeniedBy::Stderr)];
    for (denied, has_changed, may_succeed) in [
        (&output(true)[..], true, true),
        (&output(true), false, false),
        (&output(false), true, false),
        (&guard, true, false),
        (&stderr, true, true),
        (&[], true, true),
        (&[], false, false),
    ] {
        let turn = Ended { has_changed, ..ended(&[], denied) };
        assert_eq!(diagnosed("codex", &turn, &[]).may_succeed, may_succeed, "{denied:?} {has_changed}");
        let broken = Ended { exit_code: Some(1), ..turn };
        assert!(!diagnosed("codex", &broken, &[]).may_succeed);
    }
}

#[test]
fn words_of_a_process_count_only_where_it_failed() {
    let words = [Trouble { is_final: false, ..trouble(Cause::Auth, None) }];
    let well = Ended { end: Some(TurnEnd::Completed), ..ended(&words, &[]) };
    assert_eq!(diagnosed("codex", &well, &[]).cause, None);
    let failed = Ended { end: None, exit_code: Some(1), ..well };
    assert_eq!(diagnosed("codex", &failed, &[]).cause, Some(Cause::Auth));
    let stopped = Ended { end: Some(TurnEnd::Interrupted), ..failed };
    assert_eq!(diagnosed("codex", &stopped, &[]).action, Action::None);
}

#[test]
fn a_process_that_tells_nothing_is_known_by_how_it_ended() {
    let silent = Ended { end: None, ..ended(&[], &[]) };
    for (exit_code, thread, cause) in [
        (None, None, Cause::Crashed),
        (Some(137), None, Cause::Crashed),
        (Some(0), Some("t"), Cause::Crashed),
        (Some(1), Some("t"), Cause::Crashed),
        (Some(1), None, Cause::Unknown),
        (Some(127), None, Cause::Machine),
        (Some(41), None, Cause::Auth),
    ] {
        let diagnosis = diagnosed("gemini", &Ended { exit_code, thread, ..silent }, &[]);
        assert_eq!(diagnosis.cause, Some(cause), "{exit_code:?} {thread:?}");
    }
}

#[test]
fn of_several_things_that_a_program_said_the_last_counts_that_is_not_vague() {
    let said = |cause, certainty| Trouble { is_final: false, certainty, ..trouble(cause, None) };
    let silent = Ended { end: None, exit_code: Some(1), thread: None, ..ended(&[], &[]) };
    for (troubles, wanted) in [
        ([said(Cause::Machine, Clear), said(Cause::BadRequest, Vague)], Cause::Machine),
        ([said(Cause::Machine, Clear), said(Cause::Network, Clear)], Cause::Network),
        ([said(Cause::Auth, Vague), said(Cause::ServerError, Vague)], Cause::ServerError),
        ([said(Cause::Auth, Vague), said(Cause::Machine, Guessed)], Cause::Auth),
        ([said(Cause::Auth, Guessed), said(Cause::Machine, Guessed)], Cause::Machine),
        // Nothing was asked of a service yet, so that none can have called it wrong.
        ([said(Cause::Auth, Vague), said(Cause::BadRequest, Vague)], Cause::Usage),
        ([said(Cause::Auth, Vague), said(Cause::BadRequest, Clear)], Cause::BadRequest),
    ] {
        let ended = Ended { troubles: &troubles, ..silent };
        assert_eq!(diagnosed("gemini", &ended, &[]).cause, Some(wanted));
    }
}

#[test]
fn a_denial_of_the_system_is_why_a_program_broke_or_could_not_read_a_file_of_its_own() {
    let denied = [denied("", &["/home/a/settings.json"], None, DeniedBy::Stderr)];
    for (cause, text, wanted) in [
        (Cause::Crashed, "Unhandled Promise Rejection", Cause::Denied),
        (Cause::Usage, "Please fix /home/a/settings.json", Cause::Denied),
        (Cause::Usage, "unknown option --fast", Cause::Usage),
    ] {
        let troubles = [Trouble { is_final: false, text: text.into(), ..trouble(cause, None) }];
        let ended = Ended { end: None, exit_code: Some(1), thread: None, ..ended(&troubles, &denied) };
        let diagnosis = diagnosed("gemini", &ended, &[]);
        assert_eq!(diagnosis.cause, Some(wanted), "{text}");
        assert!(!diagnosis.may_succeed);
    }
}

#[test]
fn who_is_asked_reads_which_login_or_key() {
    let troubles = [trouble(Cause::Auth, None)];
    for (name, wanted) in [
        ("codex", ["codex login", "OPENAI_API_KEY"]),
        ("claude", ["claude auth login", "ANTHROPIC_API_KEY"]),
        ("gemini", ["`gemini`", "GEMINI_API_KEY"]),
    ] {
        let asked = suggestions(diagnosed(name, &ended(&troubles, &[]), &[]));
        assert!(wanted.iter().all(|word| asked.contains(word)), "{asked}");
    }
    let named = [Trouble { text: "Missing environment variable: `MY_KEY`.".into(), ..troubles[0].clone() }];
    let asked = suggestions(diagnosed("codex", &ended(&named, &[]), &[]));
    assert!(asked.contains("MY_KEY") && !asked.contains("codex login"), "{asked}");
}

#[test]
fn an_adapter_overrules_the_table_but_never_the_policy() {
    let text = "name = 'own'\ntitle = 't'\nprogram = 'p'\ninstall = 'i'\noutput = 'text'\nprompt = 'stdin'\n\
                [[recovery]]\ncause = 'network'\naction = 'next_agent'\n\
                [[recovery]]\ncause = 'denied'\naction = 'tools'\n";
    let own = Definition::parse(text).unwrap();
    let diagnosed = |ended: &Ended<'_>| diagnose(&own, ended, &allowed(), &BTreeSet::new(), now()).action;
    let troubles = [trouble(Cause::Network, None)];
    assert_eq!(diagnosed(&ended(&troubles, &[])), Action::NextAgent { walled_until: None });
    let denied = [denied("Write", &[], None, DeniedBy::Guard)];
    assert!(matches!(diagnosed(&ended(&[], &denied)), Action::Ask { .. }), "it has no argument for a tool");
    assert!(Definition::parse(&text.replace("'tools'", "'everything'")).is_err());
}
