//! Policies as files.

use crate::{assert_levels, judge};
use spalla_policy::{Freedom, Level, PRESETS, Policy, confirmation_hash};
use std::path::Path;

#[test]
fn a_file_extends_its_preset() {
    let policy = Policy::parse(
        "[[rule]]\nname = \"make-release\"\nlevel = \"confirm\"\nprograms = [\"make\"]\nwords = [\"release\"]\nreason = \"releases\"\n",
    )
    .expect("a policy");
    assert_levels(&policy, Level::Confirm, &["make release", "git push"]);
    assert_levels(&policy, Level::Allowed, &["make"]);
}

#[test]
fn a_rule_of_the_same_name_replaces_and_allow_switches_off() {
    let policy = Policy::parse(
        "[[rule]]\nname = \"git-push\"\nlevel = \"block\"\nprograms = [\"git\"]\nwords = [\"push\"]\nreason = \"never\"\n\
         [[rule]]\nname = \"pip-install\"\nlevel = \"allow\"\n",
    )
    .expect("a policy");
    assert_levels(&policy, Level::Blocked, &["git push"]);
    assert_levels(&policy, Level::Allowed, &["pip install x"]);
}

#[test]
fn in_a_scratch_folder_anything_may_be_removed_but_the_folder() {
    let policy = Policy::parse("scratch = [\"/tmp\"]\n").expect("a policy");
    assert_levels(&policy, Level::Allowed, &["rm -rf /tmp/x", "rm -rf /tmp/x/*"]);
    assert_levels(
        &policy,
        Level::Blocked,
        &["rm -rf /tmp", "rm -rf /tmp/*", "rm -rf /tmp/../etc", "rm -rf /tmpx"],
    );
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_line() {
    let cases = [
        ("preset = \"default\"\ncolour = 1\n", 2, "colour"),
        ("preset = \"strict\"\n", 1, "there is no preset \"strict\""),
        ("\n[[rule]]\nname = \"x\"\nlevel = \"deny\"\n", 4, "deny"),
        ("\n[[rule]]\nname = \"x\"\nlevel = \"block\"\nprogram = [\"x\"]\nreason = \"r\"\n", 5, "program"),
        ("\n\n[[rule]]\nname = \"x\"\nlevel = \"block\"\nprograms = [\"a[\"]\nreason = \"r\"\n", 3, "\"x\""),
        ("[[rule]]\nname = \"x\"\nlevel = \"block\"\nprograms = [\"a\"]\n", 1, "no reason"),
        ("[[rule]]\nname = \"x\"\nlevel = \"block\"\nreason = \"r\"\n", 1, "neither programs nor events"),
        ("[[rule]]\nname = \"x\"\nlevel = \"allow\"\n", 1, "to switch off"),
        ("scratch = [\"/\"]\n", 1, "no scratch folder"),
        ("rule = 1\n", 1, ""),
        ("= 1", 1, ""),
    ];
    for (text, line, message) in cases {
        let problems = Policy::parse(text).expect_err(text).0;
        assert_eq!(problems[0].line, line, "{text:?}: {problems:?}");
        assert!(problems[0].message.contains(message), "{text:?}: {problems:?}");
    }
}

#[test]
fn the_digest_follows_what_the_rules_say_and_not_how_they_are_written() {
    let digest = |text: &str| Policy::parse(text).expect("a policy").digest().to_owned();
    let plain = digest("scratch = [\"/tmp\"]\n");
    assert_eq!(plain, digest("# a note\n\nscratch   = ['/tmp']\npreset = \"default\"\n"));
    assert_ne!(plain, digest("scratch = [\"/var/tmp\"]\n"));
    let presets: std::collections::HashSet<String> =
        PRESETS.iter().map(|name| Policy::preset(name).expect("a preset").digest().to_owned()).collect();
    assert_eq!(presets.len(), PRESETS.len());
    assert!(Policy::preset("strict").is_none());
}

#[test]
fn a_yes_is_void_when_anything_that_it_was_for_changes() {
    let hash = |command: &str, folder: &str, digest: &str, names: &[&str]| {
        confirmation_hash(command, Path::new(folder), digest, names)
    };
    let given = hash("git push", "/w", "d", &["A", "B"]);
    assert_eq!(given.len(), 64);
    assert_eq!(given, hash("git push", "/w", "d", &["B", "A", "A"]));
    for other in [
        hash("git push ", "/w", "d", &["A", "B"]),
        hash("git push", "/w2", "d", &["A", "B"]),
        hash("git push", "/w", "e", &["A", "B"]),
        hash("git push", "/w", "d", &["A"]),
        hash("git push", "/w", "d", &["AB"]),
        hash("git push/w", "", "d", &["A", "B"]),
    ] {
        assert_ne!(given, other);
    }
}

#[test]
fn what_a_finding_shows_is_short_and_moves_no_cursor() {
    let policy = Policy::preset("default").expect("a preset");
    let verdict = judge(&policy, &format!("git push $'\\e[31m\\u202e' {}", "x".repeat(10_000)));
    let command = &verdict.findings[0].command;
    assert!(command.starts_with("git push  [31m "), "{command:?}");
    assert_eq!(command.chars().count(), spalla_policy::COMMAND_CHARS_MAX + 1);
}

/// Returns what becomes of a script for agents of these autonomies, in thousandths.
fn levels(policy: &Policy, script: &str) -> Vec<Level> {
    let findings = judge(policy, script).findings;
    let of = |autonomy| {
        let freedom = Freedom::of(autonomy);
        findings.iter().map(|finding| freedom.level(finding)).max().unwrap_or(Level::Allowed)
    };
    [Some(0), Some(299), Some(300), None, Some(699), Some(700), Some(1_000)].map(of).to_vec()
}

#[test]
fn autonomy_decides_what_is_asked_about_and_lets_nobody_do_what_is_blocked() {
    use Level::{Allowed, Blocked, Confirm, Watched};
    let policy = Policy::default();
    let asked = [Confirm, Confirm, Confirm, Confirm, Confirm, Watched, Watched];
    let watched = [Confirm, Confirm, Watched, Watched, Watched, Watched, Watched];
    assert_eq!(levels(&policy, "git push"), asked);
    assert_eq!(levels(&policy, "sudo make install"), watched);
    assert_eq!(levels(&policy, "rm -rf /"), [Blocked; 7]);
    assert_eq!(levels(&policy, "make test"), [Allowed; 7]);
}

#[test]
fn what_a_policy_does_not_let_be_waived_is_asked_about_whoever_wants_it() {
    let rule = |more: &str| {
        let text = format!(
            "[[rule]]\nname = \"release\"\nlevel = \"confirm\"\nprograms = [\"make\"]\nwords = [\"release\"]\nreason = \"r\"\n{more}"
        );
        Policy::parse(&text).expect("a policy")
    };
    assert_eq!(levels(&rule("waivable = false\n"), "make release"), [Level::Confirm; 7]);
    assert_eq!(levels(&rule(""), "make release")[6], Level::Watched);
    assert_eq!(rule("").digest(), rule("waivable = true\n").digest());
    assert_ne!(rule("").digest(), rule("waivable = false\n").digest());
}
