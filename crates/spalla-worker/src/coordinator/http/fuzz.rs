//! What the answers of a hostile server can do to a worker.

use super::{CoordinatorError, HttpCoordinator, SHOWN_CHARS, error_of};
use crate::backoff::Backoff;
use crate::damage::{damaged, odd_text};
use proptest::option::of;
use proptest::prelude::*;
use reqwest::StatusCode;
use spalla_domain::claim::ExchangeReply;
use std::sync::Arc;

const ANSWERS: &[&str] = &[
    r#"{"completed": [1], "refused": [{"run_id": 2, "reason": "stale_token"}],
        "heartbeats": [{"run_id": 3, "cancel": true, "pause": false}], "runs": [{"run_id": 4, "work_item_id": 5,
        "project_id": 6, "fencing_token": 7, "expires_at": "2026-01-02T03:04:05Z", "attempt": 1,
        "trace_id": "0123456789abcdef0123456789abcdef", "next_log_seq": 1, "executor": "recipe", "title": "t",
        "labels": ["x"], "recipe": "steps: [a]", "timeout_ms": 1000}]}"#,
    r#"{"code": "stale_token", "detail": "the token is 4", "title": "Stale token", "status": 409}"#,
    "<html><h1>502 Bad Gateway</h1></html>",
    "",
];

proptest! {
    #[test]
    fn a_damaged_answer_is_understood_as_it_is_written_or_refused_in_words(answer in damaged(ANSWERS)) {
        match serde_json::from_slice::<ExchangeReply>(answer.as_bytes()) {
            Ok(reply) => {
                let written = serde_json::to_vec(&reply).unwrap();
                prop_assert_eq!(serde_json::from_slice::<ExchangeReply>(&written).ok(), Some(reply));
            }
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }

    #[test]
    fn whatever_a_server_says_instead_of_an_answer_becomes_a_bounded_wait_or_an_end(
        status in 100..600_u16, seconds in of(any::<i64>()), text in prop_oneof![damaged(ANSWERS), odd_text()],
    ) {
        let error = error_of(StatusCode::from_u16(status).unwrap(), seconds, &text);
        let detail = match &error {
            CoordinatorError::Unavailable { retry_after_ms, detail } => {
                let wait = Backoff::default().next(*retry_after_ms, &(Arc::new(|| u64::MAX) as _));
                prop_assert!(wait.as_secs() <= 300, "{:?}", wait);
                detail
            }
            CoordinatorError::Refused { detail, .. } | CoordinatorError::Rejected { detail, .. } => detail,
        };
        prop_assert!(detail.chars().count() <= SHOWN_CHARS + 20, "{} characters are shown", detail.chars().count());
    }

    #[test]
    fn an_address_is_one_of_http_or_refused_in_words(
        url in prop_oneof![damaged(&["http://127.0.0.1:18080", "https://host/spalla/", "http://[::1]:1/?q#f"]), odd_text()],
    ) {
        match HttpCoordinator::new(&url, None) {
            Ok(at) => prop_assert!(at.post("scheduler/exchange").is_ok() && at.base.host_str().is_some()),
            Err(error) => prop_assert!(!error.to_string().trim().is_empty()),
        }
    }
}
