//! What hides the answers to a run in what the run says.

use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, from_str};
use spalla_domain::redact::Redactor;
use std::borrow::Cow;
use std::sync::Arc;

/// What is said where it is not known what has to be hidden.
const WITHHELD: &str = "[withheld: the answers to this run can't be read, so that they can't be masked]";

/// Which texts of an event are cut, and whether always.
const CUT_TEXTS: [(&str, bool); 3] = [("text", false), ("file", false), ("excerpt", true)];

/// Hides secrets in texts.
#[derive(Debug, Clone)]
pub(crate) enum Mask {
    /// There are none.
    Nothing,
    /// These.
    Secrets(Arc<Redactor>),
    /// There are some that nobody knows, so that every text is one.
    Everything,
}

impl Mask {
    /// Tells whether there is nothing to hide.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::Nothing)
    }

    /// Returns a text without the secrets in it.
    pub(crate) fn text(&self, text: String) -> String {
        match self {
            Self::Nothing => text,
            Self::Secrets(redactor) => match redactor.redact(&text) {
                Cow::Borrowed(_) => text,
                Cow::Owned(masked) => masked,
            },
            Self::Everything => WITHHELD.to_owned(),
        }
    }

    /// Returns a text without the secrets in it, where what followed was cut off.
    pub(crate) fn cut_text(&self, text: String) -> String {
        match self {
            Self::Secrets(redactor) => redactor.redact_cut(&text),
            Self::Nothing | Self::Everything => self.text(text),
        }
    }

    /// Takes the secrets out of an object.
    pub(crate) fn object(&self, members: &mut Map<String, Value>) {
        match self {
            Self::Nothing => {}
            Self::Secrets(redactor) => {
                let cut: Vec<_> = cut_texts(members)
                    .map(|(name, text)| (name.to_owned(), redactor.redact_cut(text)))
                    .collect();
                let mut whole = Value::Object(std::mem::take(members));
                redactor.redact_json(&mut whole);
                if let Value::Object(masked) = whole {
                    *members = masked;
                }
                members.extend(cut.into_iter().map(|(name, text)| (name, text.into())));
            }
            Self::Everything => {
                *members = Map::new();
                members.insert("text".to_owned(), WITHHELD.into());
            }
        }
    }

    /// Returns JSON without the secrets in it; without any it is what it was, to the last digit.
    pub(crate) fn json(&self, json: Box<RawValue>) -> Box<RawValue> {
        let redactor = match self {
            Self::Nothing => return json,
            Self::Everything => return raw(&Value::String(WITHHELD.to_owned())),
            Self::Secrets(redactor) => redactor,
        };
        let Ok(before) = from_str::<Value>(json.get()) else {
            return raw(&Value::String(redactor.redact(json.get()).into_owned()));
        };
        let mut masked = before.clone();
        redactor.redact_json(&mut masked);
        if masked == before { json } else { raw(&masked) }
    }
}

/// Returns the texts of an event that whoever told it cut before: a secret may begin at their ends.
fn cut_texts(members: &Map<String, Value>) -> impl Iterator<Item = (&str, &str)> {
    let was_cut = members.get("cut") == Some(&Value::Bool(true));
    let names = CUT_TEXTS.iter().filter(move |(_, always)| was_cut || *always);
    names.filter_map(|(name, _)| Some((*name, members.get(*name)?.as_str()?)))
}

/// Writes a value; one that was read before can always be written.
fn raw(value: &Value) -> Box<RawValue> {
    to_raw_value(value).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use spalla_domain::secret::Secret;

    fn mask() -> Mask {
        let secret = Secret::from("hunter2-hunter2");
        Mask::Secrets(Arc::new(Redactor::new([("PIN", &secret)]).unwrap()))
    }

    #[test]
    fn json_is_rewritten_only_where_it_holds_a_secret() {
        let plain: Box<RawValue> = from_str(r#"{"n": 2.50,  "big": 123456789012345678901}"#).unwrap();
        assert_eq!(mask().json(plain.clone()).get(), plain.get());
        let told = from_str(r#"{"a": ["x hunter2-hunter2"], "n": 2.50}"#).unwrap();
        assert_eq!(mask().json(told).get(), r#"{"a":["x [redacted:PIN]"],"n":2.5}"#);
    }

    #[test]
    fn the_beginning_of_a_secret_at_the_end_of_a_text_that_was_cut_is_hidden() {
        let masked = |told: Value| {
            let mut told = told.as_object().unwrap().clone();
            mask().object(&mut told);
            Value::Object(told)
        };
        let cut = serde_json::json!({"text": "say hunter2-hun", "file": "a/hunter2", "cut": true});
        assert_eq!(masked(cut), serde_json::json!({"text": "say ", "file": "a", "cut": true}));
        let excerpt = serde_json::json!({"text": "no JSON", "excerpt": "{hunter2-", "bytes": 900});
        assert_eq!(masked(excerpt), serde_json::json!({"text": "no JSON", "excerpt": "{", "bytes": 900}));
        let whole = serde_json::json!({"text": "say hunter2-hun"});
        assert_eq!(masked(whole.clone()), whole);
    }

    #[test]
    fn where_nobody_knows_the_secrets_nothing_is_said() {
        let told = from_str(r#"{"a": "hunter2-hunter2"}"#).unwrap();
        assert!(!Mask::Everything.json(told).get().contains("hunter2"));
        assert_eq!(Mask::Everything.text("x".into()), WITHHELD);
        let mut told = from_str(r#"{"a": "hunter2-hunter2", "b": 1}"#).unwrap();
        Mask::Everything.object(&mut told);
        assert_eq!(told, *serde_json::json!({"text": WITHHELD}).as_object().unwrap());
        assert_eq!([Mask::Nothing, mask()].map(|mask| mask.text("x".into())), ["x", "x"]);
    }
}
