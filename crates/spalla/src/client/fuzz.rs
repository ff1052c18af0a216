//! What the answers of a hostile server can do to the commands.

use super::{Client, Place, query};
use crate::damage::{damaged, odd_text};
use proptest::prelude::*;
use reqwest::StatusCode;

const ANSWERS: &[&str] = &[
    r#"{"code": "invalid_recipe", "mend": "mend the recipe", "title": "Invalid",
        "detail": "the recipe is not valid in 2 places; the first: line 2, column 3: unknown key `stepz`",
        "errors": [{"line": 2, "column": 3, "message": "unknown key", "allowed": ["steps", "tools"]},
                   {"path": "a.b", "message": "é"}]}"#,
    r#"{"errors": [{}, {}], "detail": "; the first: "}"#,
    "<html>",
    "",
];

proptest! {
    #[test]
    fn whatever_a_server_refuses_with_is_told_in_words(status in 300..600_u16, text in damaged(ANSWERS)) {
        let place = Place { url: "http://127.0.0.1:1".into(), token: None, found: "--server".into() };
        let client = Client::new(place).unwrap();
        let failure = client.refusal("/x", StatusCode::from_u16(status).unwrap(), &text);
        prop_assert!(!failure.to_string().trim().is_empty());
        prop_assert!(!failure.to_string().contains(|c: char| c.is_control() && c != '\n' && c != '\t'), "{:?}", failure.to_string());
    }

    #[test]
    fn what_a_person_types_into_a_query_arrives_as_it_was_typed(text in odd_text()) {
        let url = reqwest::Url::parse(&format!("http://h/x{}", query(&[("q", Some(text.clone()))]))).unwrap();
        prop_assert_eq!(url.query_pairs().next().map(|(_, value)| value.into_owned()), Some(text));
    }
}
