//! The table: of every route what it does with what, and where that belongs.

use axum::http::Method;
use spalla_domain::access::{Action as A, Resource as R};

/// Where the thing belongs that a route is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// To no project: it concerns all of them.
    Everywhere,
    /// To whatever the query or the body names, which the list or the store looks at.
    Named,
    /// Everybody is let in, or the route decides for itself.
    Open,
    /// To the project that the path names.
    Project,
    /// To the work item that the path names.
    WorkItem,
    /// To the run that the path names.
    Run,
    /// To the approval that the path names.
    Approval,
    /// To the info request that the path names.
    InfoRequest,
    /// To the schedule that the path names.
    Schedule,
    /// To the message that the path names.
    Message,
}

impl Place {
    /// Tells whether the path names the thing.
    pub(super) const fn is_in_path(self) -> bool {
        !matches!(self, Self::Everywhere | Self::Named | Self::Open)
    }
}

/// What a route does with what.
#[derive(Debug)]
pub(super) struct Rule {
    method: &'static str,
    template: &'static str,
    pub(super) resource: R,
    pub(super) action: A,
    pub(super) place: Place,
}

const fn rule(method: &'static str, template: &'static str, resource: R, action: A, place: Place) -> Rule {
    Rule { method, template, resource, action, place }
}

/// Every route. Paths are written without a slash at their end.
pub(super) const RULES: &[Rule] = &[
    rule("GET", "", R::Document, A::Read, Place::Open),
    rule("GET", "/docs", R::Document, A::Read, Place::Everywhere),
    rule("GET", "/docs/{file}", R::Document, A::Read, Place::Everywhere),
    rule("GET", "/openapi.json", R::Document, A::Read, Place::Everywhere),
    rule("GET", "/health", R::Metric, A::Read, Place::Open),
    rule("GET", "/observability/health", R::Metric, A::Read, Place::Open),
    rule("GET", "/whoami", R::Document, A::Read, Place::Open),
    #[cfg(feature = "oidc")]
    rule("GET", "/sign-in", R::Document, A::Read, Place::Open),
    #[cfg(feature = "oidc")]
    rule("GET", "/sign-in/callback", R::Document, A::Read, Place::Open),
    #[cfg(feature = "oidc")]
    rule("POST", "/sign-out", R::Document, A::Read, Place::Open),
    rule("GET", "/metrics", R::Metric, A::Read, Place::Everywhere),
    rule("GET", "/observability/metrics", R::Metric, A::Read, Place::Everywhere),
    rule("GET", "/observability/traces", R::Run, A::Read, Place::Named),
    rule("GET", "/observability/usage", R::Quota, A::Read, Place::Named),
    rule("GET", "/events", R::Event, A::Read, Place::Named),
    rule("GET", "/api/errors", R::Run, A::Read, Place::Named),
    rule("GET", "/api/events/stream", R::Event, A::Read, Place::Named),
    rule("GET", "/api/ws", R::Event, A::Read, Place::Named),
    // Sessions.
    rule("POST", "/api/sessions", R::Session, A::Create, Place::Everywhere),
    rule("GET", "/api/sessions", R::Session, A::Read, Place::Named),
    rule("GET", "/api/session", R::Session, A::Read, Place::Named),
    rule("GET", "/api/session/plan", R::Session, A::Read, Place::Named),
    rule("POST", "/api/session/plan", R::Session, A::Execute, Place::Named),
    rule("GET", "/plan", R::Session, A::Read, Place::Named),
    rule("GET", "/plan.js", R::Session, A::Read, Place::Named),
    rule("GET", "/api/workers", R::Session, A::Read, Place::Named),
    rule("GET", "/api/reviews", R::Session, A::Read, Place::Named),
    rule("GET", "/api/decisions", R::Session, A::Read, Place::Named),
    rule("GET", "/api/recovery", R::Session, A::Read, Place::Named),
    rule("GET", "/api/pool", R::Worker, A::Read, Place::Everywhere),
    rule("GET", "/api/summary", R::Session, A::Read, Place::Named),
    // Each tool is looked at as the request that it stands for.
    rule("POST", "/mcp", R::Document, A::Read, Place::Everywhere),
    rule("DELETE", "/mcp", R::Document, A::Read, Place::Everywhere),
    rule("POST", "/api/messages", R::Message, A::Create, Place::Named),
    rule("GET", "/api/messages", R::Message, A::Read, Place::Named),
    rule("GET", "/api/messages/inbox", R::Message, A::Read, Place::Named),
    rule("GET", "/api/messages/{id}", R::Message, A::Read, Place::Message),
    rule("POST", "/api/messages/{id}/ack", R::Message, A::Update, Place::Message),
    // Whoever may see what agents do may see which there are, and under which names.
    rule("GET", "/api/agents", R::Session, A::Read, Place::Named),
    rule("GET", "/api/agents/{id}", R::Session, A::Read, Place::Named),
    rule("GET", "/schemas/agent.json", R::Document, A::Read, Place::Everywhere),
    rule("GET", "/api/aliases", R::Session, A::Read, Place::Named),
    // An alias is for all projects.
    rule("POST", "/api/aliases", R::Session, A::Create, Place::Everywhere),
    rule("DELETE", "/api/aliases/{name}", R::Session, A::Create, Place::Everywhere),
    rule("GET", "/api/agents/state", R::Run, A::Read, Place::Named),
    rule("POST", "/api/session/changes", R::Session, A::Execute, Place::Named),
    rule("GET", "/api/scorecards", R::Run, A::Read, Place::Named),
    rule("POST", "/api/control/{action}", R::Session, A::Execute, Place::Named),
    // Whoever may see what agents do may ask which there are.
    rule("POST", "/api/route", R::Session, A::Read, Place::Named),
    rule("GET", "/audit", R::Audit, A::Read, Place::Everywhere),
    rule("GET", "/audit/export", R::Audit, A::Read, Place::Everywhere),
    rule("GET", "/audit/head", R::Audit, A::Read, Place::Everywhere),
    rule("POST", "/tokens", R::Token, A::Create, Place::Everywhere),
    rule("GET", "/tokens", R::Token, A::Read, Place::Everywhere),
    rule("GET", "/tokens/{id}", R::Token, A::Read, Place::Everywhere),
    rule("DELETE", "/tokens/{id}", R::Token, A::Delete, Place::Everywhere),
    // It decides by the signature.
    rule("POST", "/api/github/webhook", R::Webhook, A::Read, Place::Open),
    rule("POST", "/webhooks", R::Webhook, A::Create, Place::Everywhere),
    rule("GET", "/webhooks", R::Webhook, A::Read, Place::Everywhere),
    rule("GET", "/webhooks/{id}", R::Webhook, A::Read, Place::Everywhere),
    rule("DELETE", "/webhooks/{id}", R::Webhook, A::Delete, Place::Everywhere),
    rule("GET", "/webhooks/{id}/deliveries", R::Webhook, A::Read, Place::Everywhere),
    // Projects.
    rule("POST", "/projects", R::Project, A::Create, Place::Everywhere),
    rule("GET", "/projects", R::Project, A::Read, Place::Named),
    rule("GET", "/projects/{id}", R::Project, A::Read, Place::Project),
    rule("PATCH", "/projects/{id}", R::Project, A::Update, Place::Project),
    rule("DELETE", "/projects/{id}", R::Project, A::Delete, Place::Project),
    rule("GET", "/projects/{id}/quota", R::Quota, A::Read, Place::Project),
    rule("POST", "/projects/{id}/quota", R::Quota, A::Update, Place::Project),
    rule("GET", "/projects/{id}/vision", R::Requirements, A::Read, Place::Project),
    rule("POST", "/projects/{id}/vision", R::Requirements, A::Update, Place::Project),
    rule("GET", "/projects/{id}/requirements", R::Requirements, A::Read, Place::Project),
    rule("POST", "/projects/{id}/requirements/propose", R::Requirements, A::Create, Place::Project),
    rule("GET", "/projects/{id}/requirements/{draft}", R::Requirements, A::Read, Place::Project),
    rule("PUT", "/projects/{id}/requirements/{draft}", R::Requirements, A::Update, Place::Project),
    rule("POST", "/projects/{id}/requirements/{draft}/approve", R::Requirements, A::Decide, Place::Project),
    rule("POST", "/projects/{id}/requirements/{draft}/reject", R::Requirements, A::Decide, Place::Project),
    // Work items.
    rule("POST", "/work-items", R::WorkItem, A::Create, Place::Named),
    rule("POST", "/work-items/bulk", R::WorkItem, A::Create, Place::Named),
    rule("GET", "/work-items", R::WorkItem, A::Read, Place::Named),
    rule("GET", "/work-items/{id}", R::WorkItem, A::Read, Place::WorkItem),
    rule("PATCH", "/work-items/{id}", R::WorkItem, A::Update, Place::WorkItem),
    rule("DELETE", "/work-items/{id}", R::WorkItem, A::Delete, Place::WorkItem),
    rule("POST", "/work-items/{id}/policy", R::WorkItem, A::Update, Place::WorkItem),
    rule("GET", "/work-items/{id}/tool-recipe", R::WorkItem, A::Read, Place::WorkItem),
    rule("POST", "/work-items/{id}/tool-recipe", R::WorkItem, A::Update, Place::WorkItem),
    rule("POST", "/work-items/{id}/start", R::WorkItem, A::Execute, Place::WorkItem),
    rule("GET", "/work-items/{id}/runs", R::Run, A::Read, Place::WorkItem),
    rule("GET", "/work-items/{id}/approvals", R::Approval, A::Read, Place::WorkItem),
    rule("POST", "/work-items/{id}/approvals", R::Approval, A::Create, Place::WorkItem),
    rule("GET", "/work-items/approvals/{id}", R::Approval, A::Read, Place::Approval),
    rule("POST", "/work-items/approvals/{id}/approve", R::Approval, A::Decide, Place::Approval),
    rule("POST", "/work-items/approvals/{id}/reject", R::Approval, A::Decide, Place::Approval),
    // Runs.
    rule("GET", "/work-items/runs", R::Run, A::Read, Place::Named),
    rule("GET", "/work-items/runs/{id}", R::Run, A::Read, Place::Run),
    rule("POST", "/work-items/runs/{id}/complete", R::Run, A::Complete, Place::Run),
    rule("POST", "/work-items/runs/{id}/cancel", R::Run, A::Execute, Place::Run),
    rule("POST", "/work-items/runs/{id}/pause", R::Run, A::Execute, Place::Run),
    rule("POST", "/work-items/runs/{id}/resume", R::Run, A::Execute, Place::Run),
    rule("POST", "/work-items/runs/{id}/claim", R::Run, A::Claim, Place::Run),
    rule("POST", "/work-items/runs/{id}/heartbeat", R::Run, A::Claim, Place::Run),
    rule("POST", "/work-items/runs/{id}/release", R::Run, A::Claim, Place::Run),
    rule("POST", "/work-items/runs/{id}/token", R::Run, A::Claim, Place::Run),
    rule("POST", "/work-items/runs/{id}/commands", R::Run, A::Claim, Place::Run),
    rule("POST", "/work-items/runs/{id}/refused-hosts", R::Run, A::Claim, Place::Run),
    rule("GET", "/work-items/runs/{id}/events", R::Event, A::Read, Place::Run),
    rule("POST", "/work-items/runs/{id}/events", R::Event, A::Report, Place::Run),
    rule("GET", "/work-items/runs/{id}/logs", R::Log, A::Read, Place::Run),
    rule("GET", "/work-items/runs/{id}/logs/ws", R::Log, A::Read, Place::Run),
    rule("GET", "/work-items/runs/{id}/logs/sse", R::Log, A::Read, Place::Run),
    rule("POST", "/work-items/runs/{id}/logs", R::Log, A::Report, Place::Run),
    rule("GET", "/work-items/runs/{id}/artifacts", R::Artifact, A::Read, Place::Run),
    rule("GET", "/work-items/runs/{id}/artifacts/{path}", R::Artifact, A::Read, Place::Run),
    rule("PUT", "/work-items/runs/{id}/artifacts/{path}", R::Artifact, A::Report, Place::Run),
    rule("GET", "/work-items/runs/{id}/info-requests", R::InfoRequest, A::Read, Place::Run),
    rule("POST", "/work-items/runs/{id}/info-requests", R::InfoRequest, A::Ask, Place::Run),
    rule("GET", "/work-items/runs/info-requests", R::InfoRequest, A::Read, Place::Named),
    rule("GET", "/work-items/runs/info-requests/{id}", R::InfoRequest, A::Read, Place::InfoRequest),
    rule(
        "POST",
        "/work-items/runs/info-requests/{id}/respond",
        R::InfoRequest,
        A::Answer,
        Place::InfoRequest,
    ),
    // The scheduler.
    rule("POST", "/scheduler/enqueue", R::Queue, A::Execute, Place::Named),
    rule("POST", "/scheduler/enqueue/bulk", R::Queue, A::Execute, Place::Named),
    rule("POST", "/scheduler/requeue/work-item", R::Queue, A::Execute, Place::Named),
    rule("POST", "/scheduler/requeue/run/{id}", R::Queue, A::Execute, Place::Run),
    rule("POST", "/scheduler/tick", R::Queue, A::Tick, Place::Named),
    rule("POST", "/scheduler/claim", R::Run, A::Claim, Place::Named),
    rule("POST", "/scheduler/exchange", R::Run, A::Claim, Place::Named),
    rule("GET", "/scheduler/queue", R::Queue, A::Read, Place::Named),
    rule("GET", "/scheduler/dead-letters", R::WorkItem, A::Read, Place::Named),
    rule("GET", "/scheduler/workers", R::Worker, A::Read, Place::Everywhere),
    rule("GET", "/scheduler/resource-pools", R::Worker, A::Read, Place::Everywhere),
    rule("GET", "/scheduler/schedules", R::Schedule, A::Read, Place::Named),
    rule("POST", "/scheduler/schedules", R::Schedule, A::Create, Place::Named),
    rule("GET", "/scheduler/schedules/{id}", R::Schedule, A::Read, Place::Schedule),
    rule("PATCH", "/scheduler/schedules/{id}", R::Schedule, A::Update, Place::Schedule),
    rule("DELETE", "/scheduler/schedules/{id}", R::Schedule, A::Delete, Place::Schedule),
    // Scratchpads.
    rule("POST", "/api/scratchpads", R::Scratchpad, A::Create, Place::Everywhere),
    rule("GET", "/api/scratchpads", R::Scratchpad, A::Read, Place::Everywhere),
    rule("GET", "/api/scratchpads/{id}", R::Scratchpad, A::Read, Place::Everywhere),
    rule("GET", "/api/scratchpads/{id}/stats", R::Scratchpad, A::Read, Place::Everywhere),
    rule("POST", "/api/scratchpads/{id}/pause", R::Scratchpad, A::Update, Place::Everywhere),
    rule("POST", "/api/scratchpads/{id}/resume", R::Scratchpad, A::Update, Place::Everywhere),
    rule("POST", "/api/scratchpads/{id}/export", R::Scratchpad, A::Execute, Place::Everywhere),
];

/// Returns the rule of a route, by its method and its path with the parameters' names.
pub(super) fn of(method: &Method, template: &str) -> Option<&'static Rule> {
    // What answers GET answers HEAD, without the body.
    let method = if *method == Method::HEAD { "GET" } else { method.as_str() };
    let template = template.trim_end_matches('/').replace("{*", "{");
    RULES.iter().find(|rule| rule.method == method && rule.template == template)
}

/// Returns the methods that a route knows, as Allow names them; none where there is no such route.
pub(super) fn methods(template: &str) -> Option<String> {
    let template = template.trim_end_matches('/').replace("{*", "{");
    let known = RULES.iter().filter(|rule| rule.template == template).map(|rule| rule.method);
    let known: Vec<_> =
        known.flat_map(|method| if method == "GET" { "GET,HEAD" } else { method }.split(',')).collect();
    (!known.is_empty()).then(|| known.join(","))
}

#[cfg(test)]
pub(super) fn names(rule: &Rule) -> (String, String) {
    (rule.method.to_owned(), rule.template.to_owned())
}
