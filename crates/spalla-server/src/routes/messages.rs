//! Messages between agents, and between agents and people. The token of a run speaks and reads for its own agent alone.

use crate::access::{Choice, Reach};
use crate::api::Api;
use crate::api::routes;
use crate::documents::Which;
use crate::extract::{Id, NoParams, Params, Wish};
use crate::principal::Who;
use crate::problem::Problem;
use crate::state::App;
use crate::wire::Empty;
use crate::wire::list::{Limit, Listed, list_query};
use crate::wire::message::{Message, MessageStatus, NewMessage};
use crate::wire::number::{IdInPath, IdNumber};
use crate::wire::text::{Needle, Word};
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::IntoResponse;
use serde::Deserialize;
use spalla_domain::claim::Heartbeat;
use spalla_domain::message::{self, Address, MAILBOX_MAX, Mailboxes, PEOPLE};
use spalla_domain::session::{is_session_id, session_of};
use spalla_domain::{MessageId, ProjectId};
use spalla_store::command::Sender;
use spalla_store::{Command, Reply};
use utoipa::IntoParams;

/// Adds the routes.
pub(super) fn add(api: Api) -> Api {
    api.add(routes!(send_message, list_messages))
        .add(routes!(read_inbox))
        .add(routes!(get_message))
        .add(routes!(acknowledge_message))
}

/// The id of no project: theirs are above zero.
const NO_PROJECT: i64 = 0;

/// The agent of a run, where its token calls.
struct Own {
    holder: Heartbeat,
    project_id: ProjectId,
    address: Address,
}

impl Own {
    /// Looks up for whom a run's token speaks; none where the caller is no run's agent.
    async fn of(app: &App, reach: &Reach) -> Result<Option<Self>, Problem> {
        let Some(Who::Agent(project_id, run_id, fence)) = reach.principal().map(|who| &who.kind) else {
            return Ok(None);
        };
        let run = super::runs::find(app, *run_id).await?;
        let item = app.read().work_item(run.work_item_id).await?;
        let labels = item.map(|view| view.item.spec.labels).unwrap_or_default();
        let address = Address::of_run(*run_id, run.agent.as_deref(), session_of(&labels));
        let holder = Heartbeat { run_id: *run_id, fencing_token: *fence };
        Ok(Some(Self { holder, project_id: *project_id, address }))
    }

    /// Refuses what names anybody or anything else.
    fn check(
        &self,
        agent: Option<&str>,
        session_id: Option<&str>,
        project_id: Option<i64>,
    ) -> Result<(), Problem> {
        let Address { agent: own, session_id: own_session } = &self.address;
        let is_own = agent.is_none_or(|name| name == own)
            && session_id.is_none_or(|id| own_session.as_deref() == Some(id))
            && project_id.is_none_or(|id| id == self.project_id.0);
        if is_own {
            return Ok(());
        }
        let detail = format!("the token of a run speaks and reads for its own agent alone, which is {own}");
        Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", detail)
            .mend("leave out who, where and in which session"))
    }

    fn sees(&self, message: &message::Message) -> bool {
        message.project_id == self.project_id
            && (message.sender() == self.address || message.receiver() == self.address)
    }
}

/// Sends a message to an agent, or to people; it waits until its receiver acknowledges it
///
/// Messages are between those of one project, and of one session where they are in one. The most urgent is delivered first,
/// and of those the oldest, again and again until it is acknowledged. Kept are 30 days, 1,000 messages of a run, and 200 that
/// wait for one receiver.
#[utoipa::path(post, path = "/api/messages", tag = "messages",
    request_body(content = NewMessage, example = json!({
        "to": "codex", "type": "request", "payload": {"text": "does the parser keep comments?"}, "priority": "high",
        "project_id": 1})),
    responses((status = 201, description = "The message.", body = Message)))]
async fn send_message(
    State(app): State<App>,
    reach: Reach,
    wish: Wish<NewMessage>,
) -> Result<impl IntoResponse, Problem> {
    let text = |word: &Option<Word>| word.clone().map(String::from);
    let (from, session_id) = (text(&wish.body.from), text(&wish.body.session_id));
    let project_id = wish.body.project_id.map(IdNumber::get);
    let mut message = wish.body.into_message();
    let sender = match Own::of(&app, &reach).await? {
        Some(own) => {
            own.check(from.as_deref(), session_id.as_deref(), project_id)?;
            app.vault.redact_message(own.holder.run_id, &mut message).await?;
            Sender::Run(own.holder)
        }
        None => named(&app, &message, (project_id, from, session_id)).await?,
    };
    let command = Command::SendMessage { sender, message: Box::new(message) };
    let sent = app.execute(command, wish.key).await;
    match sent.map_err(|problem| problem.naming_one_of(&["payload", "in_reply_to", "to", "project_id"]))? {
        Reply::Message(id) => {
            let location = [(header::LOCATION, format!("/api/messages/{id}"))];
            Ok((StatusCode::CREATED, location, Json(Message::from(find(&app, id).await?))))
        }
        other => Err(Problem::unexpected_reply(&other)),
    }
}

/// Returns as whom somebody speaks who is no run's agent. What answers a message is said in its session.
async fn named(
    app: &App,
    message: &message::NewMessage,
    (project_id, from, session_id): (Option<i64>, Option<String>, Option<String>),
) -> Result<Sender, Problem> {
    let answered = match message.in_reply_to {
        Some(id) => app.kept::<message::Message>(id.0).await?,
        None => None,
    };
    if session_id.as_ref().is_some_and(|id| !is_session_id(id)) {
        return Err(Problem::invalid("session_id", "it is no name of a session"));
    }
    let session_id = session_id.or_else(|| answered.and_then(|answered| answered.session_id));
    let agent = from.unwrap_or_else(|| PEOPLE.to_owned());
    Ok(Sender::Named { project_id: project_id.map(ProjectId), address: Address { session_id, agent } })
}

list_query! {
    /// Which messages are shown.
    MessagesQuery {
        /// Of this project.
        #[param(inline)]
        project_id: Option<IdNumber>,
        /// Of this session.
        #[param(inline)]
        session_id: Option<Needle>,
        /// From this agent, or from `people`.
        #[param(inline)]
        from: Option<Needle>,
        /// To this agent, or to `people`.
        #[param(inline)]
        to: Option<Needle>,
        /// In this state.
        #[param(inline)]
        status: Option<MessageStatus>,
    }
}

/// Lists messages, newest first; the token of a run sees those from and to its own agent
///
/// So many are looked at for a page and no more: where few of them are shown the page may be short, and names the next one all
/// the same.
#[utoipa::path(get, path = "/api/messages", tag = "messages", params(MessagesQuery),
    responses((status = 200, description = "The messages.", body = Vec<Message>)))]
async fn list_messages(
    State(app): State<App>,
    uri: Uri,
    reach: Reach,
    Params(query): Params<MessagesQuery>,
) -> Result<Listed<Message>, Problem> {
    let own = Own::of(&app, &reach).await?;
    let paging = query.paging();
    let asked = query.project_id.map(|id| ProjectId(id.get()));
    let owner = match reach.choose(asked.or(own.as_ref().map(|own| own.project_id))) {
        Choice::Plain(project) => project.map(|id| id.0),
        Choice::Among(projects) => projects.is_empty().then_some(NO_PROJECT),
    };
    let which = Which { owner, status: query.status.map(MessageStatus::as_str) };
    let text = |needle: Option<Needle>| needle.map(String::from);
    let (session_id, from, to) = (text(query.session_id), text(query.from), text(query.to));
    let is_shown = |message: &message::Message| {
        reach.has(message.project_id)
            && own.as_ref().is_none_or(|own| own.sees(message))
            && session_id.is_none() | (session_id == message.session_id)
            && from.as_ref().is_none_or(|from| *from == message.from)
            && to.as_ref().is_none_or(|to| *to == message.to)
    };
    app.list_chosen(which, (&uri, paging), is_shown, Message::from).await
}

/// Whose mailbox is read.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct InboxQuery {
    /// Of which project; the token of a run need not say it.
    #[param(inline)]
    project_id: Option<IdNumber>,
    /// Of which session; the token of a run need not say it.
    #[param(inline)]
    session_id: Option<Needle>,
    /// Of which agent; `people` when left out, and the agent of a run for its token.
    #[param(inline)]
    agent: Option<Needle>,
    /// How many at most; 50 when left out.
    #[param(inline)]
    limit: Option<Limit>,
}

/// Reads what waits for an agent, or for people: the most urgent first, and of those the oldest
///
/// It is delivered again with every reading until it is acknowledged.
#[utoipa::path(get, path = "/api/messages/inbox", tag = "messages", params(InboxQuery),
    responses((status = 200, description = "The messages.", body = Vec<Message>)))]
async fn read_inbox(
    State(app): State<App>,
    reach: Reach,
    Params(query): Params<InboxQuery>,
) -> Result<Json<Vec<Message>>, Problem> {
    let text = |needle: Option<Needle>| needle.map(String::from);
    let (agent, session_id) = (text(query.agent), text(query.session_id));
    let project_id = query.project_id.map(IdNumber::get);
    let (project_id, address) = match Own::of(&app, &reach).await? {
        Some(own) => {
            own.check(agent.as_deref(), session_id.as_deref(), project_id)?;
            (own.project_id, own.address)
        }
        None => {
            let project_id = project_id.map(ProjectId).ok_or_else(|| {
                Problem::invalid("project_id", "no project is named whose messages are read")
            })?;
            let is_there = reach.has(project_id) && app.read().project(project_id).await?.is_some();
            if !is_there {
                return Err(Problem::not_found("project", project_id));
            }
            (project_id, Address { session_id, agent: agent.unwrap_or_else(|| PEOPLE.to_owned()) })
        }
    };
    let boxes: Option<Mailboxes> = app.kept(project_id.0).await?;
    let limit = query.limit.map_or(50, |limit| limit.small() as usize).min(MAILBOX_MAX);
    let waiting = boxes.iter().flat_map(|boxes| boxes.waiting(&address)).take(limit);
    let mut messages = vec![];
    for waiting in waiting {
        let found: Option<message::Message> = app.kept(waiting.id.0).await?;
        // Somebody may have acknowledged it meanwhile.
        messages.extend(found.filter(|message| message.acknowledged_at.is_none()).map(Message::from));
    }
    Ok(Json(messages))
}

/// Shows a message
#[utoipa::path(get, path = "/api/messages/{id}", tag = "messages", params(IdInPath),
    responses((status = 200, description = "The message.", body = Message)))]
async fn get_message(
    State(app): State<App>,
    Id(id): Id<MessageId>,
    reach: Reach,
    _: Params<NoParams>,
) -> Result<Json<Message>, Problem> {
    let message = find(&app, id).await?;
    match Own::of(&app, &reach).await? {
        Some(own) if !own.sees(&message) => Err(Problem::not_found("message", id)),
        _ => Ok(Json(message.into())),
    }
}

/// Acknowledges a message: its receiver has taken it, and it is delivered no more
#[utoipa::path(post, path = "/api/messages/{id}/ack", tag = "messages", params(IdInPath),
    responses((status = 200, description = "The message as it is now.", body = Message)))]
async fn acknowledge_message(
    State(app): State<App>,
    Id(id): Id<MessageId>,
    reach: Reach,
    wish: Wish<Empty>,
) -> Result<Json<Message>, Problem> {
    let reader = Own::of(&app, &reach).await?.map(|own| own.holder);
    match app.execute(Command::AcknowledgeMessage { id, reader }, wish.key).await? {
        Reply::Message(id) => Ok(Json(find(&app, id).await?.into())),
        other => Err(Problem::unexpected_reply(&other)),
    }
}

async fn find(app: &App, id: MessageId) -> Result<message::Message, Problem> {
    app.kept(id.0).await?.ok_or_else(|| Problem::not_found("message", id))
}
