//! What people wish of a session, whoever pursues it.

use super::folder::{SessionFolder, Wish};
use crate::failure::Result;
use spalla_domain::session::{Session, SessionStatus};

/// Leaves a wish for whoever pursues the session; where nobody does, the record itself says so from now on. Returns whether
/// there was something to wish: a session that has come to its end stays as it is.
pub(crate) fn leave(folder: &SessionFolder, wish: Wish) -> Result<bool> {
    let session = folder.read()?;
    if matches!(session.status, SessionStatus::Done | SessionStatus::Failed | SessionStatus::Stopped) {
        return Ok(false);
    }
    folder.leave_wish(Some(wish))?;
    if let Some(_held) = folder.hold()? {
        let status = match wish {
            Wish::Pause => SessionStatus::Paused,
            Wish::Stop => SessionStatus::Stopped,
        };
        folder.write(&Session { status, ..session })?;
    }
    Ok(true)
}
