//! What the errors of Postgres mean to the store, in words.

use crate::error::StoreError;
use std::error::Error as _;
use tokio_postgres::Error;
use tokio_postgres::error::{DbError, Severity, SqlState};

/// Translates an error that was met while `doing` something before the commit: the transaction did not happen.
pub(super) fn fault(doing: &str, error: &Error) -> StoreError {
    let detail = format!("{doing}: {}", words(error));
    let Some(code) = error.code() else {
        return if is_of_connection(error) {
            StoreError::Unavailable { detail }
        } else {
            StoreError::Corrupt(detail)
        };
    };
    let conflict = |what| {
        tracing::debug!(%detail, "a batch met another one");
        StoreError::Conflict { what }
    };
    match *code {
        SqlState::T_R_DEADLOCK_DETECTED => conflict("the same rows in another order"),
        SqlState::T_R_SERIALIZATION_FAILURE => conflict("a row that was read"),
        // How a statement says that it did not find all of its rows; nothing else divides.
        SqlState::DIVISION_BY_ZERO => conflict("a row that was loaded"),
        SqlState::UNIQUE_VIOLATION => conflict("a row of the same key"),
        SqlState::LOCK_NOT_AVAILABLE | SqlState::QUERY_CANCELED => StoreError::Busy { detail },
        SqlState::DISK_FULL => StoreError::Full { detail },
        SqlState::READ_ONLY_SQL_TRANSACTION => StoreError::ReadOnly { detail },
        SqlState::INSUFFICIENT_PRIVILEGE => {
            StoreError::Configuration(format!("{detail}; grant the database's user what it needs"))
        }
        _ if heals(code) => StoreError::Unavailable { detail },
        _ => StoreError::Corrupt(detail),
    }
}

/// Translates an error of the commit itself. Only a plain error says that it did not happen: a server that goes down
/// may have written it before it said goodbye.
pub(super) fn commit_fault(error: &Error) -> StoreError {
    match error.as_db_error().and_then(DbError::parsed_severity) {
        Some(Severity::Error) => fault("committing", error),
        _ => StoreError::Unknown { detail: format!("committing: {}", words(error)) },
    }
}

/// Translates an error of connecting, with what to look at.
pub(super) fn connect_fault(target: &str, error: &Error) -> StoreError {
    let mend = match error.code() {
        Some(&SqlState::INVALID_PASSWORD | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION) => {
            "; check user and password"
        }
        Some(&SqlState::INVALID_CATALOG_NAME) => "; create the database, or name another one",
        Some(&SqlState::TOO_MANY_CONNECTIONS) => "; raise max_connections, or end other clients",
        Some(_) => "",
        None => "; check that Postgres runs there and lets this machine in",
    };
    StoreError::Unavailable { detail: format!("connecting to Postgres at {target}: {}{mend}", words(error)) }
}

/// Tells whether an error goes away by itself or with a new connection: the classes of connection, resources, people
/// who intervene and the machine; and what the server forgot of a connection.
fn heals(code: &SqlState) -> bool {
    let class = code.code().get(..2).unwrap_or_default();
    ["08", "28", "3D", "53", "57", "58"].contains(&class)
        || [
            SqlState::INVALID_SQL_STATEMENT_NAME,
            SqlState::FEATURE_NOT_SUPPORTED,
            SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
        ]
        .contains(code)
}

/// What the driver found wrong by itself is a defect, unless it is the connection.
fn is_of_connection(error: &Error) -> bool {
    error.is_closed() || error.source().is_some_and(|cause| cause.is::<std::io::Error>())
}

fn words(error: &Error) -> String {
    if let Some(database) = error.as_db_error() {
        let detail = database.detail().map(|detail| format!(" ({detail})")).unwrap_or_default();
        return format!("{}{detail} [{}]", database.message(), database.code().code());
    }
    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("{error}{cause}")
}
