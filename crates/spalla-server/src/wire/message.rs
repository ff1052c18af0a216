//! Messages on the wire.

use super::number::IdNumber;
use super::run_event::Payload;
use super::text::Word;
use super::{Body, present, words};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use spalla_domain::message::{self, NewMessage as DomainNew};
use spalla_domain::{MessageId, Timestamp};
use utoipa::ToSchema;

words! {
    /// What a message is.
    MessageType for message::MessageType {
        /// Wants a response.
        Request = "request",
        /// Answers a request.
        Response = "response",
        /// Wants nothing.
        Notification = "notification",
    }
}

words! {
    /// How urgent a message is.
    MessagePriority for message::Priority {
        /// When there is nothing else.
        Low = "low",
        /// As most are.
        Medium = "medium",
        /// Before others.
        High = "high",
        /// Before everything.
        Critical = "critical",
    }
}

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MessageStatus {
    /// It waits for its receiver.
    Pending,
    /// Its receiver has taken it.
    Acknowledged,
}

impl MessageStatus {
    /// Returns the name in the store.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Acknowledged => "acknowledged",
        }
    }
}

/// A message that is to be sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewMessage {
    /// To which agent, or `people`; to whoever sent what it answers, when left out.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Word, inline, required = false)]
    to: Option<Word>,
    /// What it is.
    #[serde(rename = "type")]
    kind: MessageType,
    /// What it says: any object, at most 64 KiB of JSON, nested at most 32 deep.
    #[schema(inline)]
    payload: Payload,
    /// How urgent it is; `medium` when left out.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = MessagePriority, required = false)]
    priority: Option<MessagePriority>,
    /// The message that it answers, which has to be one to the sender; a response names one.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = IdNumber, inline, required = false)]
    in_reply_to: Option<IdNumber>,
    /// Who says it; `people` when left out. The token of a run speaks for its own agent alone.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Word, inline, required = false)]
    pub(crate) from: Option<Word>,
    /// In which project; the token of a run, and what answers a message, need not say it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = IdNumber, inline, required = false)]
    pub(crate) project_id: Option<IdNumber>,
    /// In which session; the token of a run need not say it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Word, inline, required = false)]
    pub(crate) session_id: Option<Word>,
}

impl Body for NewMessage {}

impl NewMessage {
    /// Returns what is to be said.
    pub(crate) fn into_message(self) -> DomainNew {
        DomainNew {
            to: self.to.map(Into::into),
            kind: self.kind.into(),
            payload: self.payload.into(),
            priority: self.priority.map(Into::into).unwrap_or_default(),
            in_reply_to: self.in_reply_to.map(|id| MessageId(id.get())),
        }
    }
}

/// A message.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Message {
    /// Its id.
    id: i64,
    /// Who says it.
    from: String,
    /// To whom.
    to: String,
    /// What it is.
    #[serde(rename = "type")]
    kind: MessageType,
    /// What it says.
    #[schema(value_type = Object)]
    payload: Map<String, Value>,
    /// When it was sent.
    #[schema(value_type = String, format = DateTime)]
    timestamp: Timestamp,
    /// How urgent it is.
    priority: MessagePriority,
    /// The message that it answers.
    in_reply_to: Option<i64>,
    /// Where it stands.
    status: MessageStatus,
    /// When its receiver had taken it.
    #[schema(value_type = Option<String>, format = DateTime)]
    acknowledged_at: Option<Timestamp>,
    /// In which project it is said.
    project_id: i64,
    /// In which session.
    session_id: Option<String>,
    /// In which run.
    run_id: Option<i64>,
}

impl From<message::Message> for Message {
    fn from(message: message::Message) -> Self {
        let status = match message.acknowledged_at {
            Some(_) => MessageStatus::Acknowledged,
            None => MessageStatus::Pending,
        };
        Self {
            id: message.id.0,
            from: message.from,
            to: message.to,
            kind: message.kind.into(),
            payload: message.payload,
            timestamp: message.sent_at,
            priority: message.priority.into(),
            in_reply_to: message.in_reply_to.map(|id| id.0),
            status,
            acknowledged_at: message.acknowledged_at,
            project_id: message.project_id.0,
            session_id: message.session_id,
            run_id: message.run_id.map(|id| id.0),
        }
    }
}
