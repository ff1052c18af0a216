//! What the model says in one answer, before it is put into a protocol's words.

use crate::asked::Asked;
use crate::script::Tokens;
use serde_json::Value;

/// One answer of the model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    /// What it says, thinks and calls, in this order.
    pub(crate) pieces: Vec<Piece>,
    /// The tokens that the script wants reported.
    pub(crate) usage: Option<Tokens>,
}

/// A part of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Piece {
    /// A summary of reasoning.
    Think(String),
    /// Text for the person.
    Say(String),
    /// Declines.
    Refuse(String),
    /// Calls a tool.
    Call(Call),
}

/// A call of a tool that the CLI offers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    /// Its id in the conversation; the result comes back with it.
    pub(crate) id: String,
    /// The tool's name.
    pub(crate) tool: String,
    /// The namespace in which Codex offers it.
    pub(crate) namespace: Option<String>,
    /// What it is called with.
    pub(crate) input: Input,
}

/// What a tool is called with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Input {
    /// An object of arguments.
    Arguments(Value),
    /// Plain text, for tools without a schema.
    Text(String),
}

impl Input {
    /// Returns the input as it stands in JSON: an object, or a string.
    pub(crate) fn to_value(&self) -> Value {
        match self {
            Self::Arguments(arguments) => arguments.clone(),
            Self::Text(text) => Value::from(text.as_str()),
        }
    }

    /// Returns the input as text.
    pub(crate) fn to_text(&self) -> String {
        match self {
            Self::Arguments(arguments) => arguments.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

impl Answer {
    /// Returns the calls in it.
    pub(crate) fn calls(&self) -> impl Iterator<Item = &Call> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Call(call) => Some(call),
            _ => None,
        })
    }

    /// Returns what the model said for the person.
    pub(crate) fn text(&self) -> String {
        let said = self.pieces.iter().filter_map(|piece| match piece {
            Piece::Say(text) => Some(text.as_str()),
            _ => None,
        });
        said.collect::<Vec<_>>().join("\n\n")
    }

    /// Returns the refusal, if it is one.
    pub(crate) fn refusal(&self) -> Option<&str> {
        self.pieces.iter().find_map(|piece| match piece {
            Piece::Refuse(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// Returns the tokens that the answer reports: what the script says, or an estimate. What was read a moment ago
    /// comes from the cache in the estimate, as it does with a real provider.
    pub(crate) fn tokens(&self, asked: &Asked) -> Tokens {
        self.usage.unwrap_or_else(|| {
            let thought = self.pieces.iter().filter_map(|piece| match piece {
                Piece::Think(text) => Some(estimate(text.len())),
                _ => None,
            });
            let said = self.pieces.iter().map(|piece| match piece {
                Piece::Think(text) | Piece::Say(text) | Piece::Refuse(text) => estimate(text.len()),
                Piece::Call(call) => estimate(call.input.to_text().len()),
            });
            let cached = if asked.results.is_empty() { 0 } else { asked.input_tokens / 4 * 3 };
            Tokens { input: asked.input_tokens, cached, output: said.sum(), reasoning: thought.sum() }
        })
    }
}

/// Returns about how many tokens a text of so many bytes has: four bytes each, and never none.
pub(crate) fn estimate(bytes: usize) -> u64 {
    u64::try_from(bytes / 4 + 1).unwrap_or(u64::MAX)
}
