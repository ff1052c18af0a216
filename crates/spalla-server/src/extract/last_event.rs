//! The `Last-Event-ID` of a client that comes back to a stream.

use crate::problem::Problem;
use axum::http::HeaderMap;
use spalla_domain::id::ID_MAX;

/// Reads the number of the last message that the client saw; `what` says what the number is of.
pub(crate) fn last_event_id(headers: &HeaderMap, what: &str) -> Result<Option<i64>, Problem> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    // A browser that has seen nothing yet sends an empty value.
    let text = value.to_str().unwrap_or("?");
    if text.is_empty() {
        return Ok(None);
    }
    match text.parse::<i64>().ok().filter(|id| (0..=ID_MAX).contains(id)) {
        Some(id) => Ok(Some(id)),
        None => Err(Problem::invalid("Last-Event-ID", format!("{text:?} is not {what}"))),
    }
}
