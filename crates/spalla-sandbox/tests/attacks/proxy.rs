//! The one way out: only to whom the list names, and nowhere around it.

use super::arena::{Arena, everybody};
use serde_json::json;

#[test]
fn a_host_on_the_list_is_reached_and_no_other() {
    for who in everybody() {
        let arena = Arena::new(who);
        let own = format!("127.0.0.1:{}", arena.ground.tcp_port);
        let reached = arena.attempt_with_proxy("through-proxy", &[&own]);
        assert!(reached.stdout.contains("the server answered"), "{reached:?}");
        for allow in [&["example.org"][..], &["127.0.0.1"], &["127.0.0.1:1"], &[]] {
            let refused = arena.attempt_with_proxy("through-proxy", allow);
            assert!(refused.stdout.contains("held: HTTP/1.1 403"), "{allow:?}: {refused:?}");
            let told = format!("a host was refused: {own}: ");
            assert!(refused.stderr.contains(&told), "{refused:?}");
        }
    }
}

#[test]
fn nothing_leads_around_the_proxy() {
    for who in everybody() {
        let arena = Arena::new(who);
        let own = format!("127.0.0.1:{}", arena.ground.tcp_port);
        for trial in ["tcp4", "tcp6", "udp", "unix-path", "unix-abstract"] {
            let held = arena.attempt_with_proxy(trial, &[&own]);
            assert!(held.stdout.contains(": held"), "{trial}: {held:?}");
        }
    }
}

#[test]
fn a_relay_leads_to_exactly_the_server_that_the_operator_names() {
    for who in everybody() {
        let arena = Arena::new(who);
        let own = format!("127.0.0.1:{}", arena.ground.tcp_port);
        for (relays, is_reached) in [(vec![own], true), (vec!["127.0.0.1:1".to_owned()], false)] {
            let policy = json!({
                "preset": "agent",
                "workspace": arena.workspace,
                "network": { "mode": "proxy", "allow": [], "relays": relays },
            });
            let said = arena.attempt_with("tcp4", &policy);
            assert_eq!(said.stdout.contains(": escaped"), is_reached, "{relays:?} as {who:?}: {said:?}");
            let other = arena.attempt_with("tcp6", &policy);
            assert!(other.stdout.contains(": held"), "{relays:?} as {who:?}: {other:?}");
        }
    }
}
