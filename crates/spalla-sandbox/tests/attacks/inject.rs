//! Credentials that hosts get on the way: the host has them, the command never does, and nobody else gets any.

use super::arena::{Arena, Said, Who, command, everybody, words};
use super::model::{ANSWER, Model};
use serde_json::{Value, json};
use spalla_sandbox::{Injection, SupervisedOrder, Word};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

/// What only the host may know.
const SECRET: &str = "sk-what-nobody-may-know";
/// Where it is outside.
const KEY: &str = "SPALLA_TRIAL_KEY";
/// The first door of a host that is not on this machine.
const DOOR: &str = "127.0.0.1:3129";

fn policy(arena: &Arena, inject: &[String]) -> Value {
    let inject = Injection::read_all(inject, &mut Vec::new()).unwrap();
    json!({
        "preset": "agent",
        "workspace": arena.workspace,
        // Naming it gives nobody the value.
        "environment": [KEY],
        "network": { "mode": "proxy", "allow": [], "inject": inject },
    })
}

/// Makes a supervisor that knows the secret.
fn knowing(arena: &Arena, inject: &[String], words: &[String]) -> Command {
    let mut supervisor = arena.supervisor_with(words, &policy(arena, inject));
    supervisor.env(KEY, SECRET);
    supervisor
}

fn start_talk(mut supervisor: Command, address: &str, request: &str) -> Child {
    let mut talk = supervisor.stdin(Stdio::piped()).spawn().unwrap();
    // One that was refused reads nothing, and says why.
    let _ = talk.stdin.take().unwrap().write_all(format!("{address}\n{request}").as_bytes());
    talk
}

/// Sends a request from inside, and returns what came back.
fn talk(arena: &Arena, inject: &str, address: &str, request: &str) -> Said {
    let supervisor = knowing(arena, &[inject.to_owned()], &arena.attempt("talk"));
    start_talk(supervisor, address, request).wait_with_output().unwrap().into()
}

fn answering() -> Model {
    Model::start(|_, stream| stream.write_all(ANSWER))
}

/// A server on this machine, and the injection that gives it the credential.
fn local() -> (Model, String, String) {
    let model = answering();
    let at = format!("127.0.0.1:{}", model.port);
    let inject = format!("{at}={KEY}");
    (model, at, inject)
}

#[test]
fn the_host_gets_the_credential_and_the_clients_own_is_dropped() {
    for who in everybody() {
        let arena = Arena::new(who);
        let (model, at, inject) = local();
        let request = "POST /v1/chat?key=own&a=b HTTP/1.1\r\nHost: own.example\r\nAuthorization: Bearer own\r\n\
                       X-Api-Key: own\r\nCookie: own=1\r\nContent-Length: 5\r\n\r\nhello";
        let said = talk(&arena, &inject, &at, request);
        assert!(said.stdout.starts_with("HTTP/1.1 200 OK\r\n"), "as {who:?}: {said:?}");
        assert!(said.stdout.contains("the model answered"), "as {who:?}: {said:?}");
        let heard = model.heard().concat();
        assert!(heard.starts_with("POST /v1/chat?a=b HTTP/1.1\r\n") && heard.ends_with("hello"), "{heard}");
        assert_eq!(heard.matches(&format!("authorization: Bearer {SECRET}\r\n")).count(), 1, "{heard}");
        assert!(heard.contains(&format!("host: {at}\r\n")) && !heard.contains("own"), "{heard}");
    }
}

#[test]
fn a_body_without_a_length_reaches_the_host() {
    let arena = Arena::new(Who::Myself);
    let (model, at, inject) = local();
    let chunked = "POST /v1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n";
    let said = talk(&arena, &inject, &at, chunked);
    assert!(said.stdout.contains("the model answered"), "{said:?}");
    let heard = model.heard().concat();
    assert!(heard.contains("hello") && heard.contains(" world") && heard.ends_with("0\r\n\r\n"), "{heard}");
}

#[test]
fn nothing_that_a_command_can_read_holds_the_credential() {
    let script = "env; cat /proc/*/environ /proc/*/cmdline /proc/*/mem 2>/dev/null; \
                  find /run /tmp /dev/shm \"$HOME\" . -type f -exec cat {} + 2>/dev/null; echo read";
    for who in everybody() {
        let arena = Arena::new(who);
        let outside = command(who, "/bin/sh").args(["-c", "env"]).env(KEY, SECRET).output().unwrap();
        assert!(Said::from(outside).stdout.contains(SECRET), "without walls it is read");
        let (_model, _, inject) = local();
        let script = words(&["/bin/sh", "-c", script]);
        let said = Said::from(knowing(&arena, &[inject], &script).output().unwrap());
        assert!(said.stdout.contains(&format!("{KEY}=spalla-injected\n")), "as {who:?}: {said:?}");
        assert!(said.stdout.ends_with("read\n"), "as {who:?}: {said:?}");
        assert!(!said.stdout.contains(SECRET) && !said.stderr.contains(SECRET), "as {who:?}: {said:?}");
    }
}

#[test]
fn a_host_that_is_known_is_told_of_where_its_programs_look() {
    for who in everybody() {
        let arena = Arena::new(who);
        let inject = [format!("api.openai.com={KEY}"), "api.anthropic.com=ANTHROPIC_API_KEY".to_owned()];
        let mut supervisor = knowing(&arena, &inject, &words(&["/usr/bin/env"]));
        let said = Said::from(supervisor.env("ANTHROPIC_API_KEY", SECRET).output().unwrap());
        for line in [
            "OPENAI_BASE_URL=http://127.0.0.1:3129/v1",
            "ANTHROPIC_BASE_URL=http://127.0.0.1:3130",
            "ANTHROPIC_API_KEY=spalla-injected",
        ] {
            assert!(said.stdout.lines().any(|shown| shown == line), "{line} as {who:?}: {said:?}");
        }
        assert!(!said.stdout.contains(SECRET), "as {who:?}: {said:?}");
    }
}

#[test]
fn a_door_leads_to_its_host_and_to_nobody_else() {
    for who in everybody() {
        let arena = Arena::new(who);
        let (model, at, inject) = local();
        let other = answering();
        let elsewhere = format!("127.0.0.1:{}", other.port);
        let ask = |request: &str| talk(&arena, &inject, &at, request);
        let said = ask(&format!("GET / HTTP/1.1\r\nHost: {elsewhere}\r\n\r\n"));
        assert!(said.stdout.contains("the model answered"), "as {who:?}: {said:?}");
        let said = ask(&format!("GET http://{at}/own HTTP/1.1\r\nHost: {elsewhere}\r\n\r\n"));
        assert!(said.stdout.contains("the model answered"), "as {who:?}: {said:?}");
        assert!(model.heard().iter().all(|heard| heard.contains(&format!("host: {at}\r\n"))));
        for (request, status) in [
            (format!("GET http://{elsewhere}/ HTTP/1.1\r\nHost: {at}\r\n\r\n"), "400"),
            (format!("GET https://{at}/ HTTP/1.1\r\nHost: {at}\r\n\r\n"), "400"),
            (format!("CONNECT {elsewhere} HTTP/1.1\r\nHost: {elsewhere}\r\n\r\n"), "405"),
            (format!("TRACE / HTTP/1.1\r\nHost: {at}\r\n\r\n"), "405"),
        ] {
            let said = ask(&request);
            assert!(
                said.stdout.starts_with(&format!("HTTP/1.1 {status} ")),
                "{request} as {who:?}: {said:?}"
            );
        }
        assert_eq!((model.heard().len(), other.heard().len()), (2, 0), "as {who:?}");
        // Nor does the proxy lead where the gateway does.
        let said = talk(&arena, &inject, "127.0.0.1:3128", &format!("CONNECT {at} HTTP/1.1\r\n\r\n"));
        assert!(said.stdout.starts_with("HTTP/1.1 403 "), "as {who:?}: {said:?}");
    }
}

#[test]
fn no_request_hides_in_another_one() {
    let arena = Arena::new(Who::Myself);
    let (model, at, inject) = local();
    let hidden = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";
    for lines in [
        "Content-Length: 37\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "Content-Length: 0\r\nContent-Length: 37\r\n\r\n",
        "Transfer-Encoding: chunked, identity\r\nContent-Length: 0\r\n\r\n",
        "Transfer-Encoding: \x0bchunked\r\nContent-Length: 37\r\n\r\n",
        "Content-Length: 0\r\n Transfer-Encoding: chunked\r\n\r\n",
    ] {
        let said = talk(&arena, &inject, &at, &format!("POST /v1 HTTP/1.1\r\nHost: a\r\n{lines}{hidden}"));
        assert!(said.stdout.starts_with("HTTP/1.1 400 "), "{lines:?}: {said:?}");
    }
    assert_eq!(model.heard(), [""; 0]);
    // One that stands openly behind another is not read: each has a connection of its own.
    let said = talk(&arena, &inject, &at, &format!("GET /v1 HTTP/1.1\r\nHost: a\r\n\r\n{hidden}"));
    assert!(said.stdout.contains("the model answered"), "{said:?}");
    let heard = model.heard();
    assert!(heard.len() == 1 && !heard[0].contains("/hidden"), "{heard:?}");
}

#[test]
fn without_the_variable_nothing_is_started() {
    for who in everybody() {
        let arena = Arena::new(who);
        for value in [None, Some(""), Some("sk-\u{1}")] {
            let inject = ["127.0.0.1:9=SPALLA_TRIAL_NONE".to_owned()];
            let mut supervisor = knowing(&arena, &inject, &words(&["/bin/echo", "ran"]));
            supervisor.envs(value.map(|value| ("SPALLA_TRIAL_NONE", value)));
            let said = Said::from(supervisor.output().unwrap());
            assert_eq!((said.code, said.stdout.as_str()), (Some(2), ""), "as {who:?}: {said:?}");
            let wanted =
                if value == Some("sk-\u{1}") { "set it to the credential alone" } else { "set it where" };
            assert!(said.stderr.contains("SPALLA_TRIAL_NONE") && said.stderr.contains(wanted), "{said:?}");
        }
    }
}

#[test]
fn a_command_that_is_handed_the_credential_is_not_started() {
    let arena = Arena::new(Who::Myself);
    let (_model, _, inject) = local();
    let said = Said::from(knowing(&arena, &[inject], &words(&["/bin/echo", SECRET])).output().unwrap());
    assert_eq!((said.code, said.stdout.as_str()), (Some(2), ""));
    assert!(
        said.stderr.contains("an argument holds the credential") && !said.stderr.contains(SECRET),
        "{said:?}"
    );
}

#[test]
fn what_a_host_says_arrives_before_it_ends() {
    for who in everybody() {
        let arena = Arena::new(who);
        let (go, gone) = sync_channel(1);
        let gone = Mutex::new(gone);
        let model = Model::start(move |_, stream| {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: first\n\n")?;
            stream.flush()?;
            let heard = gone.lock().unwrap().recv_timeout(Duration::from_secs(30));
            stream.write_all(if heard.is_ok() { b"data: second\n\n" } else { b"data: in vain\n\n" })
        });
        let at = format!("127.0.0.1:{}", model.port);
        let supervisor = knowing(&arena, &[format!("{at}={KEY}")], &arena.attempt("talk"));
        let mut talk = start_talk(supervisor, &at, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let mut said = talk.stdout.take().unwrap();
        let mut heard = Vec::new();
        while !String::from_utf8_lossy(&heard).contains("data: first\n\n") {
            let mut chunk = [0; 1024];
            let length = said.read(&mut chunk).unwrap();
            assert!(length > 0, "as {who:?}: {}", String::from_utf8_lossy(&heard));
            heard.extend_from_slice(&chunk[..length]);
        }
        go.send(()).unwrap();
        said.read_to_end(&mut heard).unwrap();
        assert!(String::from_utf8_lossy(&heard).contains("data: second\n\n"), "as {who:?}");
        assert_eq!(talk.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn a_host_that_shows_what_it_was_sent_shows_no_credential() {
    let arena = Arena::new(Who::Myself);
    let model = Model::start(|request, stream| {
        let cut = request.find(SECRET).map_or(0, |at| at + 5);
        let (first, rest) = request.split_at(cut);
        let length = request.len();
        write!(stream, "HTTP/1.1 200 OK\r\nX-Echo: {SECRET}\r\nContent-Length: {length}\r\n\r\n{first}")?;
        stream.flush()?;
        stream.write_all(rest.as_bytes())
    });
    let at = format!("127.0.0.1:{}", model.port);
    let said = talk(&arena, &format!("{at}={KEY}"), &at, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let stars = "*".repeat(SECRET.len());
    assert!(said.stdout.contains(&format!("x-echo: {stars}\r\n")), "{said:?}");
    assert!(said.stdout.contains(&format!("authorization: Bearer {stars}\r\n")), "{said:?}");
    assert!(!said.stdout.contains(SECRET) && model.heard().concat().contains(SECRET), "{said:?}");
}

#[test]
fn over_tls_a_host_gets_it_only_where_somebody_trusted_vouches_for_its_name() {
    for who in everybody() {
        for (name, is_trusted) in [("localhost", true), ("localhost", false), ("other.example", true)] {
            let arena = Arena::new(who);
            let (model, pem) = Model::start_as(name);
            let roots = arena.ground.outside.join("roots.pem");
            fs::write(&roots, pem).unwrap();
            let inject = format!("https://localhost:{}={KEY}", model.port);
            let mut supervisor = knowing(&arena, &[inject], &arena.attempt("talk"));
            supervisor.envs(is_trusted.then_some(("SSL_CERT_FILE", roots)));
            let talk = start_talk(supervisor, DOOR, "GET /v1 HTTP/1.1\r\nHost: a\r\n\r\n");
            let said = Said::from(talk.wait_with_output().unwrap());
            assert!(!said.stdout.contains(SECRET) && !said.stderr.contains(SECRET), "{said:?}");
            if is_trusted && name == "localhost" {
                assert!(said.stdout.contains("the model answered"), "as {who:?}: {said:?}");
                let heard = model.heard().concat();
                assert!(heard.contains(&format!("authorization: Bearer {SECRET}\r\n")), "{heard}");
                assert!(heard.contains(&format!("host: localhost:{}\r\n", model.port)), "{heard}");
            } else {
                assert!(said.stdout.starts_with("HTTP/1.1 502 "), "{name} as {who:?}: {said:?}");
                assert_eq!(model.heard(), [""; 0]);
            }
        }
    }
}

#[test]
fn a_name_that_leads_into_a_private_network_is_refused_and_told_of() {
    for who in everybody() {
        let arena = Arena::new(who);
        let model = answering();
        // A name for the loopback device that nobody listed: only what resolves it knows that it is one.
        let host = format!("0x7f000001:{}", model.port);
        let said = talk(&arena, &format!("https://{host}={KEY}"), DOOR, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(said.stdout.starts_with("HTTP/1.1 403 "), "as {who:?}: {said:?}");
        assert!(said.stderr.contains(&format!("a host was refused: {host}: ")), "as {who:?}: {said:?}");
        assert_eq!(model.heard(), [""; 0]);
    }
}

#[test]
fn a_host_that_is_not_there_is_said_to_be_so() {
    let arena = Arena::new(Who::Myself);
    let said =
        talk(&arena, &format!("127.0.0.1:1={KEY}"), "127.0.0.1:1", "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(said.stdout.starts_with("HTTP/1.1 502 ") && said.stdout.contains("can't be reached"), "{said:?}");
    assert!(!said.stdout.contains(SECRET), "{said:?}");
}

/// Has a request sent from behind walls that a supervisor puts up, ahead or not; returns its words and what was heard.
fn supervised(arena: &Arena, inject: &str, at: &str, is_ahead: bool) -> (Vec<Word>, Said) {
    let (near, far) = UnixStream::pair().unwrap();
    let supervisor = arena.supervising().stdin(Stdio::from(OwnedFd::from(far))).spawn().unwrap();
    let order = |ahead: bool| {
        let words = arena.attempt("talk");
        let arguments = if ahead { &[] } else { &words[1..] };
        let command = json!({ "program": words[0], "arguments": arguments });
        let order = json!({ "policy": policy(arena, &[inject.to_owned()]), "command": command });
        let outside = BTreeMap::from([(KEY.to_owned(), SECRET.to_owned())]);
        let order = serde_json::from_value(order).unwrap();
        SupervisedOrder { order, outside, journal: None, label: None, ahead, survival: None }
    };
    let mut lines = BufReader::new(near.try_clone().unwrap()).lines();
    let mut word = || lines.next().and_then(Result::ok).and_then(|line| serde_json::from_str(&line).ok());
    let mut told = Vec::new();
    if is_ahead {
        (&near).write_all(&order(true).to_bytes(b"").unwrap()).unwrap();
        told.extend(word());
    }
    let request = format!("{at}\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    (&near).write_all(&order(false).to_bytes(request.as_bytes()).unwrap()).unwrap();
    told.extend(std::iter::from_fn(word));
    (told, supervisor.wait_with_output().unwrap().into())
}

#[test]
fn a_supervisor_gives_the_host_its_credential_and_attests_that_it_does() {
    for who in everybody() {
        for is_ahead in [false, true] {
            let arena = Arena::new(who);
            let (model, at, inject) = local();
            let (told, said) = supervised(&arena, &inject, &at, is_ahead);
            assert!(said.stdout.contains("the model answered"), "as {who:?}: {told:?} {said:?}");
            assert!(model.heard().concat().contains(SECRET), "as {who:?}");
            let told = serde_json::to_string(&told).unwrap();
            assert!(told.contains(&format!("a gateway to {at} with the credential of {KEY}")), "{told}");
            assert!(!told.contains(SECRET) && !said.stderr.contains(SECRET), "as {who:?}: {told} {said:?}");
        }
    }
}
