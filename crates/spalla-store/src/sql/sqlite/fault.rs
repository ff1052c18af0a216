//! What SQLite's errors mean to the store, in words that say how to mend them.

use super::file::DatabaseFile;
use crate::error::StoreError;
use rusqlite::ffi::{
    SQLITE_IOERR_SHMMAP, SQLITE_IOERR_SHMSIZE, SQLITE_IOERR_TRUNCATE, SQLITE_IOERR_WRITE,
    SQLITE_READONLY_DBMOVED,
};
use rusqlite::{Error, ErrorCode};

/// What a full disk shows itself by, where it isn't the plain code: a quota, a file size limit, the shared index.
const NO_ROOM: [i32; 4] =
    [SQLITE_IOERR_WRITE, SQLITE_IOERR_SHMSIZE, SQLITE_IOERR_SHMMAP, SQLITE_IOERR_TRUNCATE];

/// Translates an error that was met while `doing` something; the transaction can't have been committed.
pub(super) fn fault(file: &DatabaseFile, doing: &str, error: &Error) -> StoreError {
    let detail = format!("{doing} in {}: {error}", file.path().display());
    let Some(failure) = error.sqlite_error() else {
        return StoreError::Corrupt(detail);
    };
    match failure.code {
        ErrorCode::DiskFull => full(&detail),
        ErrorCode::SystemIoFailure if NO_ROOM.contains(&failure.extended_code) => full(&detail),
        ErrorCode::ReadOnly if failure.extended_code == SQLITE_READONLY_DBMOVED => file.gone(),
        ErrorCode::ReadOnly => {
            let detail = format!("{detail}; let the server's user write the file and its folder");
            StoreError::ReadOnly { detail }
        }
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            let detail = format!("{detail}; another process holds its lock, end that or wait for it");
            StoreError::Unavailable { detail }
        }
        ErrorCode::SystemIoFailure
        | ErrorCode::CannotOpen
        | ErrorCode::PermissionDenied
        | ErrorCode::OutOfMemory
        | ErrorCode::FileLockingProtocolFailed
        | ErrorCode::OperationInterrupted => StoreError::Unavailable { detail },
        _ => StoreError::Corrupt(detail),
    }
}

/// Translates an error of a commit. When the disk did not confirm what was written, it may come to light again after
/// a crash, so that nobody can say whether it happened.
pub(super) fn commit_fault(file: &DatabaseFile, error: &Error) -> StoreError {
    match fault(file, "committing", error) {
        StoreError::Unavailable { detail }
            if error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure) =>
        {
            StoreError::Unknown { detail }
        }
        fault => fault,
    }
}

/// Translates an error of opening the file: something that its owner can put right.
pub(super) fn open_fault(file: &DatabaseFile, error: &Error) -> StoreError {
    let path = file.path().display();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => StoreError::Configuration(format!(
            "opening {path}: the file is not a SQLite database; name another path, or move the file away"
        )),
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => StoreError::Configuration(format!(
            "opening {path}: {error}; let the server's user read and write the file and its folder"
        )),
        _ => fault(file, "opening the store", error),
    }
}

/// Translates an error of opening the file once more, while the store is in use. What could be opened at the start and
/// can't be now is short of something, mostly of files that the server may open: that passes.
pub(super) fn reopen_fault(file: &DatabaseFile, error: &Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            let path = file.path().display();
            let detail = format!(
                "opening {path} once more: {error}; see how many files the server may open, and who may use this one"
            );
            StoreError::Unavailable { detail }
        }
        _ => open_fault(file, error),
    }
}

fn full(detail: &str) -> StoreError {
    StoreError::Full { detail: format!("{detail}; make room on the disk, nothing that was answered is lost") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::ffi::{self, SQLITE_CANTOPEN, SQLITE_NOTADB};

    #[test]
    fn a_file_that_cannot_be_opened_is_a_setting_at_the_start_and_passes_later() {
        let folder = tempfile::tempdir().unwrap();
        let file = DatabaseFile::find_or_make(&folder.path().join("a.db")).unwrap();
        let error = |code| Error::SqliteFailure(ffi::Error::new(code), None);
        assert!(matches!(open_fault(&file, &error(SQLITE_CANTOPEN)), StoreError::Configuration(_)));
        assert!(matches!(reopen_fault(&file, &error(SQLITE_CANTOPEN)), StoreError::Unavailable { .. }));
        assert!(matches!(reopen_fault(&file, &error(SQLITE_NOTADB)), StoreError::Configuration(_)));
    }
}
