//! The one way out: only to whom the list names, and nowhere around it.

use super::arena::{Arena, Said, Who, everybody};
use serde_json::json;
use std::io::Write;
use std::process::Stdio;

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

/// What leads to this machine itself, in words that a list of hosts does not have.
const SPELLINGS: [&str; 25] = [
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "017700000001",
    "127.1",
    "127.0.1",
    "0.0.0.0",
    "0",
    "127.0.0.1.",
    "localhost",
    "LOCALHOST.",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "example.org@127.0.0.1",
    "example.org#@127.0.0.1",
    "%31%32%37.0.0.1",
    "127.0.0.1%2f.example.org",
    "①②⑦.0.0.1",
    "127。0。0。1",
    "[::ffff:127.0.0.1%25lo]",
    "example.org\\.127.0.0.1",
];

#[test]
fn no_other_spelling_of_this_machine_is_reached() {
    let arena = Arena::new(Who::Myself);
    let port = arena.ground.tcp_port;
    for spelling in SPELLINGS {
        for request in [
            format!("CONNECT {spelling}:{port} HTTP/1.1\r\nHost: example.org\r\n\r\n"),
            format!("GET http://{spelling}:{port}/ HTTP/1.1\r\nHost: example.org\r\n\r\n"),
        ] {
            // The port is open for whoever is on the list, the address is not.
            let allow = [format!("example.org:{port}"), format!("*.org:{port}"), format!("127.0.0.2:{port}")];
            let said = say_to_proxy(&arena, &allow, &request);
            let is_refused = said.stdout.contains("HTTP/1.1 403") || said.stdout.contains("HTTP/1.1 400");
            assert!(is_refused && !said.stdout.contains('!'), "{request:?}: {said:?}");
        }
    }
}

#[test]
fn a_name_on_the_list_leads_to_no_private_address() {
    let arena = Arena::new(Who::Myself);
    let port = arena.ground.tcp_port;
    // Names by the list, and addresses by whoever resolves them, as a name is whose owner lets it lead here.
    for spelling in ["2130706433", "0x7f000001", "127.1", "0"] {
        let request = format!("CONNECT {spelling}:{port} HTTP/1.1\r\n\r\n");
        let said = say_to_proxy(&arena, &[format!("{spelling}:{port}")], &request);
        let is_refused = said.stdout.contains("HTTP/1.1 403") && said.stdout.contains("private range");
        assert!(is_refused && !said.stdout.contains('!'), "{request:?}: {said:?}");
    }
}

#[test]
fn a_request_that_can_be_read_in_two_ways_reaches_nobody() {
    let arena = Arena::new(Who::Myself);
    let own = format!("127.0.0.1:{}", arena.ground.tcp_port);
    let hidden = "0\r\n\r\nGET / HTTP/1.1\r\nHost: hidden.test\r\n\r\n";
    for lengths in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Content-Length: 5\r\nContent-Length: 50",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding : chunked",
        "X: y\r\n Transfer-Encoding: chunked",
        "X: y\r\n\tContent-Length: 50",
        "X: y\rContent-Length: 50",
        "Content-Length: +5",
        "Content-Length: 5\0",
    ] {
        let request = format!("POST http://{own}/ HTTP/1.1\r\nHost: {own}\r\n{lengths}\r\n\r\n{hidden}");
        let said = say_to_proxy(&arena, std::slice::from_ref(&own), &request);
        assert!(said.stdout.contains("HTTP/1.1 400"), "{lengths}: {said:?}");
    }
    let plain = format!("GET http://{own}/ HTTP/1.1\r\nHost: {own}\r\n\r\n");
    let said = say_to_proxy(&arena, std::slice::from_ref(&own), &plain);
    assert!(said.stdout.contains('!'), "one that can be read in one way is answered: {said:?}");
}

/// Says something to the proxy from inside, and returns what came back.
fn say_to_proxy(arena: &Arena, allow: &[String], request: &str) -> Said {
    let policy = json!({
        "preset": "agent",
        "workspace": arena.workspace,
        "network": { "mode": "proxy", "allow": allow },
    });
    let mut talk = arena.supervisor_with(&arena.attempt("talk"), &policy);
    let mut talk = talk.stdin(Stdio::piped()).spawn().unwrap();
    let said = format!("127.0.0.1:3128\n{request}");
    talk.stdin.take().unwrap().write_all(said.as_bytes()).unwrap();
    talk.wait_with_output().unwrap().into()
}
