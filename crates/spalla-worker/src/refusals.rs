//! Hosts that the commands of a run are refused, on their way to the server while the run goes on: each once.

use crate::questions::{heartbeat, insist};
use crate::run::{End, Run};
use crate::walls::cut;
use spalla_domain::refused_host::{REFUSED_HOSTS_MAX, RefusedHost};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// What the commands of a run were refused; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Refusals(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    told: Mutex<Told>,
    more: Notify,
}

#[derive(Debug, Default)]
struct Told {
    /// Which hosts are known. When it is full, nothing more is taken.
    known: BTreeSet<String>,
    /// What the server does not know yet.
    waiting: Vec<RefusedHost>,
}

impl Refusals {
    /// Takes note of a host that a command was refused.
    pub(crate) fn add(&self, refused: &spalla_sandbox::RefusedHost) {
        let spalla_sandbox::RefusedHost { host, port, reason } = refused;
        let refused = RefusedHost { host: cut(host), port: *port, reason: cut(reason) };
        let mut told = self.told();
        if told.known.len() < REFUSED_HOSTS_MAX && told.known.insert(refused.name()) {
            told.waiting.push(refused);
            self.0.more.notify_one();
        }
    }

    /// Hands on what a process was refused that serves several runs: it belongs to the one that it serves now.
    pub(crate) fn hand_over(&self, to: &Self) {
        let waiting = {
            let mut told = self.told();
            told.known.clear();
            std::mem::take(&mut told.waiting)
        };
        for RefusedHost { host, port, reason } in waiting {
            to.add(&spalla_sandbox::RefusedHost { host, port, reason });
        }
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Carries a run on, and reports meanwhile what its commands are refused. What nobody was told is told before this
/// returns.
pub(crate) async fn report_while(run: &Run<'_>, going_on: impl Future<Output = End>) -> End {
    let reporting = async {
        loop {
            run.refusals.0.more.notified().await;
            report(run).await;
        }
    };
    let end = tokio::select! {
        end = going_on => end,
        end = reporting => end,
    };
    report(run).await;
    end
}

async fn report(run: &Run<'_>) {
    let hosts = run.refusals.told().waiting.clone();
    if hosts.is_empty() {
        return;
    }
    // The server takes no host twice, so that a report may be cut off and made again.
    let report = || run.coordinator.report_refused_hosts(heartbeat(run), hosts.clone());
    if insist(run, "telling which hosts were refused", report).await.is_err() {
        let run_id = run.assignment.run_id;
        tracing::warn!(run = %run_id, "hosts that were refused could not be reported; they are attested at its end");
    }
    run.refusals.told().waiting.drain(..hosts.len());
}
