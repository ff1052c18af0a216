//! A session that works in the target itself: what is merged is brought there at once, before the next piece begins. Agents work in
//! worktrees behind the walls all the same: whoever could write the target's own git could leave there what a person's git runs.
//!
//! ```text
//! piece ─▶ reviewed ─▶ merged onto the session's branch ─▶ the target ─▶ next piece
//!                                                            └─ does not fit ─▶ the session stops, nothing is lost
//! ```

use super::folder::{SessionFolder, newest};
use super::pattern::Pattern;
use super::pursuit::Pursuit;
use crate::commands::bring_into_target;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::output;
use serde_json::Value;
use spalla_domain::session::{ItemKind, Session};
use spalla_domain::work_item::Status;
use std::path::Path;

/// How many sessions are looked at for one that works in the same target.
const LOOKED_AT: usize = 200;

/// Returns the order in which pieces go on that are brought into the target one by one: nobody writes it beside another one.
pub(crate) fn one_by_one(pattern: &Pattern) -> Result<Pattern> {
    match pattern {
        Pattern::Parallel | Pattern::Sequential => Ok(Pattern::Sequential),
        Pattern::Pipeline => Ok(Pattern::Pipeline),
        Pattern::Tournament(_) | Pattern::Debate | Pattern::MapReduce(_) => Err(Failure::usage(format!(
            "--in-place has no writers beside each other, and --pattern {pattern} has"
        ))
        .mend("use --pattern sequential or pipeline, or leave --in-place out")),
    }
}

/// Refuses to work in a target in which another session does.
pub(crate) fn refuse_second(data: &Path, target: &Path) -> Result<()> {
    let is_there = |(folder, session): &(SessionFolder, Session)| {
        session.in_place && Path::new(&session.target) == target && folder.is_pursued()
    };
    let Some((_, session)) = newest(data, LOOKED_AT)?.sessions.into_iter().find(is_there) else {
        return Ok(());
    };
    let what = format!("session {} works in {} already", session.id, target.display());
    Err(Failure::usage(what).mend("wait for its end, or leave --in-place out"))
}

impl Pursuit {
    /// Brings what was merged into the target, where the session works there; returns how it ends, where it does not fit.
    pub(super) async fn bring(&mut self) -> Result<Option<Exit>> {
        if !self.session.in_place || !is_new(&self.session) {
            return Ok(None);
        }
        let folder = self.folder.clone();
        let brought = tokio::task::spawn_blocking(move || bring_into_target(folder)).await;
        let brought = brought.unwrap_or_else(|_| Err(Failure::failed("bringing it there broke off")));
        // Whoever brings it writes it into the record.
        self.session.applied = self.folder.read()?.applied;
        let (id, target) = (&self.session.id, output::plain(&self.session.target));
        let Err(failure) = brought else {
            self.screen.progress(format_args!("what was merged is in {target}"))?;
            return Ok(None);
        };
        let why = format!("what was merged does not go into {target}: {failure}");
        self.screen.say(format_args!("{}: {why}", output::bad("stopped")))?;
        self.screen.say(format_args!("to go on then: spalla session resume {id}"))?;
        self.why = Some(why);
        Ok(Some(Exit::Stopped))
    }
}

/// Tells whether something was merged since the target was brought up to date.
fn is_new(session: &Session) -> bool {
    let merges = session.items.iter().filter(|item| item.kind == ItemKind::Merge);
    let merged = merges.filter(|item| item.status.as_deref() == Some(Status::Succeeded.as_str()));
    let commits = merged.filter_map(|item| {
        let run = item.runs.last()?;
        Some((run.ended_at, run.result.as_ref()?.get("commit").and_then(Value::as_str)?))
    });
    let last = commits.max_by_key(|(ended_at, _)| *ended_at).map(|(_, commit)| commit);
    last.is_some() && last != session.applied.last().map(|applied| applied.commit.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_go_one_by_one_and_what_has_writers_beside_each_other_is_refused() {
        assert_eq!(one_by_one(&Pattern::default()).unwrap(), Pattern::Sequential);
        assert_eq!(one_by_one(&Pattern::Pipeline).unwrap(), Pattern::Pipeline);
        for odd in ["tournament:2", "debate", "map-reduce:*.rs"] {
            let refused = one_by_one(&odd.parse().unwrap()).unwrap_err().to_string();
            assert!(refused.contains(odd) && refused.contains("sequential"), "{refused}");
        }
    }
}
