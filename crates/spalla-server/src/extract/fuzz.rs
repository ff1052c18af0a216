//! What foreign requests can do to what reads them: bodies, queries and keys.

use super::{idempotency, json, params};
use crate::damage::{damaged, odd_text};
use crate::problem::Problem;
use crate::wire::claim::{ClaimBody, ExchangeBody};
use crate::wire::info_request::{AnswerBody, NewInfoRequest};
use crate::wire::list::{Listed, list_query};
use crate::wire::quota::QuotaBody;
use crate::wire::requirements::DraftBody;
use crate::wire::schedule::NewSchedule;
use crate::wire::scheduler::EnqueueBody;
use crate::wire::text::Needle;
use crate::wire::work_item::{NewWorkItem, PolicyChange, WorkItemChange};
use axum::http::{Request, Uri, header};
use axum::response::IntoResponse;
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json as value};
use spalla_domain::Timestamp;
use spalla_domain::id::ID_MAX;
use spalla_domain::quota::Quota;
use spalla_domain::work_item::{NewWorkItem as DomainNew, SpecPatch, TIMEOUT_MS_MAX};

const BODIES: &[&str] = &[
    r#"{"project_id": 1, "title": "a", "description": null, "prompt": "é\n", "executor": "agent", "agent": "surveyor",
        "category": "c", "priority": 9, "critical": false, "timeout_seconds": 0.5, "labels": ["x", "y"],
        "depends_on": [1, {"id": 2, "when": "done"}], "recipe": "steps: [make]"}"#,
    r#"{"title": "b", "description": null, "timeout_seconds": null, "priority": 4.0, "labels": []}"#,
    r#"{"max_retries": 3, "backoff_base_seconds": 1e1, "backoff_jitter_seconds": 0}"#,
    r#"{"worker_id": "w", "max": 3, "wait_seconds": 2, "ttl_seconds": 60, "executors": ["recipe"], "labels": ["x"]}"#,
    r#"{"agent_id": "w", "completed": [{"run_id": 1, "fencing_token": 2, "success": false, "exit_code": -1,
        "result": {"deep": [1, {"a": "\ud83d\ude00"}]}, "usage": {"input_tokens": 1, "cost_usd": 0.1},
        "error": {"class": "timeout", "message": "late"}}, {"run_id": 2, "fencing_token": 1, "success": true,
        "error": "none"}], "heartbeats": [{"run_id": 3, "fencing_token": 4}]}"#,
    r#"{"work_item_id": 1, "cron": "0 6 * * MON-FRI", "timezone": "Europe/Berlin", "catch_up": "last", "enabled": true}"#,
    r#"{"items": [{"title": "a", "labels": ["x"], "priority": 9}, {"title": "b", "executor": "agent", "depends_on": [0]}]}"#,
    r#"{"reason": "r", "fencing_token": 1, "fields": [{"name": "A", "secret": true, "schema": {"pattern": "^[a-z]+$"}}]}"#,
    r#"{"daily_runs": 1, "daily_tokens": null, "daily_cost_usd": 0.25, "max_concurrent_runs": 2}"#,
    "{}",
];

list_query! {
    /// A list for this test.
    Sample {
        /// A filter.
        q: Option<Needle>,
    }
}

proptest! {
    #[test]
    fn a_damaged_body_is_read_or_refused_at_a_place_of_it(body in damaged(BODIES), bytes in vec(any::<u8>(), 0..3)) {
        let body = [body.as_bytes(), &bytes].concat();
        let new = json::parse::<NewWorkItem>(&body).map(|new| DomainNew::from(new).spec.checked());
        let change = json::parse::<WorkItemChange>(&body).map(SpecPatch::from);
        let claim = json::parse::<ClaimBody>(&body).map(ClaimBody::into_request);
        let exchange = json::parse::<ExchangeBody>(&body).map(ExchangeBody::into_exchange);
        let policy = json::parse::<PolicyChange>(&body);
        let now = Timestamp::from_ms(0);
        let schedule = json::parse::<NewSchedule>(&body).map(|new| new.into_spec().check(now));
        let draft = json::parse::<DraftBody>(&body).and_then(DraftBody::into_items);
        let question = json::parse::<NewInfoRequest>(&body).and_then(NewInfoRequest::into_question);
        let quota = json::parse::<QuotaBody>(&body).map(Quota::from);
        let lines = body.split(|byte| *byte == b'\n').count() as u64;
        let old = [new.err(), change.err(), claim.err(), exchange.err(), policy.err()];
        let further = [schedule.err(), draft.err(), question.err(), quota.err()];
        for problem in old.into_iter().chain(further).flatten() {
            assert_speaks(&problem)?;
            for error in problem.document("", "").errors {
                prop_assert!(error.line.is_some() || error.path.is_some(), "{error:?}");
                prop_assert!(error.line.is_none_or(|line| (1..=lines).contains(&line)), "{error:?}");
            }
        }
    }

    #[test]
    fn no_list_of_bodies_is_refused_without_naming_its_entry(
        bodies in vec(damaged(&[r#"{"work_item_id": 1, "priority": 3}"#, r#"{"work_item_id": 7, "delay_seconds": 0.5}"#]), 0..4),
    ) {
        let body = format!("[{}]", bodies.join(","));
        match json::parse_list::<EnqueueBody>(body.as_bytes()) {
            Ok(read) => prop_assert!(read.len() <= body.matches("work_item_id").count()),
            Err(problem) => {
                assert_speaks(&problem)?;
                let document = problem.document("", "");
                let is_named = |path: &String| path.starts_with('[');
                let error = &document.errors[0];
                prop_assert!(document.status == 400 || error.path.as_ref().map_or(error.line.is_some(), is_named), "{error:?}");
            }
        }
    }

    #[test]
    fn no_refusal_of_a_secret_body_repeats_what_is_in_it(
        body in damaged(&[
            r#"{"values": {"A": "hunter2", "B": "hunter2"}, "by": "ada"}"#, r#"{"values": "hunter2"}"#, r#""hunter2""#,
            r#"{"values": {"A": 7777777}, "by": 7777777}"#, r#"["hunter2", 7777777]"#, r#"{"values": {"A": ["hunter2"]}}"#,
        ]),
    ) {
        if let Err(problem) = json::parse::<AnswerBody>(body.as_bytes()).map_err(Problem::discreet) {
            assert_speaks(&problem)?;
            for error in problem.document("", "").errors {
                // The name of a member is repeated, and damage can make one of anything.
                let said = format!("{} {:?}", error.message, error.allowed);
                prop_assert!(!said.contains("hunter2") && !said.contains("7777777"), "{body}: {said}");
                let is_name = |path: &String| path.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.".contains(&b));
                prop_assert!(error.path.as_ref().is_none_or(is_name), "{:?}", error.path);
            }
        }
    }

    #[test]
    fn an_item_that_keeps_the_rules_is_read_as_it_was_said(
        (project, title, prompt) in (1..=ID_MAX, "[^\0\\s][^\0]{0,400}", of("[^\0]{0,40}")),
        (priority, critical, timeout) in (of(0..=9_u8), of(any::<bool>()), of(1..=TIMEOUT_MS_MAX)),
        labels in vec("\\PC{0,98}[^\\s\\p{C}]", 0..=32),
        parents in vec((1..=ID_MAX, of(select(vec!["success", "failure", "done"]))), 0..5),
    ) {
        let edge = |(id, when): &(i64, Option<&str>)| match when {
            Some(when) => value!({"id": id, "when": when}),
            None => value!(id),
        };
        let body = value!({
            "project_id": project, "title": title, "prompt": prompt, "priority": priority, "critical": critical,
            "timeout_seconds": timeout.map(|ms| ms as f64 / 1e3), "labels": labels,
            "depends_on": parents.iter().map(edge).collect::<Vec<Value>>(),
        });
        let new = json::parse::<NewWorkItem>(body.to_string().as_bytes()).map(DomainNew::from);
        prop_assert!(new.is_ok(), "{:?} is refused: {:?}", body, new.err());
        let new = new.unwrap();
        prop_assert_eq!((new.project_id.0, &new.spec.title, &new.spec.prompt), (project, &title, &prompt));
        prop_assert_eq!((new.spec.priority, new.spec.critical), (priority.unwrap_or(5), critical.unwrap_or(true)));
        prop_assert_eq!(new.spec.timeout_ms, timeout);
        prop_assert_eq!(new.depends_on.iter().map(|d| d.id.0).collect::<Vec<_>>(),
            parents.iter().map(|(id, _)| *id).collect::<Vec<_>>());
        prop_assert!(new.spec.checked().is_ok());
    }

    #[test]
    fn a_number_with_a_point_is_read_as_itself_or_not_at_all(
        number in prop_oneof![0..=ID_MAX, 0..100_000_i64], zeros in "0{1,30}", exponent in of(0..3_i32),
    ) {
        let exponent = exponent.map(|e| format!("e{e}")).unwrap_or_default();
        let body = format!("{{\"project_id\": {number}.{zeros}{exponent}, \"title\": \"a\"}}");
        if let Ok(new) = json::parse::<NewWorkItem>(body.as_bytes()).map(DomainNew::from) {
            let times = 10_i64.pow(exponent.trim_start_matches('e').parse().unwrap_or(0));
            prop_assert_eq!(new.project_id.0, number * times);
        } else {
            prop_assert!(!(1..1_000_000_i64).contains(&number) || zeros.len() > 8, "{} is refused", body);
        }
    }

    #[test]
    fn no_depth_of_json_is_too_much(
        begin in select(vec!["", "{\"completed\":", "{\"depends_on\":[", "{\"completed\":[{\"result\":", "{\"x\":"]),
        piece in select(vec!["[", "{\"a\":", "[[", "[{\"result\":", "{\"\\\"[\":"]),
        times in prop_oneof![1..80_usize, 1..200_000_usize],
    ) {
        let body = format!("{begin}{}", piece.repeat(times));
        let problems = [json::parse::<ExchangeBody>(body.as_bytes()).err(), json::parse::<NewWorkItem>(body.as_bytes()).err()];
        for problem in problems {
            let errors = problem.expect("it is never closed").document("", "").errors;
            prop_assert!(errors.iter().all(|error| error.line == Some(1) && error.column.is_some()));
        }
    }

    #[test]
    fn the_next_page_of_whatever_list_keeps_its_filters(
        query in prop_oneof![
            damaged(&["limit=2&cursor=99&q=a%20b&count=true", "q=%C3%A9&offset=3", "curs%6Fr=5&limit=1", "&&q=1&", ""]),
            "[a-z%0-9=&+]{0,30}",
        ],
        last_id in 1..=ID_MAX,
    ) {
        let Ok(uri) = format!("/things/?{query}").parse::<Uri>() else { return Ok(()) };
        let sample = match params::read::<Sample>(&uri) {
            Ok(sample) => sample,
            Err(problem) => return assert_speaks(&problem),
        };
        let paging = sample.paging();
        let page = vec![(); paging.page.limit as usize];
        let response = Listed::new(page, Some(last_id), &uri, paging, None).into_response();
        let links = response.headers().get(header::LINK).unwrap().to_str().unwrap().to_owned();
        let next = links.split('<').nth(2).and_then(|link| link.split('>').next()).unwrap();
        let again = params::read::<Sample>(&next.parse().unwrap());
        prop_assert!(again.is_ok(), "{} leads to {}: {:?}", uri, next, again.err());
        let again = again.unwrap();
        prop_assert_eq!((&again.q, again.paging().page.limit), (&sample.q, paging.page.limit));
        prop_assert_eq!((again.paging().page.before, again.paging().count), (Some(last_id), paging.count));
    }

    #[test]
    fn a_key_is_kept_as_it_was_sent_or_refused_in_words(
        keys in vec(prop_oneof!["[!-~]{1,255}".prop_map(String::into_bytes), vec(any::<u8>(), 0..300)], 0..3),
    ) {
        let mut request = Request::builder().method("POST").uri("/x");
        for key in &keys {
            request = request.header("idempotency-key", key.as_slice());
        }
        let Ok(request) = request.body(()) else { return Ok(()) };
        match idempotency::key(&request.into_parts().0, b"{}") {
            Ok(None) => prop_assert!(keys.is_empty()),
            Ok(Some(kept)) => prop_assert_eq!(&[kept.key.as_bytes()][..], &[keys[0].trim_ascii()][..keys.len()]),
            Err(problem) => assert_speaks(&problem)?,
        }
    }

    #[test]
    fn texts_of_any_characters_are_read_or_refused_with_the_members_name(text in odd_text()) {
        let body = value!({"worker_id": text, "labels": [text]}).to_string();
        match json::parse::<ClaimBody>(body.as_bytes()) {
            Ok(body) => {
                let (request, _) = body.into_request().unwrap();
                prop_assert_eq!((request.worker_id.as_str(), &request.labels), (text.as_str(), &vec![text.clone()]));
            }
            Err(problem) => {
                let path = problem.document("", "").errors.remove(0).path;
                prop_assert!(["worker_id", "labels[0]"].contains(&path.as_deref().unwrap_or_default()), "{:?}", path);
            }
        }
    }
}

/// Checks that a problem blames the client and says something.
fn assert_speaks(problem: &Problem) -> Result<(), TestCaseError> {
    let document = problem.document("", "");
    prop_assert!([400, 422].contains(&document.status), "{document:?}");
    prop_assert!(!document.detail.trim().is_empty() && !document.code.is_empty());
    prop_assert!(document.errors.iter().all(|error| !error.message.trim().is_empty()));
    Ok(())
}
