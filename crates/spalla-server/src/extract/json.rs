//! JSON bodies: their media type, their depth, and reading them into wire types.

use super::complaint;
use super::depth::{DEPTH_MAX, place, too_deep};
use super::duplicate::{Duplicate, duplicate};
use crate::problem::Problem;
use crate::wire::object::Object;
use crate::wire::problem::FieldProblem;
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::{DeserializeOwned, IgnoredAny};

/// What a body says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ContentKind {
    /// Nothing.
    Unnamed,
    /// JSON.
    Json,
    /// One JSON value a line.
    Ndjson,
    /// Plain text.
    Text,
    /// Something that nothing here reads.
    Other,
}

/// Returns what a body says it is.
pub(crate) fn content_kind(headers: &HeaderMap) -> ContentKind {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return if headers.contains_key(header::CONTENT_TYPE) {
            ContentKind::Other
        } else {
            ContentKind::Unnamed
        };
    };
    let text = value.to_str().unwrap_or_default().to_ascii_lowercase();
    let mut parts = text.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let is_utf8 = |part: &str| match part.split_once('=') {
        Some(("charset", charset)) => charset.trim_matches('"') == "utf-8",
        _ => true,
    };
    match essence {
        _ if !parts.all(is_utf8) => ContentKind::Other,
        "application/json" => ContentKind::Json,
        "application/x-ndjson" | "application/jsonl" => ContentKind::Ndjson,
        "text/plain" => ContentKind::Text,
        _ if essence.starts_with("application/") && essence.ends_with("+json") => ContentKind::Json,
        _ => ContentKind::Other,
    }
}

/// Refuses a body that does not say that it is JSON. Without a body it does not matter what is said: some clients
/// name a form even then.
pub(super) fn check_json(headers: &HeaderMap, is_empty: bool) -> Result<(), Problem> {
    match content_kind(headers) {
        _ if is_empty => Ok(()),
        ContentKind::Json => Ok(()),
        kind => Err(unsupported(headers, kind, "application/json")),
    }
}

/// Refuses a body that is not JSON or is nested too deep, for whatever reads it further on.
pub(crate) fn check_message(headers: &HeaderMap, json: &[u8]) -> Result<(), Problem> {
    check_json(headers, false)?;
    read::<IgnoredAny>(json).map(drop)
}

/// Says that a body of this kind is not read here.
pub(super) fn unsupported(headers: &HeaderMap, kind: ContentKind, wanted: &str) -> Problem {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let detail = if kind == ContentKind::Unnamed {
        "the body has no Content-Type".to_owned()
    } else {
        format!("a body of Content-Type {given:?} is not read here")
    };
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail)
        .mend(format!("send Content-Type: {wanted}"))
}

/// Reads a JSON object into a wire type.
pub(crate) fn parse<T: DeserializeOwned>(json: &[u8]) -> Result<T, Problem> {
    read(json).map(|Object(value)| value)
}

/// Reads a JSON array of objects into wire types.
pub(super) fn parse_list<T: DeserializeOwned>(json: &[u8]) -> Result<Vec<T>, Problem> {
    let objects: Vec<Object<T>> = read(json)?;
    Ok(objects.into_iter().map(|Object(value)| value).collect())
}

fn read<T: DeserializeOwned>(json: &[u8]) -> Result<T, Problem> {
    if let Some((line, column)) = too_deep(json) {
        let message = format!("the JSON is nested more than {DEPTH_MAX} levels deep");
        let error =
            FieldProblem { line: Some(line), column: Some(column), message, ..FieldProblem::default() };
        return Err(Problem::invalid_at(error));
    }
    let mut reader = serde_json::Deserializer::from_slice(json);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        refused(&path, &error.into_inner())
    })?;
    reader.end().map_err(|error| refused(".", &error))?;
    // Of what is no structure the last one would count in silence.
    match duplicate(json) {
        None => Ok(value),
        Some(Duplicate { path, name, at }) => {
            let (line, column) = place(&json[..at]);
            let error = FieldProblem::at_path(path, format!("duplicate field `{name}`"));
            Err(Problem::invalid_at(FieldProblem { line: Some(line), column: Some(column), ..error }))
        }
    }
}

fn refused(path: &str, error: &serde_json::Error) -> Problem {
    let (line, column) = (error.line(), error.column());
    let text = error.to_string();
    let message = text.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&text);
    let place = |problem: FieldProblem| FieldProblem {
        line: Some(line as u64).filter(|line| *line > 0),
        column: Some(column as u64).filter(|_| line > 0),
        ..problem
    };
    if error.is_data() {
        return Problem::invalid_at(place(complaint(path, message)));
    }
    let detail = format!("the body is no JSON: {message} in line {line}, column {column}");
    let errors = vec![place(FieldProblem { message: message.to_owned(), ..FieldProblem::default() })];
    Problem::new(StatusCode::BAD_REQUEST, "malformed_json", detail).errors(errors)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::object::objects;
    use axum::http::HeaderValue;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[expect(dead_code, reason = "only the errors matter")]
        size: u8,
        #[serde(default, deserialize_with = "objects")]
        #[expect(dead_code, reason = "only the errors matter")]
        parts: Vec<Sample>,
        #[serde(default)]
        #[expect(dead_code, reason = "only the errors matter")]
        free: serde_json::Value,
    }

    fn errors_of(json: &str) -> (u16, FieldProblem) {
        let problem = parse::<Sample>(json.as_bytes()).unwrap_err();
        (problem.status().as_u16(), problem.document("", "").errors.remove(0))
    }

    #[test]
    fn what_is_no_json_is_named_by_line_and_column() {
        for (json, line, column) in [("{\n  \"size\": 1,\n}", 3, 1), ("{\"size\": 1} x", 1, 13), ("", 1, 0)] {
            let (status, error) = errors_of(json);
            assert_eq!((status, error.line, error.column), (400, Some(line), Some(column)), "{json}");
        }
    }

    #[test]
    fn what_does_not_fit_is_named_by_its_path() {
        let cases = [
            (r#"{"size": 1, "parts": [{"size": 300}]}"#, "parts[0].size"),
            (r#"{"size": 1, "parts": [{"size": 3, "odd": 1}]}"#, "parts[0].odd"),
            (r#"{"size": 1, "parts": [{}]}"#, "parts[0].size"),
            (r#"{"size": 1, "size": 2}"#, "size"),
            (r#"{"odd": {"deep": [1]}}"#, "odd"),
            (
                r#"{"size": 1, "parts": [{"size": 2}], "free": {"a": 1, "b": [{"c": 1, "c": 1}]}}"#,
                "free.b[0].c",
            ),
        ];
        for (json, path) in cases {
            let (status, error) = errors_of(json);
            assert_eq!((status, error.path.as_deref()), (422, Some(path)), "{json}");
        }
    }

    #[test]
    fn only_an_object_is_read_as_one() {
        let cases = [
            ("[1]", None, "sequence"),
            ("null", None, "null"),
            ("7", None, "integer `7`"),
            (r#"{"size": 1, "parts": [[2]]}"#, Some("parts[0]"), "sequence"),
        ];
        for (json, path, what) in cases {
            let (status, error) = errors_of(json);
            let message = format!("invalid type: {what}, expected a JSON object");
            assert_eq!((status, error.path.as_deref(), error.message), (422, path, message), "{json}");
        }
    }

    #[test]
    fn without_a_body_no_media_type_matters() {
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, form)]);
        assert!(check_json(&headers, true).is_ok());
        assert!(check_json(&headers, false).is_err());
        assert!(check_json(&HeaderMap::new(), true).is_ok());
    }

    #[test]
    fn the_media_type_may_carry_utf8_and_nothing_else() {
        let kind = |value| {
            content_kind(&HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(value))]))
        };
        assert_eq!(kind("application/json"), ContentKind::Json);
        assert_eq!(kind("Application/JSON; charset=\"UTF-8\""), ContentKind::Json);
        assert_eq!(kind("application/merge-patch+json"), ContentKind::Json);
        assert_eq!(kind("application/json; charset=latin1"), ContentKind::Other);
        assert_eq!(kind("text/plain"), ContentKind::Text);
        assert_eq!(content_kind(&HeaderMap::new()), ContentKind::Unnamed);
    }
}
