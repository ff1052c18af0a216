//! Why the store could not do something; never because a wish was refused.

use spalla_domain::Refusal;

/// A fault of the store. The transaction was rolled back unless it says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another writer moved a row meanwhile; the batch is tried again.
    #[error("another writer moved {what} meanwhile")]
    Conflict {
        /// Which kind of row.
        what: &'static str,
    },
    /// Another transaction held a lock for longer than we wait, or the database cut a statement short. The connection
    /// is fine, and the batch is tried again a few times; nobody who sent it hears of this one.
    #[error("the database kept a transaction waiting: {detail}")]
    Busy {
        /// What the driver said.
        detail: String,
    },
    /// The database can't be reached, or the connection broke before the commit was sent.
    #[error("the database is not available: {detail}")]
    Unavailable {
        /// What the driver said.
        detail: String,
    },
    /// The connection broke while the commit was under way: it may or may not have happened.
    #[error("the connection broke during the commit; whether it happened is not known: {detail}")]
    Unknown {
        /// What the driver said.
        detail: String,
    },
    /// The disk is full.
    #[error("the disk is full: {detail}")]
    Full {
        /// What the driver said.
        detail: String,
    },
    /// The database file can't be written.
    #[error("the database can't be written: {detail}")]
    ReadOnly {
        /// What the driver said.
        detail: String,
    },
    /// The schema is newer than this program.
    #[error("the database has schema version {found}, and this program knows versions up to {known}")]
    NewerSchema {
        /// What the database has.
        found: i64,
        /// What the program knows.
        known: i64,
    },
    /// The configuration can't be used.
    #[error("{0}")]
    Configuration(String),
    /// A row does not hold what the program wrote, or a statement is wrong: a defect, or a damaged file.
    #[error("the store is inconsistent: {0}")]
    Corrupt(String),
    /// The store was closed.
    #[error("the store is closing")]
    Closed,
}

impl StoreError {
    /// Tells whether the same batch may succeed when it is tried again at once.
    pub const fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict { .. })
    }
}

/// Why a command did not do what was wished.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// It was refused and changed nothing.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreError),
}
