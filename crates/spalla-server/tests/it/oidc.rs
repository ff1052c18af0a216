//! Signing in through an issuer: who is let in as what, who is not, and how it ends.

mod browser;
mod issuer;
mod keys;

use crate::answer::{Answer, document};
use crate::world::{Setup, TOKEN, World};
use browser::{Browser, Site};
use issuer::{CLIENT, Fault, Issuer, SECRET};
use keys::Signer;
use reqwest::redirect::Policy;
use serde_json::{Value, json};
use spalla_domain::access::role::Role;
use spalla_server::{Access, Grant, Oidc, Token, WebhookTrust};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Where people reach the server, over TLS that somebody else ends.
const HOST: &str = "spalla.test";
/// How long somebody is signed in, in seconds.
const SESSION_SECONDS: i64 = 3_600;
/// How long nobody asks the issuer again, in milliseconds.
const REST_MS: i64 = 10_000;

/// What signing in is set up with.
fn oidc(issuer: &Issuer, answer_timeout: Duration) -> Oidc {
    let grant = |role, ids: Option<&[i64]>| Grant {
        role,
        project_ids: ids.map(|ids| ids.iter().map(|id| (*id).into()).collect()),
        approval_roles: BTreeSet::new(),
    };
    let roles = [
        ("staff", grant(Role::Viewer, None)),
        ("root", grant(Role::Admin, None)),
        ("team", grant(Role::Operator, Some(&[1]))),
        ("lost", grant(Role::Viewer, Some(&[99]))),
    ];
    Oidc {
        issuer: issuer.url.clone(),
        client_id: CLIENT.into(),
        client_secret: Some(Arc::new(SECRET.into())),
        redirect_url: format!("https://{HOST}/sign-in/callback"),
        scopes: vec!["groups".into()],
        role_claim: "groups".into(),
        roles: roles.map(|(value, grant)| (value.to_owned(), grant)).into(),
        session_life: Duration::from_secs(SESSION_SECONDS as u64),
        answer_timeout,
        trust: WebhookTrust::default(),
    }
}

fn setup(issuer: &Issuer, answer_timeout: Duration) -> Setup {
    Setup {
        access: Access::Token(Token::new(TOKEN)),
        served_hosts: vec![HOST.into()],
        oidc: Some(oidc(issuer, answer_timeout)),
        ..Setup::default()
    }
}

/// Starts an issuer, and a server whose people sign in there.
async fn start(signer: Signer) -> (Issuer, World) {
    let issuer = Issuer::start(signer).await;
    // Longer than any test takes.
    let world = World::with(setup(&issuer, Duration::from_secs(60))).await;
    (issuer, world)
}

/// Begins to sign in, says yes at the issuer, and returns the path that the browser is sent back to.
async fn begun(world: &World, browser: &mut Browser) -> String {
    let begun = browser.open(world, Site::Own, "/sign-in").await;
    assert_eq!(begun.status, 303, "{}", begun.text);
    let page = reqwest::Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
    let answer = page.get(begun.header("location")).send().await.unwrap();
    let answer = Answer::read(answer).await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    answer.header("location").strip_prefix(&format!("https://{HOST}")).unwrap().to_owned()
}

/// Signs in, or tries to.
async fn sign_in(world: &World, browser: &mut Browser) -> Answer {
    let back = begun(world, browser).await;
    browser.open(world, Site::Foreign, &back).await
}

/// Checks that nobody was let in, with this status and this code in the audit, and under which name.
async fn refused(world: &World, answer: &Answer, browser: &Browser, status: u16, code: &str) -> Value {
    assert_eq!((answer.status, answer.header("content-type")), (status, "text/html; charset=utf-8"));
    assert!(browser.session().is_none() && answer.text.contains("Nobody is signed in"), "{}", answer.text);
    let newest = world.get("/audit?limit=1").await.json(200)[0].clone();
    let outcome = if status < 500 { "refused" } else { "failed" };
    assert_eq!((&newest["outcome"], &newest["code"]), (&json!(outcome), &json!(code)), "{newest}");
    assert_eq!(
        (&newest["operation"], &newest["resource"]),
        (&json!("GET /sign-in/callback"), &json!("/sign-in/callback"))
    );
    newest["principal"].clone()
}

async fn whoami(world: &World, browser: &mut Browser) -> Value {
    browser.open(world, Site::Own, "/whoami").await.json(200)
}

#[tokio::test]
async fn whoever_signs_in_is_let_in_as_what_their_groups_give() {
    let issuer = Issuer::start(Signer::rsa()).await;
    for world in World::on_both_stores_with(|| setup(&issuer, Duration::from_secs(60))).await {
        world.project().await;
        let mut ada = Browser::default();
        let landed = sign_in(&world, &mut ada).await;
        assert_eq!((landed.status, landed.header("refresh")), (200, "0; url=/"), "{}", landed.text);
        let me = whoami(&world, &mut ada).await;
        assert_eq!(
            (&me["principal"], &me["kind"], &me["token"]["role"]),
            (&json!("oidc:ada"), &json!("user"), &json!("viewer"))
        );
        assert_eq!(me["token"]["expires_at"], "2023-11-14T23:13:20.000Z");
        assert_eq!(ada.open(&world, Site::Own, "/projects/").await.json(200).as_array().unwrap().len(), 1);
        ada.open(&world, Site::Own, "/audit").await.problem(403, "forbidden");
        ada.submit(&world, "/scheduler/tick").await.problem(403, "forbidden");
        let entry = world.get("/audit?operation=GET%20/sign-in/callback").await.json(200)[0].clone();
        assert_eq!((&entry["principal"], &entry["outcome"]), (&json!("oidc:ada"), &json!("done")));
        let kept = world.get("/tokens").await;
        let secret = ada.session().unwrap().value.clone();
        assert!(!kept.text.contains(&secret[6..]), "{}", kept.text);
        assert_eq!(kept.json(200)[0]["made_by"], json!(issuer.url));
    }
}

#[tokio::test]
async fn a_role_counts_in_its_projects_and_what_somebody_does_bears_their_name() {
    let (issuer, world) = start(Signer::ecdsa("e")).await;
    let item = world.item(json!({})).await;
    world.project().await;
    issuer.say("groups", json!(["team", "unknown"]));
    let mut ada = Browser::default();
    sign_in(&world, &mut ada).await;
    let seen = ada.open(&world, Site::Own, "/projects/").await.json(200);
    assert_eq!((seen.as_array().unwrap().len(), &seen[0]["id"]), (1, &json!(1)));
    ada.open(&world, Site::Own, "/projects/2").await.problem(404, "not_found");
    assert_eq!(ada.submit(&world, &format!("/work-items/{item}/start")).await.status, 201);
    let newest = world.get("/audit?limit=1").await.json(200)[0].clone();
    assert_eq!((&newest["principal"], &newest["outcome"]), (&json!("oidc:ada"), &json!("done")));
    let page = ada.open(&world, Site::Own, "/").await;
    assert!(page.status == 200 && page.text.contains("Signed in as <code>oidc:ada</code>"), "{}", page.text);
}

#[tokio::test]
async fn a_session_survives_the_way_back_from_the_issuer_and_is_sent_from_no_other_site() {
    let (_issuer, world) = start(Signer::rsa()).await;
    let mut ada = Browser::default();
    let back = begun(&world, &mut ada).await;
    let names: Vec<_> =
        ada.cookies.iter().map(|(name, cookie)| (name.clone(), cookie.attributes.clone())).collect();
    let name = format!("__Host-spalla_sign_in_{}", world.address.port());
    assert_eq!(names, [(name, "SameSite=Lax; Max-Age=600; Path=/; HttpOnly; Secure".to_owned())]);
    ada.open(&world, Site::Foreign, &back).await;
    let (name, session) = ada.cookies.first_key_value().unwrap();
    assert_eq!((ada.cookies.len(), name), (1, &format!("__Host-spalla_user_{}", world.address.port())));
    assert_eq!(session.attributes, "SameSite=Strict; Max-Age=3600; Path=/; HttpOnly; Secure");
    let page = ada.open(&world, Site::Own, "/").await;
    assert!(page.status == 200 && page.text.contains("action=\"/sign-out\""), "{}", page.text);
    assert_eq!(page.header("referrer-policy"), "same-origin");
    assert!(page.header("content-security-policy").ends_with("form-action 'self'"));
    let stranger = ada.open(&world, Site::Foreign, "/").await;
    assert!(stranger.status == 401 && stranger.text.contains("href=\"https://spalla.test/sign-in\""));
}

#[tokio::test]
async fn whoever_is_given_nothing_is_told_so_and_recorded_by_name() {
    let (issuer, world) = start(Signer::ecdsa("e")).await;
    for groups in [json!([]), json!("Staff"), Value::Null, json!({"staff": true})] {
        issuer.say("groups", groups);
        let mut ada = Browser::default();
        let answer = sign_in(&world, &mut ada).await;
        assert_eq!(refused(&world, &answer, &ada, 403, "no_role").await, "oidc:ada");
        assert!(answer.text.contains("<code>ada</code>") && answer.text.contains("ask an administrator"));
    }
    issuer.say("groups", json!("lost"));
    let mut ada = Browser::default();
    let answer = sign_in(&world, &mut ada).await;
    assert_eq!(refused(&world, &answer, &ada, 403, "not_found").await, "oidc:ada");
    assert_eq!(world.get("/tokens").await.json(200), json!([]));
}

#[tokio::test]
async fn what_an_issuer_says_that_can_not_be_is_not_believed() {
    let (issuer, world) = start(Signer::rsa()).await;
    for fault in [
        Fault::Signature,
        Fault::AlgNone,
        Fault::AlgHs256,
        Fault::Nonce,
        Fault::Audience,
        Fault::Party,
        Fault::Issuer,
        Fault::Expired,
        Fault::Subject,
        Fault::NoToken,
        Fault::SentBack,
    ] {
        issuer.fail(fault);
        let mut ada = Browser::default();
        let answer = sign_in(&world, &mut ada).await;
        let name = refused(&world, &answer, &ada, 401, "sign_in_unbelieved").await;
        assert_eq!(name, "anyone", "{fault:?}");
    }
    issuer.fail(Fault::Denied);
    let mut ada = Browser::default();
    let answer = sign_in(&world, &mut ada).await;
    refused(&world, &answer, &ada, 401, "sign_in_refused").await;
    issuer.fail(Fault::None);
    assert_eq!(sign_in(&world, &mut ada).await.status, 200);
    assert_eq!(world.get("/tokens").await.json(200).as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_code_works_once() {
    let (_issuer, world) = start(Signer::rsa()).await;
    let mut ada = Browser::default();
    let back = begun(&world, &mut ada).await;
    let mut thief = ada.clone();
    assert_eq!(ada.open(&world, Site::Foreign, &back).await.status, 200);
    let again = thief.open(&world, Site::Foreign, &back).await;
    refused(&world, &again, &thief, 401, "sign_in_unbelieved").await;
}

#[tokio::test]
async fn a_sign_in_ends_only_in_the_browser_where_it_began_and_in_time() {
    let (_issuer, world) = start(Signer::rsa()).await;
    let (mut ada, mut eve) = (Browser::default(), Browser::default());
    let hers = begun(&world, &mut ada).await;
    let (_, query) = hers.split_once('?').unwrap();
    let without_state: Vec<_> = query.split('&').filter(|pair| !pair.starts_with("state=")).collect();
    let without_state = format!("/sign-in/callback?{}", without_state.join("&"));
    let (twice, nothing) = (format!("{hers}&state=x"), "/sign-in/callback".to_owned());
    for (what, path) in [("state", &without_state), ("state twice", &twice), ("all", &nothing)] {
        let mut same = ada.clone();
        let answer = same.open(&world, Site::Foreign, path).await;
        assert_eq!(
            refused(&world, &answer, &same, 400, "sign_in_not_begun").await,
            "anyone",
            "without {what}"
        );
    }
    let answer = eve.open(&world, Site::Foreign, &hers).await;
    refused(&world, &answer, &eve, 400, "sign_in_not_begun").await;
    begun(&world, &mut eve).await;
    let answer = eve.open(&world, Site::Foreign, &hers).await;
    refused(&world, &answer, &eve, 400, "sign_in_not_begun").await;
    world.clock.advance(600_000);
    let answer = ada.open(&world, Site::Foreign, &hers).await;
    refused(&world, &answer, &ada, 400, "sign_in_not_begun").await;
}

#[tokio::test]
async fn keys_that_were_changed_are_asked_for_but_not_at_once_again() {
    let (issuer, world) = start(Signer::ecdsa("first")).await;
    let mut ada = Browser::default();
    assert_eq!(sign_in(&world, &mut ada).await.status, 200);
    issuer.change_key(Signer::ecdsa("second"));
    let mut early = Browser::default();
    let answer = sign_in(&world, &mut early).await;
    refused(&world, &answer, &early, 401, "sign_in_unbelieved").await;
    world.clock.advance(REST_MS);
    assert_eq!(sign_in(&world, &mut early).await.status, 200);
    // The key may have kept its name.
    issuer.change_key(Signer::ecdsa("second"));
    world.clock.advance(REST_MS);
    issuer.advance(2 * REST_MS / 1_000);
    assert_eq!(sign_in(&world, &mut Browser::default()).await.status, 200);
}

#[tokio::test]
async fn an_issuer_that_is_ill_slow_or_talks_without_end_lets_nobody_in_and_holds_nobody() {
    let issuer = Issuer::start(Signer::rsa()).await;
    let world = World::with(setup(&issuer, Duration::from_millis(300))).await;
    for fault in [Fault::Huge, Fault::Silent] {
        issuer.fail(fault);
        let answer = Browser::default().open(&world, Site::Own, "/sign-in").await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, "10"), "{fault:?}");
        world.clock.advance(REST_MS);
    }
    for fault in [Fault::Redirected, Fault::Ill, Fault::Huge, Fault::Silent] {
        issuer.fail(Fault::None);
        let mut ada = Browser::default();
        let back = begun(&world, &mut ada).await;
        issuer.fail(fault);
        let answer = ada.open(&world, Site::Foreign, &back).await;
        assert_eq!(refused(&world, &answer, &ada, 503, "issuer_unavailable").await, "anyone", "{fault:?}");
    }
}

#[tokio::test]
async fn whoever_signs_out_is_out_at_once() {
    let (_issuer, world) = start(Signer::rsa()).await;
    let mut ada = Browser::default();
    sign_in(&world, &mut ada).await;
    let stolen = ada.clone();
    let out = ada.submit(&world, "/sign-out").await;
    assert_eq!((out.status, out.header("location")), (303, "/"), "{}", out.text);
    assert!(ada.cookies.is_empty());
    stolen.clone().open(&world, Site::Own, "/projects/").await.problem(401, "unauthorized");
    let newest = world.get("/audit?limit=1").await.json(200)[0].clone();
    assert_eq!((&newest["operation"], &newest["principal"]), (&json!("POST /sign-out"), &json!("oidc:ada")));
    assert_eq!(world.get("/tokens/1").await.json(200)["status"], "revoked");
    ada.submit(&world, "/sign-out").await.problem(401, "unauthorized");
    world.post("/sign-out", json!({})).await.problem(403, "forbidden");
}

#[tokio::test]
async fn a_session_is_revoked_like_a_token_and_ends_by_itself() {
    let (issuer, world) = start(Signer::rsa()).await;
    let (mut ada, mut eve) = (Browser::default(), Browser::default());
    sign_in(&world, &mut ada).await;
    issuer.say("sub", json!("eve"));
    sign_in(&world, &mut eve).await;
    let mut events = world.bare("GET", "/events").header("host", HOST);
    let (name, session) = ada.cookies.first_key_value().unwrap();
    events = events.header("cookie", format!("{name}={}", session.value));
    let mut events = events.send().await.unwrap();
    assert_eq!(events.status(), 200);
    assert_eq!(world.delete("/tokens/1").await.status, 204);
    ada.open(&world, Site::Own, "/projects/").await.problem(401, "unauthorized");
    while events.chunk().await.unwrap().is_some() {}
    world.clock.advance(SESSION_SECONDS * 1_000 - 1);
    eve.open(&world, Site::Own, "/projects/").await.json(200);
    world.clock.advance(1);
    eve.open(&world, Site::Own, "/projects/").await.problem(401, "unauthorized");
}

#[tokio::test]
async fn a_session_is_no_bearer_token_and_a_token_is_no_session() {
    let (_issuer, world) = start(Signer::rsa()).await;
    let mut ada = Browser::default();
    sign_in(&world, &mut ada).await;
    let session = ada.session().unwrap().value.clone();
    world.send(world.bare("GET", "/projects/").bearer_auth(&session)).await.problem(401, "unauthorized");
    let made = world.post("/tokens", json!({"name": "eve", "role": "admin"})).await.json(201);
    ada.cookies.values_mut().for_each(|cookie| cookie.value = made["token"].as_str().unwrap().to_owned());
    ada.open(&world, Site::Own, "/projects/").await.problem(401, "unauthorized");
}

#[tokio::test]
async fn a_session_of_another_issuer_is_nobodys() {
    let (_issuer, mut world) = start(Signer::rsa()).await;
    let mut ada = Browser::default();
    sign_in(&world, &mut ada).await;
    let other = Issuer::start(Signer::rsa()).await;
    world.options.oidc = Some(oidc(&other, Duration::from_secs(60)));
    world.restart().await;
    ada.open(&world, Site::Own, "/projects/").await.problem(401, "unauthorized");
}

#[tokio::test]
async fn where_nobody_signs_in_there_is_nowhere_to_do_so() {
    let world = World::start_with_token().await;
    for (method, path) in [("GET", "/sign-in"), ("GET", "/sign-in/callback"), ("POST", "/sign-out")] {
        world.send(world.request(method, path)).await.problem(404, "not_found");
        world.send(world.bare(method, path)).await.problem(401, "unauthorized");
    }
    assert!(!world.get("/openapi.json").await.text.contains("/sign-"));
    let (_issuer, world) = start(Signer::rsa()).await;
    let document = document(&world).await;
    for (method, path) in [("get", "/sign-in"), ("get", "/sign-in/callback"), ("post", "/sign-out")] {
        assert!(document["paths"][path][method]["summary"].is_string(), "{method} {path}");
    }
    assert_eq!(document["paths"]["/sign-in"]["get"]["security"], json!([{}]));
}
