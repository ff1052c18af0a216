//! `spalla_ask`: an info request of the run, and the wait for its answer.

use super::Way;
use super::calls::{Called, Calls, taken};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// The longest wait for a person, in seconds.
pub(super) const TIMEOUT_SECONDS_MAX: u64 = 86_400;
/// The wait where none is said, in seconds: as long as most agents let a tool take.
const TIMEOUT_SECONDS: u64 = 600;
/// How often it is looked whether there is an answer.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// What is asked for where nothing is named.
const ANSWER: &str = "ANSWER";

/// What `spalla_ask` takes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    question: String,
    #[serde(default)]
    fields: Vec<Value>,
    timeout_seconds: Option<u64>,
}

impl<W: Way> Calls<'_, W> {
    /// Asks a person in the name of the run, and returns what they answered.
    pub(super) async fn ask(&self, arguments: Value) -> Called {
        let Ask { question, mut fields, timeout_seconds } = taken(arguments)?;
        let timeout = timeout_seconds.unwrap_or(TIMEOUT_SECONDS);
        if !(1..=TIMEOUT_SECONDS_MAX).contains(&timeout) {
            return Err(format!("timeout_seconds: {timeout} is not between 1 and {TIMEOUT_SECONDS_MAX}"));
        }
        let until = Instant::now() + Duration::from_secs(timeout);
        if fields.is_empty() {
            fields.push(json!({"name": ANSWER, "secret": false}));
        }
        let path = format!("/work-items/runs/{}/info-requests", self.run().await?);
        let asked = self.post(&path, &json!({"reason": question, "fields": fields})).await?;
        let id = asked["id"].to_string();
        let path = format!("/work-items/runs/info-requests/{id}?reveal=true");
        loop {
            let shown = self.get_until(&path, until).await?;
            match shown["status"].as_str() {
                Some("answered") => return Ok(answer(&shown)),
                Some("pending") if Instant::now() < until => {
                    tokio::time::sleep_until(until.min(Instant::now() + LOOK_EVERY)).await;
                }
                Some("pending") => {
                    return Err(format!(
                        "nobody has answered within {timeout} seconds; the question stays open as info request {id}, \
                         and asking the same again waits on"
                    ));
                }
                _ => return Err(format!("info request {id} was withdrawn; nobody will answer it")),
            }
        }
    }
}

/// Returns what was answered, and the one value apart where only one was asked for.
fn answer(shown: &Value) -> Value {
    let values = &shown["values"];
    let mut answer =
        json!({"info_request_id": shown["id"], "values": values, "answered_by": shown["answered_by"]});
    let mut all = values.as_object().into_iter().flatten();
    if let (Some((_, only)), None) = (all.next(), all.next()) {
        answer["answer"] = only.clone();
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_is_the_answer_and_several_have_names() {
        let one = answer(&json!({"id": 1, "values": {"ANSWER": "yes"}, "answered_by": "ada"}));
        let expected =
            json!({"info_request_id": 1, "values": {"ANSWER": "yes"}, "answered_by": "ada", "answer": "yes"});
        assert_eq!(one, expected);
        assert_eq!(answer(&json!({"id": 1, "values": {"A": "1", "B": "2"}})).get("answer"), None);
    }
}
