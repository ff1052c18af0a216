//! The database that the servers of a schedule share: fresh for each, in memory, in a SQLite file or in Postgres.

use spalla_store::{Location, Memory, Options, Store, StoreError};

/// What a schedule runs on.
#[derive(Clone)]
pub(crate) enum Database {
    /// Rows in memory.
    Memory(Memory),
}

impl Database {
    /// Returns where the rows are.
    pub(crate) fn location(&self) -> Location {
        match self {
            Self::Memory(memory) => Location::Memory(memory.clone()),
        }
    }

    /// Opens the store for one server.
    pub(crate) fn open(&self, options: Options) -> Result<Store, StoreError> {
        match self {
            Self::Memory(_) => super::disk::block_on(Store::open(options)),
        }
    }
}
