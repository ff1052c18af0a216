//! Runs whose step may outlive the worker: what is written down of each before its step starts, and what is found of them
//! by the worker that comes next.
//!
//! ```text
//! <data>/left-behind/run-<id>-<token>/state.json      what the run had done, and where its log goes on
//! <data>/left-behind/run-<id>-<token>/<name>.*        what the step's supervisor keeps
//! <data>/left-behind/run-<id>-<token>/credentials/    what a person answered, while the run goes on
//! ```

use crate::executors::recipe::State;
use serde_json::Error as JsonError;
use spalla_crash::crash_point;
use spalla_domain::RunId;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// The folder of all of them, below the data folder.
const FOLDER: &str = "left-behind";
/// What is written down of a run.
const STATE: &str = "state.json";
/// The same while it is written.
const HALF: &str = "state.json.new";
/// The largest state that is read, in bytes: a recipe, and the results of its steps.
const STATE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Returns the folder of a run by its label.
pub(crate) fn folder_of(data_dir: &Path, label: &str) -> PathBuf {
    data_dir.join(FOLDER).join(label)
}

/// Writes down what a run has done: as a whole, or not at all.
pub(crate) fn write(folder: &Path, state: &State) -> io::Result<()> {
    let text = serde_json::to_vec(state)?;
    crash_point!(
        "worker.left_behind.folder.create",
        DirBuilder::new().recursive(true).mode(0o700).create(folder)
    )?;
    let half = folder.join(HALF);
    let mut file = crash_point!(
        "worker.left_behind.state.create",
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&half)
    )?;
    crash_point!("worker.left_behind.state.write", file.write_all(&text))?;
    crash_point!("worker.left_behind.state.sync", file.sync_all())?;
    crash_point!("worker.left_behind.state.rename", fs::rename(&half, folder.join(STATE)))?;
    crash_point!("worker.left_behind.folder.sync", File::open(folder)?.sync_all())
}

/// Removes the files of commands of a run but those of one.
pub(crate) fn forget_commands(folder: &Path, but: &str) {
    for path in fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
        let is_file = |ending| path.extension().is_some_and(|found| found == ending);
        let is_other = path.file_stem().is_some_and(|name| name != but);
        if is_other && ["output", "words", "socket"].into_iter().any(is_file) {
            remove(&path);
        }
    }
}

/// Removes what was written down of a run: nobody carries it on from there.
pub(crate) fn forget_state(folder: &Path) {
    let state = folder.join(STATE);
    if state.exists() {
        remove(&state);
    }
}

fn remove(file: &Path) {
    gone(file, crash_point!("worker.left_behind.file.remove", fs::remove_file(file)));
}

/// Removes all that is kept of a run.
pub(crate) fn forget(folder: &Path) {
    if folder.exists() {
        gone(folder, crash_point!("worker.left_behind.folder.remove", fs::remove_dir_all(folder)));
    }
}

/// Returns the runs that were left behind, in their order. Of what can't be read nothing is left: the run's lease ends.
pub(crate) fn find(data_dir: &Path) -> Vec<State> {
    let entries = fs::read_dir(data_dir.join(FOLDER)).into_iter().flatten().flatten();
    let mut found: Vec<State> = entries.filter_map(|entry| read_or_forget(&entry.path())).collect();
    found.sort_by_key(|state| (state.assignment.run_id, state.assignment.fencing_token));
    found
}

/// Returns the runs that a worker with this data folder would carry on.
pub fn runs_left_behind(data_dir: &Path) -> Vec<RunId> {
    let entries = fs::read_dir(data_dir.join(FOLDER)).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some(read(&entry.path()).ok()?.assignment.run_id)).collect()
}

fn read_or_forget(folder: &Path) -> Option<State> {
    match read(folder) {
        Ok(state) => Some(state),
        Err(error) => {
            // Before the first state was whole no step was started.
            if error.kind() != ErrorKind::NotFound {
                tracing::warn!(folder = %folder.display(), %error, "a run that was left behind can't be carried on");
            }
            forget(folder);
            None
        }
    }
}

fn read(folder: &Path) -> io::Result<State> {
    let mut text = Vec::new();
    File::open(folder.join(STATE))?.take(STATE_BYTES_MAX).read_to_end(&mut text)?;
    let state: State = serde_json::from_slice(&text).map_err(|error: JsonError| io::Error::other(error))?;
    Ok(state)
}

fn gone(path: &Path, removed: io::Result<()>) {
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            tracing::warn!(path = %path.display(), %error, "what was kept of a run was not removed");
        }
        _ => {}
    }
}
