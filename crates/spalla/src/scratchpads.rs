//! The scratchpads of the settings' data folder, and what becomes of one whose session has ended.

use crate::clock::SystemClock;
use crate::config::{Settings, config_folder};
use crate::failure::Failure;
use crate::sessions::SessionFolder;
use spalla_domain::Timestamp;
use spalla_domain::session::SessionStatus;
use spalla_scratchpad::{Error, Kind, Options, Quota, Scratchpads, State, Step};
use spalla_store::Clock as _;
use std::path::Path;

/// Where templates are, in the data folder and beside the user's settings.
const TEMPLATES: &str = "templates/scratchpad";
/// An hour, in milliseconds.
const HOUR_MS: f64 = 3_600_000.0;

/// Returns the scratchpads of the data folder.
pub(crate) fn of(settings: &Settings) -> Scratchpads {
    let places = [Some(settings.data.clone()), config_folder()];
    let wanted = &settings.scratchpad;
    Scratchpads::new(Options {
        data: settings.data.clone(),
        templates: places.into_iter().flatten().map(|place| place.join(TEMPLATES)).collect(),
        retention_ms: (wanted.retention_hours * HOUR_MS).round() as i64,
        quota: Quota { bytes: wanted.quota_mb << 20, files: wanted.quota_files },
    })
}

/// Ends those that are active and whose session is over, as it ended.
pub(crate) fn settle(scratchpads: &Scratchpads, data: &Path, now: Timestamp) -> Result<(), Error> {
    for view in scratchpads.list(now)?.0 {
        let session = view.session.as_deref().filter(|_| view.state == State::Active);
        let Some(step) = session.and_then(|session| end_of(data, session)) else { continue };
        match scratchpads.step(&view.id, step, now) {
            // Somebody else was faster.
            Err(error) if matches!(error.kind(), Kind::Conflict | Kind::NotFound) => {}
            settled => drop(settled?),
        }
    }
    Ok(())
}

fn end_of(data: &Path, session: &str) -> Option<Step> {
    match SessionFolder::at(data, session).ok()?.read().ok()?.status {
        SessionStatus::Done => Some(Step::Complete),
        SessionStatus::Failed | SessionStatus::Stopped => Some(Step::Fail),
        SessionStatus::Running | SessionStatus::Paused | SessionStatus::Waiting => None,
    }
}

/// Returns the present moment.
pub(crate) fn now() -> Timestamp {
    SystemClock.now()
}

/// Says to whoever typed a command why it was not done.
pub(crate) fn failure(error: Error) -> Failure {
    let said = error.to_string();
    match error.kind() {
        Kind::NotFound => Failure::usage(said).mend("`spalla scratchpad list` shows them"),
        Kind::Invalid | Kind::KeyReused | Kind::TooLarge => Failure::usage(said),
        Kind::Conflict => Failure::new(crate::exit::Exit::Stopped, said),
        Kind::Internal => Failure::failed(said),
    }
}
