//! Webhooks: to whom events are sent, how far each has come, and when it is tried again or given up.

use crate::event::Fact;
use crate::notice::{CAUSES_KEPT, Template};
use crate::problem::Code;
use crate::queue::Jitter;
use crate::{EventSeq, ProjectId, Refusal, Timestamp, TokenId, WebhookId};
use globset::{GlobBuilder, GlobMatcher};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// The most webhooks that are kept: each has a task and a connection.
pub const WEBHOOKS_MAX: u32 = 100;
/// The most types, or patterns of types, that one names.
pub const EVENTS_MAX: usize = 50;
/// The longest pattern, in bytes.
pub const PATTERN_BYTES_MAX: usize = 100;
/// The longest name, in bytes.
pub const NAME_BYTES_MAX: usize = 100;
/// The longest URL, in bytes.
pub const URL_BYTES_MAX: usize = 2_000;
/// How many deliveries are remembered of each, the newest.
pub const DELIVERIES_KEPT: usize = 50;
/// The wait after the first failure, in milliseconds.
const BACKOFF_BASE_MS: i64 = 5_000;
/// The longest wait, in milliseconds.
const BACKOFF_MAX_MS: i64 = 3_600_000;
/// After how long without one success it is switched off, in milliseconds: three days.
pub const GIVE_UP_AFTER_MS: i64 = 3 * 86_400_000;

/// What a client wants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// To where.
    pub url: String,
    /// Events of these types; a `*` stands for anything.
    pub events: Vec<String>,
    /// Of this project; of all with none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_id: Option<ProjectId>,
    /// Whether anything is sent.
    pub enabled: bool,
    /// As what a person is told of events that need one, of each cause once; none sends every event as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<Template>,
    /// The name by which agents' definitions say that it is to be told (`metrics.escalation.notify`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Spec {
    /// Reads which events are wanted.
    ///
    /// # Errors
    /// Patterns that are none, and none at all where it has no name either.
    pub fn wanted(&self) -> Result<Wanted, Refusal> {
        let patterns = match (&self.name, self.events.as_slice()) {
            (Some(_), []) => Patterns(Vec::new()),
            (_, events) => patterns(events)?,
        };
        Ok(Wanted { patterns, name: self.name.clone() })
    }
}

/// Which events are wanted: those of some types, and those that are for this receiver by its name.
#[derive(Debug, Clone)]
pub struct Wanted {
    patterns: Patterns,
    name: Option<String>,
}

impl Wanted {
    /// Tells whether an event of a type is wanted.
    pub fn wants(&self, kind: &str, fact: &Fact) -> bool {
        let is_named = |name: &String| fact.notified().contains(&name.as_str());
        self.patterns.want(kind) || self.name.as_ref().is_some_and(is_named)
    }
}

/// A wish for a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewWebhook {
    /// What it is to be.
    pub spec: Spec,
    /// The secret that signs what is sent, encrypted by the server.
    pub sealed_secret: String,
    /// After which event it begins.
    pub after: EventSeq,
    /// The token of whoever wants it; none is the administrator.
    pub made_with: Option<TokenId>,
}

/// What came of one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The event.
    pub event_id: EventSeq,
    /// When.
    pub at: Timestamp,
    /// How many attempts for this event there were before.
    pub earlier_attempts: u32,
    /// The status that the receiver answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How long it took, in milliseconds.
    pub duration_ms: i64,
}

/// Why nothing is sent any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disabled {
    /// Since when.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

/// A webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// What it is.
    pub spec: Spec,
    /// The secret that signs what is sent, encrypted by the server.
    pub sealed_secret: String,
    /// The token on whose behalf it is sent to, which has to open and to let these events be read; none is the
    /// administrator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_with: Option<TokenId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// The last event that was sent, or was not wanted.
    pub cursor: EventSeq,
    /// The server that sends to it, and until when it has the word to itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<(String, Timestamp)>,
    /// How many attempts failed in a row.
    #[serde(default)]
    pub failures: u32,
    /// Since when nothing got through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    /// When the next attempt is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<Timestamp>,
    /// Why nothing is sent any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<Disabled>,
    /// The newest attempts, the newest first.
    #[serde(default)]
    pub deliveries: VecDeque<Delivery>,
    /// What people were told about, the newest last.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    pub causes: VecDeque<String>,
}

/// What a sending server says of a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// Which.
    pub id: WebhookId,
    /// Which server.
    pub sender: String,
    /// For how long it wants the word to itself, in milliseconds.
    pub hold_ms: i64,
    /// What it did, oldest first.
    pub deliveries: Vec<Delivery>,
    /// Up to which event everything was sent or was not wanted.
    pub cursor: Option<EventSeq>,
    /// Why nothing is to be sent any more, where that is so.
    pub given_up: Option<String>,
    /// What people were told about.
    pub causes: Vec<String>,
}

impl NewWebhook {
    /// Checks what a client asked for, and makes the webhook of it. The URL was read by whoever sends to it.
    pub fn make(&self, id: WebhookId, now: Timestamp) -> Result<Webhook, Refusal> {
        self.spec.wanted()?;
        if let Some(name) = &self.spec.name
            && (name.trim().is_empty() || name.len() > NAME_BYTES_MAX)
        {
            let detail = format!("name: it has 1 to {NAME_BYTES_MAX} bytes");
            return Err(Refusal::new(Code::Invalid, detail));
        }
        Ok(Webhook {
            id,
            spec: self.spec.clone(),
            sealed_secret: self.sealed_secret.clone(),
            made_with: self.made_with,
            created_at: now,
            cursor: self.after,
            sender: None,
            failures: 0,
            failing_since: None,
            next_attempt_at: None,
            disabled: None,
            deliveries: VecDeque::new(),
            causes: VecDeque::new(),
        })
    }
}

/// Which types of events are wanted.
#[derive(Debug, Clone)]
pub struct Patterns(Vec<GlobMatcher>);

impl Patterns {
    /// Tells whether events of a type are wanted.
    pub fn want(&self, kind: &str) -> bool {
        self.0.iter().any(|pattern| pattern.is_match(kind))
    }
}

/// Reads the patterns of a webhook.
pub fn patterns(events: &[String]) -> Result<Patterns, Refusal> {
    let invalid = |detail: String| Refusal::new(Code::Invalid, detail);
    if !(1..=EVENTS_MAX).contains(&events.len()) {
        return Err(invalid(format!("events: 1 to {EVENTS_MAX} types or patterns are named, such as run.*")));
    }
    let read = |text: &String| {
        let is_plain = |b: u8| b.is_ascii_lowercase() || b"._*".contains(&b);
        if text.is_empty() || text.len() > PATTERN_BYTES_MAX || !text.bytes().all(is_plain) {
            return Err(invalid(format!(
                "events: {text:?} is no type of event and no pattern such as run.*"
            )));
        }
        let glob = GlobBuilder::new(text).build().map_err(|error| invalid(format!("events: {error}")))?;
        Ok(glob.compile_matcher())
    };
    events.iter().map(read).collect::<Result<_, _>>().map(Patterns)
}

impl Webhook {
    /// Tells whether anything is sent.
    pub const fn is_enabled(&self) -> bool {
        self.spec.enabled && self.disabled.is_none()
    }

    /// Tells whether a server may send now: nobody else does, and no failure is to be waited out.
    pub fn is_free_for(&self, sender: &str, now: Timestamp) -> bool {
        let is_free = self.sender.as_ref().is_none_or(|(name, until)| name == sender || *until <= now);
        self.is_enabled() && is_free && self.next_attempt_at.is_none_or(|at| at <= now)
    }

    /// Returns the webhook after what a server did. One that somebody else sends to meanwhile is left as it is.
    pub fn noted(mut self, noted: &Noted, now: Timestamp, jitter: Jitter) -> Option<Self> {
        let is_free = self.sender.as_ref().is_none_or(|(name, until)| *name == noted.sender || *until <= now);
        if !is_free {
            return None;
        }
        let until = now.plus_ms(noted.hold_ms.max(0));
        self.sender = (noted.hold_ms > 0).then(|| (noted.sender.clone(), until));
        self.cursor = noted.cursor.map_or(self.cursor, |cursor| cursor.max(self.cursor));
        for delivery in &noted.deliveries {
            self.take(delivery.clone(), now, jitter);
        }
        self.causes.extend(noted.causes.iter().cloned());
        let too_many = self.causes.len().saturating_sub(CAUSES_KEPT);
        self.causes.drain(..too_many);
        if let Some(reason) = &noted.given_up {
            self.disable(now, reason.clone());
        }
        Some(self)
    }

    fn take(&mut self, delivery: Delivery, now: Timestamp, jitter: Jitter) {
        let error = delivery.error.clone();
        self.deliveries.push_front(delivery);
        self.deliveries.truncate(DELIVERIES_KEPT);
        let Some(error) = error else {
            (self.failures, self.failing_since, self.next_attempt_at) = (0, None, None);
            return;
        };
        self.failures = self.failures.saturating_add(1);
        let since = *self.failing_since.get_or_insert(now);
        self.next_attempt_at = Some(now.plus_ms(backoff_ms(self.failures, jitter)));
        if since.plus_ms(GIVE_UP_AFTER_MS) <= now {
            let count = self.failures;
            self.disable(now, format!("{count} attempts since {since} failed, the last one so: {error}"));
        }
    }

    fn disable(&mut self, now: Timestamp, reason: String) {
        self.next_attempt_at = None;
        self.disabled.get_or_insert(Disabled { at: now, reason });
    }
}

/// Returns the wait after so many failures, doubled with each and moved by up to a quarter either way.
fn backoff_ms(failures: u32, jitter: Jitter) -> i64 {
    let doubled = BACKOFF_BASE_MS.saturating_mul(1 << failures.saturating_sub(1).min(20));
    let wait = doubled.min(BACKOFF_MAX_MS);
    wait + wait / 4 * i64::from(jitter.0) / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_000_000);

    fn webhook() -> Webhook {
        let spec = Spec {
            url: "http://a/".into(),
            events: vec!["run.*".into()],
            project_id: None,
            enabled: true,
            template: None,
            name: None,
        };
        let new = NewWebhook { spec, sealed_secret: "s".into(), after: EventSeq(3), made_with: None };
        new.make(WebhookId(1), NOW).unwrap()
    }

    fn noted(error: Option<&str>) -> Noted {
        let delivery = Delivery {
            event_id: EventSeq(4),
            at: NOW,
            earlier_attempts: 0,
            status: None,
            error: error.map(str::to_owned),
            duration_ms: 1,
        };
        let (sender, deliveries) = ("s".to_owned(), vec![delivery]);
        Noted {
            id: WebhookId(1),
            sender,
            hold_ms: 10,
            deliveries,
            cursor: None,
            given_up: None,
            causes: vec![],
        }
    }

    #[test]
    fn who_has_a_name_wants_what_names_it_besides_the_types_and_may_want_nothing_else() {
        let named = |name: Option<&str>, events: &[&str]| Spec {
            name: name.map(str::to_owned),
            events: events.iter().map(|event| (*event).to_owned()).collect(),
            ..webhook().spec
        };
        let missing = Fact::AgentMissing { wanted: "a".into(), used: "b".into(), notify: vec!["ops".into()] };
        let wants = |spec: &Spec, kind| spec.wanted().unwrap().wants(kind, &missing);
        assert!(wants(&named(Some("ops"), &[]), "agent.missing"));
        assert!(!wants(&named(Some("dev"), &[]), "agent.missing"));
        assert!(wants(&named(Some("dev"), &["agent.*"]), "agent.missing"));
        assert!(!wants(&named(None, &["run.*"]), "agent.missing"));
        assert!(named(None, &[]).wanted().is_err());
        for odd in [" ".to_owned(), "x".repeat(NAME_BYTES_MAX + 1)] {
            let new = NewWebhook {
                spec: named(Some(&odd), &[]),
                sealed_secret: "s".into(),
                after: EventSeq(3),
                made_with: None,
            };
            assert_eq!(new.make(WebhookId(1), NOW).unwrap_err().code, Code::Invalid);
        }
    }

    #[test]
    fn a_pattern_stands_for_types() {
        let wants = |pattern: &str, kind| patterns(&[pattern.into()]).unwrap().want(kind);
        assert!(
            wants("run.*", "run.claimed") && wants("*", "run.claimed") && wants("*.failed", "run.failed")
        );
        assert!(!wants("run.*", "work_item.ready") && !wants("run", "run.claimed"));
        for odd in ["", "a b", "[a", "{a,b}", "RUN", "a/b", "é"] {
            assert_eq!(patterns(&[odd.into()]).unwrap_err().code, Code::Invalid, "{odd}");
        }
        assert!(patterns(&[]).is_err() && patterns(&vec!["a".into(); EVENTS_MAX + 1]).is_err());
    }

    #[test]
    fn waits_double_up_to_an_hour_and_end_with_a_success() {
        let mut hook = webhook();
        let mut waits = vec![];
        for _ in 0..12 {
            hook = hook.noted(&noted(Some("no")), NOW, Jitter(0)).unwrap();
            waits.push((hook.next_attempt_at.unwrap().ms() - NOW.ms()) / 1_000);
        }
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 3_600, 3_600]);
        assert!(!hook.is_free_for("s", NOW));
        let hook = hook.noted(&noted(None), NOW, Jitter(0)).unwrap();
        assert_eq!((hook.failures, hook.failing_since, hook.next_attempt_at), (0, None, None));
        assert!(backoff_ms(1, Jitter(1_000_000)) <= 6_250 && backoff_ms(1, Jitter(-1_000_000)) >= 3_750);
    }

    #[test]
    fn what_fails_for_days_is_switched_off_with_its_reason() {
        let hook = webhook().noted(&noted(Some("no")), NOW, Jitter(0)).unwrap();
        let hook = hook.noted(&noted(Some("never")), NOW.plus_ms(GIVE_UP_AFTER_MS), Jitter(0)).unwrap();
        assert!(!hook.is_enabled());
        assert!(hook.disabled.unwrap().reason.ends_with("the last one so: never"));
        let gone = Noted { given_up: Some("410".into()), ..noted(Some("410")) };
        assert!(!webhook().noted(&gone, NOW, Jitter(0)).unwrap().is_enabled());
    }

    #[test]
    fn so_many_causes_are_remembered_the_newest() {
        let causes: Vec<String> = (0..=CAUSES_KEPT).map(|n| n.to_string()).collect();
        let hook = webhook().noted(&Noted { causes, ..noted(None) }, NOW, Jitter(0)).unwrap();
        assert_eq!((hook.causes.len(), hook.causes[0].as_str()), (CAUSES_KEPT, "1"));
    }

    #[test]
    fn one_server_at_a_time_sends_and_the_cursor_only_grows() {
        let hook = webhook().noted(&noted(None), NOW, Jitter(0)).unwrap();
        let other = Noted { sender: "t".into(), ..noted(None) };
        assert_eq!(hook.clone().noted(&other, NOW.plus_ms(9), Jitter(0)), None);
        assert!(hook.is_free_for("s", NOW) && !hook.is_free_for("t", NOW));
        let hook = hook.noted(&other, NOW.plus_ms(10), Jitter(0)).unwrap();
        let back = Noted { cursor: Some(EventSeq(1)), ..other };
        assert_eq!(hook.noted(&back, NOW, Jitter(0)).unwrap().cursor, EventSeq(3));
    }
}
