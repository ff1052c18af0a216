//! The start page: plain HTML without script or style, so that it shows what matters in any browser.

use super::session_plan;
use crate::access::Reach;
use crate::api::Api;
use crate::api::routes;
use crate::extract::Params;
use crate::principal::Caller;
use crate::problem::Problem;
use crate::state::App;
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;
use spalla_domain::access::Resource;
use spalla_domain::access::token::Token;
use spalla_store::view::{Depths, Page, RunFilter, RunView};
use std::fmt::Write as _;
use utoipa::IntoParams;

/// How many runs the page shows.
const RUNS_SHOWN: u32 = 20;

/// What the page may load and send where somebody signed in: nothing, and the form that signs them out.
const WITH_FORM: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

/// Adds the routes.
pub(super) fn add(api: Api) -> Api {
    api.add(routes!(home))
}

/// How somebody came to the page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct HomeQuery {
    /// The code of the start link; it works once.
    code: Option<String>,
}

/// Shows health, queue and recent runs as a page; the start link's code leaves a cookie
#[utoipa::path(get, path = "/", tag = "docs", params(HomeQuery),
    responses((status = 200, description = "The page.", body = String, content_type = "text/html"),
        (status = 303, description = "The code was taken: the cookie opens the page."),
        (status = 401, description = "How to be let in.", body = String, content_type = "text/html")))]
async fn home(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Params(query): Params<HomeQuery>,
) -> Result<Response, Problem> {
    if let Some(code) = query.code {
        return Ok(enter(&app, &code));
    }
    // It shows runs of all projects, and counts what waits.
    if !(caller.sees_all(Resource::Run) && caller.sees_all(Resource::Queue)) {
        return Ok(match caller.session() {
            Some(session) => signed_in("<h1>Spalla</h1>\n", session),
            None => shut(&app, "This page needs the start link."),
        });
    }
    let depths = app.read().depths().await?;
    let runs =
        app.read().runs(RunFilter::default(), Page { limit: RUNS_SHOWN, before: None, offset: 0 }).await?;
    let plans = match caller.sees_all(Resource::Session) {
        true => session_plan::waiting(&app, &Reach::all()).await?,
        false => String::new(),
    };
    let page = page(&app.version, depths, &runs) + &plans;
    Ok(match caller.session() {
        Some(session) => signed_in(&page, session),
        None => Html(html(&page)).into_response(),
    })
}

/// Shows what whoever signed in sees, who that is, and the way out: a form, whose page has to be named to this server.
fn signed_in(page: &str, session: &Token) -> Response {
    let body = format!(
        "{page}<h2>You</h2>\n<p>Signed in as <code>{}</code>. <a href=\"/whoami\">What you may do</a> · \
         <a href=\"/docs\">The interface</a></p>\n\
         <form method=\"post\" action=\"/sign-out\"><button>Sign out</button></form>\n",
        escaped(&session.principal())
    );
    let headers = [(header::CONTENT_SECURITY_POLICY, WITH_FORM), (header::REFERRER_POLICY, "same-origin")];
    (headers, Html(html(&body))).into_response()
}

/// Lets a browser in by the start link, and takes the code out of the address.
fn enter(app: &App, code: &str) -> Response {
    let to_page = [(header::LOCATION, "/")];
    if app.gate.is_open() {
        return (StatusCode::SEE_OTHER, to_page).into_response();
    }
    match app.gate.redeem(code, || app.randomness.next()) {
        Some(cookie) => {
            let headers = HeaderMap::from_iter([(header::SET_COOKIE, cookie)]);
            (StatusCode::SEE_OTHER, to_page, headers).into_response()
        }
        None => shut(app, "This start link was used already, or belongs to another start of the server."),
    }
}

fn shut(app: &App, why: &str) -> Response {
    let sign_in = app.oidc.as_ref().map(|oidc| escaped(oidc.sign_in_url()));
    let sign_in = sign_in.map(|url| format!("<p><a href=\"{url}\">Sign in</a></p>\n")).unwrap_or_default();
    let body = format!(
        "<h1>Spalla</h1>\n<p>{why}</p>\n{sign_in}<p>Open the link that the server printed when it started; it works once. \
         Programs send <code>Authorization: Bearer</code> with the token that <code>spalla token show</code> \
         prints.</p>\n"
    );
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer realm=\"spalla\"")], Html(html(&body)))
        .into_response()
}

fn page(version: &str, depths: Depths, runs: &[RunView]) -> String {
    let mut body = format!("<h1>Spalla</h1>\n<p>The server works. Version {}. ", escaped(version));
    body.push_str("<a href=\"/docs\">The interface</a> · <a href=\"/metrics\">Metrics</a></p>\n");
    body.push_str(
        "<h2>Queue</h2>\n<table>\n<tr><th>Ready<th>Delayed<th>Blocked<th>Pending runs<th>Running\n",
    );
    let Depths { ready, delayed, blocked, pending, running } = depths;
    // Writing into a string can't fail, here and below.
    let _ = writeln!(body, "<tr><td>{ready}<td>{delayed}<td>{blocked}<td>{pending}<td>{running}\n</table>");
    body.push_str("<h2>Recent runs</h2>\n");
    if runs.is_empty() {
        body.push_str(
            "<p>None yet. Make a project and a work item, and enqueue it: <a href=\"/docs\">how</a>.</p>\n",
        );
        return body;
    }
    body.push_str("<table>\n<tr><th>Run<th>Status<th>Work item<th>Attempt<th>Made\n");
    for run in runs {
        let (id, item, status) = (run.id, run.work_item_id, run.status.as_str());
        let (title, attempt, at) = (escaped(&run.title), run.attempt, run.created_at);
        let _ = writeln!(
            body,
            "<tr><td><a href=\"/work-items/runs/{id}\">{id}</a> (<a href=\"/work-items/runs/{id}/logs\">log</a>)\
             <td>{status}<td><a href=\"/work-items/{item}\">{title}</a><td>{attempt}<td>{at}"
        );
    }
    body.push_str("</table>\n");
    body
}

/// Returns a page with this body.
pub(super) fn html(body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>Spalla</title>\n</head>\n<body>\n{body}</body>\n\
         </html>\n"
    )
}

/// Writes a text so that a browser shows it and nothing else.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_stays_text() {
        assert_eq!(escaped("<script>&\"'"), "&lt;script&gt;&amp;&quot;&#39;");
    }
}
