//! What happens where a kernel lacks a layer: nothing runs, and it is said why, unless the operator allows it; and then
//! the attestation says so.

use super::arena::{Arena, Said, Who, everybody};
use serde_json::{Value, json};

/// Runs a command as on a kernel without this layer.
fn run_without(arena: &Arena, layer: &str, policy: &Value) -> Said {
    let order = json!({ "policy": policy, "command": { "program": "/bin/echo", "arguments": ["ran"] } });
    arena.supervisor_without(layer, &order).output().unwrap().into()
}

fn strict(arena: &Arena, allow_degraded: &[&str]) -> Value {
    json!({
        "preset": "strict",
        "workspace": arena.workspace,
        "network": { "mode": "none" },
        "allow_degraded": allow_degraded,
    })
}

#[test]
fn without_a_layer_nothing_runs_and_it_is_said_which_and_what_to_do() {
    for who in everybody() {
        let arena = Arena::new(who);
        for (layer, mend) in [
            ("landlock", "lsm=landlock"),
            ("seccomp", "CONFIG_SECCOMP_FILTER"),
            ("namespaces", "user.max_user_namespaces"),
            ("privileges", "; "),
        ] {
            let said = run_without(&arena, layer, &strict(&arena, &[]));
            assert_eq!((said.code, said.stdout.as_str()), (Some(2), ""), "{layer} as {who:?}: {said:?}");
            let wanted = format!("refused to run: the layer {layer} is missing: ");
            assert!(
                said.stderr.contains(&wanted) && said.stderr.contains(mend),
                "{layer} as {who:?}: {said:?}"
            );
        }
    }
}

#[test]
fn a_layer_that_the_operator_allows_to_be_missing_is_attested_as_off() {
    for who in everybody() {
        let arena = Arena::new(who);
        for layer in ["landlock", "seccomp"] {
            let attested = arena.attested_without(layer, &strict(&arena, &[layer]));
            let state = |name: &str| {
                let layers = attested["layers"].as_array().unwrap();
                layers.iter().find(|entry| entry["layer"] == name).unwrap()["state"].clone()
            };
            assert_eq!(state(layer), "off", "{layer} as {who:?}: {attested}");
            let other = if layer == "seccomp" { "landlock" } else { "seccomp" };
            assert_ne!(state(other), "off", "{layer} as {who:?}: {attested}");
        }
    }
}

#[test]
fn a_hard_limit_of_the_processor_that_nobody_can_hold_is_refused() {
    for who in everybody().into_iter().filter(|who| *who == Who::Nobody) {
        let arena = Arena::new(who);
        let limits = json!({ "cpu_percent": 50 });
        let said = arena.run_inside(&["/bin/echo", "ran"].map(str::to_owned), &limits);
        assert!(said.stderr.contains("the layer cgroup is missing"), "{said:?}");
    }
}
