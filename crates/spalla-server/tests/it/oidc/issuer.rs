//! An issuer that speaks the real protocol on loopback, holds whoever calls to it, and fails as it is told.

use super::keys::{Signer, part};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// What this issuer calls the server.
pub(super) const CLIENT: &str = "spalla";
/// What the server shows.
pub(super) const SECRET: &str = "s3cret: with % odd letters";
/// When every test begins, in seconds.
const NOW: i64 = 1_700_000_000;
/// More than anybody reads.
const HUGE_BYTES: usize = 300 * 1024;

/// How the issuer fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// The signature is of something else.
    Signature,
    /// Nothing is signed, and the token says so.
    AlgNone,
    /// The token is signed with what everybody knows: the published key, as if it were a shared secret.
    AlgHs256,
    /// The token is of another sign-in.
    Nonce,
    /// The token is for somebody else.
    Audience,
    /// The token is for several, and was made for another one.
    Party,
    /// The token is of another issuer.
    Issuer,
    /// The token is over.
    Expired,
    /// The token does not say who it is of.
    Subject,
    /// There is no token.
    NoToken,
    /// The browser is sent back by somebody else.
    SentBack,
    /// The person said no.
    Denied,
    /// Codes are exchanged elsewhere.
    Redirected,
    /// An answer has no end that anybody waits for.
    Huge,
    /// There is no answer.
    Silent,
    /// The issuer is ill.
    Ill,
}

/// What a code stands for.
struct Asked {
    nonce: String,
    challenge: String,
    redirect_uri: String,
}

struct Inner {
    url: String,
    signer: Signer,
    fault: Fault,
    /// What is said of whoever signs in.
    claims: Map<String, Value>,
    codes: BTreeMap<String, Asked>,
    given: u32,
    now: i64,
}

/// A running issuer.
pub(super) struct Issuer {
    inner: Shared,
    pub(super) url: String,
    _task: JoinSet<()>,
}

type Shared = Arc<Mutex<Inner>>;
type Pairs = BTreeMap<String, String>;

impl Issuer {
    pub(super) async fn start(signer: Signer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let claims =
            Map::from_iter([("sub".to_owned(), json!("ada")), ("groups".to_owned(), json!(["staff"]))]);
        let inner = Inner {
            url: url.clone(),
            signer,
            fault: Fault::None,
            claims,
            codes: BTreeMap::new(),
            given: 0,
            now: NOW,
        };
        let inner = Arc::new(Mutex::new(inner));
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .route("/jwks", get(jwks))
            .with_state(inner.clone());
        let mut task = JoinSet::new();
        task.spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { inner, url, _task: task }
    }

    pub(super) fn fail(&self, fault: Fault) {
        self.inner.lock().unwrap().fault = fault;
    }

    /// Signs with another key from now on, and publishes only that one.
    pub(super) fn change_key(&self, signer: Signer) {
        self.inner.lock().unwrap().signer = signer;
    }

    /// Says something else of whoever signs in.
    pub(super) fn say(&self, claim: &str, value: Value) {
        self.inner.lock().unwrap().claims.insert(claim.to_owned(), value);
    }

    pub(super) fn advance(&self, seconds: i64) {
        self.inner.lock().unwrap().now += seconds;
    }
}

async fn metadata(State(issuer): State<Shared>) -> Response {
    let (url, fault) = {
        let issuer = issuer.lock().unwrap();
        (issuer.url.clone(), issuer.fault)
    };
    let document = json!({
        "issuer": url, "authorization_endpoint": format!("{url}/authorize"), "token_endpoint": format!("{url}/token"),
        "jwks_uri": format!("{url}/jwks"), "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256"], "authorization_response_iss_parameter_supported": true,
    });
    match fault {
        Fault::Huge => "x".repeat(HUGE_BYTES).into_response(),
        Fault::Silent => std::future::pending().await,
        _ => document.to_string().into_response(),
    }
}

async fn jwks(State(issuer): State<Shared>) -> String {
    let key = issuer.lock().unwrap().signer.published();
    json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "AA"}, key]}).to_string()
}

/// Asks the person, who says yes unless told otherwise.
async fn authorize(State(issuer): State<Shared>, Query(asked): Query<Pairs>) -> Response {
    let mut issuer = issuer.lock().unwrap();
    let known = [("response_type", "code"), ("client_id", CLIENT), ("code_challenge_method", "S256")];
    let is_asked = known.iter().all(|(name, value)| asked.get(*name).is_some_and(|given| given == value));
    let wants = asked.get("scope").is_some_and(|scope| scope == "openid groups");
    let has_all =
        ["state", "nonce", "code_challenge", "redirect_uri"].iter().all(|name| asked.contains_key(*name));
    if !(is_asked && wants && has_all) {
        return (StatusCode::BAD_REQUEST, format!("{asked:?}")).into_response();
    }
    let (redirect_uri, state) = (asked["redirect_uri"].clone(), &asked["state"]);
    issuer.given += 1;
    let code = format!("code-{}", issuer.given);
    let from = if issuer.fault == Fault::SentBack { "http://127.0.0.1:1" } else { issuer.url.as_str() };
    let back = match issuer.fault {
        Fault::Denied => format!("{redirect_uri}?error=access_denied&state={state}&iss={from}"),
        _ => format!("{redirect_uri}?code={code}&state={state}&iss={from}&session_state=x"),
    };
    let asked =
        Asked { nonce: asked["nonce"].clone(), challenge: asked["code_challenge"].clone(), redirect_uri };
    issuer.codes.insert(code, asked);
    Redirect::to(&back).into_response()
}

/// Exchanges a code, once, with whom it was given for.
async fn token(State(issuer): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let fault = issuer.lock().unwrap().fault;
    match fault {
        Fault::Redirected => return Redirect::temporary("/elsewhere").into_response(),
        Fault::Huge => return "x".repeat(HUGE_BYTES).into_response(),
        Fault::Silent => std::future::pending().await,
        Fault::Ill => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Fault::NoToken => {
            return json!({"access_token": "a", "token_type": "Bearer"}).to_string().into_response();
        }
        _ => {}
    }
    let refused = |why: &str| (StatusCode::BAD_REQUEST, json!({"error": why}).to_string()).into_response();
    if headers.get(header::AUTHORIZATION).is_none_or(|given| *given != basic()) {
        return refused("invalid_client");
    }
    let form: Pairs = form_urlencoded::parse(&body).into_owned().collect();
    let field = |name: &str| form.get(name).cloned().unwrap_or_default();
    let mut issuer = issuer.lock().unwrap();
    let Some(asked) = issuer.codes.remove(&field("code")) else { return refused("invalid_grant") };
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(field("code_verifier").as_bytes()));
    let fits = field("grant_type") == "authorization_code"
        && field("redirect_uri") == asked.redirect_uri
        && challenge == asked.challenge;
    if !fits {
        return refused("invalid_grant");
    }
    let id_token = issuer.id_token(&asked);
    json!({"access_token": "a", "token_type": "Bearer", "expires_in": 60, "id_token": id_token})
        .to_string()
        .into_response()
}

/// How the server shows who it is: each half as in a form.
fn basic() -> String {
    format!("Basic {}", STANDARD.encode(format!("{CLIENT}:s3cret%3A+with+%25+odd+letters")))
}

impl Inner {
    fn id_token(&self, asked: &Asked) -> String {
        let mut claims = self.claims.clone();
        let mut say = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        say("iss", json!(self.url));
        say("aud", json!(CLIENT));
        say("nonce", json!(asked.nonce));
        say("iat", json!(self.now));
        say("exp", json!(self.now + 300));
        match self.fault {
            Fault::Nonce => say("nonce", json!("another")),
            Fault::Audience => say("aud", json!("another")),
            Fault::Party => {
                say("aud", json!([CLIENT, "another"]));
                say("azp", json!("another"))
            }
            Fault::Issuer => say("iss", json!("https://another.example")),
            Fault::Expired => say("exp", json!(self.now - 61)),
            Fault::Subject => say("sub", Value::Null),
            _ => None,
        };
        let claims = Value::Object(claims);
        match self.fault {
            Fault::AlgNone => format!("{}.{}.", part(&json!({"alg": "none"})), part(&claims)),
            Fault::AlgHs256 => self.signer.as_shared_secret(&claims),
            Fault::Signature => {
                let other = self.signer.token(&json!({"sub": "eve"}));
                let signed = self.signer.token(&claims);
                let (message, _) = signed.rsplit_once('.').unwrap();
                format!("{message}.{}", other.rsplit_once('.').unwrap().1)
            }
            _ => self.signer.token(&claims),
        }
    }
}
