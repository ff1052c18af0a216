//! What the lines of a worker can do to what reads them.

use super::{cut, json_lines, number, text_lines};
use crate::damage::{damaged, odd_text};
use axum::http::{HeaderMap, HeaderValue};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;
use spalla_domain::Timestamp;
use spalla_domain::id::ID_MAX;
use spalla_domain::log::LINE_BYTES_MAX;

const NOW: Timestamp = Timestamp::from_ms(5_000);

const LINES: &[&str] = &[
    "{\"text\": \"one\"}\n\n{\"at\": \"2026-01-02T03:04:05.678Z\", \"stream\": \"stderr\", \"step\": 2, \"text\": \"\"}\r\n",
    "{\"text\":\"\\u0000\\ud83d\\ude00\"}\n{\"text\": \"b\", \"stream\": \"system\"}",
];

proptest! {
    #[test]
    fn a_damaged_batch_of_json_lines_is_kept_whole_or_refused_at_one_of_its_lines(
        body in damaged(LINES), bytes in vec(any::<u8>(), 0..3),
    ) {
        let body = [body.as_bytes(), &bytes].concat();
        let said = body.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).count();
        match json_lines(&body, NOW) {
            Ok(lines) => prop_assert_eq!(lines.len(), said),
            Err(problem) => {
                let error = problem.document("", "").errors.remove(0);
                let lines = body.split(|byte| *byte == b'\n').count() as u64;
                prop_assert!(error.line.is_some_and(|line| (1..=lines).contains(&line)), "{:?}", error);
            }
        }
    }

    #[test]
    fn json_lines_come_out_as_they_were_written(texts in vec(odd_text(), 0..8)) {
        let body: String = texts.iter().map(|text| json!({"text": text}).to_string() + "\n").collect();
        let lines = json_lines(body.as_bytes(), NOW).unwrap();
        prop_assert_eq!(lines.into_iter().map(|line| line.text).collect::<Vec<_>>(), texts);
    }

    #[test]
    fn any_bytes_are_lines_of_text_within_their_bounds(
        pieces in vec((select(vec![&b"a"[..], b"\n", b"\r\n", b"\r", b"\0", b"\xff", b"\xc3", b"\xa9", b"\xf0\x9f"]),
            prop_oneof![9 => 1..4_usize, 1 => 1..70_000_usize]), 0..12),
    ) {
        let body: Vec<u8> = pieces.iter().flat_map(|(piece, times)| piece.repeat(*times)).collect();
        let lines = text_lines(&body, NOW);
        let ends = body.iter().filter(|byte| **byte == b'\n').count();
        let rest = usize::from(body.last().is_some_and(|byte| *byte != b'\n'));
        prop_assert_eq!(lines.len(), ends + rest);
        prop_assert!(lines.iter().all(|line| !line.text.contains('\n')));
        prop_assert!(lines.into_iter().all(|line| cut(line.text).len() <= LINE_BYTES_MAX));
    }

    #[test]
    fn a_number_in_a_header_is_within_its_range_or_refused(
        values in vec(prop_oneof![damaged(&["0", "7", "9007199254740991"]), any::<i64>().prop_map(|n| n.to_string())], 0..3),
    ) {
        let values: Vec<_> = values.iter().filter_map(|value| HeaderValue::from_str(value).ok()).collect();
        let mut headers = HeaderMap::new();
        for value in &values {
            headers.append("x-first-seq", value.clone());
        }
        match number(&headers, "x-first-seq") {
            Ok(None) => prop_assert!(values.is_empty()),
            Ok(Some(number)) => {
                prop_assert!((0..=ID_MAX).contains(&number) && values.len() == 1);
            }
            Err(problem) => {
                let path = problem.document("", "").errors.remove(0).path;
                prop_assert_eq!(path.as_deref(), Some("x-first-seq"));
            }
        }
    }
}
