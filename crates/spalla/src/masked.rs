//! The claim protocol in one process, with what people answered masked in whatever the runs say. The server does the
//! same for workers that speak to it over HTTP.

use crate::embedded::{Embedded, said};
use futures_util::future::BoxFuture;
use spalla_domain::claim::{Exchange, ExchangeReply, Heartbeat, LogBatch};
use spalla_domain::found_command::{self, FoundCommand};
use spalla_domain::info_request::InfoField;
use spalla_domain::refused_host::RefusedHost;
use spalla_domain::run_event::RunEvent;
use spalla_domain::secret::Secret;
use spalla_domain::{InfoRequestId, WorkerId};
use spalla_server::{ArtifactError, Artifacts, Incoming, Vault};
use spalla_store::StoreError;
use spalla_worker::{Answer, ArtifactFile, Coordinator, CoordinatorError, Grant};

/// Hands the worker's calls on without the secrets in them.
pub(crate) struct Masked {
    /// Who gets them.
    pub(crate) embedded: Embedded,
    /// Who knows the secrets.
    pub(crate) vault: Vault,
    /// Who keeps files.
    pub(crate) artifacts: Artifacts,
    /// Where the server listens, for agents; none where it does not.
    pub(crate) url: Option<String>,
}

impl Coordinator for Masked {
    fn exchange(
        &self,
        mut exchange: Exchange,
        wait_ms: i64,
    ) -> BoxFuture<'_, Result<ExchangeReply, CoordinatorError>> {
        Box::pin(async move {
            self.vault.redact_completions(&mut exchange.completed).await.map_err(unavailable)?;
            self.embedded.exchange(exchange, wait_ms).await
        })
    }

    fn append_logs(&self, mut batch: LogBatch) -> BoxFuture<'_, Result<(), CoordinatorError>> {
        Box::pin(async move {
            self.vault.redact_logs(&mut batch).await.map_err(unavailable)?;
            self.embedded.append_logs(batch).await
        })
    }

    fn keep_artifact(
        &self,
        run: Heartbeat,
        file: ArtifactFile,
    ) -> BoxFuture<'_, Result<(), CoordinatorError>> {
        Box::pin(async move {
            let incoming = Incoming {
                run_id: run.run_id,
                fencing_token: Some(run.fencing_token),
                path: file.path().clone(),
                media_type: None,
            };
            self.artifacts.keep(incoming, file.pieces()).await.map(drop).map_err(|error| match error {
                ArtifactError::Execute(error) => said(error),
                // It was there a moment ago.
                ArtifactError::Body(error) => {
                    CoordinatorError::Rejected { status: 400, detail: error.to_string() }
                }
            })
        })
    }

    fn report_commands(
        &self,
        run: Heartbeat,
        worker: WorkerId,
        mut found: Vec<FoundCommand>,
    ) -> BoxFuture<'_, Result<found_command::Answer, CoordinatorError>> {
        Box::pin(async move {
            self.vault.redact_commands(run.run_id, &mut found).await.map_err(unavailable)?;
            self.embedded.report_commands(run, worker, found).await
        })
    }

    fn report_refused_hosts(
        &self,
        run: Heartbeat,
        mut hosts: Vec<RefusedHost>,
    ) -> BoxFuture<'_, Result<(), CoordinatorError>> {
        Box::pin(async move {
            self.vault.redact_refused_hosts(run.run_id, &mut hosts).await.map_err(unavailable)?;
            self.embedded.report_refused_hosts(run, hosts).await
        })
    }

    fn grant(&self, run: Heartbeat) -> BoxFuture<'_, Result<Option<Grant>, CoordinatorError>> {
        let token = || Secret::from(self.vault.run_token(run.run_id, run.fencing_token));
        let grant = self.url.clone().map(|url| Grant { url, token: token() });
        Box::pin(std::future::ready(Ok(grant)))
    }

    fn tell_events(
        &self,
        run: Heartbeat,
        mut events: Vec<RunEvent>,
    ) -> BoxFuture<'_, Result<(), CoordinatorError>> {
        Box::pin(async move {
            self.vault.redact_events(run.run_id, &mut events).await.map_err(unavailable)?;
            self.embedded.tell_events(run, events).await
        })
    }

    fn ask(
        &self,
        run: Heartbeat,
        reason: String,
        fields: Vec<InfoField>,
    ) -> BoxFuture<'_, Result<InfoRequestId, CoordinatorError>> {
        self.embedded.ask(run, reason, fields)
    }

    fn answer(
        &self,
        run: Heartbeat,
        id: InfoRequestId,
    ) -> BoxFuture<'_, Result<Option<Answer>, CoordinatorError>> {
        Box::pin(async move { self.vault.reveal(id, run.fencing_token).await.map_err(said) })
    }

    fn hand_back(&self, runs: Vec<Heartbeat>) -> BoxFuture<'_, Result<(), CoordinatorError>> {
        self.embedded.hand_back(runs)
    }
}

fn unavailable(error: StoreError) -> CoordinatorError {
    CoordinatorError::Unavailable { retry_after_ms: None, detail: error.to_string() }
}
