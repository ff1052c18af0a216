//! Owns every long-lived task of a process. Shutdown has three steps: claim no more and let runs end; cancel what is
//! left; leave.

use crate::failure::{Failure, Result};
use std::fmt;
use std::future::Future;
use std::time::Duration;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

/// How long cancelled runs have to hand themselves back.
const CANCEL_LIMIT: Duration = Duration::from_secs(15);
/// How long the server has to answer what it is answering.
const LEAVE_LIMIT: Duration = Duration::from_secs(5);

/// What a task is; says when it has to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Carries runs out: drains first, because it needs the server to report to.
    Worker,
    /// Answers clients: leaves last.
    Server,
    /// Watches what is published of the agents: leaves with the server.
    Agents,
    /// Watches whether agents keep what was promised of them: leaves with the server.
    Promises,
    /// Watches issues of GitHub: begins nothing more when the shutdown begins.
    Issues,
    /// Sends traces to a collector: leaves with the server.
    #[cfg(feature = "otlp")]
    Traces,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Worker => "the worker",
            Self::Server => "the server",
            Self::Agents => "the watcher of agents",
            Self::Promises => "the watch on promises",
            Self::Issues => "the watch on issues",
            #[cfg(feature = "otlp")]
            Self::Traces => "the sender of traces",
        })
    }
}

/// What tells the tasks to end, step by step.
#[derive(Debug, Clone, Default)]
pub(crate) struct Steps {
    /// Claim no more, and let runs end.
    pub(crate) drain: CancellationToken,
    /// End the runs and hand them back.
    pub(crate) cancel: CancellationToken,
    /// Take no more calls.
    pub(crate) leave: CancellationToken,
}

/// The owner of the tasks.
#[derive(Debug, Default)]
pub(crate) struct Supervisor {
    tasks: JoinSet<(Part, Result<()>)>,
    workers: usize,
    steps: Steps,
}

impl Supervisor {
    /// Returns what tells the tasks to end.
    pub(crate) fn steps(&self) -> Steps {
        self.steps.clone()
    }

    /// Starts a task; from then on it is owned.
    pub(crate) fn start(&mut self, part: Part, work: impl Future<Output = Result<()>> + Send + 'static) {
        self.workers += usize::from(part == Part::Worker);
        self.tasks.spawn(async move { (part, work.await) });
    }

    /// Waits until a task ends that nobody asked to end, and returns why. Never returns while all goes well.
    pub(crate) async fn broken(&mut self) -> Failure {
        let Some(ended) = self.tasks.join_next().await else { return std::future::pending().await };
        match self.note(ended) {
            (part, Ok(())) => Failure::failed(format!("{part} ended by itself")),
            (_, Err(failure)) => failure,
        }
    }

    /// Ends everything in three steps. Runs have `grace` to end by themselves, cut short when `hurry` is done.
    pub(crate) async fn stop(mut self, grace: Duration, hurry: impl Future<Output = ()>) {
        self.steps.drain.cancel();
        tokio::select! {
            // First, so that where no run is left nothing is said about any.
            biased;
            () = self.workers_ended() => {}
            () = tokio::time::sleep(grace) => tracing::warn!("runs are still going on after {grace:?}: handing them back"),
            () = hurry => tracing::info!("no run is waited for: handing them back"),
        }
        self.steps.cancel.cancel();
        if tokio::time::timeout(CANCEL_LIMIT, self.workers_ended()).await.is_err() {
            tracing::error!("the worker did not end within {CANCEL_LIMIT:?}; its leases end by themselves");
        }
        self.steps.leave.cancel();
        let everybody = async { while self.next().await.is_some() {} };
        if tokio::time::timeout(LEAVE_LIMIT, everybody).await.is_err() {
            tracing::warn!("connections were still open after {LEAVE_LIMIT:?}");
        }
        self.tasks.shutdown().await;
    }

    async fn workers_ended(&mut self) {
        while self.workers > 0 && self.next().await.is_some() {}
    }

    /// Waits for the next task that ends and writes down what went wrong.
    async fn next(&mut self) -> Option<()> {
        let ended = self.tasks.join_next().await?;
        if let (part, Err(failure)) = self.note(ended) {
            tracing::error!("{part}: {failure}");
        }
        Some(())
    }

    fn note(&mut self, ended: Result<(Part, Result<()>), JoinError>) -> (Part, Result<()>) {
        // A task that panicked does not say which it was; the panic itself was printed.
        let (part, result) = ended.unwrap_or_else(|error| {
            (Part::Server, Err(Failure::failed(format!("a part of the program broke: {error}"))))
        });
        self.workers -= usize::from(part == Part::Worker);
        (part, result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, ready};
    use std::sync::{Arc, Mutex};

    /// Longer than any test may take.
    const LONG: Duration = Duration::from_secs(3_600);

    #[tokio::test]
    async fn the_worker_drains_before_the_server_leaves() {
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut supervisor = Supervisor::default();
        let (steps, seen) = (supervisor.steps(), order.clone());
        supervisor.start(Part::Server, async move {
            steps.leave.cancelled().await;
            seen.lock().unwrap().push("server left");
            Ok(())
        });
        let (steps, seen) = (supervisor.steps(), order.clone());
        supervisor.start(Part::Worker, async move {
            steps.drain.cancelled().await;
            tokio::task::yield_now().await;
            seen.lock().unwrap().push(if steps.cancel.is_cancelled() { "cancelled" } else { "runs ended" });
            Ok(())
        });
        supervisor.stop(LONG, pending()).await;
        assert_eq!(*order.lock().unwrap(), ["runs ended", "server left"]);
    }

    #[tokio::test]
    async fn runs_that_do_not_end_are_cancelled_after_the_grace_or_at_once_in_a_hurry() {
        for in_a_hurry in [false, true] {
            let mut supervisor = Supervisor::default();
            let steps = supervisor.steps();
            supervisor.start(Part::Worker, async move {
                steps.cancel.cancelled().await;
                Ok(())
            });
            match in_a_hurry {
                false => supervisor.stop(Duration::ZERO, pending()).await,
                true => supervisor.stop(LONG, ready(())).await,
            }
        }
    }

    #[tokio::test]
    async fn a_part_that_ends_by_itself_is_noticed() {
        let mut supervisor = Supervisor::default();
        supervisor.start(Part::Server, async { Err(Failure::failed("the socket broke")) });
        assert_eq!(supervisor.broken().await.to_string(), "the socket broke");
        supervisor.start(Part::Worker, async { Ok(()) });
        assert_eq!(supervisor.broken().await.to_string(), "the worker ended by itself");
    }
}
