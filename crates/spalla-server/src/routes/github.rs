//! Where GitHub tells of issues.

use crate::api::Api;
use crate::api::routes;
use crate::extract::{NoParams, Params, body};
use crate::github::{Wanted, key_of};
use crate::problem::Problem;
use crate::state::{App, Shared};
use axum::Json;
use axum::extract::{Request as Delivery, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Serialize;
use serde_json::Value;
use spalla_domain::problem::Code;
use spalla_store::{Command, ExecuteError, Request};
use utoipa::ToSchema;

/// Where it is.
pub(crate) const PATH: &str = "/api/github/webhook";
/// The longest delivery that is read, in bytes: an issue of the longest kind, several times.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Adds the route.
pub(super) fn add(api: Api) -> Api {
    api.add(routes!(take_delivery))
}

/// What became of a delivery.
#[derive(Debug, Serialize, ToSchema)]
struct DeliveryTaken {
    /// What became of it: it is looked at, it came before, it concerns nobody here, or it only asked whether somebody is there.
    status: DeliveryStatus,
}

/// What became of a delivery.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum DeliveryStatus {
    /// It is looked at.
    Taken,
    /// It came before.
    Known,
    /// It concerns nobody here.
    Ignored,
    /// It only asked whether somebody is there.
    Pong,
}

/// Takes what GitHub's webhook tells of an issue, which is then looked at
///
/// A delivery is believed where `X-Hub-Signature-256` is that of its body; nothing else opens this route. Only the number
/// is taken of it.
#[utoipa::path(post, path = "/api/github/webhook", tag = "github",
    request_body(content = Object, description = "What GitHub tells.", example = json!({
        "action": "labeled", "issue": {"number": 7}, "repository": {"full_name": "ada/engine"}})),
    responses((status = 200, description = "What became of it.", body = DeliveryTaken),
        (status = 202, description = "It is looked at.", body = DeliveryTaken),
        (status = 401, description = "It is not signed with the secret."),
        (status = 404, description = "This server watches no issues."),
        (status = 503, description = "Too many issues wait to be looked at.")))]
async fn take_delivery(
    State(app): State<App>,
    _: Params<NoParams>,
    request: Delivery,
) -> Result<(StatusCode, Json<DeliveryTaken>), Problem> {
    let (parts, body) = request.into_parts();
    let hook = app.github.as_ref().ok_or_else(|| Problem::no_route(PATH))?;
    let bytes = body::read(body, BODY_BYTES_MAX).await?;
    if !hook.believes(&bytes, text(&parts.headers, "x-hub-signature-256")) {
        let detail = "the delivery is not signed with this server's secret";
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "bad_signature", detail)
            .mend("give GitHub's webhook the same secret as github.webhook_secret, and application/json"));
    }
    let told: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let kind = text(&parts.headers, "x-github-event");
    let (code, status) = match hook.wants(kind, &told) {
        Wanted::Nothing if kind == "ping" => (StatusCode::OK, DeliveryStatus::Pong),
        Wanted::Nothing => (StatusCode::OK, DeliveryStatus::Ignored),
        Wanted::Look(look) if is_new(&app, text(&parts.headers, "x-github-delivery")).await? => {
            look.begin();
            (StatusCode::ACCEPTED, DeliveryStatus::Taken)
        }
        Wanted::Look(_) => (StatusCode::OK, DeliveryStatus::Known),
        Wanted::TooMuch => {
            let detail = "too many issues wait to be looked at";
            return Err(
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail).mend("deliver it again later")
            );
        }
    };
    Ok((code, Json(DeliveryTaken { status })))
}

/// Takes note of a delivery, for ever; tells whether it is new. One without a name always is.
async fn is_new(app: &Shared, delivery: &str) -> Result<bool, Problem> {
    let Some(key) = key_of(delivery, app.randomness.next()) else { return Ok(true) };
    let request = Request { idempotency: Some(key), ..Command::TakeOnce.into() };
    match app.engine.execute(request).await {
        Ok(_) => Ok(true),
        Err(ExecuteError::Refused(refusal)) if refusal.code == Code::IdempotencyKeyReused => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    let mut values = headers.get_all(name).iter();
    match (values.next().and_then(|value| value.to_str().ok()), values.next()) {
        (Some(value), None) => value,
        // One that comes twice says nothing.
        _ => "",
    }
}
