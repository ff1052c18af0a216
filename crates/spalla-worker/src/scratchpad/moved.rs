//! A run's files on their way into the seat of an agent's process and out of it.

use super::folder;
use super::mode::set_mode;
use spalla_crash::crash_point;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// The file beside a seat's folders that names whose files are in it. The agent does not see it.
const OWNER: &str = "files-of";
/// What an owner may do with a folder that can be moved: its link to the folder above is written.
const OWNERS: u32 = 0o700;

/// Moves all that is in one folder into another one on the same disk.
pub(super) fn move_all(from: &Path, to: &Path) -> io::Result<()> {
    for entry in folder::entries(from)? {
        let Some(name) = entry.file_name() else { continue };
        let target = to.join(name);
        match folder::rename(&entry, &target) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                move_locked(&entry, &target)?;
            }
            moved => moved?,
        }
    }
    Ok(())
}

/// Moves a folder that its owner may not write, and leaves it like that.
fn move_locked(from: &Path, to: &Path) -> io::Result<()> {
    let data = fs::symlink_metadata(from)?;
    if !data.is_dir() {
        return folder::rename(from, to);
    }
    let mode = data.permissions().mode() & 0o7777;
    set_mode(from, mode | OWNERS)?;
    folder::rename(from, to)?;
    set_mode(to, mode)
}

/// Writes down whose files are moved into a seat.
pub(super) fn note_owner(seat: &Path, owner: &Path) -> io::Result<()> {
    crash_point!("worker.seat.owner.write", fs::write(seat.join(OWNER), owner.to_string_lossy().as_bytes()))
}

/// Moves the files that a worker which was killed left in seats back to where they belong, beneath the folder of all runs.
pub(crate) fn bring_back(seats: &Path, runs: &Path) {
    let seats = folder::entries(seats).unwrap_or_default();
    for seat in seats {
        let Some(owner) = owner_of(&seat, runs) else { continue };
        if let Err(error) = move_all(&seat.join("work"), &owner) {
            tracing::warn!(seat = %seat.display(), %error, "what a run left in a seat is lost");
        }
    }
}

/// Returns the folder of the run whose files are in a seat; none where it is no such folder, or gone.
fn owner_of(seat: &Path, runs: &Path) -> Option<PathBuf> {
    let owner = PathBuf::from(fs::read_to_string(seat.join(OWNER)).ok()?);
    let runs = std::path::absolute(runs).ok()?;
    let beneath = owner.strip_prefix(&runs).ok()?;
    let is_plain = beneath.components().all(|part| matches!(part, std::path::Component::Normal(_)));
    (is_plain && fs::symlink_metadata(&owner).is_ok_and(|data| data.is_dir())).then_some(owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_worker_left_in_a_seat_goes_back_to_the_run_that_it_was_of() {
        let data = tempfile::tempdir().unwrap();
        let (runs, seats) = (data.path().join("scratchpads"), data.path().join("pool"));
        let own = runs.join("item-1/run-2");
        fs::create_dir_all(&own).unwrap();
        for (seat, owner) in [("1", &own), ("2", &runs.join("item-1/../../x")), ("3", &runs.join("gone"))] {
            fs::create_dir_all(seats.join(seat).join("work")).unwrap();
            fs::write(seats.join(seat).join("work/file"), seat).unwrap();
            note_owner(&seats.join(seat), owner).unwrap();
        }
        bring_back(&seats, &runs);
        assert_eq!(fs::read_to_string(own.join("file")).unwrap(), "1");
        assert!(seats.join("2/work/file").exists() && seats.join("3/work/file").exists());
        bring_back(&data.path().join("none"), &runs);
    }

    #[test]
    fn a_folder_that_its_owner_may_not_write_is_moved_and_stays_like_that() {
        let root = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "to"].map(|name| root.path().join(name));
        fs::create_dir_all(from.join("locked/deep")).unwrap();
        fs::create_dir(&to).unwrap();
        set_mode(&from.join("locked"), 0o555).unwrap();
        move_locked(&from.join("locked"), &to.join("locked")).unwrap();
        assert!(to.join("locked/deep").is_dir() && !from.join("locked").exists());
        assert_eq!(fs::metadata(to.join("locked")).unwrap().permissions().mode() & 0o777, 0o555);
        set_mode(&to.join("locked"), 0o755).unwrap();
    }
}
