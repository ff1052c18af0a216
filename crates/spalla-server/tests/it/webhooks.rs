//! Webhooks: what is sent to a real receiver that behaves and misbehaves, and that nobody else notices.

use crate::answer::Answer;
use crate::world::{Setup, TOKEN, World};
use futures_util::FutureExt;
use serde_json::{Value, json};
use spalla_domain::event::Fact;
use spalla_domain::network::Networks;
use spalla_server::{Access, Token, WebhookTrust};
use spalla_store::view::EventFilter;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

fn loopback() -> Setup {
    Setup { webhook_networks: Networks::parse("127.0.0.0/8").unwrap(), ..Setup::default() }
}

/// How many requests a receiver remembers that no test looked at yet.
const RECEIVED_MAX: usize = 1_000;

/// What a receiver was sent.
#[derive(Debug)]
struct Received {
    line: String,
    headers: BTreeMap<String, String>,
    body: Value,
    text: String,
}

/// How a receiver answers.
#[derive(Debug, Clone, Copy)]
enum Manner {
    /// With this status.
    Status(u16),
    /// By closing the connection at once.
    HangUp,
    /// With a redirection to itself.
    Redirect,
    /// With an answer that has no end.
    Endless,
}

/// A receiver: answers as it is told, request by request, and the last way for ever.
struct Receiver {
    address: SocketAddr,
    is_tls: bool,
    received: mpsc::Receiver<Received>,
    _task: JoinSet<()>,
}

impl Receiver {
    async fn start(manners: &[Manner]) -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), manners).await
    }

    async fn at(address: SocketAddr, manners: &[Manner]) -> Self {
        Self::speaking(address, manners, None).await
    }

    /// One that speaks TLS, where it is given what to say of itself.
    async fn speaking(address: SocketAddr, manners: &[Manner], tls: Option<TlsAcceptor>) -> Self {
        let is_tls = tls.is_some();
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, received) = mpsc::channel(RECEIVED_MAX);
        let mut task = JoinSet::new();
        let manners = manners.to_vec();
        task.spawn(async move {
            let mut manners = manners.into_iter().peekable();
            let mut last = Manner::Status(204);
            while let Ok((stream, _)) = listener.accept().await {
                last = manners.next().unwrap_or(last);
                let served = match &tls {
                    None => serve(stream, last, address).await,
                    Some(tls) => match tls.accept(stream).await {
                        Ok(stream) => serve(stream, last, address).await,
                        Err(_) => None,
                    },
                };
                if let Some(request) = served {
                    let _ = sender.send(request).await;
                }
            }
        });
        Self { address, is_tls, received, _task: task }
    }

    fn url(&self) -> String {
        match self.is_tls {
            false => format!("http://{}/hook?a=b", self.address),
            // Certificates name hosts.
            true => format!("https://localhost:{}/hook?a=b", self.address.port()),
        }
    }

    async fn next(&mut self) -> Received {
        self.received.recv().await.unwrap()
    }
}

async fn serve<S>(mut stream: S, manner: Manner, address: SocketAddr) -> Option<Received>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut bytes = vec![];
    let (head, length) = loop {
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&piece[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok())?;
            if body.len() >= length {
                break (head.to_owned(), length);
            }
        }
    };
    let answer = match manner {
        Manner::HangUp => String::new(),
        Manner::Status(status) => format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n"),
        Manner::Redirect => {
            format!("HTTP/1.1 307 X\r\nlocation: http://{address}/other\r\ncontent-length: 0\r\n\r\n")
        }
        Manner::Endless => "HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n".to_owned(),
    };
    stream.write_all(answer.as_bytes()).await.ok()?;
    if matches!(manner, Manner::Endless) {
        let chunk = format!("1000\r\n{}\r\n", "x".repeat(4096));
        while stream.write_all(chunk.as_bytes()).await.is_ok() {}
    }
    let text = String::from_utf8_lossy(&bytes[bytes.len() - length..]).into_owned();
    let headers = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    Some(Received {
        line: head.lines().next()?.to_owned(),
        headers: headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect(),
        body: serde_json::from_str(&text).ok()?,
        text,
    })
}

async fn hook(world: &World, receiver: &Receiver, events: Value) -> Value {
    let body = json!({"url": receiver.url(), "events": events});
    world.post("/webhooks", body).await.json(201)
}

/// Waits until a webhook is as a test wants it; the clock stands still, so that only what happens moves it.
async fn until(world: &World, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..20_000 {
        let shown = world.get(path).await.json(200);
        if wanted(&shown) {
            return shown;
        }
        tokio::task::yield_now().await;
    }
    panic!("{path} never became what was wanted: {}", world.get(path).await.text);
}

/// Makes a receiver's certificate for a name, and what it says of itself.
fn certificate(name: &str) -> (String, TlsAcceptor) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = std::sync::Arc::new(ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    let encoded = base64(made.cert.der());
    let pem = format!("-----BEGIN CERTIFICATE-----\n{encoded}\n-----END CERTIFICATE-----\n");
    (pem, TlsAcceptor::from(std::sync::Arc::new(config)))
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[tokio::test]
async fn a_receiver_over_tls_is_sent_to_where_somebody_trusted_vouches_for_its_name() {
    for (name, is_trusted) in [("localhost", true), ("localhost", false), ("other.example", true)] {
        let (pem, tls) = certificate(name);
        let listen = "127.0.0.1:0".parse().unwrap();
        let mut receiver = Receiver::speaking(listen, &[Manner::Status(204)], Some(tls)).await;
        let trust =
            if is_trusted { WebhookTrust::parse(pem.as_bytes()).unwrap() } else { WebhookTrust::default() };
        let world = World::with(Setup { webhook_trust: trust, ..loopback() }).await;
        hook(&world, &receiver, json!(["project.created"])).await;
        world.project().await;
        if name == "localhost" && is_trusted {
            assert_eq!(receiver.next().await.body["type"], "project.created");
            continue;
        }
        let sent = until(&world, "/webhooks/1/deliveries", |list| list.get(0).is_some()).await;
        let error = sent[0]["error"].as_str().unwrap();
        assert!(error.starts_with("TLS with localhost failed"), "{error}");
    }
}

#[tokio::test]
async fn events_are_sent_in_order_signed_as_the_standard_says() {
    for world in World::on_both_stores_with(loopback).await {
        let mut receiver = Receiver::start(&[Manner::Status(200)]).await;
        world.project().await;
        let made = hook(&world, &receiver, json!(["project.*", "work_item.created"])).await;
        let secret = made["secret"].as_str().unwrap();
        assert!(secret.starts_with("whsec_"), "{secret}");
        assert!(!world.get("/webhooks/1").await.text.contains(secret));
        world.queued(json!({})).await;
        world.project().await;
        let mut kinds = vec![];
        for _ in 0..3 {
            let sent = receiver.next().await;
            assert_eq!(sent.line, "POST /hook?a=b HTTP/1.1");
            assert_eq!(sent.headers["host"], receiver.address.to_string());
            let id = format!("msg_1_{}", sent.body["data"]["id"]);
            assert_eq!(sent.headers["webhook-id"], id);
            let signer = standardwebhooks::Webhook::new(secret).unwrap();
            let at = sent.headers["webhook-timestamp"].parse().unwrap();
            let signature = signer.sign(&id, at, sent.text.as_bytes()).unwrap();
            assert_eq!(sent.headers["webhook-signature"], signature);
            assert_eq!(sent.body["data"]["type"], sent.body["type"]);
            kinds.push(sent.body["type"].as_str().unwrap().to_owned());
        }
        // What was before the webhook, and what it does not want, is not sent.
        assert_eq!(kinds, ["project.created", "work_item.created", "project.created"]);
        let all = until(&world, "/webhooks/1/deliveries", |list| list.as_array().unwrap().len() == 3).await;
        assert_eq!((&all[0]["outcome"], &all[0]["status"]), (&json!("delivered"), &json!(200)));
    }
}

#[tokio::test]
async fn a_refused_host_is_sent_to_who_wants_to_know() {
    let world = World::with(loopback()).await;
    let mut receiver = Receiver::start(&[Manner::Status(204)]).await;
    hook(&world, &receiver, json!(["run.host_refused"])).await;
    let (run, token) = world.claimed_run(json!({})).await;
    let host = json!({"host": "a.test", "port": 443, "reason": "not on the list"});
    let report = json!({"fencing_token": token, "hosts": [host.clone()]});
    world.post(&format!("/work-items/runs/{run}/refused-hosts"), report).await;
    let sent = receiver.next().await;
    assert_eq!((&sent.body["type"], &sent.body["data"]["payload"]), (&json!("run.host_refused"), &host));
}

#[tokio::test]
async fn what_an_agent_tells_is_sent_by_its_plain_type() {
    let world = World::with(loopback()).await;
    let mut receiver = Receiver::start(&[Manner::Status(204)]).await;
    hook(&world, &receiver, json!(["finding"])).await;
    let (run, token) = world.claimed_run(json!({})).await;
    for kind in ["progress", "finding"] {
        let event = json!({"type": kind, "payload": {"text": kind}, "agent": "codex"});
        let request = world.request("POST", &format!("/work-items/runs/{run}/events"));
        world.send(request.header("x-fencing-token", token).json(&event)).await.json(200);
    }
    let sent = receiver.next().await;
    assert_eq!((&sent.body["type"], &sent.body["data"]["agent"]), (&json!("finding"), &json!("codex")));
    assert_eq!(sent.body["data"]["payload"], json!({"text": "finding"}));
}

#[tokio::test]
async fn what_fails_is_sent_again_in_its_order_when_the_wait_is_over() {
    for world in World::on_both_stores_with(loopback).await {
        let manners = [Manner::Status(500), Manner::HangUp, Manner::Redirect, Manner::Status(204)];
        let mut receiver = Receiver::start(&manners).await;
        hook(&world, &receiver, json!(["project.created"])).await;
        let (first, second) = (world.project().await, world.project().await);
        for failures in 1..=3 {
            assert_eq!(receiver.next().await.body["data"]["project_id"], first);
            let shown = until(&world, "/webhooks/1", |hook| hook["failures"] == failures).await;
            assert_eq!((&shown["status"], shown["next_attempt_at"].is_string()), (&json!("failing"), true));
            // Longer than the wait with its jitter.
            world.clock.advance(5_000 * (1 << failures));
        }
        assert_eq!(receiver.next().await.body["data"]["project_id"], first);
        assert_eq!(receiver.next().await.body["data"]["project_id"], second);
        let shown = until(&world, "/webhooks/1", |hook| hook["status"] == "enabled").await;
        assert_eq!((&shown["failures"], &shown["failing_since"]), (&json!(0), &Value::Null));
        let list = until(&world, "/webhooks/1/deliveries", |list| list.as_array().unwrap().len() == 5).await;
        let errors: Vec<_> = list.as_array().unwrap().iter().map(|one| one["error"].to_string()).collect();
        assert!(errors[2].contains("307") && errors[2].contains("nothing is followed"), "{errors:?}");
        assert!(errors[3].contains("broke off") && errors[4].contains("500"), "{errors:?}");
        assert_eq!(list[1]["earlier_attempts"], 3);
    }
}

#[tokio::test]
async fn a_receiver_that_is_gone_or_fails_for_days_is_sent_nothing_any_more() {
    let world = World::with(loopback()).await;
    let mut gone = Receiver::start(&[Manner::Status(410)]).await;
    let mut down = Receiver::start(&[Manner::Status(503)]).await;
    hook(&world, &gone, json!(["project.created"])).await;
    hook(&world, &down, json!(["project.created"])).await;
    world.project().await;
    gone.next().await;
    down.next().await;
    let shown = until(&world, "/webhooks/1", |hook| hook["status"] == "disabled").await;
    assert!(shown["disabled_reason"].as_str().unwrap().contains("410"), "{shown}");
    until(&world, "/webhooks/2", |hook| hook["failures"] == 1).await;
    world.clock.advance(3 * 86_400_000);
    down.next().await;
    let shown = until(&world, "/webhooks/2", |hook| hook["status"] == "disabled").await;
    assert!(shown["disabled_reason"].as_str().unwrap().contains("503"), "{shown}");
}

#[tokio::test]
async fn a_restart_goes_on_where_it_was() {
    for mut world in World::on_both_stores_with(loopback).await {
        let mut receiver = Receiver::start(&[Manner::Status(204)]).await;
        hook(&world, &receiver, json!(["project.created"])).await;
        let first = world.project().await;
        assert_eq!(receiver.next().await.body["data"]["project_id"], first);
        until(&world, "/webhooks/1/deliveries", |list| list.as_array().unwrap().len() == 1).await;
        world.restart().await;
        // Another process has the word no longer than it said.
        world.clock.advance(120_001);
        let second = world.project().await;
        assert_eq!(receiver.next().await.body["data"]["project_id"], second);
    }
}

#[tokio::test]
async fn a_receiver_without_end_holds_up_neither_the_scheduler_nor_another_receiver() {
    let world = World::with(loopback()).await;
    let endless = Receiver::start(&[Manner::Endless]).await;
    // It takes connections and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut good = Receiver::start(&[Manner::Status(204)]).await;
    hook(&world, &endless, json!(["*"])).await;
    let url = format!("http://{}/", silent.local_addr().unwrap());
    world.post("/webhooks", json!({"url": url, "events": ["*"]})).await.json(201);
    hook(&world, &good, json!(["run.succeeded"])).await;
    let (run, fence) = world.claimed_run(json!({})).await;
    world.complete(run, fence).await;
    assert_eq!(good.next().await.body["data"]["run_id"], run);
    assert_eq!(world.delete("/webhooks/2").await.status, 204);
    world.get("/webhooks/2").await.problem(404, "not_found");
}

#[tokio::test]
async fn what_leads_to_no_public_address_is_refused_or_never_reached() {
    let world = World::start().await;
    for url in [
        "http://127.0.0.1:1/",
        "http://2130706433/",
        "http://[::1]/",
        "http://169.254.169.254/latest",
        "ftp://example.org/",
        "http://user:pass@example.org/",
        "http://example.org/#x",
        "file:///etc/passwd",
        "",
    ] {
        let answer = world.post("/webhooks", json!({"url": url, "events": ["*"]})).await;
        assert_eq!(answer.invalid(), ["url"], "{url}");
    }
    for (body, member) in [
        (json!({"url": "http://example.org/", "events": []}), "events"),
        (json!({"url": "http://example.org/", "events": ["[a"]}), "events"),
        (json!({"url": "http://example.org/", "events": ["*"], "secret": "short"}), "secret"),
    ] {
        assert_eq!(world.post("/webhooks", body).await.invalid(), [member]);
    }
    // A name is looked at when it is resolved.
    let receiver = Receiver::start(&[Manner::Status(204)]).await;
    let url = format!("http://localhost:{}/", receiver.address.port());
    world.post("/webhooks", json!({"url": url, "events": ["*"]})).await.json(201);
    world.project().await;
    let list = until(&world, "/webhooks/1/deliveries", |list| !list.as_array().unwrap().is_empty()).await;
    assert!(list[0]["error"].as_str().unwrap().contains("not an address of the public internet"), "{list}");
}

/// As above, where everybody shows a token.
fn guarded() -> Setup {
    Setup { access: Access::Token(Token::new(TOKEN)), ..loopback() }
}

/// Lets events be sent on behalf of a token.
async fn hook_of(world: &World, token: &str, receiver: &Receiver, more: Value) -> Answer {
    let mut body = json!({"url": receiver.url(), "events": ["work_item.created"]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    world.send(world.bare("POST", "/webhooks").bearer_auth(token).json(&body)).await
}

async fn token(world: &World, body: Value) -> String {
    world.post("/tokens", body).await.json(201)["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn nobody_is_sent_what_the_maker_of_a_webhook_may_not_read() {
    for world in World::on_both_stores_with(guarded).await {
        let mut receiver = Receiver::start(&[Manner::Status(204)]).await;
        let (own, foreign) = (world.project().await, world.project().await);
        let makes = json!({"resource": "webhook", "actions": ["create", "read"]});
        let blind = token(&world, json!({"name": "a", "policies": [makes]})).await;
        hook_of(&world, &blind, &receiver, json!({})).await.problem(403, "forbidden");
        let reads = json!({"resource": "event", "actions": ["read"], "conditions": {"project_ids": [own]}});
        let some = token(&world, json!({"name": "b", "policies": [makes, reads]})).await;
        let refused = hook_of(&world, &some, &receiver, json!({"project_id": foreign})).await;
        let problem = refused.problem(404, "not_found");
        assert_eq!(problem["detail"], format!("project {foreign} does not exist"));
        let made = hook_of(&world, &some, &receiver, json!({})).await.json(201);
        assert_eq!(made["token_id"], 2);
        for project in [foreign, own, foreign, own] {
            world.item(json!({"project_id": project})).await;
        }
        for item in [2, 4] {
            let sent = receiver.next().await.body;
            assert_eq!(
                (&sent["data"]["work_item_id"], &sent["data"]["project_id"]),
                (&json!(item), &json!(own))
            );
        }
    }
}

#[tokio::test]
async fn nothing_is_sent_on_behalf_of_a_token_that_opens_no_longer() {
    for world in World::on_both_stores_with(guarded).await {
        let mut of_token = Receiver::start(&[Manner::Status(204)]).await;
        let mut of_administrator = Receiver::start(&[Manner::Status(204)]).await;
        let wish = json!({"name": "a", "role": "admin", "expires_in_seconds": 60});
        let (revoked, expired) = (token(&world, wish.clone()).await, token(&world, wish).await);
        for token in [&revoked, &expired] {
            hook_of(&world, token, &of_token, json!({})).await.json(201);
        }
        hook(&world, &of_administrator, json!(["work_item.created"])).await;
        world.item(json!({})).await;
        for _ in 0..2 {
            of_token.next().await;
        }
        of_administrator.next().await;
        assert_eq!(world.delete("/tokens/1").await.status, 204);
        world.clock.advance(60_000);
        world.item(json!({})).await;
        of_administrator.next().await;
        for id in 1..=2 {
            let shown = until(&world, &format!("/webhooks/{id}"), |hook| hook["status"] == "disabled").await;
            let reason = shown["disabled_reason"].as_str().unwrap();
            assert_eq!(reason, "the token with which it was made opens no longer");
        }
        assert!(of_token.received.try_recv().is_err());
    }
}

#[tokio::test]
async fn what_is_under_way_breaks_off_before_a_removal_or_a_revocation_is_answered() {
    let world = World::with(guarded()).await;
    let maker = token(&world, json!({"name": "a", "role": "admin"})).await;
    for gone in ["/webhooks/1", "/tokens/1"] {
        // It takes connections and never says a word.
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", silent.local_addr().unwrap());
        let body = json!({"url": url, "events": ["project.created"]});
        world.send(world.bare("POST", "/webhooks").bearer_auth(&maker).json(&body)).await.json(201);
        world.project().await;
        let (mut under_way, _) = silent.accept().await.unwrap();
        assert!(under_way.read_u8().await.is_ok());
        assert_eq!(world.delete(gone).await.status, 204);
        let mut rest = vec![];
        // However it ended: nobody holds the connection any more.
        let _ = under_way.read_to_end(&mut rest).await;
        let mut other = Receiver::start(&[Manner::Status(204)]).await;
        let after = hook(&world, &other, json!(["project.created"])).await;
        world.project().await;
        other.next().await;
        assert!(silent.accept().now_or_never().is_none(), "{gone}");
        world.delete(&format!("/webhooks/{}", after["id"])).await;
    }
}

/// Makes a webhook that tells people.
async fn telling(world: &World, receiver: &Receiver, more: Value) -> Answer {
    let mut body = json!({"url": receiver.url()});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    world.post("/webhooks", body).await
}

#[tokio::test]
async fn people_are_told_of_what_needs_them_of_each_cause_once_in_the_form_of_their_chat() {
    for world in World::on_both_stores_with(loopback).await {
        let mut slack = Receiver::start(&[Manner::Status(500), Manner::Status(204)]).await;
        let mut custom = Receiver::start(&[Manner::Status(204)]).await;
        let made = telling(&world, &slack, json!({"template": "slack"})).await.json(201);
        assert_eq!(made["template"], "slack");
        assert!(made["events"].as_array().unwrap().contains(&json!("approval.requested")), "{made}");
        let text = r#"{"message": "{{title}} ({{type}}, {{urgency}})", "tags": ["spalla"]}"#;
        telling(&world, &custom, json!({"template": "custom", "template_text": text})).await.json(201);
        let (run, token) = world.claimed_run(json!({})).await;
        for text in ["stuck <1>", "stuck <1>", "stuck <2>"] {
            let event = json!({"type": "blocker", "payload": {"text": text}, "agent": "codex"});
            let request = world.request("POST", &format!("/work-items/runs/{run}/events"));
            world.send(request.header("x-fencing-token", token).json(&event)).await.json(200);
        }
        let ask = json!({"reason": "which", "fencing_token": token, "fields": [{"name": "KEY"}]});
        world.post(&format!("/work-items/runs/{run}/info-requests"), ask).await.json(201);
        let expected = json!({"text": "*codex can't go on*\nstuck &lt;1&gt;"});
        assert_eq!(slack.next().await.body, expected);
        until(&world, "/webhooks/1", |hook| hook["failures"] == 1).await;
        world.clock.advance(60_000);
        assert_eq!(slack.next().await.body, expected, "what failed is sent again");
        let second = slack.next().await.body;
        assert_eq!(
            second["text"], "*codex can't go on*\nstuck &lt;2&gt;",
            "the same again is the same cause"
        );
        let text = slack.next().await.body["text"].as_str().unwrap().to_owned();
        assert!(text.contains("spalla answer 1"), "{text}");
        let told = [custom.next().await.body, custom.next().await.body, custom.next().await.body];
        let message = |text: String| json!({"message": text, "tags": ["spalla"]});
        let asks = format!("run {run} asks (info_request.asked, critical)");
        let stuck = || message("codex can't go on (blocker, critical)".into());
        assert_eq!(told, [stuck(), stuck(), message(asks)]);
    }
}

#[tokio::test]
async fn a_template_that_can_not_be_sent_is_refused() {
    let world = World::with(loopback()).await;
    let receiver = Receiver::start(&[Manner::Status(204)]).await;
    for (more, place) in [
        (json!({}), "events"),
        (json!({"template": "teams"}), "template"),
        (json!({"template": "custom"}), "template_text"),
        (json!({"template": "slack", "template_text": "{}"}), "template_text"),
        (json!({"template_text": "{}", "events": ["*"]}), "template_text"),
        (json!({"template": "custom", "template_text": "[]"}), "template_text"),
        (json!({"template": "custom", "template_text": "{"}), "template_text"),
    ] {
        assert_eq!(telling(&world, &receiver, more.clone()).await.invalid(), [place], "{more}");
    }
}

#[tokio::test]
async fn who_is_named_by_an_alert_is_sent_it_and_a_name_that_nobody_has_is_told_once() {
    for world in World::on_both_stores_with(loopback).await {
        let mut named = Receiver::start(&[Manner::Status(204)]).await;
        let mut other = Receiver::start(&[Manner::Status(204)]).await;
        let made = telling(&world, &named, json!({"template": "slack", "name": "ops"})).await.json(201);
        assert_eq!((&made["name"], &made["events"]), (&json!("ops"), &json!([])));
        telling(&world, &other, json!({"name": "dev", "events": ["receiver.unknown"]})).await.json(201);
        let (run, token) = world.claimed_run(json!({})).await;
        let alert = |text: &str| {
            let payload = json!({"text": text, "alert": "heartbeat_miss", "notify": ["ops", "ada"]});
            json!({"type": "error", "agent": "codex", "payload": payload})
        };
        for event in [
            json!({"type": "blocker", "agent": "codex", "payload": {"text": "stuck"}}),
            alert("silent"),
            alert("silent again"),
        ] {
            let request = world.request("POST", &format!("/work-items/runs/{run}/events"));
            world.send(request.header("x-fencing-token", token).json(&event)).await.json(200);
        }
        // What names it is sent, each time, and nothing else.
        assert_eq!(named.next().await.body["text"], "*codex: heartbeat_miss*\nsilent");
        assert_eq!(named.next().await.body["text"], "*codex: heartbeat_miss*\nsilent again");
        let unknown = other.next().await.body;
        assert_eq!(
            (&unknown["type"], &unknown["data"]["payload"]["names"]),
            (&json!("receiver.unknown"), &json!(["ada"]))
        );
        let events = world.store.read().events(EventFilter::default(), 1_000).await.unwrap();
        let told = events.iter().filter(|event| matches!(event.fact, Fact::ReceiverUnknown { .. })).count();
        assert_eq!(told, 1);
    }
}

#[tokio::test]
async fn a_webhook_without_a_name_of_its_own_or_with_one_that_is_none_is_refused() {
    let world = World::with(loopback()).await;
    let receiver = Receiver::start(&[Manner::Status(204)]).await;
    for (more, place) in
        [(json!({"name": " "}), "name"), (json!({"name": "x".repeat(101)}), "name"), (json!({}), "events")]
    {
        assert_eq!(telling(&world, &receiver, more.clone()).await.invalid(), [place], "{more}");
    }
}
