//! The claim protocol from the worker's side. An embedded worker speaks it to the engine in its own process, a
//! remote one over HTTP; the worker can't tell which.

mod http;

pub use http::{HttpCoordinator, HttpError};

use crate::artifact::ArtifactFile;
use crate::questions::Answer;
use futures_util::future::BoxFuture;
use spalla_domain::claim::{Exchange, ExchangeReply, Heartbeat, LogBatch};
use spalla_domain::found_command::{self, FoundCommand};
use spalla_domain::info_request::InfoField;
use spalla_domain::refused_host::RefusedHost;
use spalla_domain::run_event::RunEvent;
use spalla_domain::secret::Secret;
use spalla_domain::{InfoRequestId, WorkerId};
use spalla_sandbox::loopback_servers;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// Who hands out runs and takes their results.
pub trait Coordinator: Send + Sync + 'static {
    /// Completes, extends and claims in one call; waits up to `wait_ms` for a run to claim. Dropping the answer
    /// while it waits must not claim anything.
    fn exchange(
        &self,
        exchange: Exchange,
        wait_ms: i64,
    ) -> BoxFuture<'_, Result<ExchangeReply, CoordinatorError>>;

    /// Keeps lines of a run's log. Sending numbered lines again changes nothing.
    fn append_logs(&self, batch: LogBatch) -> BoxFuture<'_, Result<(), CoordinatorError>>;

    /// Gives runs back without a result, so that somebody else can take them at once.
    fn hand_back(&self, runs: Vec<Heartbeat>) -> BoxFuture<'_, Result<(), CoordinatorError>>;

    /// Makes runs of what is eligible, where the other side does not do so by itself.
    fn tick(&self) -> BoxFuture<'_, Result<(), CoordinatorError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Keeps a file that a run leaves. The same file once more changes nothing that anybody sees.
    fn keep_artifact(
        &self,
        _run: Heartbeat,
        _file: ArtifactFile,
    ) -> BoxFuture<'_, Result<(), CoordinatorError>> {
        let detail = "no files are kept through this coordinator".to_owned();
        Box::pin(std::future::ready(Err(CoordinatorError::Rejected { status: 501, detail })))
    }

    /// Tells what the command policy found in a run's steps. Returns what the commands wait for.
    fn report_commands(
        &self,
        _run: Heartbeat,
        _worker: WorkerId,
        _found: Vec<FoundCommand>,
    ) -> BoxFuture<'_, Result<found_command::Answer, CoordinatorError>> {
        Box::pin(std::future::ready(Err(asks_nobody())))
    }

    /// Tells which hosts a run's proxy refused. The same host once more changes nothing.
    fn report_refused_hosts(
        &self,
        _run: Heartbeat,
        _hosts: Vec<RefusedHost>,
    ) -> BoxFuture<'_, Result<(), CoordinatorError>> {
        Box::pin(std::future::ready(Err(asks_nobody())))
    }

    /// Lets the agent of a run speak to the server in the run's name; none where there is no way to it.
    fn grant(&self, _run: Heartbeat) -> BoxFuture<'_, Result<Option<Grant>, CoordinatorError>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    /// Tells events of a run. The same event once more, under its name, changes nothing.
    fn tell_events(
        &self,
        _run: Heartbeat,
        _events: Vec<RunEvent>,
    ) -> BoxFuture<'_, Result<(), CoordinatorError>> {
        Box::pin(std::future::ready(Err(asks_nobody())))
    }

    /// Asks a person for values in the name of a run. The same question once more is the same request.
    fn ask(
        &self,
        _run: Heartbeat,
        _reason: String,
        _fields: Vec<InfoField>,
    ) -> BoxFuture<'_, Result<InfoRequestId, CoordinatorError>> {
        Box::pin(std::future::ready(Err(asks_nobody())))
    }

    /// Returns what a person answered, once they did.
    fn answer(
        &self,
        _run: Heartbeat,
        _id: InfoRequestId,
    ) -> BoxFuture<'_, Result<Option<Answer>, CoordinatorError>> {
        Box::pin(std::future::ready(Err(asks_nobody())))
    }
}

/// How the agent of a run reaches the server.
#[derive(Debug)]
pub struct Grant {
    /// Where it is.
    pub url: String,
    /// The run's token.
    pub token: Secret,
}

/// Returns where on this machine's loopback device a server of this address is; nothing where it is elsewhere. Walls let
/// nothing else through.
pub(crate) fn places_here(url: &str) -> Vec<SocketAddr> {
    loopback_servers(&BTreeMap::from([("OPENAI_BASE_URL".to_owned(), url.to_owned())]))
}

fn asks_nobody() -> CoordinatorError {
    let detail = "nobody can be asked through this coordinator".to_owned();
    CoordinatorError::Rejected { status: 501, detail }
}

/// Why a call had no effect, by what the worker does next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CoordinatorError {
    /// The state forbids it, such as `stale_token` when the lease was lost: the run is stopped.
    #[error("refused ({code}): {detail}")]
    Refused {
        /// The stable code.
        code: String,
        /// What was wrong.
        detail: String,
    },
    /// Nobody answered, or somebody who has too much to do: it is tried again later.
    #[error("not available: {detail}")]
    Unavailable {
        /// How long to wait at least, where the other side says so, in milliseconds.
        retry_after_ms: Option<i64>,
        /// What happened.
        detail: String,
    },
    /// The call itself is wrong, such as a token that is not accepted: trying again won't help.
    #[error("rejected with status {status}: {detail}")]
    Rejected {
        /// The HTTP status, or what it would be.
        status: u16,
        /// What was wrong.
        detail: String,
    },
}
