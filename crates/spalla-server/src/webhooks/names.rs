//! Whether whoever is to be told by name has that name: what agents' definitions say (`metrics.escalation.notify`) and no
//! webhook is called is said in the log and told as an event, each name once while the server runs.

use crate::problem::Problem;
use crate::state::App;
use spalla_domain::EventSeq;
use spalla_domain::registry_news::{IDS_MAX, RegistryNews};
use spalla_domain::webhook::{WEBHOOKS_MAX, Webhook};
use spalla_store::Command;
use spalla_store::document::Kept;
use spalla_store::view::{DocumentFilter, EventFilter, Page};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

/// How many events are read at once.
const EVENTS_AT_ONCE: u32 = 100;
/// How many names are told of.
const NAMES_MAX: usize = 1_000;
/// How long is waited after what could not be read.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Who was looked for until now.
struct Names {
    /// Up to which event.
    cursor: EventSeq,
    /// Who was told of.
    told: BTreeSet<String>,
}

/// Looks whom events name until the shutdown.
pub(crate) async fn follow(app: &App, shutdown: CancellationToken) {
    let mut commits = app.engine.store().committed();
    let mut names: Option<Names> = None;
    loop {
        let looked = look(app, &mut names).await;
        let again = async {
            match looked {
                Ok(true) => {}
                Ok(false) => {
                    // What is missed of the commits is read all the same.
                    if matches!(commits.recv().await, Err(RecvError::Closed)) {
                        std::future::pending::<()>().await;
                    }
                    while commits.try_recv().is_ok() {}
                }
                Err(problem) => {
                    tracing::warn!(?problem, "whom events name could not be read; it is tried again");
                    tokio::time::sleep(AGAIN_AFTER).await;
                }
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = again => {}
        }
    }
}

/// Looks at the newest events; tells whether there may be more.
async fn look(app: &App, names: &mut Option<Names>) -> Result<bool, Problem> {
    let names = match names {
        Some(names) => names,
        None => {
            let cursor = app.read().newest_event().await?;
            names.insert(Names { cursor, told: BTreeSet::new() })
        }
    };
    let filter = EventFilter { project_id: None, run_id: None, after: Some(names.cursor) };
    let events = app.read().events(filter, EVENTS_AT_ONCE).await?;
    let Some(last) = events.last().map(|event| event.seq) else { return Ok(false) };
    let named =
        events.iter().flat_map(|event| event.fact.notified()).filter(|name| !names.told.contains(*name));
    let named: BTreeSet<String> = named.map(str::to_owned).collect();
    if !named.is_empty() {
        tell(app, names, named).await?;
    }
    names.cursor = last;
    Ok(events.len() >= EVENTS_AT_ONCE as usize)
}

async fn tell(app: &App, names: &mut Names, named: BTreeSet<String>) -> Result<(), Problem> {
    let filter = DocumentFilter { kind: Webhook::KIND, owner: None, status: None };
    let page = Page { limit: WEBHOOKS_MAX, before: None, offset: 0 };
    let mut known = BTreeSet::new();
    for document in app.read().documents(filter, page).await? {
        let webhook: Webhook = document.read()?;
        known.extend(webhook.spec.name);
    }
    let unknown: Vec<String> = named.into_iter().filter(|name| !known.contains(name)).take(IDS_MAX).collect();
    if unknown.is_empty() || names.told.len() + unknown.len() > NAMES_MAX {
        return Ok(());
    }
    tracing::warn!(
        "nobody is told who is called {}: no webhook has that name, and definitions say it (metrics.escalation.notify)",
        unknown.join(", ")
    );
    let news = RegistryNews::Unreached(unknown.clone());
    app.engine.execute(Command::TellRegistry(Box::new(news))).await?;
    names.told.extend(unknown);
    Ok(())
}
