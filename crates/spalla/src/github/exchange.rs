//! One request to GitHub over one connection: over TLS, or in the clear on this machine alone; bounded in time and bytes, and
//! without following anything.

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{self, HeaderMap};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use spalla_domain::secret::Secret;
use spalla_server::WebhookTrust;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use url::Url;

/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The longest answer that is read, in bytes: a full page of issues of the longest kind.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What is sent.
#[derive(Debug, Clone)]
pub(super) struct Sent<'a> {
    pub(super) method: Method,
    pub(super) url: &'a Url,
    pub(super) token: Option<&'a Secret>,
    /// What was answered before, by its name.
    pub(super) etag: Option<&'a str>,
    pub(super) body: Option<Vec<u8>>,
}

/// What was answered.
#[derive(Debug)]
pub(super) struct Got {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Checks that a token may be sent to an address: what is sent in the clear stays on this machine.
pub(super) fn check(url: &Url) -> Result<(), String> {
    let host = url.host_str().ok_or("it names no host")?;
    let ip = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    let is_here = host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback());
    match url.scheme() {
        _ if !url.username().is_empty() || url.password().is_some() => {
            Err("it holds a name or a password".into())
        }
        "https" => Ok(()),
        "http" if is_here => Ok(()),
        "http" => Err("the token would cross the network in the clear; write https://".into()),
        other => Err(format!("{other}:// is not spoken here; write https://")),
    }
}

/// Sends a request and reads the answer.
pub(super) async fn exchange(trust: &WebhookTrust, sent: Sent<'_>) -> Result<Got, String> {
    let done = tokio::time::timeout(TIMEOUT, Box::pin(carry_out(trust, sent))).await;
    done.unwrap_or_else(|_| Err(format!("no answer within {} seconds", TIMEOUT.as_secs())))
}

async fn carry_out(trust: &WebhookTrust, sent: Sent<'_>) -> Result<Got, String> {
    let url = sent.url;
    check(url)?;
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().ok_or("it names no port")?;
    let stream = TcpStream::connect((host.trim_matches(['[', ']']), port)).await;
    let stream = stream.map_err(|error| format!("can't connect to {host}:{port}: {error}"))?;
    let request = request(&sent)?;
    match url.scheme() {
        "https" => over(trust.secure(stream, host).await?, request).await,
        _ => over(stream, request).await,
    }
}

fn request(sent: &Sent<'_>) -> Result<Request<Full<Bytes>>, String> {
    let url = sent.url;
    let host = url.host_str().unwrap_or_default();
    let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let path = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    let mut request = Request::builder()
        .method(sent.method.clone())
        .uri(path)
        .header(header::HOST, authority)
        .header(header::USER_AGENT, concat!("spalla/", env!("CARGO_PKG_VERSION")))
        .header(header::ACCEPT, "application/vnd.github+json")
        .header("x-github-api-version", "2022-11-28");
    if let Some(token) = sent.token {
        let token = token.expose_text().map_err(|_| "the token is no text")?;
        let mut value = header::HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| "the token holds what no header can carry")?;
        value.set_sensitive(true);
        request = request.header(header::AUTHORIZATION, value);
    }
    if let Some(etag) = sent.etag {
        request = request.header(header::IF_NONE_MATCH, etag);
    }
    if sent.body.is_some() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    let body = Full::new(Bytes::from(sent.body.clone().unwrap_or_default()));
    request.body(body).map_err(|error| error.to_string())
}

async fn over<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Got, String>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let broken = |error: hyper::Error| format!("it broke off: {error}");
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    // It ends with this call.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let answer = sender.send_request(request).await.map_err(broken)?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
    let body = body.map_err(|error| {
        format!("its answer can't be read, of which {ANSWER_BYTES_MAX} bytes are taken: {error}")
    })?;
    Ok(Got { status, headers, body: body.to_bytes() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_never_crosses_the_network_in_the_clear() {
        let fits = |text: &str| check(&Url::parse(text).unwrap()).is_ok();
        assert!(
            fits("https://api.github.com") && fits("http://127.0.0.1:80") && fits("http://[::1]:8080/api")
        );
        assert!(!fits("http://api.github.com") && !fits("http://127.0.0.1.example.org") && !fits("ftp://a"));
        assert!(!fits("https://user@api.github.com") && !fits("https://u:p@api.github.com"));
    }
}
