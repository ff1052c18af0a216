//! The report of a session in its workspace: Markdown for people, JSON for programs, the picture beside them. One
//! item's report is the session's; of several, the session's report leads to each.

use super::follow::{Followed, seconds};
use super::workspace::Workspace;
use crate::control::RunState;
use crate::exit::Exit;
use crate::failure::{Result, file};
use serde_json::{Value, json};
use spalla_crash::crash_point;
use spalla_domain::chosen::ChosenDefinition;
use spalla_domain::session::{LeftOut, Session};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// What a session has to report.
pub(super) struct Reported<'a> {
    pub(super) session: &'a Session,
    pub(super) items: &'a [Followed],
    pub(super) exit: Exit,
}

/// Where the report is.
#[derive(Debug)]
pub(super) struct Paths {
    /// For people.
    pub(super) markdown: PathBuf,
    /// For programs.
    pub(super) json: PathBuf,
    /// Of each item its own report, where it made one.
    pub(super) items: Vec<Option<PathBuf>>,
}

/// The parts of an item's report: the member of the run's result that names the file, and its name in the workspace.
const PARTS: [(&str, &str); 5] = [
    ("report", "report.md"),
    ("report_json", "report.json"),
    ("picture", "dependencies.svg"),
    ("junit", "junit.xml"),
    ("sarif", "report.sarif"),
];

/// Writes the report into the session's workspace.
pub(super) fn write(reported: &Reported<'_>, workspace: &Workspace) -> Result<Paths> {
    let alone = reported.items.len() == 1 && reported.session.left_out.is_empty();
    let mut items = Vec::new();
    for (number, item) in (1..).zip(reported.items) {
        let folder =
            if alone { workspace.path().to_owned() } else { workspace.folder(&format!("item-{number}"))? };
        items.push(copy_report(item.run.as_ref(), &folder)?);
    }
    let mut paths = Paths {
        markdown: workspace.path().join("report.md"),
        json: workspace.path().join("report.json"),
        items,
    };
    if alone && paths.items.iter().all(Option::is_some) && paths.json.is_file() {
        return Ok(paths);
    }
    paths.markdown = workspace.write("report.md", &reported.as_markdown(&paths))?;
    let text = serde_json::to_string_pretty(&reported.as_json(&paths)).unwrap_or_default();
    paths.json = workspace.write("report.json", &format!("{text}\n"))?;
    Ok(paths)
}

/// Copies what a run reported; returns where its Markdown is now.
fn copy_report(run: Option<&RunState>, folder: &Path) -> Result<Option<PathBuf>> {
    let Some(result) = run.and_then(|run| run.result.as_ref()) else { return Ok(None) };
    let mut markdown = None;
    for (member, name) in PARTS {
        let Some(from) = result[member].as_str().map(Path::new).filter(|path| path.is_file()) else {
            continue;
        };
        let to = folder.join(name);
        crash_point!("orchestrate.report.copy", fs::copy(from, &to)).map_err(file("writing", &to))?;
        if member == "report" {
            markdown = Some(to);
        }
    }
    Ok(markdown)
}

impl Reported<'_> {
    /// Returns what programs want to know.
    pub(super) fn as_json(&self, paths: &Paths) -> Value {
        let session = self.session;
        let items = self.items.iter().zip(&paths.items).map(|(item, report)| {
            json!({
                "id": item.id, "title": item.title, "status": item.status().as_str(),
                "run_id": item.run.as_ref().map(|run| run.id),
                "duration_ms": item.run.as_ref().and_then(RunState::duration_ms),
                "agent": self.agent(item), "definition": self.definition(item), "summary": summary(item), "error": error(item), "report": report,
                "change": item.run.as_ref().and_then(|run| run.result.as_ref()).map(|result| result["change"].clone()),
            })
        });
        json!({
            "session": session.id, "tier": session.tier, "agents": session.agents, "goal": session.goal,
            "target": session.target, "workspace": session.workspace, "exit_status": self.exit.code(),
            "status": session.status.as_str(), "usage": session.usage(), "branch": session.branch(),
            "items": items.collect::<Vec<_>>(),
            "left_out": session.left_out,
            "report": paths.markdown, "report_json": paths.json,
        })
    }

    fn agent(&self, followed: &Followed) -> Option<&str> {
        let mut items = self.session.items.iter();
        items.find(|item| item.work_item_id == Some(followed.id)).map(|item| item.agent.as_str())
    }

    /// Returns by which definition an item was done, without what its agent was told.
    fn definition(&self, followed: &Followed) -> Option<ChosenDefinition> {
        let mut items = self.session.items.iter();
        let item = items.find(|item| item.work_item_id == Some(followed.id))?;
        let chosen = item.definition.as_deref()?.clone();
        Some(ChosenDefinition { instructions: String::new(), ..chosen })
    }

    fn as_markdown(&self, paths: &Paths) -> String {
        let session = self.session;
        let mut text = String::from("# Report of a session\n\n");
        let quoted: String = session.goal.lines().map(|line| format!("> {line}\n")).collect();
        let _ = writeln!(text, "{quoted}\n- session: {}\n- target: {}\n", session.id, session.target);
        for (item, report) in self.items.iter().zip(&paths.items) {
            let took =
                item.run.as_ref().and_then(RunState::duration_ms).map(|ms| format!(" in {}", seconds(ms)));
            let _ =
                writeln!(text, "## {}\n\n{}{}", item.title, item.status().as_str(), took.unwrap_or_default());
            if let Some(chosen) = self.definition(item) {
                let _ = writeln!(text, "\nagent: {}", as_whom(&chosen));
            }
            for said in summary(item).into_iter().chain(error(item)).chain(answer(item)) {
                let _ = writeln!(text, "\n{said}");
            }
            if let Some(link) = report.as_ref().and_then(|path| relative(path, &session.workspace)) {
                let _ = writeln!(text, "\n[report]({link})");
            }
            text.push('\n');
        }
        for LeftOut { title, reason } in &session.left_out {
            let _ = writeln!(text, "## {title}\n\nleft out: {reason}\n");
        }
        text
    }
}

/// Says as whom an agent worked, and what spoke for that.
fn as_whom(chosen: &ChosenDefinition) -> String {
    let name = chosen
        .alias
        .as_ref()
        .map_or_else(|| format!("`{}`", chosen.id), |alias| format!("`{alias}` (`{}`)", chosen.id));
    let Some(answer) = &chosen.explanation else { return format!("{name}, named by the plan") };
    let found = answer["candidates"][0]["matched"].as_array().into_iter().flatten();
    let found: Vec<&str> = found.filter_map(|found| found["trigger"].as_str()).collect();
    let stage = answer["stage"].as_str().unwrap_or_default();
    let by = if found.is_empty() { String::new() } else { format!(": {}", found.join(", ")) };
    let doubt = if chosen.ambiguous { "; another one was nearly as good" } else { "" };
    let instead = chosen.stands_in.as_ref().map(|one| format!("; for `{}`, which is not there", one.wanted));
    format!("{name}, found by {stage}{by}{doubt}{}", instead.unwrap_or_default())
}

fn relative(path: &Path, workspace: &str) -> Option<String> {
    path.strip_prefix(workspace).ok().map(|path| path.display().to_string())
}

fn summary(item: &Followed) -> Option<String> {
    item.run.as_ref()?.result.as_ref()?["summary"].as_str().map(str::to_owned)
}

/// Returns what an agent had to say.
fn answer(item: &Followed) -> Option<String> {
    let answer = item.run.as_ref()?.result.as_ref()?["answer"].as_str()?.trim_end();
    let quoted: String = answer.lines().map(|line| format!("> {line}\n")).collect();
    (!quoted.is_empty()).then_some(quoted)
}

fn error(item: &Followed) -> Option<String> {
    item.run.as_ref()?.error.as_ref().map(|error| error.message.clone())
}
