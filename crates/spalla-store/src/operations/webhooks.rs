//! Webhooks: made, removed, and what came of sending to them.

use crate::command::Reply;
use crate::desk::{Answer, Desk};
use crate::document::Kind;
use crate::tx::{Sequence, Tx};
use spalla_domain::problem::Code;
use spalla_domain::webhook::{NewWebhook, Noted, WEBHOOKS_MAX, Webhook};
use spalla_domain::{Refusal, WebhookId};

/// Makes a webhook.
pub(crate) async fn create<T: Tx>(desk: &mut Desk<'_, T>, new: &NewWebhook) -> Answer<Reply> {
    let now = desk.context.now;
    new.make(WebhookId(0), now)?;
    if let Some(project_id) = new.spec.project_id {
        desk.project(project_id).await?;
    }
    let count = desk.document_count(Kind::Webhook).await?;
    if count >= u64::from(WEBHOOKS_MAX) {
        let detail = format!("there are {count} webhooks; at most {WEBHOOKS_MAX} are kept");
        return Err(Refusal::new(Code::TooManyWebhooks, detail).mend("remove one").into());
    }
    let id = WebhookId(desk.next_id(Sequence::Webhook).await?);
    desk.keep(&new.make(id, now)?)?;
    Ok(Reply::Webhook(id))
}

/// Removes a webhook; what was not sent yet never is.
pub(crate) async fn remove<T: Tx>(desk: &mut Desk<'_, T>, id: WebhookId) -> Answer<Reply> {
    find(desk, id).await?;
    desk.remove(Kind::Webhook, id.0);
    Ok(Reply::Webhook(id))
}

/// Takes note of what a server sent, or lets it have the word to itself.
pub(crate) async fn note<T: Tx>(desk: &mut Desk<'_, T>, noted: &Noted) -> Answer<Reply> {
    let webhook = find(desk, noted.id).await?;
    let (now, jitter) = (desk.context.now, desk.context.jitter());
    let Some(webhook) = webhook.noted(noted, now, jitter) else {
        let detail = format!("another server sends to webhook {}", noted.id);
        return Err(Refusal::new(Code::LeaseHeld, detail).into());
    };
    desk.keep(&webhook)?;
    Ok(Reply::Webhook(noted.id))
}

/// Keeps what a webhook signs with under another key, unless it changed meanwhile.
pub(crate) async fn reseal<T: Tx>(
    desk: &mut Desk<'_, T>,
    id: WebhookId,
    before: &str,
    sealed: &str,
) -> Answer<Reply> {
    let mut webhook = find(desk, id).await?;
    if webhook.sealed_secret == before {
        webhook.sealed_secret = sealed.to_owned();
        desk.keep(&webhook)?;
    }
    Ok(Reply::Webhook(id))
}

async fn find<T: Tx>(desk: &mut Desk<'_, T>, id: WebhookId) -> Answer<Webhook> {
    Ok(desk.document(id.0).await?.ok_or_else(|| Refusal::not_found("webhook", id))?)
}
