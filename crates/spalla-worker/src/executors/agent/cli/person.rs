//! A person decides about an agent that was kept from something: that it tries again, with or without words for it, or that it
//! is over. The run waits, and its time does not count.

use crate::questions::{Answer, ask};
use crate::run::{End, Run};
use serde_json::json;
use spalla_adapter::trouble::Cause;
use spalla_domain::info_request::{DECISION, InfoField, TEXT_BYTES_MAX};

/// The answer that lets it try again.
const AGAIN: &str = "again";
/// The answer that ends it.
const STOP: &str = "stop";

/// What a person decides.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decided {
    /// It tries again; with these words, where there are any.
    Again(Option<String>),
    /// It is over.
    Over,
}

/// Tells whether a person may mend a cause while the run waits. A key or a login that is missing is none: the environment of a
/// worker that goes on stays as it is.
pub(super) const fn may_mend(cause: Option<Cause>) -> bool {
    matches!(cause, Some(Cause::Denied | Cause::OutsideWorkspace | Cause::Untrusted | Cause::Machine))
}

/// Tells what stands in the agent's way and what may be done about it, and waits for what a person decides.
pub(super) async fn decide(run: &Run<'_>, why: &str, suggestions: &[String]) -> Result<Decided, End> {
    let mut reason = run.log.masked(format!("{why}. What helps: {}", suggestions.join("; or ")));
    reason.truncate(reason.floor_char_boundary(TEXT_BYTES_MAX));
    let description = format!(
        "\"{AGAIN}\" lets the agent try again once it is mended, \"{STOP}\" ends its work; anything else is what the agent is \
         told before it tries again"
    );
    let field = InfoField {
        description: Some(description),
        example: Some(AGAIN.to_owned()),
        schema: Some(json!({ "type": "string", "minLength": 1 })),
        ..InfoField::new(DECISION, false)
    };
    Ok(read(&ask(run, &reason, &[field]).await?))
}

fn read(answer: &Answer) -> Decided {
    let words = answer.get(DECISION).and_then(|said| said.expose_text().ok()).map_or("", str::trim);
    match words.to_lowercase().as_str() {
        STOP | "no" | "" => Decided::Over,
        AGAIN | "yes" => Decided::Again(None),
        _ => Decided::Again(Some(words.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spalla_domain::secret::Secret;

    #[test]
    fn a_word_decides_and_other_words_are_for_the_agent() {
        let said = |text: &str| read(&[(DECISION.to_owned(), Secret::from(text.to_owned()))].into());
        assert_eq!(said(" Again\n"), Decided::Again(None));
        assert_eq!(said("stop"), Decided::Over);
        assert_eq!(said("Use ./tmp instead"), Decided::Again(Some("Use ./tmp instead".into())));
        assert_eq!(read(&Answer::new()), Decided::Over);
    }
}
