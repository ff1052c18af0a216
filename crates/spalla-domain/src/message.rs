//! Messages from one agent to another, and between agents and people: who may say what to whom, in which order it is
//! delivered, and how much of it is kept. A message waits in the mailbox of whom it is for until it is acknowledged.

use crate::problem::Code;
use crate::run_event::check_payload;
use crate::work_item::check_word;
use crate::{MessageId, ProjectId, Refusal, RunId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::cmp::Reverse;

/// What people are called as senders and receivers; no agent has this name.
pub const PEOPLE: &str = "people";
/// The most messages that one run sends.
pub const RUN_MESSAGES_MAX: u32 = 1_000;
/// The most messages that wait in one mailbox.
pub const MAILBOX_MAX: usize = 200;
/// The most messages that wait in all mailboxes of a project: they are listed in one document.
pub const PROJECT_WAITING_MAX: usize = 2_000;
/// How many of these are left to messages to people and from them, whatever agents tell one another.
pub const PEOPLE_ROOM: usize = 200;
/// The most messages that wait of those that one run sent.
pub const RUN_WAITING_MAX: usize = 50;
/// How long a message is kept, in milliseconds: 30 days.
pub const MESSAGE_KEPT_MS: i64 = 30 * 86_400_000;

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageType {
    /// Wants a response.
    Request,
    /// Answers a request.
    Response,
    /// Wants nothing.
    Notification,
}

/// How urgent a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// When there is nothing else.
    Low,
    /// As most are.
    #[default]
    Medium,
    /// Before others.
    High,
    /// Before everything.
    Critical,
}

/// Whose a mailbox is: an agent of a session, or of the project where there is none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Address {
    /// The session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// The agent, or [`PEOPLE`].
    pub agent: String,
}

impl Address {
    /// Returns the address of a run's agent; a run without one speaks under its own number.
    pub fn of_run(run_id: RunId, agent: Option<&str>, session_id: Option<&str>) -> Self {
        let agent = agent.filter(|agent| *agent != PEOPLE);
        let agent = agent.map_or_else(|| format!("run-{run_id}"), str::to_owned);
        Self { session_id: session_id.map(str::to_owned), agent }
    }
}

/// What somebody wants to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// To whom; whom it answers, where nobody is named.
    pub to: Option<String>,
    /// What it is.
    pub kind: MessageType,
    /// What it says.
    pub payload: Map<String, Value>,
    /// How urgent it is.
    pub priority: Priority,
    /// The message that it answers.
    pub in_reply_to: Option<MessageId>,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// Within what it is said.
    pub project_id: ProjectId,
    /// The session of both, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// Who says it.
    pub from: String,
    /// To whom.
    pub to: String,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: MessageType,
    /// What it says.
    pub payload: Map<String, Value>,
    /// How urgent it is.
    pub priority: Priority,
    /// The message that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_reply_to: Option<MessageId>,
    /// The run in which it was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
    /// When it was said.
    pub sent_at: Timestamp,
    /// When whom it is for had taken it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged_at: Option<Timestamp>,
}

impl Message {
    /// Returns who says it.
    pub fn sender(&self) -> Address {
        Address { session_id: self.session_id.clone(), agent: self.from.clone() }
    }

    /// Returns whom it is for.
    pub fn receiver(&self) -> Address {
        Address { session_id: self.session_id.clone(), agent: self.to.clone() }
    }

    /// Returns its state.
    pub const fn status(&self) -> &'static str {
        if self.acknowledged_at.is_some() { "acknowledged" } else { "pending" }
    }

    /// Takes note that whom it is for has taken it; says whether that is news.
    pub fn acknowledge(&mut self, now: Timestamp) -> bool {
        let is_news = self.acknowledged_at.is_none();
        self.acknowledged_at.get_or_insert(now);
        is_news
    }
}

impl NewMessage {
    /// Makes the message, or says why it can't be sent. What it answers has to be a message to the sender.
    pub fn make(
        self,
        id: MessageId,
        (project_id, from, run_id): (ProjectId, Address, Option<RunId>),
        answered: Option<&Message>,
        now: Timestamp,
    ) -> Result<Message, Refusal> {
        check_payload(&self.payload).map_err(|why| invalid(format!("payload: {why}")))?;
        if self.kind == MessageType::Response && self.in_reply_to.is_none() {
            return Err(invalid("in_reply_to: a response names the message that it answers".into()));
        }
        let answers = answered.filter(|answered| answered.project_id == project_id);
        if let Some(id) = self.in_reply_to
            && answers.is_none_or(|answered| answered.receiver() != from)
        {
            return Err(Refusal::not_found("message", id));
        }
        let to = match (self.to, answers) {
            (Some(to), Some(answered)) if to != answered.from => {
                let detail = format!("to: message {} is from {}, not from {to}", answered.id, answered.from);
                return Err(invalid(detail));
            }
            (_, Some(answered)) => answered.from.clone(),
            (Some(to), None) => to,
            (None, None) => return Err(invalid("to: nobody is named whom it is for".into())),
        };
        check_word(&to).map_err(|why| invalid(format!("to: {why}")))?;
        if to == from.agent {
            return Err(invalid(format!("to: {to} is who says it")));
        }
        Ok(Message {
            id,
            project_id,
            session_id: from.session_id,
            from: from.agent,
            to,
            kind: self.kind,
            payload: self.payload,
            priority: self.priority,
            in_reply_to: self.in_reply_to,
            run_id,
            sent_at: now,
            acknowledged_at: None,
        })
    }
}

/// What waits in the mailboxes of a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mailboxes {
    /// Whose.
    pub project_id: ProjectId,
    /// Those in which something waits.
    pub boxes: Vec<Mailbox>,
}

/// What waits for one receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mailbox {
    /// Whose.
    pub address: Address,
    /// What waits, in the order of delivery.
    pub waiting: Vec<Waiting>,
}

/// A message that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Which.
    pub id: MessageId,
    /// How urgent it is.
    pub priority: Priority,
    /// The run in which it was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
}

impl Mailboxes {
    /// Begins with empty ones.
    pub const fn new(project_id: ProjectId) -> Self {
        Self { project_id, boxes: vec![] }
    }

    /// Returns what waits for a receiver, in the order of delivery: the most urgent first, and of those the oldest.
    pub fn waiting(&self, address: &Address) -> &[Waiting] {
        let found = self.boxes.iter().find(|mailbox| mailbox.address == *address);
        found.map_or(&[], |mailbox| &mailbox.waiting)
    }

    /// Lets a message wait for its receiver, where there is room.
    pub fn put(&mut self, message: &Message) -> Result<(), Refusal> {
        let address = message.receiver();
        let all: usize = self.boxes.iter().map(|mailbox| mailbox.waiting.len()).sum();
        let own = self.waiting(&address).len();
        let of_people = message.to == PEOPLE || message.from == PEOPLE;
        let all_max = if of_people { PROJECT_WAITING_MAX } else { PROJECT_WAITING_MAX - PEOPLE_ROOM };
        if own >= MAILBOX_MAX || all >= all_max {
            return Err(full(format!(
                "{own} messages wait for {}, {all} in all of project {}; at most {MAILBOX_MAX} and {all_max} do",
                address.agent, self.project_id
            )));
        }
        if let Some(run_id) = message.run_id
            && self.waiting_of(run_id) >= RUN_WAITING_MAX
        {
            return Err(full(format!("{RUN_WAITING_MAX} messages of run {run_id} wait, as many as may")));
        }
        let waiting = Waiting { id: message.id, priority: message.priority, run_id: message.run_id };
        match self.boxes.iter_mut().find(|mailbox| mailbox.address == address) {
            Some(mailbox) => {
                mailbox.waiting.push(waiting);
                mailbox.waiting.sort_by_key(|waiting| (Reverse(waiting.priority), waiting.id));
            }
            None => self.boxes.push(Mailbox { address, waiting: vec![waiting] }),
        }
        Ok(())
    }

    /// Counts what waits of what a run sent.
    fn waiting_of(&self, run_id: RunId) -> usize {
        let waiting = self.boxes.iter().flat_map(|mailbox| &mailbox.waiting);
        waiting.filter(|waiting| waiting.run_id == Some(run_id)).count()
    }

    /// Takes a message out.
    pub fn take(&mut self, message: &Message) {
        let address = message.receiver();
        for mailbox in self.boxes.iter_mut().filter(|mailbox| mailbox.address == address) {
            mailbox.waiting.retain(|waiting| waiting.id != message.id);
        }
        self.boxes.retain(|mailbox| !mailbox.waiting.is_empty());
    }
}

fn full(detail: String) -> Refusal {
    Refusal::new(Code::MailboxFull, detail).mend("wait until some of them are acknowledged")
}

fn invalid(detail: String) -> Refusal {
    Refusal::new(Code::Invalid, detail)
}

#[cfg(test)]
mod tests;
