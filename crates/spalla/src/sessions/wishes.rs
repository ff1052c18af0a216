//! What people wish of a session, whoever pursues it.

use super::folder::{SessionFolder, Wish};
use crate::failure::Result;
use spalla_domain::session::{Session, SessionStatus};

/// Whom a wish reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reached {
    /// Whoever pursues the session, who sees to it.
    Pursuer,
    /// The record, which nobody pursues.
    Record,
    /// Nobody: the session has come to its end, and stays as it is.
    Nobody,
}

/// Leaves a wish for whoever pursues the session; where nobody does, the record itself says so from now on.
pub(crate) async fn leave(folder: &SessionFolder, wish: Wish) -> Result<Reached> {
    if is_over(&folder.read()?) {
        return Ok(Reached::Nobody);
    }
    folder.leave_wish(Some(wish))?;
    let Some(_held) = folder.hold_patiently().await? else { return Ok(Reached::Pursuer) };
    // Who pursued it may have come to the end just now.
    let session = folder.read()?;
    if is_over(&session) {
        folder.leave_wish(None)?;
        // One that was to stop did, as it was wished.
        let is_heard = wish == Wish::Stop && session.status == SessionStatus::Stopped;
        return Ok(if is_heard { Reached::Pursuer } else { Reached::Nobody });
    }
    let status = match wish {
        Wish::Pause => SessionStatus::Paused,
        Wish::Stop => SessionStatus::Stopped,
    };
    folder.write(&Session { status, ..session })?;
    Ok(Reached::Record)
}

fn is_over(session: &Session) -> bool {
    matches!(session.status, SessionStatus::Done | SessionStatus::Failed | SessionStatus::Stopped)
}
