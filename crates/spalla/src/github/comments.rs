//! A comment of ours on an issue: made once, and changed in its place from then on.

use super::api::Api;
use super::place::Repository;
use crate::failure::{Failure, Result};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

/// The longest comment, in bytes; GitHub takes 65,536 characters.
const TEXT_BYTES_MAX: usize = 60 * 1024;

/// What makes a comment ours: nobody else knows the word before it stands there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark<'a> {
    pub(super) nonce: &'a str,
    pub(super) kind: &'a str,
}

impl Mark<'_> {
    fn line(&self) -> String {
        format!("<!-- spalla:{}:{} -->", self.nonce, self.kind)
    }
}

/// Writes a comment: into the one that is known, or into the one that an earlier try left, or as a new one. Returns its id.
pub(super) async fn put(
    api: &Api,
    repository: &Repository,
    issue: u64,
    known: Option<u64>,
    (mark, text): (Mark<'_>, &str),
) -> Result<u64> {
    let line = mark.line();
    let text = &text[..text.floor_char_boundary(TEXT_BYTES_MAX)];
    let body = json!({"body": format!("{text}\n\n{line}")});
    let known = match known {
        Some(id) => Some(id),
        None => find(api, repository, issue, &line).await?,
    };
    if let Some(id) = known {
        let path = repository.path(&format!("/issues/comments/{id}"));
        let answer = api.ask(Method::PATCH, &path, Some(&body), None).await?;
        return match answer.status {
            // A person removed it, and does not want it there.
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(id),
            status if status.is_success() => Ok(id),
            status => Err(Failure::failed(format!("GitHub answers PATCH {path} with {status}"))),
        };
    }
    let made = api.post(&repository.path(&format!("/issues/{issue}/comments")), &body).await?;
    made["id"].as_u64().ok_or_else(|| Failure::failed("GitHub's comment has no id"))
}

async fn find(api: &Api, repository: &Repository, issue: u64, line: &str) -> Result<Option<u64>> {
    let all = api.list(&repository.path(&format!("/issues/{issue}/comments?per_page=100"))).await?;
    let is_ours = |comment: &&Value| comment["body"].as_str().is_some_and(|body| body.contains(line));
    Ok(all.iter().find(is_ours).and_then(|comment| comment["id"].as_u64()))
}
