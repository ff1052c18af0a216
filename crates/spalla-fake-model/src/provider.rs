//! The providers whose protocols are spoken, and what each of them does with a request: read it, answer it, fail it.

pub(crate) mod anthropic;
mod failure;
pub(crate) mod gemini;
pub(crate) mod openai;

use crate::answer::Answer;
use crate::asked::Asked;
use crate::reply::Reply;
use crate::script::Fail;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Whose protocol is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// OpenAI: responses and chat completions.
    Openai,
    /// Anthropic: messages.
    Anthropic,
    /// Google's Gemini: generate content.
    Gemini,
}

/// The form in which a request was made and is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// `POST /v1/responses`.
    Responses,
    /// `POST /v1/chat/completions`.
    Chat,
    /// `POST /v1/messages`.
    Messages,
    /// `POST /v1beta/models/…:generateContent` and `:streamGenerateContent`.
    GenerateContent,
}

impl Dialect {
    /// Returns whose dialect it is.
    pub fn provider(self) -> Provider {
        match self {
            Self::Responses | Self::Chat => Provider::Openai,
            Self::Messages => Provider::Anthropic,
            Self::GenerateContent => Provider::Gemini,
        }
    }

    /// Puts an answer of the model into the protocol's words.
    pub(crate) fn answer(self, asked: &Asked, answer: &Answer) -> Reply {
        match self {
            Self::Responses => openai::responses::answer(asked, answer),
            Self::Chat => openai::chat::answer(asked, answer),
            Self::Messages => anthropic::answer(asked, answer),
            Self::GenerateContent => gemini::answer(asked, answer),
        }
    }

    /// Puts a failure that lasts since then into the protocol's words.
    pub(crate) fn fail(self, asked: &Asked, fail: &Fail, since_ms: i64) -> Reply {
        let over_at_ms = fail.spell().end_ms(since_ms);
        let failure = failure::Failure::of(self.provider(), fail, asked.at_ms, over_at_ms);
        match self {
            Self::Responses if fail.in_stream && asked.stream => openai::responses::fail(asked, &failure),
            Self::Messages if fail.in_stream && asked.stream => anthropic::fail(asked, &failure),
            _ => failure.reply(self.provider()),
        }
    }
}

impl Provider {
    /// Refuses a request that the server can't read.
    pub(crate) fn refuse(self, status: u16, message: &str) -> Reply {
        Reply::json(status, &failure::plain_body(self, status, message))
    }

    /// Lists models, as the provider does.
    pub(crate) fn models(self) -> Value {
        match self {
            Self::Openai => openai::models(),
            Self::Anthropic => anthropic::models(),
            Self::Gemini => gemini::models(),
        }
    }
}
