//! What follows when a change could not be merged: the agent that made it gets another piece of work, in which it does the same
//! on what the branch has by now.

use crate::control::RunState;
use spalla_domain::session::{ItemKind, Session, SessionItem};
use std::fs::File;
use std::io::Read as _;

/// How often one piece of work is given back to its agent.
const ROUNDS_MAX: usize = 2;
/// The longest patch that is handed back, in bytes.
const PATCH_BYTES_MAX: u64 = 128 * 1024;

/// Returns the work that follows a merge that failed for a reason that its agent can do something about; none where it can't,
/// or had its chances.
pub(super) fn follow_up(session: &Session, merge: &SessionItem, run: &RunState) -> Option<SessionItem> {
    let result = run.result.as_ref()?;
    let why = why(result)?;
    let work_key = merge.depends_on.first()?;
    let work = session.items.iter().find(|item| item.key == *work_key && item.kind == ItemKind::Work)?;
    let (first_key, round) = match work.key.split_once(ROUND) {
        Some((first, round)) => (first, round.parse().unwrap_or(ROUNDS_MAX)),
        None => (work.key.as_str(), 1),
    };
    if round > ROUNDS_MAX {
        return None;
    }
    let first = session.items.iter().find(|item| item.key == first_key)?;
    let patch = work.runs.last().and_then(|run| patch_of(run.result.as_ref()?));
    let patch = patch.map(|patch| format!("\n\nYour change as a patch:\n\n{patch}")).unwrap_or_default();
    let prompt = format!(
        "You did the task below, and your change could not be merged: {why}\n\nThe working tree has what was merged by now, \
         without your change. Do the task again on it, so that it can be merged.\n\nThe task:\n\n{}{patch}",
        first.prompt
    );
    Some(SessionItem {
        key: format!("{first_key}{ROUND}{}", round + 1),
        kind: ItemKind::Work,
        title: first.title.clone(),
        prompt,
        agent: work.agent.clone(),
        depends_on: Vec::new(),
        work_item_id: None,
        status: None,
        runs: Vec::new(),
    })
}

/// What stands between a piece's key and the number of its round.
const ROUND: &str = ".again-";

/// Tells whether one piece of work was made because another one could not be merged.
pub(super) fn follows(earlier: &str, later: &str) -> bool {
    let parts = |key: &str| match key.split_once(ROUND) {
        Some((first, round)) => (first.to_owned(), round.parse().unwrap_or(usize::MAX)),
        None => (key.to_owned(), 1),
    };
    let ((first, round), (other, later)) = (parts(earlier), parts(later));
    first == other && later > round
}

fn why(result: &serde_json::Value) -> Option<String> {
    if let Some(files) = result["conflict"]["files"].as_array() {
        let names: Vec<&str> = files.iter().filter_map(|file| file.as_str()).collect();
        return Some(format!("another change to the same places was merged before it ({}).", names.join(", ")));
    }
    let red = result["red"]["error"].as_str()?;
    Some(format!("built and tested together with what was merged before it, it does not pass: {red}."))
}

fn patch_of(result: &serde_json::Value) -> Option<String> {
    let file = File::open(result["change"]["patch"].as_str()?).ok()?;
    let is_short = file.metadata().is_ok_and(|data| data.len() <= PATCH_BYTES_MAX);
    let mut text = String::new();
    (is_short && file.take(PATCH_BYTES_MAX).read_to_string(&mut text).is_ok()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_round_follows_an_earlier_one_of_the_same_piece() {
        assert!(follows("1", "1.again-2") && follows("1.again-2", "1.again-3"));
        assert!(!follows("1", "1") && !follows("1.again-2", "1") && !follows("1", "11.again-2"));
    }
}
