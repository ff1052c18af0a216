//! Webhooks on the wire.

use super::Body;
use super::number::IdNumber;
use super::text::{Needle, Text};
use serde::{Deserialize, Serialize};
use spalla_domain::Timestamp;
use spalla_domain::{notice, webhook};
use utoipa::ToSchema;

/// A wish for a webhook.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewWebhook {
    /// To where: an http URL.
    pub(crate) url: String,
    /// Events of these types; `run.*` is every type that begins with `run.`, and `*` is every event. With a template they may be
    /// left out: those that may need a person.
    #[serde(default)]
    #[schema(inline, required = false)]
    pub(crate) events: Vec<Needle>,
    /// Of this project; of all when left out.
    #[serde(default)]
    #[schema(inline)]
    pub(crate) project_id: Option<IdNumber>,
    /// What signs: `whsec_` and 24 to 64 bytes in base64; made by the server when left out.
    #[serde(default)]
    #[schema(inline)]
    pub(crate) secret: Option<Needle>,
    /// Whether anything is sent; it is when left out.
    #[serde(default)]
    pub(crate) enabled: Option<bool>,
    /// Tells people of what needs one, of each cause once, in the form that this receiver reads; left out, every event is sent
    /// as it is.
    #[serde(default)]
    pub(crate) template: Option<TemplateName>,
    /// Of a custom template, the JSON object that is sent, with `{{title}}`, `{{text}}`, `{{urgency}}`, `{{type}}`, `{{id}}` and
    /// `{{project_id}}` in its texts.
    #[serde(default)]
    #[schema(inline)]
    pub(crate) template_text: Option<TemplateText>,
    /// The name by which agents' definitions say that it is to be told of alerts (`metrics.escalation.notify`). With one, events
    /// may be left out: then it is told of nothing else.
    #[serde(default)]
    #[schema(inline)]
    pub(crate) name: Option<Needle>,
}

/// The text of a template.
pub(crate) type TemplateText = Text<{ spalla_domain::notice::TEMPLATE_BYTES_MAX }>;

/// In which form people are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TemplateName {
    /// An incoming webhook of Slack.
    Slack,
    /// A webhook of Discord.
    Discord,
    /// A notifier on a desktop: title, body and urgency.
    Desktop,
    /// As `template_text` says.
    Custom,
}

impl TemplateName {
    /// Returns the name.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Slack => "slack",
            Self::Discord => "discord",
            Self::Desktop => "desktop",
            Self::Custom => "custom",
        }
    }

    fn of(template: &notice::Template) -> Self {
        match template {
            notice::Template::Slack => Self::Slack,
            notice::Template::Discord => Self::Discord,
            notice::Template::Desktop => Self::Desktop,
            notice::Template::Custom(_) => Self::Custom,
        }
    }
}

impl Body for NewWebhook {
    const IS_SECRET: bool = true;
}

/// Where a webhook stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum WebhookStatus {
    /// Events are sent.
    Enabled,
    /// The last attempt failed; it is tried again.
    Failing,
    /// Nothing is sent.
    Disabled,
}

/// A webhook.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Webhook {
    /// Its id.
    id: i64,
    /// To where.
    url: String,
    /// Events of these types.
    events: Vec<String>,
    /// Of this project; null is of all.
    project_id: Option<i64>,
    /// In which form people are told; null where every event is sent as it is.
    template: Option<TemplateName>,
    /// The name by which definitions say that it is to be told; null where it has none.
    name: Option<String>,
    /// The token on whose behalf events are sent; null is the administrator.
    token_id: Option<i64>,
    /// Where it stands.
    status: WebhookStatus,
    /// Why nothing is sent any more, where the server switched it off.
    disabled_reason: Option<String>,
    /// Since when.
    #[schema(value_type = Option<String>, format = DateTime)]
    disabled_at: Option<Timestamp>,
    /// The last event that was sent, or was not wanted.
    cursor: i64,
    /// How many attempts failed in a row.
    failures: u32,
    /// Since when nothing got through.
    #[schema(value_type = Option<String>, format = DateTime)]
    failing_since: Option<Timestamp>,
    /// When the next attempt is made.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_attempt_at: Option<Timestamp>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<webhook::Webhook> for Webhook {
    fn from(webhook: webhook::Webhook) -> Self {
        let status = match (webhook.is_enabled(), webhook.failures) {
            (false, _) => WebhookStatus::Disabled,
            (true, 0) => WebhookStatus::Enabled,
            (true, _) => WebhookStatus::Failing,
        };
        Self {
            id: webhook.id.0,
            status,
            disabled_at: webhook.disabled.as_ref().map(|disabled| disabled.at),
            disabled_reason: webhook.disabled.map(|disabled| disabled.reason),
            template: webhook.spec.template.as_ref().map(TemplateName::of),
            name: webhook.spec.name,
            url: webhook.spec.url,
            events: webhook.spec.events,
            project_id: webhook.spec.project_id.map(|id| id.0),
            token_id: webhook.made_with.map(|id| id.0),
            cursor: webhook.cursor.0,
            failures: webhook.failures,
            failing_since: webhook.failing_since,
            next_attempt_at: webhook.next_attempt_at,
            created_at: webhook.created_at,
        }
    }
}

/// A webhook that was made, with what signs: this once.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MadeWebhook {
    /// What signs; null where the request only repeats an earlier one.
    pub(crate) secret: Option<String>,
    /// The webhook.
    #[serde(flatten)]
    pub(crate) shown: Webhook,
}

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DeliveryOutcome {
    /// The receiver took it.
    Delivered,
    /// It did not; it is tried again.
    Failed,
}

/// One attempt to send one event.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Delivery {
    /// The event.
    event_id: i64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// What came of it.
    outcome: DeliveryOutcome,
    /// How many attempts for this event failed before.
    earlier_attempts: u32,
    /// The status that the receiver answered.
    status: Option<u16>,
    /// Why it failed.
    error: Option<String>,
    /// How long it took.
    duration_ms: i64,
}

impl From<webhook::Delivery> for Delivery {
    fn from(delivery: webhook::Delivery) -> Self {
        let is_delivered = delivery.error.is_none();
        Self {
            event_id: delivery.event_id.0,
            at: delivery.at,
            outcome: if is_delivered { DeliveryOutcome::Delivered } else { DeliveryOutcome::Failed },
            earlier_attempts: delivery.earlier_attempts,
            status: delivery.status,
            error: delivery.error,
            duration_ms: delivery.duration_ms,
        }
    }
}
