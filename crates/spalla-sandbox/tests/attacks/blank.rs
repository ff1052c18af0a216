//! An inside that stood before anybody knew whose it would be: it holds its command as one that was started cold, and nobody
//! else, and has nothing of anybody before.

use super::arena::{Arena, Said, everybody, marked, until};
use super::trials::{every_attack_fails, limits_hold, order_of, strict, words_of_shell};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use spalla_sandbox::{Attestation, HIDDEN_ARG, SupervisedOrder, WAIT, Word};
use std::io::{BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};

/// A supervisor that waits for whatever comes.
struct Waiting {
    supervisor: Child,
    socket: UnixStream,
}

/// What came of a command that it served.
struct Answer {
    words: Vec<Word>,
    attestation: Option<Attestation>,
    said: Said,
}

impl Waiting {
    /// Starts one, and returns when its inside stands.
    fn start(arena: &Arena) -> Self {
        let (near, far) = UnixStream::pair().unwrap();
        let mut supervisor = arena.starting(&[HIDDEN_ARG, WAIT, &arena.mark()]);
        let supervisor = supervisor.stdin(Stdio::from(OwnedFd::from(far))).spawn().unwrap();
        assert!(until(|| marked(&arena.mark()).len() == 2), "a supervisor and an init");
        Self { supervisor, socket: near }
    }

    fn serve(self, policy: &Value, words: &[String]) -> Answer {
        (&self.socket).write_all(&order_of(policy, words, false)).unwrap();
        let said = self.supervisor.wait_with_output().unwrap().into();
        let lines = BufReader::new(&self.socket).lines().map_while(Result::ok);
        let words: Vec<Word> = lines.map(|line| serde_json::from_str(&line).unwrap()).collect();
        let attestation = words.iter().find_map(|word| match word {
            Word::Started { attestation, .. } => Some(attestation.clone()),
            _ => None,
        });
        Answer { words, attestation, said }
    }
}

/// Has an attempt served; returns the last word about it and what it said.
fn attempted(arena: &Arena, trial: &str, policy: &Value) -> (Word, Said) {
    let Answer { mut words, said, .. } = Waiting::start(arena).serve(policy, &arena.attempt(trial));
    (words.pop().unwrap_or_else(|| panic!("{trial}: not a word: {said:?}")), said)
}

#[test]
fn in_an_inside_that_waited_every_attack_fails_as_in_one_of_a_cold_start() {
    every_attack_fails(attempted);
}

#[test]
fn limits_hold_in_an_inside_that_waited() {
    limits_hold(attempted);
}

#[test]
fn what_is_attested_and_seen_is_what_is_attested_and_seen_of_a_cold_start() {
    let script = "id -u; pwd; umask; env | sort; ls -A / /tmp /dev /run /run/spalla /etc/passwd; cat /etc/passwd; \
                  df -P /tmp | tail -1 | cut -d' ' -f1; df -Pi /tmp | tail -1 | awk '{print $2}'; ls -l /proc/self/fd | wc -l; \
                  mount | awk '{print $1, $3, $5, $6}' | sed 's/uid=[0-9]*\\|gid=[0-9]*//g' | sort";
    for who in everybody() {
        let arena = Arena::new(who);
        let policy = strict(&arena, &json!({ "memory_mb": 64, "files": 1_000 }));
        let waited = Waiting::start(&arena).serve(&policy, &words_of_shell(script));
        let cold = arena.cold(&policy, &words_of_shell(script));
        assert_eq!(waited.said.stdout, cold.stdout, "as {who:?}");
        let attested = serde_json::to_value(waited.attestation.unwrap()).unwrap();
        assert_eq!(attested, arena.attested(&policy), "as {who:?}");
    }
}

#[test]
fn a_command_that_needs_another_inside_gets_one() {
    for who in everybody() {
        let arena = Arena::new(who);
        let mut policy = strict(&arena, &json!({}));
        policy["preset"] = "open-net".into();
        policy["network"] = json!({ "mode": "open" });
        let answer =
            Waiting::start(&arena).serve(&policy, &words_of_shell("ls /sys/class/net 2>&1; echo ran"));
        assert!(answer.said.stdout.ends_with("ran\n"), "as {who:?}: {:?} {:?}", answer.said, answer.words);
        let attested = serde_json::to_value(answer.attestation.unwrap()).unwrap();
        assert_eq!(attested, arena.attested(&policy), "as {who:?}");
    }
}

#[test]
fn who_waits_goes_with_whoever_started_it_and_leaves_nothing() {
    for who in everybody() {
        let arena = Arena::new(who);
        let mark = arena.mark();
        let gone = || until(|| marked(&mark).is_empty());

        let Waiting { mut supervisor, socket } = Waiting::start(&arena);
        drop(socket);
        assert!(supervisor.wait().unwrap().success());
        assert!(gone(), "{:?}", marked(&mark));

        for signal in [Signal::TERM, Signal::KILL] {
            let mut waiting = Waiting::start(&arena);
            kill_process(Pid::from_child(&waiting.supervisor), signal).unwrap();
            waiting.supervisor.wait().unwrap();
            assert!(gone(), "{:?}", marked(&mark));
        }
    }
}

#[test]
fn who_serves_is_seen_by_the_name_of_what_it_serves() {
    let arena = Arena::new(everybody()[0]);
    let Waiting { mut supervisor, socket } = Waiting::start(&arena);
    let order = json!({
        "order": {
            "policy": strict(&arena, &json!({})),
            "command": { "program": "/bin/sleep", "arguments": ["1000"] },
        },
        "outside": { "PATH": "/usr/bin:/bin" },
        "label": "run-7-2",
    });
    let order: SupervisedOrder = serde_json::from_value(order).unwrap();
    (&socket).write_all(&order.to_bytes(b"").unwrap()).unwrap();
    let started = BufReader::new(&socket).lines().next().unwrap().unwrap();
    assert!(started.contains("started"), "{started}");
    let shown = std::fs::read(format!("/proc/{}/cmdline", supervisor.id())).unwrap();
    let shown = String::from_utf8_lossy(&shown).trim_end_matches('\0').to_owned();
    assert!(shown.ends_with("\0run-7-2"), "{shown:?}");
    drop(socket);
    assert!(supervisor.wait().unwrap().success());
}
