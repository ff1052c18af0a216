//! On whose behalf events are sent to a webhook, and what is under way just now: nobody is sent what its maker may not
//! read, and whoever removes a webhook or revokes a token is answered when nothing more is sent.

use crate::problem::Problem;
use crate::state::Shared;
use spalla_domain::access::token::{Status, Token};
use spalla_domain::access::{Action, Decision, Policy, Resource, Target, decide};
use spalla_domain::event::Event;
use spalla_domain::webhook::Webhook;
use spalla_domain::{TokenId, WebhookId};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Mutex as Turn;

/// Whoever made a webhook, as far as they reach now; without policies it is the administrator.
#[derive(Debug)]
pub(super) struct Maker(Option<Vec<Policy>>);

impl Maker {
    /// Looks up who made a webhook; none where their token opens no longer.
    pub(super) async fn of(app: &Shared, webhook: &Webhook) -> Result<Option<Self>, Problem> {
        let Some(id) = webhook.made_with else { return Ok(Some(Self(None))) };
        let token: Option<Token> = app.kept(id.0).await?;
        let token = token.filter(|token| token.status(app.now()) == Status::Active);
        Ok(token.map(|token| Self(Some(token.policies()))))
    }

    /// Tells whether they may read an event.
    pub(super) fn may_read(&self, event: &Event) -> bool {
        let target = Target {
            project_id: Some(event.project_id),
            work_item_id: event.work_item_id,
            run_id: event.run_id,
            is_held: false,
        };
        self.0.as_ref().is_none_or(|policies| {
            decide(policies, Resource::Event, Action::Read, &target) == Decision::Allowed
        })
    }
}

/// Tells whether an event is still to be sent to a webhook.
pub(super) async fn is_wanted(app: &Shared, id: WebhookId, event: &Event) -> Result<bool, Problem> {
    let Some(webhook) = app.kept::<Webhook>(id.0).await? else { return Ok(false) };
    let maker = Maker::of(app, &webhook).await?;
    Ok(webhook.is_enabled() && maker.is_some_and(|maker| maker.may_read(event)))
}

/// With what a webhook was made, and the turn to send to it.
type Known = (Option<TokenId>, Arc<Turn<()>>);

/// The webhooks that are sent to from here. Whoever sends has the turn of its webhook.
#[derive(Debug, Default)]
pub(crate) struct UnderWay(Mutex<BTreeMap<WebhookId, Known>>);

impl UnderWay {
    /// Returns the turn of a webhook, which is taken before it is looked up and kept until nothing more is sent.
    pub(super) fn turn(&self, webhook: &Webhook) -> Arc<Turn<()>> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, turn) = turns.entry(webhook.id).or_insert_with(|| (webhook.made_with, Arc::default()));
        Arc::clone(turn)
    }

    /// Forgets a webhook that is gone.
    pub(super) fn forget(&self, id: WebhookId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    /// Waits until nothing is under way any more to a webhook that was removed.
    pub(crate) async fn ended(&self, id: WebhookId) {
        self.wait(|webhook, _| webhook == id).await;
    }

    /// Waits until nothing is under way any more on behalf of a token that was revoked.
    pub(crate) async fn ended_of(&self, token: TokenId) {
        self.wait(|_, made_with| made_with == Some(token)).await;
    }

    async fn wait(&self, is_meant: impl Fn(WebhookId, Option<TokenId>) -> bool) {
        let meant: Vec<_> = {
            let turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let meant = turns.iter().filter(|(id, (made_with, _))| is_meant(**id, *made_with));
            meant.map(|(_, (_, turn))| Arc::clone(turn)).collect()
        };
        for turn in meant {
            drop(turn.lock().await);
        }
    }
}
