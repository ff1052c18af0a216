//! The OpenAPI document, and its interactive reading. Every file comes out of this binary.

use crate::api::Api;
use crate::api::routes;
use crate::extract::{NoParams, Params};
use crate::problem::Problem;
use crate::state::App;
use axum::extract::{Path, State};
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Response};
use flate2::read::GzDecoder;
use std::io::Read;
use std::sync::Arc;
use utoipa_swagger_ui::Config;

/// What the interactive page may load: its own files, and the document. It sets styles on elements and shows images
/// that it carries in its style sheet.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
/// The page that holds the reader; its files are named from the root, so that both spellings of its path work.
const PAGE: &str = r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Spalla: the interface</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/swagger-ui-standalone-preset.js"></script>
<script src="/docs/swagger-initializer.js"></script>
</body>
</html>
"#;

/// Adds the routes.
pub(super) fn add(api: Api) -> Api {
    api.add(routes!(openapi)).add(routes!(docs)).add(routes!(docs_file))
}

/// Shows the OpenAPI document
#[utoipa::path(get, path = "/openapi.json", tag = "docs",
    responses((status = 200, description = "The document.", body = Object)))]
async fn openapi(State(app): State<App>, _: Params<NoParams>) -> Result<impl IntoResponse, Problem> {
    let document = app.document.json().map_err(|error| {
        tracing::error!(%error, "the OpenAPI document can't be written");
        Problem::internal()
    })?;
    Ok(([(header::CONTENT_TYPE, "application/json")], document))
}

/// Shows the document as an interactive page
#[utoipa::path(get, path = "/docs", tag = "docs",
    responses((status = 200, description = "The page.", body = String, content_type = "text/html")))]
async fn docs(_: Params<NoParams>) -> impl IntoResponse {
    (page_headers("text/html; charset=utf-8".to_owned()), PAGE)
}

/// Shows a file of the interactive page
#[utoipa::path(get, path = "/docs/{file}", tag = "docs", params(("file" = String, Path, description = "Its name.")),
    responses((status = 200, description = "The file.", body = String, content_type = "application/octet-stream")))]
async fn docs_file(Path(file): Path<String>, _: Params<NoParams>) -> Result<Response, Problem> {
    // A badge would be asked for at a foreign host.
    let config = Config::new(["/openapi.json"]).validator_url("none");
    match utoipa_swagger_ui::serve(&file, Arc::new(config)) {
        Ok(Some(found)) => {
            let headers = page_headers(found.content_type);
            Ok((headers, if found.gzpipped { unpacked(&found.bytes)? } else { found.bytes.into_owned() })
                .into_response())
        }
        Ok(None) => Err(Problem::not_found("documentation file", file)),
        Err(error) => {
            tracing::error!(%error, file, "a file of the documentation can't be made");
            Err(Problem::internal())
        }
    }
}

/// Files lie packed in the binary; a program that reads one need not know how to unpack it.
fn unpacked(packed: &[u8]) -> Result<Vec<u8>, Problem> {
    let mut file = Vec::new();
    GzDecoder::new(packed).read_to_end(&mut file).map_err(|error| {
        tracing::error!(%error, "a file of the documentation can't be unpacked");
        Problem::internal()
    })?;
    Ok(file)
}

fn page_headers(content_type: String) -> [(HeaderName, String); 2] {
    [(header::CONTENT_TYPE, content_type), (header::CONTENT_SECURITY_POLICY, POLICY.to_owned())]
}
