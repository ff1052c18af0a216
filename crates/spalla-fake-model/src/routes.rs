//! From a method and a path to what is asked for.

use crate::provider::{Dialect, Provider};
use hyper::Method;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    /// An answer of a model, in a dialect whose body names the model.
    Answer(Dialect),
    /// An answer of the Gemini model that the path names.
    Generate {
        /// The model.
        model: String,
        /// Whether to stream, and how.
        streaming: Streaming,
    },
    /// The number of tokens in a request.
    Count(Provider),
    /// The models that there are.
    Models(Provider),
    /// Nothing that a model's API has.
    Unknown(Provider),
}

/// How an answer of Gemini comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Streaming {
    /// Whole.
    No,
    /// As events.
    Events,
    /// As a list of JSON values, which is what Gemini streams unless it is asked for events.
    List,
}

impl Route {
    /// Returns what a request asks for. Some clients want the version of the API in their base address, others add it.
    pub(crate) fn of(method: &Method, path: &str, query: &str, is_anthropic: bool) -> Self {
        let versions = ["/v1beta", "/v1alpha", "/v1"];
        let version = versions.iter().find(|version| path.starts_with(&format!("{version}/")));
        let rest = path.strip_prefix(version.copied().unwrap_or_default()).unwrap_or(path);
        let lister = match version {
            Some(&("/v1beta" | "/v1alpha")) => Provider::Gemini,
            _ if is_anthropic => Provider::Anthropic,
            _ => Provider::Openai,
        };
        match (method.as_str(), rest) {
            ("GET", "/models") => Self::Models(lister),
            ("POST", "/responses") => Self::Answer(Dialect::Responses),
            ("POST", "/chat/completions") => Self::Answer(Dialect::Chat),
            ("POST", "/messages") => Self::Answer(Dialect::Messages),
            ("POST", "/messages/count_tokens") => Self::Count(Provider::Anthropic),
            ("POST", _) => Self::of_gemini(rest, query).unwrap_or(Self::Unknown(lister)),
            _ => Self::Unknown(lister),
        }
    }

    fn of_gemini(rest: &str, query: &str) -> Option<Self> {
        let (model, verb) = rest.strip_prefix("/models/")?.split_once(':')?;
        let as_events = query.split('&').any(|pair| pair == "alt=sse");
        let streaming = match verb {
            "generateContent" => Streaming::No,
            "streamGenerateContent" if as_events => Streaming::Events,
            "streamGenerateContent" => Streaming::List,
            "countTokens" => return Some(Self::Count(Provider::Gemini)),
            _ => return None,
        };
        Some(Self::Generate { model: model.to_owned(), streaming })
    }

    /// Returns whose protocol it is.
    pub(crate) fn provider(&self) -> Provider {
        match self {
            Self::Answer(dialect) => dialect.provider(),
            Self::Generate { .. } => Provider::Gemini,
            Self::Count(provider) | Self::Models(provider) | Self::Unknown(provider) => *provider,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Route, Streaming};
    use crate::provider::{Dialect, Provider};
    use hyper::Method;

    fn post(path: &str, query: &str) -> Route {
        Route::of(&Method::POST, path, query, false)
    }

    #[test]
    fn the_version_may_stand_in_the_path_or_not() {
        assert_eq!(post("/v1/responses", ""), Route::Answer(Dialect::Responses));
        assert_eq!(post("/chat/completions", ""), Route::Answer(Dialect::Chat));
        assert_eq!(post("/v1/messages", "beta=true"), Route::Answer(Dialect::Messages));
    }

    #[test]
    fn gemini_names_model_and_streaming_in_the_path() {
        let generate = |streaming| Route::Generate { model: "gemini-2.5-pro".to_owned(), streaming };
        let path = "/v1beta/models/gemini-2.5-pro";
        assert_eq!(post(&format!("{path}:generateContent"), ""), generate(Streaming::No));
        assert_eq!(post(&format!("{path}:streamGenerateContent"), "alt=sse"), generate(Streaming::Events));
        assert_eq!(post(&format!("{path}:streamGenerateContent"), ""), generate(Streaming::List));
        assert_eq!(post(&format!("{path}:countTokens"), ""), Route::Count(Provider::Gemini));
    }

    #[test]
    fn models_are_listed_by_whoever_is_asked() {
        let get = |path: &str, is_anthropic| Route::of(&Method::GET, path, "", is_anthropic);
        assert_eq!(get("/v1/models", false), Route::Models(Provider::Openai));
        assert_eq!(get("/v1/models", true), Route::Models(Provider::Anthropic));
        assert_eq!(get("/v1beta/models", false), Route::Models(Provider::Gemini));
        assert_eq!(get("/v1/files", false), Route::Unknown(Provider::Openai));
    }
}
