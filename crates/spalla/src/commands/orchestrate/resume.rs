//! Goes on with a session that was left: because its process died, because it was interrupted, or because it was paused.

use super::advance::overruled;
use super::reach::Reach;
use super::session::{Pursuit, Screen};
use super::workspace::Workspace;
use crate::clock::SystemClock;
use crate::config::Settings;
use crate::exit::Exit;
use crate::failure::Result;
use crate::session_folder::{SessionFolder, Wish};
use crate::signals::Signals;
use spalla_domain::session::SessionStatus;
use spalla_store::Clock as _;

/// Goes on with the session. One that a process pursues is only let go on. What reviewers hold is merged only where a person
/// overrules them.
pub(crate) async fn resume(settings: &Settings, id: &str, overrule: bool, screen: Screen) -> Result<Exit> {
    let folder = SessionFolder::find(&settings.data, id)?;
    folder.leave_wish(None)?;
    let held = folder.hold()?;
    if held.is_none() {
        screen.say("the session is pursued by another process, which goes on")?;
        return Ok(Exit::Done);
    }
    drop(held);
    let mut session = folder.read()?;
    if overrule {
        let now = SystemClock.now();
        session.decisions.extend(overruled(&session, now));
    }
    if session.status == SessionStatus::Done {
        screen.say(format_args!("session {} is done; there is nothing to go on with", session.id))?;
        return Ok(Exit::Done);
    }
    screen.say(format_args!(
        "going on with session {}: {}",
        session.id,
        crate::output::plain(&session.goal)
    ))?;
    let mut signals = Signals::listen()?;
    // What it says goes to the session's log as well, where that can be written.
    Workspace::of(&session).log_file()?;
    let mut reach = Reach::find(settings, None, false).await?;
    let control = reach.control();
    let pursuit = Pursuit { folder, session, left_out: Vec::new(), screen };
    pursuit.requeue_stopped(&control).await?;
    let exit = tokio::select! {
        exit = pursuit.pursue(&control, &mut signals) => exit,
        failure = reach.broken() => Err(failure),
    };
    reach.leave(matches!(exit, Ok(Exit::Interrupted)), &mut signals).await;
    exit
}

/// Leaves a person's wish for whoever pursues the session.
pub(crate) fn wish(settings: &Settings, id: &str, wish: Wish, screen: Screen) -> Result<Exit> {
    let folder = SessionFolder::find(&settings.data, id)?;
    let session = folder.read()?;
    if matches!(session.status, SessionStatus::Done | SessionStatus::Failed | SessionStatus::Stopped) {
        screen.say(format_args!("session {} is {} already", session.id, session.status.as_str()))?;
        return Ok(Exit::Done);
    }
    folder.leave_wish(Some(wish))?;
    let what = match wish {
        Wish::Pause => "is held; `spalla session resume` lets it go on",
        Wish::Stop => "is stopped",
    };
    if let Some(_held) = folder.hold()? {
        // Nobody pursues it: the record itself says so from now on.
        let status = match wish {
            Wish::Pause => SessionStatus::Paused,
            Wish::Stop => SessionStatus::Stopped,
        };
        folder.write(&spalla_domain::session::Session { status, ..session.clone() })?;
    }
    screen.say(format_args!("session {} {what}", session.id))?;
    Ok(Exit::Done)
}
