//! Which caller may call which route: one table of what each route does with what, and where that belongs. The rule that
//! decides is the domain's. Whoever may not see something is told in the same words as if it did not exist.

mod place;
mod reach;
mod rules;

pub(crate) use reach::{Choice, Reach};
pub(crate) use rules::Place;

use crate::principal::{Caller, Principal, Who};
use crate::problem::Problem;
use crate::state::App;
use axum::RequestPartsExt;
use axum::extract::{MatchedPath, RawPathParams};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use rules::Rule;
use spalla_domain::access::{Decision, Projects, Target, besides, decide, projects};
use spalla_store::command::Scope;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Decides whether a caller may call a route, and how far they reach with it.
pub(crate) async fn check(app: &App, caller: &Caller, parts: &mut Parts) -> Result<Reach, Problem> {
    let Some(principal) = caller.known() else { return Ok(Reach::all()) };
    let Some(template) = parts.extensions.get::<MatchedPath>().cloned() else { return Ok(Reach::none()) };
    // The start page decides for itself.
    let Some(rule) = rules::of(&parts.method, template.as_str()) else {
        return Err(match rules::methods(template.as_str()) {
            Some(methods) => Problem::no_method(&parts.method, parts.uri.path()).allowing(methods),
            None => forbidden(principal, None),
        });
    };
    let target = match rule.place {
        Place::Everywhere | Place::Named | Place::Open => Target::default(),
        place => {
            let params =
                parts.extract::<RawPathParams>().await.map_err(|_| Problem::no_route(parts.uri.path()))?;
            let id = place::first_id(&params)?;
            place::find(app, principal, place, id).await?
        }
    };
    let within = projects(&principal.policies, rule.resource, rule.action);
    let decision = match rule.place {
        Place::Open => Decision::Allowed,
        Place::Named if within.is_some() => Decision::Allowed,
        Place::Named => Decision::Denied,
        _ => decide(&principal.policies, rule.resource, rule.action, &target),
    };
    match (decision, rule.place) {
        (Decision::Allowed, _) => Ok(reach(principal, rule, within, parts)),
        (Decision::Hidden, place) if place.is_in_path() => Err(place::not_found(place, parts).await),
        (Decision::Hidden | Decision::Denied, _) => Err(forbidden(principal, Some(rule))),
    }
}

fn reach(principal: &Arc<Principal>, rule: &Rule, within: Option<Projects>, parts: &mut Parts) -> Reach {
    let nothing = || Projects::Only(BTreeSet::new());
    let scope = match &principal.kind {
        Who::User(_) => Scope {
            // A policy for single things never stands for the projects that they belong to.
            projects: within.unwrap_or_else(nothing),
            besides: besides(&principal.policies, rule.resource, rule.action),
            run_id: None,
            holder: None,
        },
        Who::Worker(token, family) => {
            let all = |ids: &BTreeSet<_>| Projects::Only(ids.clone());
            let projects = token.project_ids.as_ref().map_or(Projects::All, all);
            Scope { projects, besides: vec![], run_id: None, holder: Some(family.clone()) }
        }
        Who::Agent(project, run, fence) => {
            // An agent knows its token and need not know the number of the lease that it stands for.
            parts.headers.entry("x-fencing-token").or_insert(HeaderValue::from(fence.0));
            let projects = Projects::Only([*project].into());
            Scope { projects, besides: vec![], run_id: Some(*run), holder: None }
        }
    };
    Reach::of(Arc::clone(principal), scope)
}

fn forbidden(principal: &Principal, rule: Option<&Rule>) -> Problem {
    let what = rule.map_or_else(
        || "call this".to_owned(),
        |rule| format!("{} {}", rule.action.as_str(), rule.resource.as_str().replace('_', " ")),
    );
    let detail = format!("{} may not {what} here", principal.name);
    Problem::new(StatusCode::FORBIDDEN, "forbidden", detail)
        .mend("use a token that may, or let an administrator make one: spalla token create --role ROLE")
}

#[cfg(test)]
mod tests;
