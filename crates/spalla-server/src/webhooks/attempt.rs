//! One attempt to send one event: signed, to the address that was looked at, without following anything further.

use super::Target;
use crate::state::App;
use crate::wire;
use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::json;
use spalla_domain::event::Event;
use spalla_domain::notice::Notice;
use spalla_domain::secret::Secret;
use spalla_domain::webhook::{Delivery, Webhook};
use standardwebhooks::{HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP};
use std::net::SocketAddr;
use std::pin::pin;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// How long one attempt may take, from the name to the end of the answer.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);
/// How much of an answer is read: nothing of it is needed, and a receiver that says goodbye in order is let finish.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// The longest error that is kept, in bytes.
const ERROR_BYTES_MAX: usize = 500;

/// What came of an attempt.
pub(super) struct Attempt {
    /// What is kept of it.
    pub(super) delivery: Delivery,
    /// Why nothing is to be sent any more, where that is so.
    pub(super) given_up: Option<String>,
}

/// Makes one attempt.
pub(super) async fn attempt(
    app: &App,
    webhook: &Webhook,
    secret: &Secret,
    (event, shown): (&Event, &wire::event::Event),
    earlier_attempts: u32,
) -> Attempt {
    let (at, began) = (app.now(), Instant::now());
    let sent = tokio::time::timeout(ATTEMPT_TIMEOUT, send(app, webhook, secret, event, shown)).await;
    let sent =
        sent.unwrap_or_else(|_| Err(format!("no answer within {} seconds", ATTEMPT_TIMEOUT.as_secs())));
    let status = sent.as_ref().ok().map(StatusCode::as_u16);
    let error = match sent {
        Ok(status) if status.is_success() => None,
        Ok(status) if status.is_redirection() => {
            Some(format!("it answered {status}, and nothing is followed"))
        }
        Ok(status) => Some(format!("it answered {status}")),
        Err(mut error) => {
            error.truncate(error.floor_char_boundary(ERROR_BYTES_MAX));
            Some(error)
        }
    };
    let duration_ms = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
    let delivery = Delivery { event_id: event.seq, at, earlier_attempts, status, error, duration_ms };
    let is_gone = status == Some(StatusCode::GONE.as_u16());
    let given_up = is_gone.then(|| "the receiver answered 410: it is gone for good".to_owned());
    Attempt { delivery, given_up }
}

async fn send(
    app: &App,
    webhook: &Webhook,
    secret: &Secret,
    event: &Event,
    shown: &wire::event::Event,
) -> Result<StatusCode, String> {
    let target = Target::parse(&webhook.spec.url)?;
    let address = target.resolve(&app.webhook_networks).await?;
    let request = request(app, webhook, secret, event, shown, &target)?;
    let stream = TcpStream::connect(address).await;
    let stream = stream.map_err(|error| format!("can't connect to {address}: {error}"))?;
    match target.is_tls {
        false => exchange(stream, request, address).await,
        true => exchange(app.webhook_trust.secure(stream, &target.host()).await?, request, address).await,
    }
}

/// Sends a request over a connection, and returns how it was answered.
async fn exchange<S>(stream: S, request: Request<Body>, address: SocketAddr) -> Result<StatusCode, String>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let failed = |error: hyper::Error| format!("{address} broke off: {error}");
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    let answered = async {
        let mut answer = sender.send_request(request).await.map_err(failed)?;
        let (status, mut read) = (answer.status(), 0);
        while let Some(Ok(frame)) = answer.body_mut().frame().await {
            read += frame.data_ref().map_or(0, Bytes::len);
            if read > ANSWER_BYTES_MAX {
                break;
            }
        }
        Ok(status)
    };
    // The connection is no task of its own: whoever drops this attempt sends nothing more.
    let (mut answered, mut connection, mut is_open) = (pin!(answered), pin!(connection), true);
    loop {
        tokio::select! {
            status = &mut answered => return status,
            // Where it broke off, the request says so.
            _ = &mut connection, if is_open => is_open = false,
        }
    }
}

fn request(
    app: &App,
    webhook: &Webhook,
    secret: &Secret,
    event: &Event,
    shown: &wire::event::Event,
    target: &Target,
) -> Result<Request<Body>, String> {
    let id = format!("msg_{}_{}", webhook.id, event.seq);
    let seconds = app.now().ms() / 1_000;
    let notice = webhook.spec.template.as_ref().and_then(|template| Some((template, Notice::of(event)?)));
    let body = match notice {
        Some((template, notice)) => template.body(&notice, event, &shown.kind),
        None => json!({"type": shown.kind, "timestamp": event.at, "data": shown}),
    };
    let body = body.to_string();
    let text = secret.expose_text().map_err(|_| "its secret is no text")?;
    let signer = standardwebhooks::Webhook::new(text).map_err(|error| error.to_string())?;
    let signature = signer.sign(&id, seconds, body.as_bytes()).map_err(|error| error.to_string())?;
    Request::post(&target.path)
        .header(header::HOST, &target.authority)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::USER_AGENT, format!("spalla/{}", app.version))
        .header(HEADER_WEBHOOK_ID, id)
        .header(HEADER_WEBHOOK_TIMESTAMP, seconds)
        .header(HEADER_WEBHOOK_SIGNATURE, signature)
        .body(Body::from(body))
        .map_err(|error| error.to_string())
}
