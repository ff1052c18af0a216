//! Webhooks: to whom events are sent, and what came of it.

use crate::api::Api;
use crate::api::routes;
use crate::documents::Which;
use crate::extract::{Id, NoParams, Params, Wish};
use crate::principal::{Principal, Who};
use crate::problem::Problem;
use crate::state::App;
use crate::webhooks::Target;
use crate::wire::Empty;
use crate::wire::list::{Listed, list_query};
use crate::wire::number::IdInPath;
use crate::wire::webhook::{Delivery, MadeWebhook, NewWebhook, TemplateName, Webhook};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::IntoResponse;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use spalla_domain::access::{Action, Resource, besides, projects};
use spalla_domain::notice::{NEEDS_PERSON, Template};
use spalla_domain::{ProjectId, TokenId, WebhookId, webhook};
use spalla_store::{Command, Reply};

/// What a secret begins with.
const SECRET_PREFIX: &str = "whsec_";
/// How many bytes a secret has.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Adds the routes.
pub(super) fn add(api: Api) -> Api {
    api.add(routes!(create_webhook, list_webhooks))
        .add(routes!(get_webhook, remove_webhook))
        .add(routes!(list_deliveries))
}

/// Lets events be sent to a receiver, from now on
///
/// Each event is one POST, signed as Standard Webhooks describes, in the order of the events, and at least once:
/// `webhook-id` is the same when one comes again. Whatever is not answered with 2xx in 15 seconds is sent again, after
/// longer and longer waits of up to an hour; after three days, or when the receiver answers 410, nothing is sent any more.
/// It is sent on behalf of the token that makes it: only what that may read, and nothing once it opens no longer. With a
/// template people are told of what needs one, of each cause once: questions, approvals, blockers, limits, messages to people,
/// and work that nobody takes. One with a name is also sent what is for that name: alerts of agents whose definitions say it
/// (`metrics.escalation.notify`), and nothing else where it names no events.
#[utoipa::path(post, path = "/webhooks", tag = "webhooks",
    request_body(content = NewWebhook, example = json!({
        "url": "http://hooks.example.org/spalla", "events": ["run.*", "approval.requested"], "project_id": 1})),
    responses((status = 201, description = "The new webhook, with what signs: this once.", body = MadeWebhook)))]
async fn create_webhook(
    State(app): State<App>,
    wish: Wish<NewWebhook>,
) -> Result<impl IntoResponse, Problem> {
    let NewWebhook { url, events, project_id, secret, enabled, template, template_text, name } = wish.body;
    let target = Target::parse(&url).map_err(|why| Problem::invalid("url", why))?;
    target.check(&app.webhook_networks)?;
    let secret = match secret {
        Some(given) => checked(given.into())?,
        None => made(&app),
    };
    let template = chosen(template, template_text.map(String::from))?;
    let mut events: Vec<String> = events.into_iter().map(Into::into).collect();
    let name = name.map(String::from);
    if events.is_empty() && template.is_some() && name.is_none() {
        events.extend(NEEDS_PERSON.map(str::to_owned));
    }
    let project_id = project_id.map(|id| ProjectId(id.get()));
    let maker = wish.key.reach.principal().map(|principal| maker(principal, project_id));
    let made_with = maker.transpose()?;
    let spec = webhook::Spec { url, events, project_id, enabled: enabled.unwrap_or(true), template, name };
    let sealed_secret = app.vault.seal_secret(&secret.clone().into());
    let after = app.read().newest_event().await?;
    let new = webhook::NewWebhook { spec, sealed_secret: sealed_secret.clone(), after, made_with };
    let key = wish.key.map_key(|key| app.vault.blind(key));
    let made = app.execute(Command::CreateWebhook(Box::new(new)), key).await;
    match made.map_err(|problem| problem.naming_one_of(&["events", "name"]))? {
        Reply::Webhook(id) => {
            app.webhooks_changed.send_replace(());
            let kept = find(&app, id).await?;
            let secret = (kept.sealed_secret == sealed_secret).then_some(secret);
            let headers = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
            Ok((StatusCode::CREATED, headers, Json(MadeWebhook { secret, shown: kept.into() })))
        }
        other => Err(Problem::unexpected_reply(&other)),
    }
}

/// Returns on behalf of which token events are sent. Nobody lets others read what they may not.
fn maker(principal: &Principal, project_id: Option<ProjectId>) -> Result<TokenId, Problem> {
    let (resource, action) = (Resource::Event, Action::Read);
    let within = projects(&principal.policies, resource, action);
    let reads_any = within.is_some() || !besides(&principal.policies, resource, action).is_empty();
    let (true, Who::User(token) | Who::Worker(token, _)) = (reads_any, &principal.kind) else {
        let detail = format!("{} may not read events, and so may not let them be sent", principal.name);
        let problem = Problem::new(StatusCode::FORBIDDEN, "forbidden", detail);
        return Err(problem.mend("use a token that may read events"));
    };
    match project_id {
        Some(id) if !within.is_some_and(|within| within.has(id)) => Err(Problem::not_found("project", id)),
        _ => Ok(token.id),
    }
}

/// Reads the form in which people are told.
fn chosen(name: Option<TemplateName>, text: Option<String>) -> Result<Option<Template>, Problem> {
    match (name, text) {
        (Some(name), text) => {
            let template = Template::parse(name.as_str(), text);
            template
                .map(Some)
                .map_err(|refusal| Problem::from(refusal).naming_one_of(&["template_text", "template"]))
        }
        (None, None) => Ok(None),
        (None, Some(_)) => Err(Problem::invalid("template_text", "only a custom template has a text")),
    }
}

fn checked(secret: String) -> Result<String, Problem> {
    let bytes = secret.strip_prefix(SECRET_PREFIX).and_then(|digits| STANDARD.decode(digits).ok());
    match bytes.filter(|bytes| SECRET_BYTES.contains(&bytes.len())) {
        Some(_) => Ok(secret),
        None => {
            let message = "it is whsec_ and 24 to 64 bytes in base64; leave it out, and one is made";
            Err(Problem::invalid("secret", message))
        }
    }
}

fn made(app: &App) -> String {
    let bytes: Vec<u8> = (0..4).flat_map(|_| app.randomness.next().to_le_bytes()).collect();
    format!("{SECRET_PREFIX}{}", STANDARD.encode(bytes))
}

list_query! {
    /// Which webhooks are shown.
    WebhooksQuery {}
}

/// Lists the webhooks, newest first
#[utoipa::path(get, path = "/webhooks", tag = "webhooks", params(WebhooksQuery),
    responses((status = 200, description = "The webhooks.", body = Vec<Webhook>)))]
async fn list_webhooks(
    State(app): State<App>,
    uri: Uri,
    Params(query): Params<WebhooksQuery>,
) -> Result<Listed<Webhook>, Problem> {
    app.list_of(Which::default(), &uri, query.paging(), <Webhook as From<webhook::Webhook>>::from).await
}

/// Shows a webhook, and why nothing is sent where that is so
#[utoipa::path(get, path = "/webhooks/{id}", tag = "webhooks", params(IdInPath),
    responses((status = 200, description = "The webhook.", body = Webhook)))]
async fn get_webhook(
    State(app): State<App>,
    Id(id): Id<WebhookId>,
    _: Params<NoParams>,
) -> Result<Json<Webhook>, Problem> {
    Ok(Json(find(&app, id).await?.into()))
}

/// Removes a webhook; what was not sent yet never is
#[utoipa::path(delete, path = "/webhooks/{id}", tag = "webhooks", params(IdInPath),
    responses((status = 204, description = "It is gone.")))]
async fn remove_webhook(
    State(app): State<App>,
    Id(id): Id<WebhookId>,
    wish: Wish<Empty>,
) -> Result<StatusCode, Problem> {
    app.execute(Command::RemoveWebhook { id }, wish.key).await?;
    app.webhooks_changed.send_replace(());
    app.under_way.ended(id).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the newest attempts to send to a webhook, newest first; 50 are kept
#[utoipa::path(get, path = "/webhooks/{id}/deliveries", tag = "webhooks", params(IdInPath),
    responses((status = 200, description = "The attempts.", body = Vec<Delivery>)))]
async fn list_deliveries(
    State(app): State<App>,
    Id(id): Id<WebhookId>,
    _: Params<NoParams>,
) -> Result<Json<Vec<Delivery>>, Problem> {
    Ok(Json(find(&app, id).await?.deliveries.into_iter().map(Into::into).collect()))
}

async fn find(app: &App, id: WebhookId) -> Result<webhook::Webhook, Problem> {
    app.kept(id.0).await?.ok_or_else(|| Problem::not_found("webhook", id))
}
