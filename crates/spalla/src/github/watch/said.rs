//! What is said on an issue about its session. Words of agents stand in blocks of code, where nothing is mentioned or closed.

use crate::ci::Hidden;
use crate::github::told::Told;
use spalla_domain::github::{code_block, inline};
use spalla_domain::session::{ItemKind, Session, SessionStatus};
use std::fmt::Write as _;

/// The longest answer that is shown, in bytes.
const ANSWER_BYTES_MAX: usize = 8 * 1024;

/// Says why nothing begins.
pub(super) fn refused(why: &str, hidden: &Hidden) -> String {
    format!("Spalla can't begin with this:\n\n{}", code_block(&hidden.text(why)))
}

/// Says that it begins.
pub(super) fn begun(session: &Session) -> String {
    let agents = session.agents.iter().map(|agent| inline(agent)).collect::<Vec<_>>().join(", ");
    format!(
        "Spalla works on this with {agents}, in session `{}` on the branch `{}`.",
        session.id,
        session.branch()
    )
}

/// Tells whether somebody who waits for it wants to know.
pub(super) fn is_worth_telling(session: &Session) -> bool {
    session.status != SessionStatus::Running
}

/// Says what came of it.
pub(super) fn result(session: &Session, told: &Told, hidden: &Hidden) -> String {
    let mut text = match session.status {
        SessionStatus::Running => "It goes on.".to_owned(),
        SessionStatus::Paused => "It is held.".to_owned(),
        SessionStatus::Waiting => "It waits for a person.".to_owned(),
        SessionStatus::Done => "It is done.".to_owned(),
        SessionStatus::Failed => "It failed.".to_owned(),
        SessionStatus::Stopped => "It was stopped.".to_owned(),
    };
    text.push('\n');
    if let Some(url) = &told.url {
        let _ = writeln!(text, "\n- pull request: {url}");
    }
    let _ = writeln!(text, "\n- session: `{}`, branch: `{}`", session.id, session.branch());
    if let Some(applied) = session.applied.last() {
        let commit = applied.target_commit.as_deref().unwrap_or(&applied.commit);
        let _ = writeln!(text, "- applied to the target as {commit}");
    }
    if let Some(tokens) = session.usage().total_tokens {
        let _ = writeln!(text, "- tokens: {tokens}");
    }
    for item in session.items.iter().filter(|item| item.kind == ItemKind::Work) {
        let Some(run) = item.runs.last() else { continue };
        let answer = run.result.as_ref().and_then(|result| result["answer"].as_str());
        let error = run.error.as_ref().map(|error| error.message.as_str());
        if let Some(said) = error.or(answer).map(str::trim).filter(|said| !said.is_empty()) {
            let said = hidden.text(said);
            let end = said.floor_char_boundary(ANSWER_BYTES_MAX);
            let _ = writeln!(text, "\n{}:\n\n{}", inline(&item.agent), code_block(&said[..end]));
        }
    }
    text
}
