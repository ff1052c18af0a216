//! Artifacts: files in from the holder of a run or from a person, and out again to whoever may read.

use super::run_logs::number;
use crate::access::Reach;
use crate::api::Api;
use crate::api::routes;
use crate::artifacts::{ArtifactError, Incoming};
use crate::audit::Audited;
use crate::extract::{Id, NoParams, Params, PendingKey, RunFile, body};
use crate::problem::Problem;
use crate::state::App;
use crate::wire::artifact::Artifact;
use crate::wire::list::{Listed, list_query};
use crate::wire::number::{IdInPath, IdNumber, Ordinal};
use crate::wire::problem::ProblemDocument;
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use spalla_domain::artifact::{self, ARTIFACT_BYTES_MAX, ArtifactPath};
use spalla_domain::{ArtifactId, Fence, RunId};
use spalla_store::StoreError;
use utoipa::IntoParams;

/// What of a file's name is written as it is in a header.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

/// Adds the routes.
pub(super) fn add(api: Api) -> Api {
    api.add(routes!(list_artifacts)).add(routes!(put_artifact, get_artifact))
}

list_query! {
    /// Which artifacts are shown.
    ArtifactsQuery {}
}

/// Lists what a run left, newest first
#[utoipa::path(get, path = "/work-items/runs/{id}/artifacts", tag = "artifacts", params(IdInPath, ArtifactsQuery),
    responses((status = 200, description = "Its artifacts.", body = Vec<Artifact>)))]
async fn list_artifacts(
    State(app): State<App>,
    Id(run_id): Id<RunId>,
    uri: Uri,
    Params(query): Params<ArtifactsQuery>,
) -> Result<Listed<Artifact>, Problem> {
    super::runs::show(&app, run_id).await?;
    let paging = query.paging();
    let found = app.read().artifacts(run_id, paging.page).await?;
    let total = if paging.count { Some(app.read().artifact_totals(run_id).await?.count) } else { None };
    let last = found.last().map(|artifact| artifact.id.0);
    Ok(Listed::new(found.into_iter().map(Into::into).collect(), last, &uri, paging, total))
}

/// The artifact that a path names.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "the path is read by `RunFile`; this describes it")]
struct ArtifactInPath {
    /// The id of the run.
    #[param(inline)]
    id: IdNumber,
    /// Where the file lies among what the run left: a relative path with one spelling, without `.`, `..`, empty parts,
    /// backslashes and control characters. Its slashes may be escaped.
    #[param(min_length = 1, max_length = 1024, example = "dist/app.tar.gz")]
    path: String,
}

/// What a worker says when it sends a file.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "the headers are read one by one; this describes them")]
struct PutHeaders {
    /// The token of the lease; left out, a person keeps a file for a run that nobody holds.
    #[param(inline, rename = "X-Fencing-Token")]
    fencing_token: Option<Ordinal>,
}

/// Keeps a file of a run
///
/// The holder of the run does so with its token; a person without one, while nobody holds the run. What stood at the
/// path goes. A file has at most 64 MiB, and a run leaves at most 1,000 files and 256 MiB. In a text (UTF-8), what was
/// answered to the run is masked as in its log, and the digest is that of what is kept; other files are kept as they
/// are.
#[utoipa::path(put, path = "/work-items/runs/{id}/artifacts/{*path}", tag = "artifacts",
    params(ArtifactInPath, PutHeaders),
    request_body(content = String, content_type = "application/octet-stream",
        description = "The file. Its Content-Type is kept; without one it is guessed from the path."),
    responses((status = 201, description = "It is kept.", body = Artifact),
        (status = 200, description = "It is kept in the place of another one.", body = Artifact),
        (status = 413, description = "The file is too large (`artifact_too_large`), or the run has left too much \
            (`artifacts_full`).", body = ProblemDocument, content_type = "application/problem+json")))]
async fn put_artifact(
    State(app): State<App>,
    RunFile(run_id, path): RunFile,
    _: Params<NoParams>,
    reach: Reach,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let fencing_token = number(&parts.headers, "X-Fencing-Token")?.map(Fence);
    let mark = (PendingKey::begin(&parts)?, parts.extensions.get::<Audited>().cloned(), reach.scope());
    let stood = app.read().artifact(run_id, path.clone()).await?;
    if body::promises_more_than(&body, ARTIFACT_BYTES_MAX) {
        return Err(artifact::too_large(ARTIFACT_BYTES_MAX + 1).into());
    }
    let media_type = media_type(&parts.headers);
    let incoming = Incoming { run_id, fencing_token, path: path.clone(), media_type };
    app.artifacts.keep_once(incoming, body::stream(body), mark).await.map_err(problem)?;
    let kept = find(&app, run_id, path).await?;
    let status = if stood.is_some() { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, [(header::ETAG, etag(&kept))], Json(Artifact::from(kept))).into_response())
}

fn problem(error: ArtifactError<Problem>) -> Problem {
    match error {
        ArtifactError::Execute(error) => error.into(),
        ArtifactError::Body(problem) => problem,
    }
}

fn media_type(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let only = values.next().filter(|_| values.next().is_none())?;
    only.to_str().ok().map(str::to_owned)
}

/// Shows a file of a run; always as something to be saved, whatever it is
#[utoipa::path(get, path = "/work-items/runs/{id}/artifacts/{*path}", tag = "artifacts", params(ArtifactInPath),
    responses((status = 200, description = "The file, under its own Content-Type.", body = String,
            content_type = "application/octet-stream"),
        (status = 304, description = "If-None-Match names the file as it is.")))]
async fn get_artifact(
    State(app): State<App>,
    RunFile(run_id, path): RunFile,
    headers: HeaderMap,
    _: Params<NoParams>,
) -> Result<Response, Problem> {
    let kept = find(&app, run_id, path).await?;
    let tag = etag(&kept);
    if headers.get_all(header::IF_NONE_MATCH).iter().any(|value| names(value, &tag)) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    let unknown = HeaderValue::from_static("application/octet-stream");
    let answer = [
        (header::ETAG, tag),
        (header::CONTENT_TYPE, HeaderValue::from_str(&kept.media_type).unwrap_or(unknown)),
        (header::CONTENT_LENGTH, HeaderValue::from(kept.bytes)),
        (header::CONTENT_DISPOSITION, disposition(&kept.path)),
        // It is nobody's page: even where somebody opens it, it runs nothing.
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox")),
    ];
    Ok((answer, content(app, kept)).into_response())
}

async fn find(app: &App, run_id: RunId, path: ArtifactPath) -> Result<artifact::Artifact, Problem> {
    match app.read().artifact(run_id, path.clone()).await? {
        Some(found) => Ok(found),
        None => {
            super::runs::show(app, run_id).await?;
            Err(Problem::not_found(&format!("artifact of run {run_id}"), path))
        }
    }
}

/// Reads a file part by part while it is sent. Where it is replaced meanwhile, the connection breaks off: a client that
/// counts sees that it does not have all of it.
fn content(app: App, kept: artifact::Artifact) -> Body {
    let part = |app: App, id: ArtifactId, place: u32, left: u64| async move {
        if left == 0 {
            return Ok(None);
        }
        let data = app.read().artifact_chunk(id, place).await?;
        let data =
            data.ok_or_else(|| StoreError::Corrupt(format!("artifact {id} ends {left} bytes early")))?;
        let left = left.saturating_sub(data.len() as u64);
        Ok::<_, StoreError>(Some((Bytes::from(data), (place + 1, left))))
    };
    Body::from_stream(stream::try_unfold((0, kept.bytes), move |(place, left)| {
        part(app.clone(), kept.id, place, left)
    }))
}

fn etag(kept: &artifact::Artifact) -> HeaderValue {
    let text = format!("\"{}\"", kept.sha256);
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

fn names(value: &HeaderValue, tag: &HeaderValue) -> bool {
    let (listed, tag) = (value.to_str().unwrap_or_default(), tag.to_str().unwrap_or_default());
    listed.split(',').map(str::trim).any(|one| one == "*" || one.trim_start_matches("W/") == tag)
}

/// Lets whoever gets a file save it under its name, and nothing else.
fn disposition(path: &ArtifactPath) -> HeaderValue {
    let name = path.file_name();
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-._ ".contains(c) { c } else { '_' };
    let ascii: String = name.chars().map(plain).collect();
    let text =
        format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{}", utf8_percent_encode(name, ESCAPED));
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("attachment"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_saved_under_its_name_and_breaks_no_header() {
        let said = |path: &str| {
            let value = disposition(&ArtifactPath::new(path).unwrap());
            value.to_str().unwrap().to_owned()
        };
        assert_eq!(said("dist/app.js"), "attachment; filename=\"app.js\"; filename*=UTF-8''app.js");
        assert_eq!(
            said("a/\"; x=ä"),
            "attachment; filename=\"__ x__\"; filename*=UTF-8''%22%3B%20x%3D%C3%A4"
        );
    }

    #[test]
    fn a_tag_is_found_among_others() {
        let is =
            |given: &'static str| names(&HeaderValue::from_static(given), &HeaderValue::from_static("\"a\""));
        assert_eq!(
            [is("\"a\""), is("W/\"b\", W/\"a\""), is("*"), is("\"b\""), is("")],
            [true, true, true, false, false]
        );
    }
}
