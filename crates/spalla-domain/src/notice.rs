//! Notices: what a person is told when something waits for them, and how chats and desktops want to be told. One cause is one
//! notice, however many events speak of it.

use crate::Refusal;
use crate::agent_event::AgentEventType;
use crate::event::{Event, Fact};
use crate::message::PEOPLE;
use crate::problem::Code;
use crate::retry::ErrorClass;
use crate::session_event::SessionNews;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The types of events that may need a person: what a webhook with a template is sent where it names none.
pub const NEEDS_PERSON: [&str; 12] = [
    "info_request.asked",
    "approval.requested",
    "message.sent",
    "blocker",
    "run.failed",
    "heartbeat_miss",
    "session.paused",
    "session.waiting",
    "session.stopped",
    "agent.missing",
    "registry.refused",
    "receiver.unknown",
];
/// The longest text of a template, in bytes.
pub const TEMPLATE_BYTES_MAX: usize = 8 * 1024;
/// How many causes are remembered of a webhook, the newest.
pub const CAUSES_KEPT: usize = 200;
/// How much of a text is told, in characters.
const TEXT_CHARS_MAX: usize = 1_000;
/// How much of a title a chat is sent, in UTF-16 units and with what marks it as plain.
const CHAT_TITLE_MAX: usize = 300;
/// How much of a text Slack is sent, in the same: it cuts at 4,000.
const SLACK_TEXT_MAX: usize = 3_500;
/// How much of a text Discord is sent: it refuses what has more than 2,000 with the title.
const DISCORD_TEXT_MAX: usize = 1_650;
/// How many bytes of a text's digest tell one blocker of a run from another.
const DIGEST_BYTES: usize = 6;

/// As what a notice is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Template {
    /// As an incoming webhook of Slack reads it.
    Slack,
    /// As a webhook of Discord reads it.
    Discord,
    /// As a notifier on a desktop reads it: title, body and urgency.
    Desktop,
    /// JSON with `{{title}}`, `{{text}}`, `{{urgency}}`, `{{type}}`, `{{id}}` and `{{project_id}}` in its texts.
    Custom(String),
}

/// What a person is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What it is about: of several with the same cause one is sent.
    pub cause: String,
    /// In a few words.
    pub title: String,
    /// What is to be done.
    pub text: String,
    /// Whether work stands still until somebody does it.
    pub is_urgent: bool,
}

impl Notice {
    /// Returns what a person is told of an event; none where nobody has to do anything.
    pub fn of(event: &Event) -> Option<Self> {
        let run = || event.run_id.map_or_else(|| "a run".to_owned(), |id| format!("run {id}"));
        let item =
            || event.work_item_id.map_or_else(|| "a work item".to_owned(), |id| format!("work item {id}"));
        let (cause, title, text, is_urgent) = match &event.fact {
            Fact::InfoRequested { info_request_id: id, fields } => (
                format!("info_request:{id}"),
                format!("{} asks", run()),
                format!("Info request {id} wants {}: spalla answer {id}", fields.join(", ")),
                true,
            ),
            Fact::ApprovalRequested { approval_id: id, kind, .. } => (
                format!("approval:{id}"),
                format!("{} waits for a yes", item()),
                format!("Approval {id} is wanted ({}): spalla approve {id}", kind.as_str()),
                true,
            ),
            Fact::MessageSent { message_id: id, from, to, session_id, .. } if to == PEOPLE => (
                format!("message:{id}"),
                format!("{from} writes to you"),
                format!(
                    "Message {id} waits: spalla message read --project {}{}",
                    event.project_id,
                    session_id.as_ref().map(|id| format!(" --session {id}")).unwrap_or_default()
                ),
                false,
            ),
            Fact::AgentTold(told) if told.kind == AgentEventType::Blocker => {
                let text = told.payload.get("text").and_then(Value::as_str).unwrap_or_default();
                (
                    format!("blocker:{}:{}", event.run_id.map_or(0, |id| id.0), digest(text)),
                    format!("{} can't go on", told.agent.clone().unwrap_or_else(run)),
                    text.to_owned(),
                    true,
                )
            }
            Fact::RunFailed { class: ErrorClass::RateLimited, .. } => (
                // Each attempt meets the same wall.
                format!("limit:{}", event.work_item_id.map_or(0, |id| id.0)),
                format!("{} met a limit", item()),
                format!(
                    "{} failed at a limit of its service: spalla runs show {}",
                    run(),
                    event.run_id.map_or(0, |id| id.0)
                ),
                false,
            ),
            Fact::AgentTold(told) if told.alert().is_some() => {
                let alert = told.alert().unwrap_or_default();
                let text = told.payload.get("text").and_then(Value::as_str).unwrap_or_default();
                (
                    // It is told once until it is better, and then anew.
                    format!("alert:{}", event.seq),
                    format!("{}: {alert}", told.agent.clone().unwrap_or_else(run)),
                    text.to_owned(),
                    false,
                )
            }
            Fact::ReceiverUnknown { names } => (
                format!("receiver_unknown:{}", names.join(",")),
                "agents name receivers that nobody has".to_owned(),
                format!(
                    "metrics.escalation.notify says {}: make a webhook of that name (POST /webhooks), or mend the definitions",
                    names.join(", ")
                ),
                false,
            ),
            Fact::HeartbeatMiss { agent, since } => (
                format!("heartbeat_miss:{agent}:{since}"),
                format!("nobody carries out what {agent} is to do"),
                format!("Entries of {agent} wait since {since}, and no worker takes them: spalla worker"),
                true,
            ),
            Fact::SessionPaused(news) => of_session(event, news, "is held", "resume"),
            Fact::SessionWaiting(news) => of_session(event, news, "waits for a person", "show"),
            Fact::SessionStopped(news) => of_session(event, news, "is stopped", "show"),
            Fact::AgentMissing { wanted, used, notify } => (
                format!("agent_missing:{wanted}"),
                format!("the agent {wanted} is not there"),
                format!(
                    "{used} does what was meant for {wanted}: spalla agents show {wanted}{}",
                    if notify.is_empty() {
                        String::new()
                    } else {
                        format!(" (to be told: {})", notify.join(", "))
                    }
                ),
                false,
            ),
            Fact::RegistryRefused(refused) => (
                format!("registry_refused:{}", refused.reason),
                "the newest agents do not serve".to_owned(),
                format!("{}; those from before serve on: spalla convert --check", refused.reason),
                false,
            ),
            _ => return None,
        };
        Some(Self { cause, title, text: cut(&text), is_urgent })
    }

    /// Returns how urgent it is, as desktops say it.
    const fn urgency(&self) -> &'static str {
        if self.is_urgent { "critical" } else { "normal" }
    }
}

/// Says what became of a session; that it happens again is a cause of its own.
fn of_session(event: &Event, news: &SessionNews, what: &str, verb: &str) -> (String, String, String, bool) {
    let SessionNews { session_id: id, goal, why, .. } = news;
    let why = why.as_ref().map(|why| format!("{why}. ")).unwrap_or_default();
    (
        format!("session:{id}:{}", event.seq),
        format!("session {id} {what}"),
        format!("\"{goal}\": {why}spalla session {verb} {id}"),
        true,
    )
}

impl Template {
    /// Reads a template by its name, and the text of a custom one.
    pub fn parse(name: &str, text: Option<String>) -> Result<Self, Refusal> {
        let template = match (name, text) {
            ("slack", None) => Self::Slack,
            ("discord", None) => Self::Discord,
            ("desktop", None) => Self::Desktop,
            ("custom", Some(text)) => Self::Custom(text),
            ("custom", None) => return Err(invalid("template_text: a custom template has a text")),
            ("slack" | "discord" | "desktop", Some(_)) => {
                return Err(invalid("template_text: only a custom template has a text"));
            }
            _ => return Err(invalid("template: it is slack, discord, desktop or custom")),
        };
        template.check()?;
        Ok(template)
    }

    /// Returns its name.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Slack => "slack",
            Self::Discord => "discord",
            Self::Desktop => "desktop",
            Self::Custom(_) => "custom",
        }
    }

    fn check(&self) -> Result<(), Refusal> {
        let Self::Custom(text) = self else { return Ok(()) };
        if text.len() > TEMPLATE_BYTES_MAX {
            return Err(invalid(format!(
                "template_text: {} bytes; at most {TEMPLATE_BYTES_MAX} are kept",
                text.len()
            )));
        }
        match serde_json::from_str::<Value>(text) {
            Ok(Value::Object(_)) => Ok(()),
            Ok(_) => Err(invalid("template_text: it is no JSON object")),
            Err(error) => Err(invalid(format!("template_text: it is no JSON: {error}"))),
        }
    }

    /// Writes a notice of an event as it is sent.
    pub fn body(&self, notice: &Notice, event: &Event, kind: &str) -> Value {
        let Notice { title, text, .. } = notice;
        match self {
            // Both read marks in texts, so that what agents say calls nobody by name.
            Self::Slack => {
                let (title, text) = (slack(title, CHAT_TITLE_MAX), slack(text, SLACK_TEXT_MAX));
                json!({"text": format!("*{title}*\n{text}")})
            }
            Self::Discord => {
                let (title, text) = (discord(title, CHAT_TITLE_MAX), discord(text, DISCORD_TEXT_MAX));
                json!({"content": format!("**{title}**\n{text}"), "allowed_mentions": {"parse": []}})
            }
            Self::Desktop => json!({"title": title, "body": text, "urgency": notice.urgency()}),
            Self::Custom(template) => {
                let mut body: Value = serde_json::from_str(template).unwrap_or_default();
                let (id, project) = (event.seq.to_string(), event.project_id.to_string());
                let values = [
                    ("{{title}}", title.as_str()),
                    ("{{text}}", text),
                    ("{{urgency}}", notice.urgency()),
                    ("{{type}}", kind),
                    ("{{id}}", &id),
                    ("{{project_id}}", &project),
                ];
                fill(&mut body, &values);
                body
            }
        }
    }
}

/// Puts values in the place of their names, in texts alone: no value becomes anything but a part of a text. What a value says
/// is not looked at again.
fn fill(value: &mut Value, values: &[(&str, &str)]) {
    match value {
        Value::String(text) => *text = filled(text, values),
        Value::Array(members) => members.iter_mut().for_each(|member| fill(member, values)),
        Value::Object(members) => members.values_mut().for_each(|member| fill(member, values)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn filled(text: &str, values: &[(&str, &str)]) -> String {
    let (mut rest, mut whole) = (text, String::with_capacity(text.len()));
    while let Some(at) = rest.find("{{") {
        let (before, from) = rest.split_at(at);
        whole.push_str(before);
        match values.iter().find(|(name, _)| from.starts_with(name)) {
            Some((name, value)) => {
                whole.push_str(value);
                rest = &from[name.len()..];
            }
            None => {
                whole.push_str("{{");
                rest = &from[2..];
            }
        }
    }
    whole.push_str(rest);
    whole
}

/// Takes from a text what Slack reads as marks.
fn slack(text: &str, max: usize) -> String {
    let marked = text.chars().map(|letter| match letter {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '@' => "@\u{200b}".to_owned(),
        other => other.to_string(),
    });
    within(marked, max)
}

/// Takes from a text what Discord reads as marks: it shows what follows a backslash as it is. Addresses of pages are left as
/// they are, since there the backslash would be a part of them.
fn discord(text: &str, max: usize) -> String {
    let mut is_address = false;
    let marked = text.char_indices().map(|(at, letter)| {
        let begins = text[at..].starts_with("http://") || text[at..].starts_with("https://");
        is_address = begins || (is_address && !letter.is_whitespace() && letter != '<');
        match letter {
            '@' => "@\u{200b}".to_owned(),
            '\\' | '*' | '_' | '~' | '`' | '|' | '<' | '>' | '[' | ']' | '#' if !is_address => {
                format!("\\{letter}")
            }
            other => other.to_string(),
        }
    });
    within(marked, max)
}

/// Puts pieces together as far as they fit, in UTF-16 units; none is cut.
fn within(pieces: impl Iterator<Item = String>, max: usize) -> String {
    let (mut whole, mut units, mut fits) = (String::new(), 0, 0);
    for piece in pieces {
        units += piece.encode_utf16().count();
        if units > max {
            whole.truncate(fits);
            whole.push('…');
            return whole;
        }
        whole.push_str(&piece);
        // Room for the mark of the cut.
        if units < max {
            fits = whole.len();
        }
    }
    whole
}

/// Tells texts apart.
fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes())[..DIGEST_BYTES].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(TEXT_CHARS_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

fn invalid(detail: impl Into<String>) -> Refusal {
    Refusal::new(Code::Invalid, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{MessageType, Priority};
    use crate::run_event::Told;
    use crate::{ApprovalId, EventSeq, InfoRequestId, MessageId, ProjectId, RunId, Timestamp, WorkItemId};

    fn event(fact: Fact) -> Event {
        Event {
            seq: EventSeq(9),
            at: Timestamp::from_ms(0),
            project_id: ProjectId(1),
            work_item_id: Some(WorkItemId(2)),
            run_id: Some(RunId(3)),
            fact,
        }
    }

    fn asked() -> Event {
        event(Fact::InfoRequested { info_request_id: InfoRequestId(4), fields: vec!["KEY".into()] })
    }

    #[test]
    fn a_session_that_is_held_waits_or_is_stopped_is_told_of_and_one_that_goes_on_is_not() {
        use crate::session_event::SessionChange::{Begun, Ended, Paused, Resumed, Stopped, Waiting};
        let news = || SessionNews::new("orch_1", "Mend it", "waiting", Some("a merge is red"));
        for change in [Paused, Waiting, Stopped] {
            let notice = Notice::of(&event(news().fact(change))).unwrap();
            assert!(notice.title.contains("session orch_1") && notice.is_urgent, "{notice:?}");
            assert!(notice.text.contains("a merge is red. spalla session"), "{notice:?}");
        }
        for change in [Begun, Resumed, Ended] {
            assert_eq!(Notice::of(&event(news().fact(change))), None);
        }
    }

    fn blocked(text: &str) -> Event {
        let payload = json!({ "text": text }).as_object().unwrap().clone();
        let told =
            Told { kind: AgentEventType::Blocker, agent: Some("codex".into()), session_id: None, payload };
        event(Fact::AgentTold(Box::new(told)))
    }

    #[test]
    fn what_needs_a_person_says_what_to_do_and_everything_else_says_nothing() {
        let notice = Notice::of(&asked()).unwrap();
        assert_eq!((notice.cause.as_str(), notice.title.as_str()), ("info_request:4", "run 3 asks"));
        assert!(notice.text.contains("spalla answer 4") && notice.is_urgent);
        let approval =
            Fact::ApprovalRequested { approval_id: ApprovalId(5), kind: Default::default(), in_turn: false };
        assert!(Notice::of(&event(approval)).unwrap().text.contains("spalla approve 5"));
        let limit = |class| Notice::of(&event(Fact::RunFailed { fence: None, class }));
        assert_eq!(limit(ErrorClass::RateLimited).unwrap().cause, "limit:2");
        assert_eq!(limit(ErrorClass::Failed), None);
        assert_eq!(Notice::of(&event(Fact::RunPaused {})), None);
    }

    #[test]
    fn each_template_has_its_own_form_and_what_agents_say_marks_nothing() {
        let event = blocked("<!channel> @everyone \"quoted\" {{id}}");
        let notice = Notice::of(&event).unwrap();
        let body = |template: &Template| template.body(&notice, &event, "blocker");
        let slack = body(&Template::Slack)["text"].as_str().unwrap().to_owned();
        assert!(slack.starts_with("*codex can't go on*\n&lt;!channel&gt;"), "{slack}");
        let discord = body(&Template::Discord);
        assert!(!discord["content"].as_str().unwrap().contains("@everyone"), "{discord}");
        assert_eq!(discord["allowed_mentions"], json!({"parse": []}));
        let desktop = body(&Template::Desktop);
        assert_eq!(
            (&desktop["title"], &desktop["urgency"]),
            (&json!("codex can't go on"), &json!("critical"))
        );
        let custom =
            r#"{"message": "{{title}}: {{text}} {{odd}}", "tags": ["{{type}}"], "n": 1, "id": "{{id}}"}"#;
        let custom = body(&Template::parse("custom", Some(custom.into())).unwrap());
        assert_eq!(
            (&custom["tags"], &custom["n"], &custom["id"]),
            (&json!(["blocker"]), &json!(1), &json!("9"))
        );
        let message = custom["message"].as_str().unwrap();
        assert!(message.ends_with("\"quoted\" {{id}} {{odd}}"), "a value is not filled in again: {message}");
    }

    #[test]
    fn a_text_full_of_marks_fits_every_chat_and_is_never_cut_within_one() {
        for (text, slack_mark, discord_mark) in [
            ("&".repeat(5_000), "&amp;", "&"),
            ("<".repeat(5_000), "&lt;", "\\<"),
            ("*".repeat(5_000), "*", "\\*"),
            ("\u{1f600}".repeat(5_000), "\u{1f600}", "\u{1f600}"),
            ("@".repeat(5_000), "@\u{200b}", "@\u{200b}"),
        ] {
            let event = blocked(&text);
            let notice = Notice::of(&event).unwrap();
            let body = |template: &Template| template.body(&notice, &event, "blocker");
            let content = body(&Template::Discord)["content"].as_str().unwrap().to_owned();
            assert!(content.encode_utf16().count() <= 2_000, "{}", content.encode_utf16().count());
            let told = content.split_once('\n').unwrap().1.trim_end_matches('…');
            assert_eq!(told.replace(discord_mark, ""), "", "{content:.80}");
            let slack = body(&Template::Slack)["text"].as_str().unwrap().to_owned();
            assert!(slack.encode_utf16().count() <= 4_000, "{}", slack.encode_utf16().count());
            assert_eq!(slack.split_once('\n').unwrap().1.trim_end_matches('…').replace(slack_mark, ""), "");
        }
    }

    #[test]
    fn discord_reads_no_marks_in_what_agents_say_and_addresses_stay_whole() {
        let said = "a < b && `c` **d** [e](https://x.test/f_g*h) # https://x.test/_i_\n<@1>";
        let expected = r"a \< b && \`c\` \*\*d\*\* \[e\](https://x.test/f_g*h) \# https://x.test/_i_";
        assert_eq!(discord(said, 2_000), format!("{expected}\n\\<@\u{200b}1\\>"));
        assert_eq!(slack("a < b && *c*", 2_000), "a &lt; b &amp;&amp; *c*");
        assert_eq!((slack("a&", 5), slack("a&", 6)), ("a…".into(), "a&amp;".into()));
    }

    #[test]
    fn an_alert_is_told_each_time_and_names_nobody_has_are_told_of() {
        let payload =
            json!({ "text": "slo_latency_ms: it is slow", "alert": "slo_latency_ms", "notify": ["ops", 7] });
        let payload = payload.as_object().unwrap().clone();
        let told =
            Told { kind: AgentEventType::Error, agent: Some("codex".into()), session_id: None, payload };
        let first = event(Fact::AgentTold(Box::new(told)));
        assert_eq!(first.fact.notified(), ["ops"]);
        let notice = Notice::of(&first).unwrap();
        assert_eq!(
            (notice.title.as_str(), notice.text.as_str()),
            ("codex: slo_latency_ms", "slo_latency_ms: it is slow")
        );
        let second = Event { seq: EventSeq(10), ..first };
        assert_ne!(Notice::of(&second).unwrap().cause, notice.cause);
        let unknown = event(Fact::ReceiverUnknown { names: vec!["ada".into()] });
        assert!(Notice::of(&unknown).unwrap().text.contains("notify says ada"));
        assert!(asked().fact.notified().is_empty() && unknown.fact.notified().is_empty());
    }

    #[test]
    fn a_second_blocker_of_a_run_is_told_where_it_says_something_else() {
        let cause = |text| Notice::of(&blocked(text)).unwrap().cause;
        assert_eq!(cause("no network"), cause("no network"));
        assert_ne!(cause("no network"), cause("no key"));
        assert!(cause("no network").starts_with("blocker:3:"));
    }

    #[test]
    fn a_message_is_shown_by_the_command_that_its_notice_names() {
        let text = |session_id: Option<&str>| {
            let sent = Fact::MessageSent {
                message_id: MessageId(7),
                session_id: session_id.map(str::to_owned),
                from: "codex".into(),
                to: PEOPLE.into(),
                kind: MessageType::Request,
                priority: Priority::Medium,
                in_reply_to: None,
            };
            Notice::of(&event(sent)).unwrap().text
        };
        assert!(text(Some("orch_1")).ends_with("spalla message read --project 1 --session orch_1"));
        assert!(text(None).ends_with("spalla message read --project 1"));
    }

    #[test]
    fn a_template_that_can_not_be_sent_is_refused() {
        for (name, text) in [
            ("teams", None),
            ("custom", None),
            ("slack", Some("{}".to_owned())),
            ("custom", Some("[]".to_owned())),
            ("custom", Some("{".to_owned())),
            ("custom", Some(format!("{{\"a\": \"{}\"}}", "x".repeat(TEMPLATE_BYTES_MAX)))),
        ] {
            assert_eq!(
                Template::parse(name, text.clone()).unwrap_err().code,
                Code::Invalid,
                "{name} {text:.50?}"
            );
        }
    }

    #[test]
    fn a_long_text_is_cut() {
        let notice = Notice::of(&blocked(&"ä".repeat(5_000))).unwrap();
        assert_eq!(notice.text.chars().count(), TEXT_CHARS_MAX + 1);
    }
}
