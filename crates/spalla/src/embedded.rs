//! The claim protocol in one process: an embedded worker's calls go straight to the engine.

use futures_util::future::BoxFuture;
use spalla_domain::claim::{Exchange, ExchangeReply, Heartbeat, LogBatch};
use spalla_domain::found_command::{self, FoundCommand};
use spalla_domain::info_request::InfoField;
use spalla_domain::problem::Kind;
use spalla_domain::refused_host::RefusedHost;
use spalla_domain::run_event::RunEvent;
use spalla_domain::{InfoRequestId, Refusal, WorkerId};
use spalla_engine::EngineHandle;
use spalla_store::{Command, ExecuteError, Reply};
use spalla_worker::{Coordinator, CoordinatorError};
use std::time::Duration;

/// Hands the worker's calls to the engine of the same process.
pub struct Embedded(
    /// The engine.
    pub EngineHandle,
);

impl Coordinator for Embedded {
    fn exchange(
        &self,
        exchange: Exchange,
        wait_ms: i64,
    ) -> BoxFuture<'_, Result<ExchangeReply, CoordinatorError>> {
        Box::pin(async move {
            let wait = Duration::from_millis(wait_ms.max(0).unsigned_abs());
            match self.0.claim(Command::Exchange(exchange), wait).await.map_err(said)? {
                Reply::Exchanged(reply) => Ok(*reply),
                other => Err(unexpected(&other)),
            }
        })
    }

    fn append_logs(&self, batch: LogBatch) -> BoxFuture<'_, Result<(), CoordinatorError>> {
        Box::pin(async move { self.0.execute(Command::AppendLogs(batch)).await.map(drop).map_err(said) })
    }

    fn ask(
        &self,
        run: Heartbeat,
        reason: String,
        fields: Vec<InfoField>,
    ) -> BoxFuture<'_, Result<InfoRequestId, CoordinatorError>> {
        Box::pin(async move {
            let Heartbeat { run_id, fencing_token } = run;
            let command = Command::AskInfo { run_id, fencing_token, reason, fields, asked_by: None };
            match self.0.execute(command).await.map_err(said)? {
                Reply::InfoRequest(id) => Ok(id),
                other => Err(unexpected(&other)),
            }
        })
    }

    fn report_commands(
        &self,
        holder: Heartbeat,
        worker: WorkerId,
        found: Vec<FoundCommand>,
    ) -> BoxFuture<'_, Result<found_command::Answer, CoordinatorError>> {
        Box::pin(async move {
            let command = Command::ReportCommands { holder, worker, found };
            match self.0.execute(command).await.map_err(said)? {
                Reply::CommandsFound(answer) => Ok(answer),
                other => Err(unexpected(&other)),
            }
        })
    }

    fn report_refused_hosts(
        &self,
        holder: Heartbeat,
        hosts: Vec<RefusedHost>,
    ) -> BoxFuture<'_, Result<(), CoordinatorError>> {
        Box::pin(async move {
            let command = Command::ReportRefusedHosts { holder, hosts };
            self.0.execute(command).await.map(drop).map_err(said)
        })
    }

    fn tell_events(
        &self,
        holder: Heartbeat,
        events: Vec<RunEvent>,
    ) -> BoxFuture<'_, Result<(), CoordinatorError>> {
        Box::pin(async move {
            let command = Command::TellEvents { holder, events };
            self.0.execute(command).await.map(drop).map_err(said)
        })
    }

    fn hand_back(&self, runs: Vec<Heartbeat>) -> BoxFuture<'_, Result<(), CoordinatorError>> {
        Box::pin(async move {
            let mut outcome = Ok(());
            for run in runs {
                // A run that is not ours any more needs no handing back; the others still do.
                match self.0.execute(Command::HandBack(run)).await.map_err(said) {
                    Ok(_) | Err(CoordinatorError::Refused { .. }) => {}
                    Err(error) => outcome = Err(error),
                }
            }
            outcome
        })
    }
}

/// Says what a remote worker would have been told.
pub(crate) fn said(error: ExecuteError) -> CoordinatorError {
    match error {
        ExecuteError::Refused(refusal) => refused(refusal),
        ExecuteError::Store(error) => {
            CoordinatorError::Unavailable { retry_after_ms: None, detail: error.to_string() }
        }
    }
}

fn refused(refusal: Refusal) -> CoordinatorError {
    match refusal.code.kind() {
        Kind::NotFound | Kind::Conflict => {
            CoordinatorError::Refused { code: refusal.code.as_str().into(), detail: refusal.detail }
        }
        Kind::Overloaded => CoordinatorError::Unavailable { retry_after_ms: None, detail: refusal.detail },
        Kind::Invalid => CoordinatorError::Rejected { status: 422, detail: refusal.detail },
        Kind::TooLarge => CoordinatorError::Rejected { status: 413, detail: refusal.detail },
    }
}

fn unexpected(reply: &Reply) -> CoordinatorError {
    CoordinatorError::Rejected {
        status: 500,
        detail: format!("the engine answered {reply:?}, which is no answer to that"),
    }
}
