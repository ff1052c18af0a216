//! The token of a run, fetched for its agent.

use super::{Grant, HttpCoordinator, json, read, run_path, send};
use crate::coordinator::{CoordinatorError, places_here};
use reqwest::header::CONTENT_TYPE;
use serde::Deserialize;
use spalla_domain::claim::Heartbeat;
use spalla_domain::secret::Secret;

impl HttpCoordinator {
    /// Fetches the run's token. Walls let through what is on this machine alone, without TLS; elsewhere none is fetched. Nor
    /// is it where the server takes its bearer for somebody else: there everybody is let in, and an agent is not to be.
    pub(super) async fn fetch_grant(&self, run: Heartbeat) -> Result<Option<Grant>, CoordinatorError> {
        #[derive(Deserialize)]
        struct Shown {
            token: String,
        }
        #[derive(Deserialize)]
        struct Whoami {
            kind: String,
        }
        let url = self.base.as_str().trim_end_matches('/').to_owned();
        if self.base.scheme() != "http" || places_here(&url).is_empty() {
            return Ok(None);
        }
        let body = json(&serde_json::json!({ "fencing_token": run.fencing_token }))?;
        let request = self.post(&run_path(run.run_id, "token"))?.header(CONTENT_TYPE, "application/json");
        let Shown { token } = read(send(request.body(body)).await?, "the token of a run").await?;
        let bearer = Self { token: Some(token.clone()), ..self.clone() };
        let Whoami { kind } = read(send(bearer.get("whoami")?).await?, "who a run is").await?;
        Ok((kind == "run").then(|| Grant { url, token: Secret::from(token) }))
    }
}
