//! An answer, with what every answer has to have: its headers, and a status that the document names.

use crate::schema::mismatch;
use crate::world::World;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Method, Response};
use serde_json::Value;
use tokio::sync::OnceCell;

/// The document of the server under test; it is the same in every test, but for where people sign in.
static DOCUMENT: OnceCell<Value> = OnceCell::const_new();
/// The document where they do.
static DOCUMENT_WITH_SIGN_IN: OnceCell<Value> = OnceCell::const_new();

/// Returns the document.
pub(crate) async fn document(world: &World) -> &'static Value {
    let kept = if world.people_sign_in { &DOCUMENT_WITH_SIGN_IN } else { &DOCUMENT };
    kept.get_or_init(async || {
        let response = world.request("GET", "/openapi.json").send().await.unwrap();
        response.json().await.unwrap()
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

    /// Returns the text of a page, if it was shown.
    #[track_caller]
    pub(crate) fn page(self) -> String {
        assert_eq!(self.status, 200, "{}", self.text);
        self.text
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

    /// Checks what every answer has to have; `sent` is the request's JSON body.
    #[track_caller]
    pub(crate) fn check(&self, method: &Method, path: &str, sent: Option<&Value>, document: &Value) {
        assert!(!self.header("x-request-id").is_empty(), "{method} {path}");
        assert_eq!(self.header("x-content-type-options"), "nosniff", "{method} {path}");
        assert!(self.header("content-security-policy").starts_with("default-src 'none'"), "{method} {path}");
        if let Some(operation) = operation(document, method, path) {
            self.check_document(operation, &format!("{method} {path}"), sent, document);
        }
        if self.status >= 400
            && !self.header("content-type").starts_with("text/html")
            && *method != Method::HEAD
        {
            self.check_problem(path);
        }
    }

    /// Holds the answer, and the request if it was granted, against the document.
    #[track_caller]
    fn check_document(&self, operation: &Value, call: &str, sent: Option<&Value>, document: &Value) {
        let mut response = &operation["responses"][self.status.to_string()];
        if let Some(reference) = response["$ref"].as_str() {
            response = document.pointer(reference.trim_start_matches('#')).unwrap();
        }
        assert!(response.is_object(), "{call}: the document does not name {}: {}", self.status, self.text);
        let media_type = self.header("content-type").split(';').next().unwrap_or_default();
        let schema = &response["content"][media_type]["schema"];
        let is_json = media_type == "application/json" || media_type.ends_with("+json");
        if is_json && !self.text.is_empty() {
            assert!(schema.is_object(), "{call}: the document does not name {media_type}");
            let why = mismatch(document, schema, &serde_json::from_str(&self.text).unwrap());
            assert_eq!(why, None, "{call}: the answer is not what the document says: {}", self.text);
        }
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        if let Some(sent) = sent.filter(|_| self.status < 300 && schema.is_object()) {
            assert_eq!(
                mismatch(document, schema, sent),
                None,
                "{call}: the document forbids what was granted: {sent}"
            );
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
        (same && template.len() == wanted.len())
            .then(|| template.iter().filter(|part| part.starts_with('{')).count())
    };
    let paths = document["paths"].as_object()?.iter();
    let (_, item) =
        paths.filter_map(|(template, item)| fits(template).map(|n| (n, item))).min_by_key(|(n, _)| *n)?;
    let method = if *method == Method::HEAD { "get".to_owned() } else { method.as_str().to_lowercase() };
    item.get(method)
}
