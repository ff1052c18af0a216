//! What is masked in all that a run says, before it leaves this process: what people answered to it, and what opens the models
//! of its agents.

use serde_json::Value;
use spalla_domain::agent_event::{AgentEvent, Payload};
use spalla_domain::redact::{Redactor, SECRETS_BYTES_MAX};
use spalla_domain::secret::Secret;
use std::sync::{Arc, PoisonError, RwLock};

/// The member with the beginning of a line that can't be an event.
const EXCERPT: &str = "excerpt";

/// The values of one run; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Masks(Arc<RwLock<Known>>);

#[derive(Debug, Default)]
struct Known {
    values: Vec<(String, Secret)>,
    redactor: Option<Arc<Redactor>>,
}

impl Masks {
    /// Masks further values from now on, each by its name. What is more than can be looked for is left out, and said.
    pub(crate) fn add<'a>(&self, values: impl IntoIterator<Item = (&'a str, &'a Secret)>) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut bytes: usize = known.values.iter().map(|(_, value)| value.len()).sum();
        let before = known.values.len();
        for (name, value) in values {
            if known.values.iter().any(|(_, there)| there == value) {
                continue;
            }
            bytes = bytes.saturating_add(value.len());
            if bytes > SECRETS_BYTES_MAX {
                tracing::error!(name, "a value is too long, with the others of its run, to be masked");
                bytes -= value.len();
                continue;
            }
            known.values.push((name.to_owned(), Secret::from(value.expose().to_vec())));
        }
        if known.values.len() == before {
            return;
        }
        match Redactor::new(known.values.iter().map(|(name, value)| (name.as_str(), value))) {
            Ok(redactor) => known.redactor = Some(Arc::new(redactor)),
            Err(error) => tracing::error!(%error, "values of a run can't be masked"),
        }
    }

    fn redactor(&self) -> Option<Arc<Redactor>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).redactor.clone()
    }

    /// Returns a text without the values.
    pub(crate) fn text(&self, text: String) -> String {
        match self.redactor() {
            None => text,
            Some(redactor) => redactor.redact(&text).into_owned(),
        }
    }

    /// Returns a text without the values, where what followed was cut off: the beginning of one at its end goes as well.
    pub(crate) fn cut_text(&self, text: String) -> String {
        match self.redactor() {
            None => text,
            Some(redactor) => redactor.redact_cut(&text),
        }
    }

    /// Takes the values out of JSON.
    pub(crate) fn json(&self, value: &mut Value) {
        if let Some(redactor) = self.redactor() {
            redactor.redact_json(value);
        }
    }

    /// Takes the values out of what an agent tells, before anything of it is cut.
    pub(crate) fn event(&self, event: &mut AgentEvent) {
        let Some(redactor) = self.redactor() else { return };
        let payload = &mut event.payload;
        for text in [&mut payload.text, &mut payload.file].into_iter().flatten() {
            *text = redactor.redact(text).into_owned();
        }
        let excerpt = cut_excerpt(payload).map(|excerpt| redactor.redact_cut(excerpt));
        let mut more = Value::Object(std::mem::take(&mut payload.more));
        redactor.redact_json(&mut more);
        if let Value::Object(masked) = more {
            payload.more = masked;
        }
        if let Some(excerpt) = excerpt {
            payload.more.insert(EXCERPT.to_owned(), excerpt.into());
        }
    }
}

/// Returns the beginning of a line that can't be an event, where the rest of it was cut off.
fn cut_excerpt(payload: &Payload) -> Option<&str> {
    let excerpt = payload.more.get(EXCERPT)?.as_str()?;
    let bytes = payload.more.get("bytes")?.as_u64()?;
    (bytes > excerpt.len() as u64).then_some(excerpt)
}

#[cfg(test)]
mod tests {
    //! What is masked, and what the beginning of a value at a cut becomes.

    use super::*;

    const KEY: &str = "sk-0123456789abcdef";

    fn masks() -> Masks {
        let masks = Masks::default();
        masks.add([("KEY", &Secret::from(KEY))]);
        masks
    }

    #[test]
    fn values_that_come_later_are_masked_as_the_first_ones_are() {
        let masks = masks();
        masks.add([("TOKEN", &Secret::from("another-value")), ("AGAIN", &Secret::from(KEY))]);
        assert_eq!(masks.text(format!("{KEY} another-value")), "[redacted:KEY] [redacted:TOKEN]");
    }

    #[test]
    fn more_than_can_be_looked_for_takes_the_mask_from_nothing_else() {
        let masks = masks();
        masks.add([
            ("LONG", &Secret::from(vec![b'x'; SECRETS_BYTES_MAX])),
            ("B", &Secret::from("second-key")),
        ]);
        assert_eq!(masks.text(format!("{KEY} second-key")), "[redacted:KEY] [redacted:B]");
    }

    #[test]
    fn the_beginning_of_a_value_where_a_text_was_cut_is_not_shown() {
        assert_eq!(masks().cut_text(format!("say {}", &KEY[..9])), "say ");
        let line = format!("{}{KEY}", "x".repeat(195));
        let mut event = AgentEvent::of_hostile_line(line.as_bytes(), "it is not JSON");
        masks().event(&mut event);
        let shown = serde_json::to_string(&event.payload).unwrap();
        assert!(!shown.contains("sk-"), "{shown}");
    }

    #[test]
    fn an_event_is_masked_in_every_member() {
        let mut event = AgentEvent::new(spalla_domain::agent_event::AgentEventType::Finding, KEY)
            .of_file(format!("a/{KEY}"))
            .with("own", serde_json::json!([{KEY: KEY}]));
        masks().event(&mut event);
        assert!(!serde_json::to_string(&event).unwrap().contains(KEY), "{event:?}");
    }
}
