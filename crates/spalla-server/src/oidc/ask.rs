//! One call to the issuer: over TLS or on loopback, bounded in time and bytes, and without following anything.

use super::{Oidc, leads_to};
use crate::webhooks::Target;
use axum::body::Body;
use axum::http::request::Builder;
use axum::http::{HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use spalla_domain::network::Networks;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// The longest answer that is read, in bytes: far more than issuers with many keys send.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// What the issuer answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Vec<u8>,
}

/// Reads what the issuer publishes at a URL.
pub(super) async fn published(oidc: &Oidc, url: &str) -> Result<Vec<u8>, String> {
    let answer = call(oidc, url, Request::get("/"), String::new()).await?;
    match answer.status {
        StatusCode::OK => Ok(answer.body),
        status if status.is_redirection() => Err(format!("{url} answers {status}, and nothing is followed")),
        status => Err(format!("{url} answers {status}")),
    }
}

/// Sends a form.
pub(super) async fn post(
    oidc: &Oidc,
    url: &str,
    authorization: Option<HeaderValue>,
    form: String,
) -> Result<Answer, String> {
    let mut request = Request::post("/").header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    if let Some(mut authorization) = authorization {
        authorization.set_sensitive(true);
        request = request.header(header::AUTHORIZATION, authorization);
    }
    call(oidc, url, request, form).await
}

async fn call(oidc: &Oidc, url: &str, request: Builder, body: String) -> Result<Answer, String> {
    // What the issuer names as its own is held to the same rule as the issuer.
    leads_to(url).map_err(|why| format!("{url:?}: {why}"))?;
    // TLS makes it large, and every future that waits for it as well.
    let sent = Box::pin(send(oidc, url, request, body));
    let sent = tokio::time::timeout(oidc.answer_timeout, sent).await;
    let sent = sent.unwrap_or_else(|_| Err(format!("no answer within {:?}", oidc.answer_timeout)));
    sent.map_err(|why| format!("{url}: {why}"))
}

async fn send(oidc: &Oidc, url: &str, request: Builder, body: String) -> Result<Answer, String> {
    let target = Target::parse(url)?;
    // The operator named the issuer, wherever it is; but what is sent in the clear stays on this machine.
    let networks = Networks::parse(if target.is_tls { "0.0.0.0/0,::/0" } else { "127.0.0.0/8,::1" })?;
    let address = target.resolve(&networks).await?;
    let request = request
        .uri(&target.path)
        .header(header::HOST, &target.authority)
        .header(header::ACCEPT, "application/json")
        .header(header::USER_AGENT, "spalla")
        .body(Body::from(body))
        .map_err(|error| error.to_string())?;
    let stream = TcpStream::connect(address).await;
    let stream = stream.map_err(|error| format!("can't connect to {address}: {error}"))?;
    match target.is_tls {
        false => exchange(stream, request).await,
        true => exchange(oidc.trust.secure(stream, &target.host()).await?, request).await,
    }
}

/// Sends a request over a connection, and reads the answer.
async fn exchange<S>(stream: S, request: Request<Body>) -> Result<Answer, String>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let failed = |error: hyper::Error| format!("it broke off: {error}");
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    // It ends with this call.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let answer = sender.send_request(request).await.map_err(failed)?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
    let body = body.map_err(|error| {
        format!("its answer can't be read, of which {ANSWER_BYTES_MAX} bytes are taken: {error}")
    })?;
    Ok(Answer { status, body: body.to_bytes().into() })
}
