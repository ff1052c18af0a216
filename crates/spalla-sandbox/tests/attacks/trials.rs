//! The attacks against walls that stood before their command was known, in whichever way they were put up.

use super::arena::{Arena, Said, everybody, plant_setuid, words};
use super::walls::{OF_EVERYBODY, OF_ROOT};
use serde_json::{Value, json};
use spalla_sandbox::{SupervisedOrder, Word};
use std::collections::BTreeMap;

/// The policy of most attacks.
pub(super) fn strict(arena: &Arena, limits: &Value) -> Value {
    json!({
        "preset": "strict",
        "workspace": arena.workspace,
        "network": { "mode": "none" },
        "limits": limits,
    })
}

pub(super) fn words_of_shell(script: &str) -> Vec<String> {
    words(&["/bin/sh", "-c", script])
}

/// What a supervisor is sent so that it starts a command, or puts walls up ahead of one.
pub(super) fn order_of(policy: &Value, words: &[String], ahead: bool) -> Vec<u8> {
    let order = json!({ "policy": policy, "command": { "program": words[0], "arguments": words[1..] } });
    let order = serde_json::from_value(order).unwrap();
    let outside: BTreeMap<_, _> = [("PATH".to_owned(), "/usr/bin:/bin".to_owned())].into();
    let order = SupervisedOrder { order, outside, journal: None, label: None, ahead, survival: None };
    order.to_bytes(b"").unwrap()
}

/// Makes every attack, as everybody; `attempt` tells the last word about it and what it said.
pub(super) fn every_attack_fails(attempt: impl Fn(&Arena, &str, &Value) -> (Word, Said)) {
    for who in everybody() {
        let of_root = if who.is_root() { OF_ROOT } else { &[] };
        for trial in OF_EVERYBODY.iter().chain(of_root) {
            let arena = Arena::new(who);
            plant_setuid(&arena);
            let (word, said) = attempt(&arena, trial, &strict(&arena, &json!({})));
            let Word::Ended { code, signal, .. } = word else { panic!("{trial} as {who:?}: {word:?}") };
            let is_over = said.stdout.contains(": held") || code != 0 || signal.is_some();
            assert!(is_over && !said.stdout.contains(": escaped"), "{trial} as {who:?} works: {said:?}");
            assert!(said.stderr.is_empty(), "{trial} as {who:?} was not tried: {said:?}");
        }
    }
}

/// Goes against every limit, as everybody.
pub(super) fn limits_hold(attempt: impl Fn(&Arena, &str, &Value) -> (Word, Said)) {
    for who in everybody() {
        for (trial, amount, limits) in [
            ("fork-bomb", 200, json!({ "processes": 32 })),
            ("memory-together", 0, json!({ "memory_mb": 128 })),
            ("fill-inodes", 8_000, json!({ "files": 1_000 })),
        ] {
            let mut arena = Arena::new(who);
            arena.ground.amount = amount;
            let (word, said) = attempt(&arena, trial, &strict(&arena, &limits));
            assert!(matches!(word, Word::Ended { .. }), "{trial} as {who:?}: {word:?}");
            assert!(!said.stdout.contains(": escaped"), "{trial} as {who:?} works: {said:?}");
        }
    }
}
