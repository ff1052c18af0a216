//! `spalla replay`: tells again what the agents of a session told, in its order and at its pace, or faster.

use super::{block_on, session};
use crate::cli::Global;
use crate::exit::Exit;
use crate::failure::{Failure, Result, file};
use crate::output;
use clap::Args;
use jiff::Timestamp;
use serde::Deserialize;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// The longest pause between two events, in milliseconds: nobody wants to wait for an agent that waited for a limit.
const PAUSE_MS_MAX: f64 = 5_000.0;

/// Tells a session again.
#[derive(Debug, Args)]
pub(crate) struct Replay {
    #[command(flatten)]
    which: session::Which,
    /// How many times as fast as it was; 0 does not wait at all
    #[arg(long, default_value_t = 10.0, value_name = "N", value_parser = speed)]
    speed: f64,
    /// Prints the events as they are kept, one line of JSON each
    #[arg(long)]
    json: bool,
}

/// An event as the workspace keeps it.
#[derive(Debug, Deserialize)]
struct Told {
    timestamp: Timestamp,
    session_id: Option<String>,
    #[serde(default)]
    agent: String,
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    payload: Payload,
}

#[derive(Debug, Default, Deserialize)]
struct Payload {
    text: Option<String>,
    file: Option<String>,
}

impl Replay {
    pub(crate) fn run(self, global: &Global) -> Result<Exit> {
        let session = self.which.find(global)?.read()?;
        let events = events(Path::new(&session.workspace), &session.id)?;
        if events.is_empty() {
            return Err(Failure::failed(format!("session {} has no events of agents", session.id)));
        }
        block_on(tokio::runtime::Builder::new_current_thread(), self.tell(events))
    }

    async fn tell(self, events: Vec<(Told, String)>) -> Result<Exit> {
        let first = events.first().map(|(told, _)| told.timestamp).unwrap_or_default();
        let mut before = first;
        for (told, line) in events {
            let passed_ms = told.timestamp.duration_since(before).as_secs_f64() * 1e3;
            if self.speed > 0.0 && passed_ms > 0.0 {
                let pause_ms = (passed_ms / self.speed).min(PAUSE_MS_MAX);
                tokio::time::sleep(Duration::from_secs_f64(pause_ms / 1e3)).await;
            }
            before = told.timestamp;
            if self.json {
                output::line(output::plain(&line))?;
                continue;
            }
            let at = told.timestamp.duration_since(first).as_secs_f64();
            let text = told.payload.text.unwrap_or_default();
            let file = told.payload.file.filter(|file| !text.contains(file.as_str()));
            let file = file.map(|file| format!(" ({file})")).unwrap_or_default();
            let words = output::plain(&format!("{text}{file}")).replace('\n', " ");
            output::line(format_args!("{at:8.1} s  {:<8} {:<9} {words}", told.agent, told.kind))?;
        }
        Ok(Exit::Done)
    }
}

/// Reads the events of all agents of a session, in the order in which they came. A line that can't be read is left out, and so is
/// one of another session that has the same workspace.
fn events(workspace: &Path, session: &str) -> Result<Vec<(Told, String)>> {
    let mut events = Vec::new();
    for entry in fs::read_dir(workspace).map_err(file("reading the workspace", workspace))? {
        let path = entry.map_err(file("reading the workspace", workspace))?.path();
        if path.extension().is_none_or(|end| end != "jsonl") {
            continue;
        }
        let text = fs::read_to_string(&path).map_err(file("reading", &path))?;
        let is_own = |told: &Told| told.session_id.as_ref().is_none_or(|id| id == session);
        let read = |line: &str| {
            let told = serde_json::from_str::<Told>(line).ok().filter(is_own)?;
            Some((told, line.to_owned()))
        };
        events.extend(text.lines().filter_map(read));
    }
    events.sort_by_key(|(told, _)| told.timestamp);
    Ok(events)
}

fn speed(text: &str) -> std::result::Result<f64, String> {
    let speed: f64 = text.parse().map_err(|_| "a number is wanted".to_owned())?;
    if speed.is_finite() && speed >= 0.0 { Ok(speed) } else { Err("it is 0 or more".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_all_agents_come_in_their_order_and_hostile_lines_do_not_stop_them() {
        let workspace = tempfile::tempdir().unwrap();
        let line = |at: &str, text: &str| {
            format!(
                "{{\"timestamp\":\"2026-01-01T00:00:0{at}Z\",\"type\":\"progress\",\"payload\":{{\"text\":\"{text}\"}}}}\n"
            )
        };
        fs::write(workspace.path().join("a.jsonl"), line("1", "one") + "no json\n" + &line("3", "three"))
            .unwrap();
        let of = |id: &str, line: String| line.replacen('{', &format!("{{\"session_id\":\"{id}\","), 1);
        let both = of("orch_1", line("2", "two")) + &of("orch_2", line("2", "of another session"));
        fs::write(workspace.path().join("b.jsonl"), both).unwrap();
        fs::write(workspace.path().join("orchestrator.log"), "log\n").unwrap();
        let texts: Vec<_> = events(workspace.path(), "orch_1")
            .unwrap()
            .into_iter()
            .filter_map(|(told, _)| told.payload.text)
            .collect();
        assert_eq!(texts, ["one", "two", "three"]);
    }

    #[test]
    fn a_speed_is_a_number_that_is_not_below_nothing() {
        assert_eq!(speed("2.5"), Ok(2.5));
        assert!(speed("-1").is_err() && speed("NaN").is_err() && speed("fast").is_err());
    }
}
