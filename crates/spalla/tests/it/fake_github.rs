//! A GitHub of our own on loopback: the REST calls that are made of it, with its statuses, pages, names of answers and limits,
//! and repositories that are pushed to over HTTP.

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// What opens it.
pub(crate) const TOKEN: &str = "ghs_0123456789abcdefghij";
/// The same as git shows it: the name and the token in base64.
const BASIC: &str = "Basic eC1hY2Nlc3MtdG9rZW46Z2hzXzAxMjM0NTY3ODlhYmNkZWZnaGlq";
/// How many entries a page has.
const PAGE: usize = 2;

/// What it holds.
#[derive(Debug, Default)]
pub(crate) struct Held {
    pub(crate) issues: BTreeMap<u64, Value>,
    pub(crate) comments: Vec<Value>,
    pub(crate) pulls: Vec<Value>,
    pub(crate) checks: Vec<Value>,
    pub(crate) statuses: Vec<Value>,
    /// The calls so far, as `METHOD path status`.
    pub(crate) calls: Vec<String>,
    /// How many calls are refused by a limit.
    pub(crate) limited: usize,
    /// How many calls break.
    pub(crate) broken: usize,
    /// Whether check runs are for apps alone.
    pub(crate) has_no_checks: bool,
    numbers: u64,
}

/// The server; it ends with this.
pub(crate) struct FakeGitHub {
    pub(crate) url: String,
    pub(crate) held: Arc<Mutex<Held>>,
    pub(crate) repository: PathBuf,
    _tasks: JoinSet<()>,
}

impl FakeGitHub {
    /// Starts it, with an empty repository `ada/engine` beneath a folder.
    pub(crate) async fn start(folder: &Path) -> Self {
        let root = folder.join("served");
        let repository = root.join("ada/engine.git");
        let made = Command::new("git").args(["init", "--quiet", "--bare"]).arg(&repository).status();
        assert!(made.expect("git runs").success());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let held = Arc::new(Mutex::new(Held::default()));
        let mut tasks = JoinSet::new();
        let (shared, base) = (Arc::clone(&held), url.clone());
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (held, base, root) = (Arc::clone(&shared), base.clone(), root.clone());
                connections.spawn(async move {
                    let serve = service_fn(move |request| {
                        answer(request, Arc::clone(&held), base.clone(), root.clone())
                    });
                    let http = hyper::server::conn::http1::Builder::new();
                    let _ = http.serve_connection(TokioIo::new(stream), serve).await;
                });
            }
        });
        Self { url, held, repository, _tasks: tasks }
    }

    /// Returns the variables by which the binary finds it.
    pub(crate) fn env(&self) -> [(&str, &str); 3] {
        [
            ("SPALLA_GITHUB_API_URL", &self.url),
            ("SPALLA_GITHUB_REPO", "ada/engine"),
            ("SPALLA_GITHUB_TOKEN", TOKEN),
        ]
    }

    /// Makes an issue with a label.
    pub(crate) fn issue(&self, number: u64, association: &str, body: &str) {
        let issue = json!({"number": number, "title": "Write hello.txt", "body": body, "state": "open",
            "user": {"login": "ada"}, "author_association": association, "labels": [{"name": "spalla"}],
            "updated_at": "2026-01-01T00:00:00Z"});
        self.held.lock().expect("it").issues.insert(number, issue);
    }

    /// Looks at what it holds.
    pub(crate) fn see<T>(&self, look: impl FnOnce(&Held) -> T) -> T {
        look(&self.held.lock().expect("it"))
    }

    /// Changes what it holds.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Held)) {
        change(&mut self.held.lock().expect("it"));
    }

    /// Returns the commit of a branch that was pushed.
    pub(crate) fn commit(&self, branch: &str) -> String {
        let output = Command::new("git").args(["rev-parse", branch]).current_dir(&self.repository).output();
        String::from_utf8_lossy(&output.expect("git runs").stdout).trim().to_owned()
    }
}

type Answer = Response<Full<Bytes>>;

async fn answer(
    request: Request<Incoming>,
    held: Arc<Mutex<Held>>,
    base: String,
    root: PathBuf,
) -> Result<Answer, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let shown = |name: &str| {
        parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let (method, path) = (parts.method.as_str().to_owned(), parts.uri.path().to_owned());
    let query = parts.uri.query().unwrap_or_default().to_owned();
    if path.starts_with("/ada/engine.git/") {
        let answer = match shown("authorization") == BASIC {
            true => git(
                &root,
                (&method, &path, &query),
                (&shown("content-type"), &shown("content-encoding")),
                &body,
            ),
            false => Response::builder()
                .status(401)
                .header("www-authenticate", "Basic realm=\"GitHub\"")
                .body(Full::default())
                .expect("an answer"),
        };
        let line = format!("{method} {path} {}", answer.status().as_u16());
        held.lock().expect("it").calls.push(line);
        return Ok(answer);
    }
    let mut held = held.lock().expect("it");
    let known = shown("authorization") == format!("Bearer {TOKEN}");
    let (status, value, headers) = if !known {
        (401, json!({"message": "Bad credentials"}), vec![])
    } else if held.broken > 0 {
        held.broken -= 1;
        (502, json!({"message": "Server Error"}), vec![])
    } else if held.limited > 0 {
        held.limited -= 1;
        let words = json!({"message": "You have exceeded a secondary rate limit"});
        (403, words, vec![("retry-after", "0".to_owned())])
    } else {
        let told = serde_json::from_slice(&body).unwrap_or(Value::Null);
        rest(&mut held, (&method, &path, &query), &told, (&base, &shown("if-none-match")))
    };
    held.calls.push(format!("{method} {path} {status}"));
    let mut answer = Response::builder().status(status).header("content-type", "application/json");
    for (name, value) in headers {
        answer = answer.header(name, value);
    }
    let body = if status == 304 { Bytes::new() } else { value.to_string().into() };
    Ok(answer.body(Full::new(body)).expect("an answer"))
}

type Rest = (u16, Value, Vec<(&'static str, String)>);

fn rest(
    held: &mut Held,
    (method, path, query): (&str, &str, &str),
    told: &Value,
    (base, etag): (&str, &str),
) -> Rest {
    let none = || (404, json!({"message": "Not Found"}), vec![]);
    let Some(path) = path.strip_prefix("/repos/ada/engine") else { return none() };
    let words: Vec<&str> = path.trim_matches('/').split('/').collect();
    let number = |at: usize| words.get(at).and_then(|word| word.parse::<u64>().ok()).unwrap_or(0);
    let asked: BTreeMap<String, String> =
        url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    match (method, words.as_slice()) {
        ("GET", [""]) => (200, json!({"default_branch": "main"}), vec![]),
        ("GET", ["issues"]) => {
            let is_wanted = |issue: &&Value| {
                issue["state"] == "open" && issue["labels"][0]["name"] == asked["labels"].as_str()
            };
            let all: Vec<Value> = held.issues.values().filter(is_wanted).rev().cloned().collect();
            let name = format!("W/\"{:x}\"", json!(all).to_string().len());
            let page: usize = asked.get("page").and_then(|page| page.parse().ok()).unwrap_or(1);
            if etag == name && page == 1 {
                return (304, Value::Null, vec![]);
            }
            let shown: Vec<Value> = all.iter().skip((page - 1) * PAGE).take(PAGE).cloned().collect();
            let mut headers = vec![("etag", name)];
            if all.len() > page * PAGE {
                let labels = &asked["labels"];
                let next = format!(
                    "<{base}/repos/ada/engine/issues?labels={labels}&page={}>; rel=\"next\"",
                    page + 1
                );
                headers.push(("link", next));
            }
            (200, json!(shown), headers)
        }
        ("GET", ["issues", _]) => {
            held.issues.get(&number(1)).map_or_else(none, |issue| (200, issue.clone(), vec![]))
        }
        ("GET", ["issues", _, "comments"]) => {
            let of: Vec<&Value> =
                held.comments.iter().filter(|comment| comment["issue"] == number(1)).collect();
            (200, json!(of), vec![])
        }
        ("POST", ["issues", _, "comments"]) => {
            held.numbers += 1;
            held.comments.push(json!({"id": held.numbers, "issue": number(1), "body": told["body"]}));
            (201, json!({"id": held.numbers}), vec![])
        }
        ("PATCH", ["issues", "comments", _]) => change(held.comments.iter_mut(), "id", number(2), told),
        ("PATCH", ["issues", _]) => change(held.issues.values_mut(), "number", number(1), told),
        ("GET", ["pulls"]) => {
            let head =
                asked.get("head").and_then(|head| head.strip_prefix("ada:")).unwrap_or_default().to_owned();
            let of: Vec<&Value> =
                held.pulls.iter().filter(|pull| pull["head"]["ref"] == head.as_str()).collect();
            (200, json!(of), vec![])
        }
        ("POST", ["pulls"]) if held.pulls.iter().any(|pull| pull["head"]["ref"] == told["head"]) => {
            let error = json!({"message": "A pull request already exists"});
            (422, json!({"message": "Validation Failed", "errors": [error]}), vec![])
        }
        ("POST", ["pulls"]) => {
            held.numbers += 1;
            let pull = json!({"number": held.numbers, "title": told["title"], "body": told["body"], "state": "open",
                "draft": told["draft"], "head": {"ref": told["head"]}, "base": {"ref": told["base"]},
                "html_url": format!("https://github.com/ada/engine/pull/{}", held.numbers)});
            held.pulls.push(pull.clone());
            (201, pull, vec![])
        }
        ("PATCH", ["pulls", _]) => change(held.pulls.iter_mut(), "number", number(1), told),
        ("GET", ["commits", _, "check-runs"]) => {
            let of: Vec<&Value> = held.checks.iter().filter(|check| check["head_sha"] == words[1]).collect();
            (200, json!({"total_count": of.len(), "check_runs": of}), vec![])
        }
        ("POST", ["check-runs"]) if held.has_no_checks => {
            (403, json!({"message": "You must authenticate via a GitHub App."}), vec![])
        }
        ("POST", ["check-runs"])
            if told["output"]["annotations"].as_array().is_some_and(|all| all.len() > 50) =>
        {
            (422, json!({"message": "Invalid request."}), vec![])
        }
        ("POST", ["check-runs"]) => {
            held.numbers += 1;
            let mut check = told.clone();
            check["id"] = json!(held.numbers);
            held.checks.push(check.clone());
            (201, check, vec![])
        }
        ("PATCH", ["check-runs", _]) => change(held.checks.iter_mut(), "id", number(1), told),
        ("POST", ["statuses", _]) => {
            held.statuses.push(told.clone());
            (201, json!({}), vec![])
        }
        _ => none(),
    }
}

fn change<'a>(mut all: impl Iterator<Item = &'a mut Value>, name: &str, number: u64, told: &Value) -> Rest {
    let Some(found) = all.find(|one| one[name] == number) else {
        return (404, json!({"message": "Not Found"}), vec![]);
    };
    for (member, value) in told.as_object().into_iter().flatten() {
        found[member] = value.clone();
    }
    (200, found.clone(), vec![])
}

/// Serves git's own protocol by git's own program.
fn git(
    root: &Path,
    (method, path, query): (&str, &str, &str),
    (kind, encoding): (&str, &str),
    body: &[u8],
) -> Answer {
    let mut command = Command::new("git");
    command.arg("http-backend").env("GIT_PROJECT_ROOT", root).env("GIT_HTTP_EXPORT_ALL", "1");
    command
        .env("REQUEST_METHOD", method)
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("CONTENT_TYPE", kind);
    command.env("HTTP_CONTENT_ENCODING", encoding).env("CONTENT_LENGTH", body.len().to_string());
    command.env("REMOTE_USER", "ada").env("REMOTE_ADDR", "127.0.0.1").env("HOME", root);
    command
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "safe.directory")
        .env("GIT_CONFIG_VALUE_0", "*");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("git runs");
    let mut stdin = child.stdin.take().expect("its input");
    let told = body.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&told));
    let output = child.wait_with_output().expect("it ends").stdout;
    let _ = writer.join().expect("it wrote");
    let end = output.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(output.len());
    let mut answer = Response::builder().status(StatusCode::OK);
    for line in String::from_utf8_lossy(&output[..end]).lines() {
        let Some((name, value)) = line.split_once(": ") else { continue };
        match name {
            "Status" => answer = answer.status(value[..3].parse::<u16>().expect("a status")),
            _ => answer = answer.header(name, value),
        }
    }
    let body = output.get(end + 4..).unwrap_or_default().to_vec();
    answer.body(Full::new(body.into())).expect("an answer")
}
