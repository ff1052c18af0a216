//! Lets a server notice a new publication of agents: it is looked through behind the gates, read ahead, and serves from then on;
//! one that is refused leaves what served before. Either is an event.

use super::Smoke;
use crate::failure::Result;
use crate::routing::Serving;
use spalla_domain::registry_news::{HeldAgent, IDS_MAX, Refused, RegistryNews, Reloaded};
use spalla_engine::EngineHandle;
use spalla_registry::index::INDEX;
use spalla_registry::registry::{Held, Registry};
use spalla_store::{Clock, Command};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// By what a change is told: of the index the time in nanoseconds, the length and the number of the file. A publication changes
/// places with the one before, so that its index is another file.
type Looks = (i64, i64, u64, u64);

/// The one who watches a server's agents.
pub(crate) struct Watching {
    /// The agents.
    pub(crate) serving: Arc<Serving>,
    /// Who keeps events.
    pub(crate) engine: EngineHandle,
    /// The clock.
    pub(crate) clock: Arc<dyn Clock>,
    /// How often is looked; none means only once.
    pub(crate) every: Option<Duration>,
}

impl Watching {
    /// Watches until the server leaves.
    pub(crate) async fn follow(self, leave: CancellationToken) -> Result<()> {
        self.begin().await;
        // Whoever publishes meanwhile is not kept waiting by what is tried.
        let (watched, ()) = tokio::join!(self.watch(&leave), self.try_serving(&leave));
        watched
    }

    async fn watch(&self, leave: &CancellationToken) -> Result<()> {
        let Some(every) = self.every else {
            leave.cancelled().await;
            return Ok(());
        };
        let mut seen = None;
        let mut rhythm = tokio::time::interval(every);
        rhythm.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = leave.cancelled() => return Ok(()),
                _ = rhythm.tick() => {}
            }
            let looks = looks(self.serving.registry().folder());
            // Where nothing was published there is nothing to read.
            let is_nothing = seen.is_none() && looks.is_none();
            if seen != Some(looks) && !is_nothing {
                self.reload(leave).await;
            }
            seen = Some(looks);
        }
    }

    /// Reads the aliases and what work most often leads to, so that nobody waits for it.
    async fn begin(&self) {
        if let Err(error) = self.serving.definitions().refresh(self.engine.store().read()).await {
            tracing::warn!(%error, "the aliases can't be read; it is tried again when one is named");
        }
        let serving = Arc::clone(&self.serving);
        if tokio::task::spawn_blocking(move || serving.warm()).await.is_err() {
            tracing::error!("reading the agents ahead broke off");
        }
    }

    /// Tries the definitions that serve from the start, as after a reload. Of those that fail nobody has the id from then on.
    async fn try_serving(&self, leave: &CancellationToken) {
        let (serving, ends) = (Arc::clone(&self.serving), leave.clone());
        let tried = tokio::task::spawn_blocking(move || {
            let smoke = Smoke::here();
            let held = serving.registry().try_serving(|definition, command| {
                let smoke = smoke.as_ref().ok().filter(|_| !ends.is_cancelled())?;
                let ran = smoke.run(definition, command);
                // One that was broken off says nothing.
                (!ends.is_cancelled()).then_some(ran)
            });
            let snapshot = serving.registry().snapshot();
            let index = snapshot.index();
            Reloaded {
                digest: index.digest.clone(),
                generated_at: index.generated_at.clone(),
                agents: index.agents.len(),
                held: held_agents(held),
                ..Reloaded::default()
            }
        });
        match tried.await {
            Ok(news) if !news.held.is_empty() => self.tell(RegistryNews::Reloaded(news)).await,
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "trying the agents broke off"),
        }
    }

    async fn tell(&self, news: RegistryNews) {
        say(&news);
        if let Err(error) = self.engine.execute(Command::TellRegistry(Box::new(news))).await {
            tracing::warn!(%error, "what became of the newest agents could not be noted");
        }
    }

    async fn reload(&self, leave: &CancellationToken) {
        let (serving, ends, now) = (Arc::clone(&self.serving), leave.clone(), self.clock.now());
        let news = tokio::task::spawn_blocking(move || {
            let news = reload(serving.registry(), &ends);
            news.map(|news| match news {
                Ok(reloaded) => RegistryNews::Reloaded(Reloaded { warmed: serving.warm(), ..reloaded }),
                Err(refused) => RegistryNews::Refused(Refused { at: now, ..refused }),
            })
        });
        let news = match news.await {
            Ok(Some(news)) => news,
            Ok(None) => return,
            Err(error) => return tracing::error!(%error, "reading the agents anew broke off"),
        };
        self.tell(news).await;
    }
}

/// Returns what is told of those that do not serve.
fn held_agents(held: Vec<Held>) -> Vec<HeldAgent> {
    let held = held.into_iter().take(IDS_MAX);
    held.map(|Held { id, why, old_serves }| HeldAgent { id, why, old_serves }).collect()
}

fn looks(folder: &Path) -> Option<Looks> {
    let data = fs::metadata(folder.join(INDEX)).ok()?;
    Some((data.mtime(), data.mtime_nsec(), data.len(), data.ino()))
}

/// Reads the folder anew; none where it is as it was.
fn reload(registry: &Registry, leave: &CancellationToken) -> Option<std::result::Result<Reloaded, Refused>> {
    let before = registry.snapshot();
    let smoke = Smoke::here();
    let reloaded = registry.reload(|definition, command| {
        if leave.is_cancelled() {
            return Err("the server ends".into());
        }
        match &smoke {
            Ok(smoke) => smoke.run(definition, command),
            Err(failure) => Err(failure.to_string()),
        }
    });
    let after = registry.snapshot();
    match reloaded {
        Ok(_) if Arc::ptr_eq(&before, &after) => None,
        Ok(reloaded) => {
            let index = after.index();
            Some(Ok(Reloaded {
                digest: index.digest.clone(),
                generated_at: index.generated_at.clone(),
                agents: index.agents.len(),
                changed: reloaded.changed.len(),
                removed: reloaded.removed.len(),
                warmed: 0,
                held: held_agents(reloaded.held),
            }))
        }
        Err(_) => {
            let reason = registry.refused().unwrap_or_default();
            let is_published = before.is_published();
            let serving = if is_published { before.index().digest.clone() } else { String::new() };
            let generated_at = is_published.then(|| before.index().generated_at.clone());
            Some(Err(Refused { reason, serving, generated_at, at: spalla_domain::Timestamp::from_ms(0) }))
        }
    }
}

fn say(news: &RegistryNews) {
    match news {
        RegistryNews::Reloaded(Reloaded { agents, changed, removed, held, .. }) => {
            tracing::info!(agents, changed, removed, held = held.len(), "the newest agents serve");
            for HeldAgent { id, why, .. } in held {
                tracing::warn!("the newest definition of {id} does not serve: {why}");
            }
        }
        RegistryNews::Refused(Refused { reason, .. }) => {
            tracing::warn!("the newest agents do not serve: {reason}");
        }
        // The server says that itself.
        RegistryNews::Unreached(_) => {}
    }
}
