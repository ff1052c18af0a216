//! Tells what an agent says: as lines of the run's log for people, as events to the server, and as one line of JSON for each
//! event in a file beside the run's report.

use super::asked::unasked;
use super::watch::ToolWatch;
use crate::run::Run;
use serde_json::{Value, json};
use spalla_adapter::heard::Heard;
use spalla_adapter::tools::Used;
use spalla_crash::crash_point;
use spalla_domain::agent_event::{AgentEvent, AgentEventType};
use spalla_domain::log::{Stream, text_of};
use spalla_domain::notified::{ALERT, NOTIFY};
use spalla_domain::run_event::{REFUSED_TOOL, RunEvent, check_payload};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The most that is kept of the events of one run, in bytes.
const EVENTS_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Where a run's agent is told of.
pub(super) struct Told<'a> {
    run: &'a Run<'a>,
    agent: String,
    path: PathBuf,
    file: Option<File>,
    bytes: u64,
    count: u64,
    /// Which tools the agent uses.
    pub(super) watch: ToolWatch,
    /// Where it works.
    workspace: PathBuf,
}

impl<'a> Told<'a> {
    /// Begins the file of the events in the run's folder.
    pub(super) fn begin(run: &'a Run<'a>, folder: &Path, workspace: &Path) -> Self {
        let path = folder.join("events.jsonl");
        let opened = crash_point!(
            "worker.events.create",
            OpenOptions::new().create(true).append(true).mode(0o600).open(&path)
        );
        if let Err(error) = &opened {
            tracing::warn!(file = %path.display(), %error, "the events of an agent are not written");
        }
        let watch = ToolWatch::of(run.policy(), run.options.is_strict_with_tools);
        let (agent, workspace) = (String::new(), workspace.to_owned());
        Self { run, agent, path, file: opened.ok(), bytes: 0, count: 0, watch, workspace }
    }

    /// Says whose events come now.
    pub(super) fn of_agent(&mut self, agent: &str) {
        agent.clone_into(&mut self.agent);
    }

    /// Returns where the events are.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Tells one thing that was heard.
    pub(super) async fn tell(&mut self, heard: &Heard) {
        match heard {
            Heard::Event(event) => {
                let mut event = event.clone();
                // These words are Spalla's own: what bears them is audited, or sent to those whom it names.
                for word in [REFUSED_TOOL, ALERT, NOTIFY] {
                    event.payload.more.remove(word);
                }
                self.own(event).await;
            }
            Heard::Words(words) => self.say(words).await,
            Heard::Denied(denied) => {
                let tool = denied.tool.as_deref().map(|tool| format!(" ({tool})")).unwrap_or_default();
                self.run.log.say(format!("not allowed{tool}: {}", denied.reason)).await;
            }
            Heard::Did(_) | Heard::Spent(_) | Heard::Trouble(_) | Heard::Thread(_) | Heard::Over(_) => {}
        }
    }

    /// Returns how long the agent may tell nothing.
    pub(super) fn silence(&self) -> Option<Duration> {
        self.run.policy()?.silence_ms.map(Duration::from_millis)
    }

    /// Tells that it told nothing for longer than that; once until it tells something again.
    pub(super) async fn silent(&mut self) {
        let Some(policy) = self.run.policy() else { return };
        let ms = policy.silence_ms.unwrap_or_default();
        let text = format!("heartbeat_miss: {} told nothing for {ms} ms", policy.name());
        let event = AgentEvent::new(AgentEventType::Error, text)
            .with("alert", "heartbeat_miss")
            .with("silent_ms", ms);
        self.own(event.with("notify", policy.notify.clone())).await;
    }

    /// Takes note of a call of a tool, and tells of it where it is refused. Whoever can't be asked about commands is told of
    /// where one would have been asked about.
    pub(super) async fn used(&mut self, used: &Used, is_asked: bool) {
        let unlisted = self.watch.hear(used);
        let event = match unlisted {
            None if !is_asked => {
                let found = unasked(self.run, used, &self.workspace).await;
                found.and_then(|found| self.watch.hear_unasked(used, &found))
            }
            unlisted => unlisted,
        };
        if let Some(event) = event {
            self.own(event).await;
        }
    }

    /// Tells an event of Spalla's own about the agent.
    pub(super) async fn own(&mut self, mut event: AgentEvent) {
        self.run.log.masks().event(&mut event);
        self.line(&event).await;
        self.keep(&event);
    }

    /// Tells a line of the standard error.
    pub(super) async fn complaint(&self, line: &[u8]) {
        if !line.iter().all(u8::is_ascii_whitespace) {
            self.run.log.output(Stream::Stderr, 1, vec![text_of(line)]).await;
        }
    }

    async fn say(&self, text: &str) {
        let lines = text.trim_end().lines().map(str::to_owned).collect();
        self.run.log.output(Stream::Stdout, 1, lines).await;
    }

    async fn line(&self, event: &AgentEvent) {
        let text = event.payload.text.as_deref().unwrap_or_default().trim_end();
        let file = event.payload.file.as_deref().filter(|file| !text.contains(*file));
        let file = file.map(|file| format!(" ({file})")).unwrap_or_default();
        let name = event.kind.as_str();
        let lines = format!("[{name}] {text}{file}");
        self.run.log.output(Stream::Stdout, 1, lines.lines().map(str::to_owned).collect()).await;
    }

    /// Tells the server, and writes the event into the file, under one name.
    fn keep(&mut self, event: &AgentEvent) {
        self.count += 1;
        let assignment = self.run.assignment;
        let id = format!("{}-{}-{}", assignment.run_id, assignment.fencing_token, self.count);
        let agent = Some(self.agent.clone()).filter(|name| !name.is_empty());
        self.run.telling.add(RunEvent { agent, id: Some(id.clone()), ..kept(event) });
        self.write(event, &id);
    }

    fn write(&mut self, event: &AgentEvent, id: &str) {
        let Some(file) = &mut self.file else { return };
        let assignment = self.run.assignment;
        let line = json!({
            "id": id,
            "type": event.kind.as_str(),
            "agent": self.agent,
            "run_id": assignment.run_id,
            "timestamp": (self.run.options.clock)(),
            "payload": event.payload,
        });
        let line = format!("{}\n", self.run.log.masked(line.to_string()));
        self.bytes += line.len() as u64;
        if self.bytes > EVENTS_BYTES_MAX {
            self.file = None;
            return;
        }
        if let Err(error) = crash_point!("worker.events.write", file.write_all(line.as_bytes())) {
            tracing::warn!(file = %self.path.display(), %error, "the events of an agent are not written any more");
            self.file = None;
        }
    }
}

/// Returns what the server keeps of an event: of one that is too large or too deep its beginning, and why that is all.
fn kept(event: &AgentEvent) -> RunEvent {
    let mut told = RunEvent::of(event);
    if told.payload.get("cut") == Some(&true.into())
        && let Ok(Value::Object(whole)) = serde_json::to_value(&event.payload)
        && let Err(why) = check_payload(&whole)
    {
        told.payload.insert("reason".to_owned(), why.into());
    }
    told
}
