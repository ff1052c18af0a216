//! Sends events to webhooks: one task for each, from the event log, so that a slow receiver is nobody else's delay and a
//! restart goes on where it was. What was sent is noted a few at a time; what was not noted is sent again.
//!
//! ```text
//!  coordinator ─► task of one webhook ─► events after its cursor ─► attempt (resolve, connect, sign, send) ─► note
//! ```

mod attempt;
mod behalf;
mod names;
mod target;
mod tls;

pub(crate) use behalf::UnderWay;
pub(crate) use names::follow as follow_names;
pub(crate) use target::Target;
pub use tls::WebhookTrust;

use crate::problem::Problem;
use crate::state::App;
use crate::wire;
use attempt::{Attempt, attempt};
use behalf::{Maker, is_wanted};
use spalla_domain::event::Event;
use spalla_domain::notice::Notice;
use spalla_domain::secret::Secret;
use spalla_domain::webhook::{Noted, WEBHOOKS_MAX, Webhook};
use spalla_domain::{EventSeq, WebhookId};
use spalla_store::Command;
use spalla_store::document::Kept;
use spalla_store::view::{DocumentFilter, EventFilter, Page};
use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;

/// How long whoever sends has the word to itself, in milliseconds: longer than a few attempts that all run out of time.
const HOLD_MS: i64 = 120_000;
/// How many events are read at once.
const EVENTS_AT_ONCE: u32 = 100;
/// How many deliveries are noted together: what is sent again after a crash at most.
const NOTED_TOGETHER: usize = 20;
/// How long what comes right behind a commit is waited for, so that a busy log is not read anew with every commit.
const TOGETHER: Duration = Duration::from_millis(20);
/// How often is looked for what other servers changed.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// How often is looked whether a wait is over: the clock may be moved.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// Sends to every webhook until the shutdown.
pub(crate) async fn follow(app: &App, shutdown: CancellationToken) {
    let mut tasks = JoinSet::new();
    let mut known: BTreeMap<WebhookId, AbortHandle> = BTreeMap::new();
    let mut changed = app.webhooks_changed.subscribe();
    loop {
        match ids(app).await {
            Ok(ids) => {
                known.retain(|_, task| !task.is_finished());
                for id in ids {
                    let app = app.clone();
                    known.entry(id).or_insert_with(|| tasks.spawn(async move { send_to(&app, id).await }));
                }
            }
            Err(problem) => tracing::warn!(?problem, "the webhooks could not be read; it tries again"),
        }
        while tasks.try_join_next().is_some() {}
        tokio::select! {
            () = shutdown.cancelled() => break,
            // The sender lives as long as the server.
            _ = changed.changed() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
    // What is under way is sent again after the start: at least once.
    tasks.shutdown().await;
}

async fn ids(app: &App) -> Result<Vec<WebhookId>, Problem> {
    let filter = DocumentFilter { kind: Webhook::KIND, owner: None, status: None };
    let page = Page { limit: WEBHOOKS_MAX, before: None, offset: 0 };
    Ok(app.read().documents(filter, page).await?.into_iter().map(|document| WebhookId(document.id)).collect())
}

/// Sends to one webhook until it is removed.
async fn send_to(app: &App, id: WebhookId) {
    let mut changed = app.webhooks_changed.subscribe();
    let mut commits = app.engine.store().committed();
    let mut passed = EventSeq(0);
    loop {
        // First what was heard is taken as heard, then everything is looked at: nothing falls between.
        changed.borrow_and_update();
        let wait = match round(app, id, &mut passed).await {
            Ok(Round::Gone) => return app.under_way.forget(id),
            Ok(Round::More) => continue,
            Ok(Round::Idle) => LOOK_EVERY,
            Ok(Round::Waits) => WAIT_MAX,
            Err(problem) => {
                tracing::warn!(webhook = id.0, ?problem, "sending to a webhook; it is tried again");
                WAIT_MAX
            }
        };
        tokio::select! {
            _ = changed.changed() => {}
            commit = commits.recv() => {
                if matches!(commit, Err(RecvError::Closed)) {
                    return;
                }
                tokio::time::sleep(TOGETHER).await;
                while commits.try_recv().is_ok() {}
            }
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// What came of looking at a webhook once.
enum Round {
    /// It was removed.
    Gone,
    /// There may be more to send.
    More,
    /// Everything is sent, or nothing is to be.
    Idle,
    /// Something is to be sent later.
    Waits,
}

async fn round(app: &App, id: WebhookId, passed: &mut EventSeq) -> Result<Round, Problem> {
    let Some(webhook) = app.kept::<Webhook>(id.0).await? else { return Ok(Round::Gone) };
    if !webhook.is_enabled() {
        return Ok(Round::Idle);
    }
    if !webhook.is_free_for(app.name(), app.now()) {
        return Ok(Round::Waits);
    }
    let Some(maker) = Maker::of(app, &webhook).await? else {
        let reason = Some("the token with which it was made opens no longer".to_owned());
        note(app, Noted { given_up: reason, ..silent(app, id) }).await?;
        return Ok(Round::Idle);
    };
    let wanted = webhook.spec.wanted()?;
    let after = webhook.cursor.max(*passed);
    let filter = EventFilter { project_id: webhook.spec.project_id, run_id: None, after: Some(after) };
    let events = app.read().events(filter, EVENTS_AT_ONCE).await?;
    let Some(last) = events.last().map(|event| event.seq) else { return Ok(Round::Idle) };
    let is_full = events.len() >= EVENTS_AT_ONCE as usize;
    let to_send: Vec<(Event, wire::event::Event)> = events
        .into_iter()
        .filter(|event| maker.may_read(event))
        .map(|event| (wire::event::Event::from(&event), event))
        .filter(|(shown, event)| wanted.wants(&shown.kind, &event.fact))
        .map(|(shown, event)| (event, shown))
        .collect();
    let to_send = told_once(&webhook, to_send);
    if to_send.is_empty() {
        *passed = last;
        // Unwanted events are passed without a word, and once in a while with one, so that a restart need not read them all.
        if is_full {
            note(app, Noted { cursor: Some(last), ..silent(app, id) }).await?;
        }
        return Ok(if is_full { Round::More } else { Round::Idle });
    }
    send_all(app, &webhook, to_send, last, passed).await
}

/// Leaves out, where people are told, what nobody has to do anything about and what they were told already.
fn told_once(
    webhook: &Webhook,
    mut events: Vec<(Event, wire::event::Event)>,
) -> Vec<(Event, wire::event::Event)> {
    if webhook.spec.template.is_some() {
        let mut told: BTreeSet<String> = webhook.causes.iter().cloned().collect();
        events.retain(|(event, _)| Notice::of(event).is_some_and(|notice| told.insert(notice.cause)));
    }
    events
}

async fn send_all(
    app: &App,
    webhook: &Webhook,
    events: Vec<(Event, wire::event::Event)>,
    last: EventSeq,
    passed: &mut EventSeq,
) -> Result<Round, Problem> {
    let secret = app.vault.open_secret(&webhook.sealed_secret)?;
    let count = events.len();
    let mut earlier = webhook.failures;
    let mut noted = silent(app, webhook.id);
    // The word is taken before anything is sent.
    note(app, noted.clone()).await?;
    for (place, (event, shown)) in events.into_iter().enumerate() {
        let made = attempt_while_wanted(app, webhook, &secret, (&event, &shown), earlier).await?;
        let Some(Attempt { delivery, given_up }) = made else {
            if !noted.deliveries.is_empty() {
                note(app, noted).await?;
            }
            return Ok(Round::More);
        };
        let is_delivered = delivery.error.is_none();
        noted.deliveries.push(delivery);
        noted.given_up = given_up;
        if !is_delivered {
            note(app, noted).await?;
            return Ok(Round::Waits);
        }
        earlier = 0;
        let notice = webhook.spec.template.as_ref().and_then(|_| Notice::of(&event));
        noted.causes.extend(notice.map(|notice| notice.cause));
        noted.cursor = Some(if place + 1 == count { last } else { event.seq });
        if place + 1 == count || noted.deliveries.len() >= NOTED_TOGETHER {
            note(app, std::mem::replace(&mut noted, silent(app, webhook.id))).await?;
            // Somebody may have removed it or switched it off.
            return Ok(Round::More);
        }
    }
    *passed = last;
    Ok(Round::More)
}

/// Makes an attempt; none where the event is not to be sent any more, which also breaks off what is under way.
async fn attempt_while_wanted(
    app: &App,
    webhook: &Webhook,
    secret: &Secret,
    (event, shown): (&Event, &wire::event::Event),
    earlier: u32,
) -> Result<Option<Attempt>, Problem> {
    let turn = app.under_way.turn(webhook);
    let _turn = turn.lock().await;
    // Whatever changes from here on is heard, and everything before is seen.
    let (mut changed, mut revoked) = (app.webhooks_changed.subscribe(), app.revoked.subscribe());
    if !is_wanted(app, webhook.id, event).await? {
        return Ok(None);
    }
    let mut attempt = pin!(attempt(app, webhook, secret, (event, shown), earlier));
    loop {
        tokio::select! {
            made = &mut attempt => return Ok(Some(made)),
            // The senders live as long as the server.
            _ = changed.changed() => {}
            _ = revoked.changed() => {}
        }
        if !is_wanted(app, webhook.id, event).await.unwrap_or(false) {
            return Ok(None);
        }
    }
}

fn silent(app: &App, id: WebhookId) -> Noted {
    let sender = app.name().to_owned();
    Noted { id, sender, hold_ms: HOLD_MS, deliveries: vec![], cursor: None, given_up: None, causes: vec![] }
}

async fn note(app: &App, noted: Noted) -> Result<(), Problem> {
    app.engine.execute(Command::NoteDelivery(Box::new(noted))).await?;
    Ok(())
}
