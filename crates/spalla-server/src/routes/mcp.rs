//! The Model Context Protocol over streamable HTTP.

use crate::api::Api;
use crate::api::routes;
use crate::auth::Client;
use crate::extract::{NoParams, Params, body, check_message};
use crate::mcp::Endpoint;
use crate::problem::Problem;
use crate::wire::BODY_BYTES_MAX;
use axum::Extension;
use axum::body::Bytes;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::response::Response;
use utoipa::{IntoParams, ToSchema};

/// Adds the routes.
pub(super) fn add(api: Api) -> Api {
    api.add(routes!(answer_message, end_mcp_session))
}

/// A message of JSON-RPC 2.0.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the protocol's own library reads it; this describes it")]
pub(crate) struct McpMessage {
    /// `2.0`.
    jsonrpc: String,
    /// What is asked, such as `initialize`, `tools/list` or `tools/call`.
    #[schema(required = false)]
    method: Option<String>,
}

/// A message of JSON-RPC 2.0 from the server: a result or an error.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the protocol's own library writes it; this describes it")]
pub(crate) struct McpAnswer {
    /// `2.0`.
    jsonrpc: String,
}

/// What a client of the protocol says besides.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "the protocol's own library reads them; this describes them")]
struct McpHeaders {
    /// The session, as the answer to `initialize` named it.
    #[param(rename = "Mcp-Session-Id")]
    session_id: Option<String>,
    /// The version of the protocol that was agreed upon.
    #[param(rename = "MCP-Protocol-Version")]
    protocol_version: Option<String>,
}

/// Answers a message of the Model Context Protocol: the tools of `spalla mcp`, over streamable HTTP
///
/// A client accepts both `application/json` and `text/event-stream`. Each tool is the request that it stands for, in the name of
/// whoever calls it: the token of a run tells, asks and writes for its own agent.
#[utoipa::path(post, path = "/mcp", tag = "protocols", params(McpHeaders),
    request_body(content = McpMessage, example = json!({
        "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "agent", "version": "1"}}})),
    responses((status = 200, description = "The answer, as a message in an event.", body = McpAnswer,
            content_type = "text/event-stream"),
        (status = 202, description = "A notification was taken."),
        (status = 406, description = "The client does not accept both kinds of answer.",
            body = crate::wire::problem::ProblemDocument, content_type = "application/problem+json")))]
async fn answer_message(
    Extension(endpoint): Extension<Endpoint>,
    Extension(client): Extension<Client>,
    _: Params<NoParams>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body): (Parts, _) = request.into_parts();
    let bytes = body::read(body, BODY_BYTES_MAX).await?;
    check_message(&parts.headers, &bytes)?;
    endpoint.answer(client, parts, bytes).await
}

/// Ends a session of the Model Context Protocol
#[utoipa::path(delete, path = "/mcp", tag = "protocols", params(McpHeaders),
    responses((status = 204, description = "It is ended.")))]
async fn end_mcp_session(
    Extension(endpoint): Extension<Endpoint>,
    Extension(client): Extension<Client>,
    _: Params<NoParams>,
    parts: Parts,
) -> Result<Response, Problem> {
    endpoint.answer(client, parts, Bytes::new()).await
}
