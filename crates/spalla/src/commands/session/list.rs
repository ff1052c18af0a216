//! `spalla session list`: which sessions there are in the data folder, the newest first.

use crate::cli::Global;
use crate::exit::Exit;
use crate::failure::Result;
use crate::output;
use crate::sessions::{self, Newest, SessionFolder};
use clap::Args;
use serde_json::{Value, json};
use spalla_domain::session::{ItemKind, Session, SessionStatus};
use spalla_domain::work_item::Status;

/// How much of a goal a line has, in characters.
const GOAL_CHARS_MAX: usize = 60;

/// How many are listed where nobody says how many.
const LIMIT: u32 = 50;

/// How they are listed.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// How many at most, the newest
    #[arg(long, value_name = "N", default_value_t = LIMIT, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Prints the list as JSON
    #[arg(long)]
    json: bool,
}

impl List {
    pub(super) fn run(self, global: &Global) -> Result<Exit> {
        let config = global.config(Vec::new())?;
        global.listen(&config, "warn")?;
        let Newest { sessions, older } = sessions::newest(&config.settings.data, self.limit as usize)?;
        let sessions = sessions.iter();
        if self.json {
            output::json(&sessions.map(|(folder, session)| as_json(folder, session)).collect::<Vec<_>>())?;
            return Ok(Exit::Done);
        }
        let rows: Vec<_> = sessions.map(|(folder, session)| row(folder, session)).collect();
        if rows.is_empty() {
            output::line(output::quiet("no sessions; `spalla orchestrate` begins one"))?;
            return Ok(Exit::Done);
        }
        let headings = ["id", "status", "began", "tier", "agents", "done", "target", "goal"];
        output::table(&headings, rows)?;
        if older > 0 {
            output::line(output::quiet(format_args!("older sessions: {older}; --limit N shows more")))?;
        }
        Ok(Exit::Done)
    }
}

/// Says where a session stands, and whether whoever was to go on with it is gone.
pub(super) fn standing(folder: &SessionFolder, session: &Session) -> String {
    let status = session.status.as_str();
    if is_left(folder, session) { format!("{status} (left)") } else { status.to_owned() }
}

/// Tells whether a session is to go on, and no process pursues it: its own died.
pub(super) fn is_left(folder: &SessionFolder, session: &Session) -> bool {
    let waits = session.status == SessionStatus::Waiting && session.ended_at.is_none();
    (waits || session.status == SessionStatus::Running) && !folder.is_pursued()
}

fn row(folder: &SessionFolder, session: &Session) -> Vec<String> {
    let (done, all) = done_of(session);
    vec![
        session.id.clone(),
        standing(folder, session),
        session.created_at.to_string(),
        session.tier.to_string(),
        session.agents.join(", "),
        format!("{done}/{all}"),
        session.target.clone(),
        first_line(&session.goal),
    ]
}

fn as_json(folder: &SessionFolder, session: &Session) -> Value {
    let (done, all) = done_of(session);
    json!({
        "id": session.id, "status": session.status, "is_pursued": folder.is_pursued(), "created_at": session.created_at,
        "ended_at": session.ended_at, "tier": session.tier, "agents": session.agents,
        "target": session.target, "goal": session.goal, "items_done": done, "items": all,
        "is_applied": !session.applied.is_empty(),
    })
}

/// Counts the pieces of work that are done, and all of them. Merging and reviewing serve them, and count for nothing.
pub(super) fn done_of(session: &Session) -> (usize, usize) {
    let work = || session.items.iter().filter(|item| item.kind == ItemKind::Work);
    let done = work().filter(|item| item.status.as_deref() == Some(Status::Succeeded.as_str()));
    (done.count(), work().count())
}

/// Returns the first line of a text that says something, cut to what a line of a list has room for.
pub(super) fn first_line(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    match line.char_indices().nth(GOAL_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::first_line;

    #[test]
    fn a_goal_is_cut_between_characters() {
        assert_eq!(first_line("\n  Mend it\nand more"), "Mend it");
        assert_eq!(first_line(&"é".repeat(61)), format!("{}…", "é".repeat(60)));
    }
}
