//! What a run asks a person for, and has no answer to yet.

use super::in_process::unavailable;
use crate::client::Client;
use crate::failure::{Failure, Result};
use serde::Deserialize;
use spalla_domain::info_request::{InfoField, Status};
use spalla_engine::EngineHandle;
use spalla_store::document::{Kept as _, KeptInfoRequest};
use spalla_store::view::{DocumentFilter, Page};

/// How many questions of one run are looked at.
const QUESTIONS_MAX: u32 = 50;

/// A question that nobody has answered.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Question {
    /// Its id.
    pub(crate) id: i64,
    /// Why it is asked.
    pub(crate) reason: String,
    /// What is asked for.
    pub(crate) fields: Vec<InfoField>,
    /// The agent that asked by itself, and goes on by itself; none is the run's worker, which waits.
    #[serde(default)]
    pub(crate) asked_by: Option<String>,
}

impl Question {
    /// Returns the command that answers it.
    pub(crate) fn command(&self) -> String {
        let values = self.fields.iter().map(|field| {
            let example = field.example.as_deref().filter(|_| !field.secret).unwrap_or("…");
            format!(" {}={example}", field.name)
        });
        format!("spalla answer {}{}", self.id, values.collect::<String>())
    }
}

/// Of several the worker's comes first: that one holds the run.
fn first(mut all: Vec<Question>) -> Option<Question> {
    all.sort_by_key(|question| (question.asked_by.is_some(), question.id));
    all.into_iter().next()
}

pub(super) async fn over_http(client: &Client, run: i64) -> Result<Option<Question>> {
    let path = format!("/work-items/runs/{run}/info-requests?status=pending&limit={QUESTIONS_MAX}");
    client.get_as(&path).await.map(first)
}

pub(super) async fn in_process(engine: &EngineHandle, run: i64) -> Result<Option<Question>> {
    let filter = DocumentFilter {
        kind: KeptInfoRequest::KIND,
        owner: Some(run),
        status: Some(Status::Pending.as_str()),
    };
    let page = Page { limit: QUESTIONS_MAX, before: None, offset: 0 };
    let documents = engine.store().read().documents(filter, page).await.map_err(unavailable)?;
    let question = |kept: KeptInfoRequest| Question {
        id: kept.request.id.0,
        reason: kept.request.reason,
        fields: kept.request.fields,
        asked_by: kept.request.asked_by,
    };
    let read = documents.iter().map(|document| document.read().map(question));
    let all = read.collect::<std::result::Result<Vec<_>, _>>();
    all.map(first).map_err(|error| Failure::failed(format!("reading what run {run} asks: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_worker_asks_comes_before_what_its_agent_asks() {
        let question = |id: i64, asked_by: Option<&str>| Question {
            id,
            reason: "r".into(),
            fields: vec![InfoField { example: Some("again".into()), ..InfoField::new("decision", false) }],
            asked_by: asked_by.map(str::to_owned),
        };
        let found = first(vec![question(1, Some("codex")), question(2, None)]).unwrap();
        assert_eq!(found.command(), "spalla answer 2 decision=again");
        assert_eq!(first(vec![]), None);
    }
}
