//! Goes on with a session that was left: because its process died, because it was interrupted, or because it was paused.

use super::reach::Reach;
use crate::clock::SystemClock;
use crate::commands::block_on_all_cores;
use crate::config::Settings;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::output;
use crate::routing::Serving;
use crate::session_log::SessionLog;
use crate::sessions::{
    self, Means, Pursuit, Reached, Revision, Screen, SessionFolder, Wish, Workspace, ask, overruled,
};
use crate::signals::Signals;
use spalla_domain::session::{Asked, Session, SessionStatus};
use spalla_store::Clock as _;
use std::sync::Arc;

/// Goes on with the session. One that a process pursues is only let go on. What reviewers hold is merged only where a person
/// overrules them.
pub(crate) async fn resume(
    settings: &Settings,
    id: &str,
    overrule: bool,
    (screen, log): (Screen, SessionLog),
) -> Result<Exit> {
    let folder = SessionFolder::find(&settings.data, id)?;
    folder.leave_wish(None)?;
    if folder.is_pursued() {
        screen.say("the session is pursued by another process, which goes on")?;
        return Ok(Exit::Done);
    }
    let mut session = folder.read()?;
    if overrule {
        let now = SystemClock.now();
        session.decisions.extend(overruled(&session, now));
    }
    if session.status == SessionStatus::Done {
        screen.say(format_args!("session {} is done; there is nothing to go on with", session.id))?;
        return Ok(Exit::Done);
    }
    go_on(settings, (folder, session), (screen, log)).await
}

/// Asks for a review of what is changed by now, of one agent or of all. A session that nobody pursues is gone on with for it.
pub(crate) async fn review(
    settings: &Settings,
    id: &str,
    worker: Option<String>,
    (screen, log): (Screen, SessionLog),
) -> Result<Exit> {
    let folder = SessionFolder::find(&settings.data, id)?;
    let session = folder.read()?;
    if let Some(worker) = worker.as_ref().filter(|worker| !session.agents.contains(worker)) {
        return Err(Failure::usage(format!("session {} has no agent {worker:?}", session.id))
            .mend(format!("its agents are: {}", session.agents.join(", "))));
    }
    ask(&folder, &Asked { at: SystemClock.now(), worker })?;
    if folder.is_pursued() {
        screen.say("the review is asked for; whoever pursues the session sees to it")?;
        return Ok(Exit::Done);
    }
    go_on(settings, (folder, session), (screen, log)).await
}

async fn go_on(
    settings: &Settings,
    (folder, session): (SessionFolder, Session),
    (screen, log): (Screen, SessionLog),
) -> Result<Exit> {
    screen.say(format_args!(
        "going on with session {}: {}",
        session.id,
        crate::output::plain(&session.goal)
    ))?;
    let mut signals = Signals::listen()?;
    Workspace::of(&session).open_log(&log)?;
    let mut reach = Reach::find(settings, None, false).await?;
    let control = reach.control();
    let is_patient = output::can_ask() && reach.has_page();
    let definitions = Some(Arc::new(Serving::open(settings)?));
    let means = Means { settings, screen, revision: Revision::Confirm, definitions, is_patient };
    let mut pursuit = Pursuit::new((folder, session), means)?;
    pursuit.requeue_stopped(&control).await?;
    let exit = tokio::select! {
        exit = pursuit.pursue(&control, &mut signals) => exit,
        failure = reach.broken() => Err(failure),
    };
    reach.leave(matches!(exit, Ok(Exit::Interrupted | Exit::Waits)), &mut signals).await;
    exit
}

/// Leaves a person's wish for whoever pursues the session.
pub(crate) fn wish(settings: &Settings, id: &str, wish: Wish, screen: Screen) -> Result<Exit> {
    let folder = SessionFolder::find(&settings.data, id)?;
    let session = folder.read()?;
    if block_on_all_cores(sessions::leave(&folder, wish))? == Reached::Nobody {
        screen.say(format_args!("session {} is {} already", session.id, session.status.as_str()))?;
        return Ok(Exit::Done);
    }
    let what = match wish {
        Wish::Pause => "is held; `spalla session resume` lets it go on",
        Wish::Stop => "is stopped",
    };
    screen.say(format_args!("session {} {what}", session.id))?;
    Ok(Exit::Done)
}
