//! Scratchpads for routes, and the janitor that removes those whose time is over. Files are looked at beside the tasks of
//! the server.

use crate::problem::Problem;
use crate::state::{App, Shared};
use axum::http::StatusCode;
use spalla_domain::problem::Code;
use spalla_scratchpad::{Error, Kind, Scratchpads};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often the janitor looks.
const LOOK_EVERY: Duration = Duration::from_secs(10 * 60);

impl Shared {
    /// Does something with the scratchpads, beside the tasks of the server.
    pub(crate) async fn with_scratchpads<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Scratchpads) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Problem> {
        let scratchpads = self.scratchpads.clone();
        let done = tokio::task::spawn_blocking(move || act(&scratchpads)).await;
        match done {
            Ok(done) => done.map_err(problem),
            Err(error) => {
                tracing::error!(%error, "looking at scratchpads");
                Err(Problem::internal())
            }
        }
    }
}

fn problem(error: Error) -> Problem {
    let said = error.to_string();
    match error.kind() {
        Kind::NotFound => Problem::new(StatusCode::NOT_FOUND, Code::NotFound.as_str(), said),
        Kind::Invalid => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, Code::Invalid.as_str(), said),
        Kind::KeyReused => {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, Code::IdempotencyKeyReused.as_str(), said)
        }
        Kind::Conflict => Problem::new(StatusCode::CONFLICT, "scratchpad_conflict", said),
        Kind::TooLarge => Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "scratchpad_too_large", said),
        Kind::Internal => {
            tracing::error!(error = said, "a scratchpad");
            Problem::internal()
        }
    }
}

/// Removes what is over, now and then, until the shutdown.
pub(crate) async fn watch(app: &App, shutdown: CancellationToken) {
    loop {
        clean(app).await;
        if shutdown.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await.is_none() {
            return;
        }
    }
}

async fn clean(app: &App) {
    let now = app.now();
    let cleaned = match app.with_scratchpads(move |scratchpads| scratchpads.clean(now, false)).await {
        Ok(cleaned) => cleaned,
        Err(problem) => {
            tracing::warn!(code = problem.code(), "scratchpads were not looked through");
            return;
        }
    };
    for one in cleaned {
        let id = one.id.as_str();
        match one.error {
            Some(error) => tracing::warn!(id, error, "a scratchpad stays"),
            None => tracing::info!(id, is_removed = one.is_removed, "the time of a scratchpad is over"),
        }
    }
}
