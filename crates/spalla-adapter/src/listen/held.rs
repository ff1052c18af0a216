//! Denials that were read from the output of a command. They are told when the turn ends, since only then is it known
//! whether the agent got past what it was denied.

use crate::heard::{Denied, DeniedBy, Heard};
use crate::pattern::compiled;
use crate::recovery::is_one_command;
use regex::Regex;
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// No more of them than these are kept for one turn.
const HELD_MAX: usize = 200;
/// Words that are shorter say nothing of what a command is about.
const WORD_CHARS_MIN: usize = 3;
/// What many commands have in common.
const COMMON: [&str; 12] =
    ["bash", "env", "sudo", "echo", "cat", "true", "null", "dev", "tmp", "src", "and", "the"];

/// An answer that says that something is missing. It may only take trust away: what an agent calls done need not be.
static MISSING: LazyLock<Regex> = LazyLock::new(|| {
    compiled(
        r"(?i)\b(?:could ?n[o'’]t|can ?n[o'’]t|can['’]t|unable|not able|(?:was|were|is|are|has|have|did|does|do) ?(?:not|n['’]t)|denied|refused|forbidden|fail(?:s|ed|ure)?|read-only|permissions?|blocked|missing|skip(?:s|ped)?|manually|yourself|approv(?:e|al)|sandbox|not (?:allowed|permitted|possible|committed|written|saved|installed|pushed|run))\b",
    )
});

/// What an answer quotes, which are not its own words.
static QUOTED: LazyLock<Regex> = LazyLock::new(|| compiled("\"[^\"\n]*\"|`[^`\n]*`|“[^”\n]*”|«[^»\n]*»"));

/// Programs that show what is in a file, as the tools do that a guard keeps from it.
const SHOWING: [&str; 6] = ["cat", "head", "tail", "less", "jq", "nl"];
/// Tools that do the same.
const READING: [&str; 2] = ["Read", "read_file"];
/// Tools that write a file.
const WRITING: [&str; 6] = ["Write", "Edit", "MultiEdit", "NotebookEdit", "write_file", "replace"];

/// Programs that look for something in many places, some of which nobody may see.
const SEARCHING: [&str; 5] = ["find", "grep", "rg", "du", "locate"];
/// Programs that run what is under work and print its words; they do one thing, so that their name says what that is.
const RUNNING: [&str; 10] =
    ["pytest", "tox", "jest", "vitest", "mocha", "rspec", "phpunit", "ctest", "make", "ninja"];

/// What an answer says was put right, which is not missing.
static MENDED: LazyLock<Regex> = LazyLock::new(|| {
    compiled(
        r"(?i)\b(?:add(?:s|ed|ing)?|fix(?:es|ed|ing)?|repair(?:s|ed)?|correct(?:s|ed)?|resolv(?:es|ed)|handl(?:es|ed|ing)|cover(?:s|ed)?|implement(?:s|ed)?|creat(?:es|ed)|test(?:s|ed)?|no|0|zero|without|no longer)\s+(?:[\w`'-]+\s+){0,3}(?:missing|fail(?:s|ed|ing|ure|ures)?|permissions?|denied|refused|forbidden|blocked|skip(?:s|ped)?)\b|\bmissing (?:[\w`'-]+ ){1,5}(?:is|was|were|are|has been|have been) (?:now )?(?:added|fixed|there|handled|created|in place)\b",
    )
});
/// What an answer says of the program that it worked on: what that does in a case.
static IN_A_CASE: LazyLock<Regex> =
    LazyLock::new(|| compiled(r"(?i)\b(?:when|whenever|if|instead of|rather than)\s[^.;\n]{0,100}"));
/// Whom it speaks of, if not of a program.
static OF_PEOPLE: LazyLock<Regex> =
    LazyLock::new(|| compiled(r"(?i)\b(?:i|me|my|we|us|you|your|grant\w*|approve\w*)\b"));

/// What is told at the end of the turn.
#[derive(Debug, Default)]
pub(super) struct Held {
    outputs: Vec<Denied>,
    /// What a guard denied.
    guards: Vec<Denied>,
}

impl Held {
    /// Keeps a denial until the end of the turn.
    pub(super) fn keep(&mut self, denied: Option<Denied>) {
        let Some(mut denied) = denied.filter(|_| self.outputs.len() < HELD_MAX) else { return };
        // Where it may not look it found nothing, and what it found it goes on with.
        if denied.input.as_deref().and_then(program_of).is_some_and(|program| SEARCHING.contains(&program)) {
            denied.by = DeniedBy::Output { was_passed: true };
        }
        self.outputs.push(denied);
    }

    /// Keeps what a guard denied and was told at once, to tell once more where a later step did the same.
    pub(super) fn keep_guard(&mut self, denied: &Denied) {
        if self.guards.len() < HELD_MAX {
            self.guards.push(denied.clone());
        }
    }

    /// A step that changes something succeeded: the denials that were about the same are behind the agent. Whether it is
    /// the same is seen from the words of both, and not from the program, which does many things.
    pub(super) fn pass(&mut self, step: &str) {
        self.pass_step(step);
        if self.outputs.is_empty() {
            return;
        }
        let did = words_of(step, true);
        for denied in &mut self.outputs {
            let wanted = words_of(denied.input.as_deref().unwrap_or_default(), false);
            if !wanted.is_disjoint(&did) {
                denied.by = DeniedBy::Output { was_passed: true };
            }
        }
    }

    /// A tool that reads has read this file.
    pub(super) fn saw(&mut self, file: &str) {
        self.pass_guards(|denied| is_same_file(&read_by(denied), &[file]));
    }

    /// What a guard denied is behind the agent only where a step did the very same: the same command, the same file
    /// written, or the same file shown.
    fn pass_step(&mut self, step: &str) {
        let shown = shown_by(step);
        self.pass_guards(|denied| {
            let is_again = denied.input.as_deref() == Some(step);
            let is_written = is_of(denied, &WRITING) && denied.paths.iter().all(|path| path == step);
            is_again || (is_written && !denied.paths.is_empty()) || is_same_file(&read_by(denied), &shown)
        });
    }

    fn pass_guards(&mut self, is_same: impl Fn(&Denied) -> bool) {
        for denied in self.guards.iter_mut().filter(|denied| is_same(denied)) {
            denied.by = DeniedBy::Output { was_passed: true };
        }
    }

    /// Tells all, at the end of a turn that had this answer.
    pub(super) fn tell(&mut self, answer: &str) -> Vec<Heard> {
        let Self { outputs: mut told, mut guards } = std::mem::take(self);
        if is_missing(answer) {
            told.iter_mut().for_each(|denied| denied.by = DeniedBy::Output { was_passed: false });
            guards.clear();
        }
        guards.retain(|denied| denied.by != DeniedBy::Guard);
        told.into_iter().chain(guards).map(Heard::Denied).collect()
    }
}

/// Tells whether an answer says that something is missing.
fn is_missing(answer: &str) -> bool {
    let own = QUOTED.replace_all(answer, "");
    let own =
        IN_A_CASE.replace_all(&own, |found: &regex::Captures<'_>| match OF_PEOPLE.is_match(&found[0]) {
            true => found[0].to_owned(),
            false => String::new(),
        });
    MISSING.is_match(&MENDED.replace_all(&own, ""))
}

/// Tells whether the denial was one of these tools.
fn is_of(denied: &Denied, tools: &[&str]) -> bool {
    denied.tool.as_deref().is_some_and(|tool| tools.contains(&tool))
}

/// Returns the files that a denied step would have read, if it was one that reads.
fn read_by(denied: &Denied) -> Vec<&str> {
    match &denied.input {
        Some(command) => shown_by(command),
        None if is_of(denied, &READING) => denied.paths.iter().map(String::as_str).collect(),
        None => vec![],
    }
}

/// Returns the files that a command shows, if it does nothing but that.
fn shown_by(command: &str) -> Vec<&str> {
    let is_showing = program_of(command).is_some_and(|program| SHOWING.contains(&program));
    if !is_showing || !is_one_command(command) {
        return vec![];
    }
    inner_words(command).skip(1).filter(|word| word.contains(['/', '.']) && !word.starts_with('-')).collect()
}

/// Tells whether all files that were wanted are among those that were had: a path may be told from the workspace.
fn is_same_file(wanted: &[&str], had: &[&str]) -> bool {
    let is_end = |whole: &str, end: &str| whole.strip_suffix(end).is_some_and(|head| head.ends_with('/'));
    let is_same = |one: &str, other: &str| one == other || is_end(one, other) || is_end(other, one);
    !wanted.is_empty() && wanted.iter().all(|one| had.iter().any(|other| is_same(one, other)))
}

/// Returns the program that a command starts, without its folder.
fn program_of(command: &str) -> Option<&str> {
    let program = inner_words(command).next()?;
    program.rsplit('/').next()
}

/// Returns the words of a command, without the shell that is told to run it.
fn inner_words(command: &str) -> impl Iterator<Item = &str> {
    let is_between = |c: char| c.is_whitespace() || "'\"`;&|<>()=,".contains(c);
    let words = command.split(is_between).filter(|word| !word.is_empty());
    words
        .skip_while(|word| word.ends_with("bash") || word.ends_with("/sh") || *word == "-lc" || *word == "-c")
}

/// Returns the words that say what a command is about: names without their folders, and no flags. The program says it
/// only where it is a file of its own.
fn words_of(command: &str, with_program: bool) -> BTreeSet<&str> {
    inner_words(command)
        .enumerate()
        .filter(|(place, word)| with_program || *place > 0 || word.contains('/') || RUNNING.contains(word))
        .filter(|(_, word)| !word.starts_with('-'))
        .map(|(_, word)| word.trim_end_matches('/').rsplit('/').next().unwrap_or(word))
        .filter(|word| word.chars().count() >= WORD_CHARS_MIN && !COMMON.contains(word))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_passed(command: &str, step: &str, answer: &str) -> bool {
        let mut held = Held::default();
        held.keep(Some(Denied {
            tool: None,
            reason: String::new(),
            paths: vec![],
            input: Some(command.into()),
            by: DeniedBy::Output { was_passed: false },
        }));
        held.pass(step);
        let told = held.tell(answer);
        matches!(&told[..], [Heard::Denied(denied)] if denied.by == DeniedBy::Output { was_passed: true })
    }

    fn is_guard_passed(tool: &str, (path, input): (&str, Option<&str>), did: impl FnOnce(&mut Held)) -> bool {
        let mut held = Held::default();
        held.keep_guard(&Denied {
            tool: Some(tool.into()),
            reason: "no".into(),
            paths: if path.is_empty() { vec![] } else { vec![path.into()] },
            input: input.map(str::to_owned),
            by: DeniedBy::Guard,
        });
        did(&mut held);
        !held.tell("It is done.").is_empty()
    }

    #[test]
    fn a_guards_no_is_passed_by_the_very_same_alone() {
        let of_file = ("/srv/other/a.json", None);
        for (step, wanted) in [
            ("cat /srv/other/a.json", true),
            ("head -n 5 '/srv/other/a.json'", true),
            ("ls /srv/other/a.json", false),
            ("cat /srv/other/b.json", false),
            ("cat /srv/other/a.json; rm -rf /srv", false),
            ("echo /srv/other/a.json", false),
        ] {
            assert_eq!(is_guard_passed("read_file", of_file, |held| held.pass(step)), wanted, "{step}");
            assert!(!is_guard_passed("write_file", of_file, |held| held.pass(step)), "{step}");
        }
        let command = ("", Some("cat src/a.py"));
        assert!(is_guard_passed("Bash", command, |held| held.saw("/srv/repos/app/src/a.py")));
        assert!(is_guard_passed("Bash", command, |held| held.pass("cat src/a.py")));
        assert!(!is_guard_passed("Bash", command, |held| held.saw("/srv/repos/app/lib/src_a.py")));
        assert!(!is_guard_passed("Bash", ("", Some("git push")), |held| held.pass("git push --dry-run")));
        assert!(is_guard_passed("Write", ("/w/a", None), |held| held.pass("/w/a")));
        assert!(!is_guard_passed("Write", ("/w/a", None), |held| held.pass("/w/b")));
    }

    #[test]
    fn what_an_answer_says_of_a_program_is_not_missing() {
        for (answer, wanted) in [
            ("It now answers 403 when permission is denied.", false),
            ("The missing check was added, no test fails.", false),
            ("I could not write it.", true),
            ("I go on if you grant the permission.", true),
        ] {
            assert_eq!(is_missing(answer), wanted, "{answer}");
        }
    }

    #[test]
    fn a_denial_is_passed_by_a_step_about_the_same_alone() {
        for (command, step, wanted) in [
            ("/bin/bash -lc 'find / -name protoc'", "/bin/bash -lc '/usr/bin/protoc --rust_out=src a'", true),
            ("npm install -g tsx", "npm install tsx", true),
            ("./gradlew build", "sh gradlew build", true),
            ("touch /srv/notes.md", "docs/notes.md", true),
            ("bash -c 'git commit -m fix'", "bash -c 'git status'", false),
            ("echo hi > /outside.txt", "cargo test", false),
            ("echo hi > /outside.txt", "echo hi > inside.txt", false),
            ("", "", false),
        ] {
            assert_eq!(is_passed(command, step, "It is done."), wanted, "{command} / {step}");
            assert_eq!(is_passed(command, step, "It now answers \"permission denied\"."), wanted);
            assert!(!is_passed(command, step, "I couldn't install it."));
            assert!(!is_passed(command, step, "It is done, but the file was not written."));
        }
    }
}
