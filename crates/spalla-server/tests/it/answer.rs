//! An answer, with what every answer has to have: its headers, and a status that the document names.

use crate::world::World;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Method, Response};
use serde_json::Value;
use tokio::sync::OnceCell;

/// The document of the server under test; it is the same in every test.
static DOCUMENT: OnceCell<Value> = OnceCell::const_new();

/// Returns the document.
pub(crate) async fn document(world: &World) -> &'static Value {
    DOCUMENT
        .get_or_init(async || {
            let response = world.request("GET", "/openapi.json").send().await.unwrap();
            let v: Value = response.json().await.unwrap(); std::fs::write("/tmp/openapi.json", serde_json::to_string_pretty(&v).unwrap()).unwrap(); v
        })
        .await
}

/// What the server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// Reads an answer to its end.
    pub(crate) async fn read(response: Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, text: response.text().await.unwrap() }
    }

    /// Returns a header.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Returns the body, if the status is the expected one.
    #[track_caller]
    pub(crate) fn json(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self.header("content-type"), "application/json");
        serde_json::from_str(&self.text).unwrap()
    }

    /// Returns the problem, if status and code are the expected ones.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        let problem: Value = serde_json::from_str(&self.text).unwrap();
        assert_eq!(problem["code"], code, "{problem}");
        problem
    }

    /// Returns the paths of what is wrong.
    #[track_caller]
    pub(crate) fn invalid(&self) -> Vec<String> {
        let problem = self.problem(422, "invalid");
        let errors = problem["errors"].as_array().unwrap().iter();
        errors.map(|error| error["path"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Checks what every answer has to have.
    #[track_caller]
    pub(crate) fn check(&self, method: &Method, path: &str, document: &Value) {
        assert!(!self.header("x-request-id").is_empty(), "{method} {path}");
        assert_eq!(self.header("x-content-type-options"), "nosniff", "{method} {path}");
        assert!(self.header("content-security-policy").starts_with("default-src 'none'"), "{method} {path}");
        if let Some(operation) = operation(document, method, path) {
            let named = &operation["responses"][self.status.to_string()];
            assert!(named.is_object(), "{method} {path}: the document does not name {}: {}", self.status, self.text);
        }
        if self.status >= 400 && !self.header("content-type").starts_with("text/html") && *method != Method::HEAD {
            self.check_problem(path);
        }
    }

    #[track_caller]
    fn check_problem(&self, path: &str) {
        assert_eq!(self.headers.get(CONTENT_TYPE).unwrap(), "application/problem+json", "{}", self.text);
        let problem: Value = serde_json::from_str(&self.text).unwrap();
        assert_eq!(problem["status"], self.status, "{problem}");
        assert_eq!(problem["instance"], path, "{problem}");
        assert_eq!(problem["request_id"], self.header("x-request-id"), "{problem}");
        for member in ["type", "title", "detail", "code"] {
            assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{member}: {problem}");
        }
        let again = [429, 503].contains(&self.status);
        assert_eq!(!self.header("retry-after").is_empty(), again, "{problem}");
    }
}

/// Finds the operation that a path belongs to.
pub(crate) fn operation<'a>(document: &'a Value, method: &Method, path: &str) -> Option<&'a Value> {
    let parts = |path: &str| path.trim_end_matches('/').split('/').map(str::to_owned).collect::<Vec<_>>();
    let wanted = parts(path);
    let fits = |template: &str| {
        let template = parts(template);
        let same = template.iter().zip(&wanted).all(|(part, given)| part.starts_with('{') || part == given);
        (same && template.len() == wanted.len()).then(|| template.iter().filter(|part| part.starts_with('{')).count())
    };
    let paths = document["paths"].as_object()?.iter();
    let (_, item) = paths.filter_map(|(template, item)| fits(template).map(|n| (n, item))).min_by_key(|(n, _)| *n)?;
    let method = if *method == Method::HEAD { "get".to_owned() } else { method.as_str().to_lowercase() };
    item.get(method)
}
