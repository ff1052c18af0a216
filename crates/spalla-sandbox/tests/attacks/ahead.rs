//! Walls that are put up before their command is known: they hold it as if it had been started cold, and hold nobody else.

use super::arena::{Arena, Said, everybody, marked, until};
use super::trials::{every_attack_fails, limits_hold, order_of, strict, words_of_shell};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use spalla_sandbox::{Attestation, Word};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};

/// Walls that stand and wait.
struct Spare {
    supervisor: Child,
    socket: UnixStream,
    words: BufReader<UnixStream>,
}

/// What came of a command that was to start behind them.
struct Answer {
    word: Word,
    attestation: Option<Attestation>,
    said: Said,
}

impl Spare {
    fn put_up(arena: &Arena, policy: &Value) -> Self {
        Self::put_up_for(arena, policy, "/bin/sh")
    }

    fn put_up_for(arena: &Arena, policy: &Value, program: &str) -> Self {
        let (near, far) = UnixStream::pair().unwrap();
        let supervisor = arena.supervising().stdin(Stdio::from(OwnedFd::from(far))).spawn().unwrap();
        let words = BufReader::new(near.try_clone().unwrap());
        let mut spare = Self { supervisor, socket: near, words };
        spare.send(policy, &[program.to_owned()], true);
        let word = spare.word();
        if word != Some(Word::Ready) {
            let said = Said::from(spare.supervisor.wait_with_output().unwrap());
            panic!("{word:?}: {said:?}");
        }
        spare
    }

    fn send(&mut self, policy: &Value, words: &[String], ahead: bool) {
        // A supervisor that is gone says why where its word is waited for.
        let _ = self.socket.write_all(&order_of(policy, words, ahead));
    }

    fn word(&mut self) -> Option<Word> {
        let mut line = String::new();
        self.words.read_line(&mut line).unwrap();
        serde_json::from_str(&line).ok()
    }

    /// Has a command started behind the walls, and waits for its end.
    fn start(mut self, policy: &Value, words: &[String]) -> Answer {
        self.send(policy, words, false);
        let mut word = self.word().unwrap();
        let mut attestation = None;
        if let Word::Started { attestation: attested, .. } = word {
            attestation = Some(attested);
            word = self.word().unwrap();
        }
        Answer { word, attestation, said: self.supervisor.wait_with_output().unwrap().into() }
    }
}

/// Makes an attempt behind walls that were put up for its program.
fn attempted(arena: &Arena, trial: &str, policy: &Value) -> Answer {
    let words = arena.attempt(trial);
    Spare::put_up_for(arena, policy, &words[0]).start(policy, &words)
}

#[test]
fn behind_walls_put_up_ahead_every_attack_fails_as_behind_those_of_a_cold_start() {
    every_attack_fails(|arena, trial, policy| {
        let Answer { word, said, .. } = attempted(arena, trial, policy);
        (word, said)
    });
}

#[test]
fn limits_hold_behind_walls_put_up_ahead() {
    limits_hold(|arena, trial, policy| {
        let Answer { word, said, .. } = attempted(arena, trial, policy);
        (word, said)
    });
}

#[test]
fn what_is_attested_is_what_is_attested_of_a_cold_start() {
    for who in everybody() {
        let arena = Arena::new(who);
        let policy = strict(&arena, &json!({}));
        let answer = Spare::put_up(&arena, &policy).start(&policy, &words_of_shell("echo ran"));
        assert_eq!((answer.said.stdout.as_str(), answer.said.stderr.as_str()), ("ran\n", ""));
        let warm = serde_json::to_value(answer.attestation.unwrap()).unwrap();
        assert_eq!(warm, arena.attested(&policy), "as {who:?}");
    }
}

#[test]
fn walls_of_another_policy_environment_or_view_are_never_used() {
    for who in everybody() {
        let arena = Arena::new(who);
        let policy = strict(&arena, &json!({}));
        let other = strict(&arena, &json!({ "processes": 100 }));
        let answer = Spare::put_up(&arena, &policy).start(&other, &words_of_shell("echo ran"));
        assert_eq!((answer.word, answer.said.stdout.as_str()), (Word::Stale, ""), "as {who:?}");

        // Another file at the same path, and a program that nobody has shown.
        let mut policy = policy;
        let read = arena.ground.outside.join("secret");
        policy["read"] = json!([read]);
        let spare = Spare::put_up(&arena, &policy);
        fs::rename(arena.ground.outside.join("doomed"), read).unwrap();
        let answer = spare.start(&policy, &words_of_shell("echo ran"));
        assert_eq!((answer.word, answer.said.stdout.as_str()), (Word::Stale, ""), "as {who:?}");
        let foreign = arena.attempt("read-outside");
        let answer = Spare::put_up(&arena, &policy).start(&policy, &foreign);
        assert_eq!((answer.word, answer.said.stdout.as_str()), (Word::Stale, ""), "as {who:?}");
    }
}

#[test]
fn walls_that_wait_go_with_whoever_wanted_them() {
    for who in everybody() {
        let arena = Arena::new(who);
        let mark = arena.mark();
        let policy = strict(&arena, &json!({}));
        let gone = || until(|| marked(&mark).is_empty());

        let Spare { mut supervisor, socket, words } = Spare::put_up(&arena, &policy);
        assert_eq!(marked(&mark).len(), 3, "the supervisor, the init, and who becomes the command");
        drop((socket, words));
        assert!(supervisor.wait().unwrap().success());
        assert!(gone(), "{:?}", marked(&mark));

        let mut spare = Spare::put_up(&arena, &policy);
        kill_process(Pid::from_child(&spare.supervisor), Signal::TERM).unwrap();
        spare.supervisor.wait().unwrap();
        assert!(gone(), "{:?}", marked(&mark));

        let mut spare = Spare::put_up(&arena, &policy);
        spare.supervisor.kill().unwrap();
        spare.supervisor.wait().unwrap();
        assert!(gone(), "{:?}", marked(&mark));
    }
}

#[test]
fn walls_put_up_ahead_hold_nothing_of_a_command_before() {
    for who in everybody() {
        let arena = Arena::new(who);
        let policy = strict(&arena, &json!({ "disk_mb": 16 }));
        let spare = Spare::put_up(&arena, &policy);
        let before = "for at in /tmp /dev/shm $HOME; do echo x > $at/left; done; export LEFT=1; \
                      head -c 30000000 /dev/zero > large-1; head -c 30000000 /dev/zero > large-2";
        let roomy = json!({ "disk_mb": 100 });
        let said = arena.run_inside(&words_of_shell(before), &roomy);
        assert_eq!(said.code, Some(0), "{said:?}");
        let after = "ls -A /tmp /dev/shm $HOME | grep left; test -z \"$LEFT$SPALLA_TRIAL_SECRET\"; echo $?; \
                     set -- /proc/[0-9]*; test $# -le 2; echo $?; ls /proc/self/fd | wc -l; ls large-1; sleep 0.6";
        let Answer { word, said, .. } = spare.start(&policy, &words_of_shell(after));
        assert!(matches!(word, Word::Ended { code: 0, exceeded: None, .. }), "as {who:?}: {word:?} {said:?}");
        // No process but the shell and its init; three descriptors, and the folder that ls reads.
        assert_eq!(said.stdout, "0\n0\n4\nlarge-1\n", "as {who:?}: {said:?}");
    }
}
