//! `gemini --output-format json`: one document at the end, over many lines. Seen with 0.61. When it fails it prints none, and
//! says why on its standard error.

use super::{Ears, event, events, hostile, number_of, shown, str_of, words};
use crate::heard::{Heard, Spent, TurnEnd};
use serde_json::Value;
use spalla_domain::agent_event::{AgentEventType, Bounds};

/// What has to be remembered until the end.
#[derive(Debug, Default)]
pub(super) struct State {
    document: Vec<u8>,
}

impl State {
    /// Takes a line of the document; what comes before it are words, or events.
    pub(super) fn hear(&mut self, line: &[u8], bounds: Bounds) -> Vec<Heard> {
        let is_begun = !self.document.is_empty();
        let begins = || line.trim_ascii_start().first() == Some(&b'{');
        if !is_begun && (!begins() || is_event(line, bounds)) {
            return match bounds.read_text(line) {
                Ok(text) => in_lines(text, bounds),
                Err(why) => hostile(line, &why),
            };
        }
        // One byte more than is read, so that it is refused as too long.
        let room = (bounds.bytes + 1).saturating_sub(self.document.len());
        self.document.extend(line.iter().chain(b"\n").take(room));
        vec![]
    }

    /// Hears the document, once everything was printed.
    pub(super) fn finish(&mut self, ears: &Ears<'_>) -> Vec<Heard> {
        let document = std::mem::take(&mut self.document);
        if document.is_empty() {
            return vec![];
        }
        match read(&document, ears.bounds) {
            Ok((value, rest)) => {
                let mut heard = rest.lines().flat_map(|line| in_lines(line, ears.bounds)).collect::<Vec<_>>();
                heard.extend(of_document(&value, ears).unwrap_or_else(|why| hostile(&document, why)));
                heard
            }
            Err(why) => hostile(&document, &why),
        }
    }
}

fn is_event(line: &[u8], bounds: Bounds) -> bool {
    bounds.read_text(line).is_ok_and(|text| events::in_words(text, bounds).is_some())
}

fn in_lines(line: &str, bounds: Bounds) -> Vec<Heard> {
    match events::in_words(line, bounds) {
        Some(event) => vec![Heard::Event(event)],
        None if line.trim().is_empty() => vec![],
        None => vec![Heard::Words(line.to_owned())],
    }
}

/// Reads the first document, and returns what comes after it as well.
fn read(document: &[u8], bounds: Bounds) -> Result<(Value, &str), String> {
    let text = bounds.read_text(document)?;
    bounds.check_depth(text)?;
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    match values.next() {
        Some(Ok(value)) => Ok((value, &text[values.byte_offset()..])),
        Some(Err(error)) => Err(format!("it is not JSON: {error}")),
        None => Err("it is empty".into()),
    }
}

fn of_document(value: &Value, ears: &Ears<'_>) -> Result<Vec<Heard>, &'static str> {
    let thread = str_of(value, "/session_id").map(|id| Heard::Thread(id.to_owned()));
    let mut heard: Vec<Heard> = thread.into_iter().collect();
    if let Some(error) = value.get("error").filter(|error| error.is_object()) {
        let code = number_of(error, "/code").and_then(|code| u16::try_from(code).ok());
        // Some of its codes are exit codes, and not of HTTP.
        let status = code.filter(|code| *code >= 400);
        heard.extend(ears.failed(str_of(error, "/message").unwrap_or("the turn failed"), status, true));
        heard.push(Heard::Over(TurnEnd::Failed));
        return Ok(heard);
    }
    let Some(response) = str_of(value, "/response") else {
        return Err("it has neither an answer nor an error");
    };
    heard.extend(words(response, ears));
    heard.extend(failed_tools(value));
    heard.push(Heard::Spent(spent(value)));
    let answer = if response.trim().is_empty() { "ended a turn".to_owned() } else { shown(response) };
    heard.extend([event(AgentEventType::Milestone, answer), Heard::Over(TurnEnd::Completed)]);
    Ok(heard)
}

/// The document counts its tools, and says nothing more of them.
fn failed_tools(value: &Value) -> impl Iterator<Item = Heard> {
    let tools = value.pointer("/stats/tools/byName").and_then(Value::as_object).into_iter().flatten();
    tools.filter_map(|(name, tool)| {
        let count = number_of(tool, "/fail").filter(|count| *count > 0)?;
        let times = if count == 1 { "once".to_owned() } else { format!("{count} times") };
        Some(event(AgentEventType::Finding, format!("{} failed {times}", shown(name))))
    })
}

/// What all models used together.
fn spent(value: &Value) -> Spent {
    let models = || value.pointer("/stats/models").and_then(Value::as_object).into_iter().flatten();
    let sum = |path: &str| {
        let known = models().filter_map(|(_, model)| number_of(model, path));
        known.reduce(|sum, tokens| sum.saturating_add(tokens))
    };
    Spent {
        input_tokens: sum("/tokens/prompt"),
        cached_input_tokens: sum("/tokens/cached"),
        output_tokens: sum("/tokens/candidates"),
        ..Spent::default()
    }
}
