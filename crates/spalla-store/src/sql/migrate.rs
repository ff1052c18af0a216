//! Brings a database to the schema that this program knows: numbered migrations, forward only, each in a transaction
//! of its own. Servers that start at once apply each of them once.

use super::statement::{Answer, Call, Statement, Value};
use crate::error::StoreError;
use crate::store::Randomness;
use crate::tx::Result;
use spalla_domain::Timestamp;

/// A step from one version of the schema to the next.
pub(crate) struct Migration {
    /// Its number; ascending by one.
    pub(crate) version: i64,
    /// Its file without the ending.
    pub(crate) name: &'static str,
    /// The content of its file.
    pub(crate) script: &'static str,
}

/// Every migration of SQLite, oldest first.
pub(crate) const SQLITE: &[Migration] = &[Migration {
    version: 1,
    name: "0001_init",
    script: include_str!("../../migrations/sqlite/0001_init.sql"),
}];

/// Every migration of Postgres, oldest first.
pub(crate) const POSTGRES: &[Migration] = &[Migration {
    version: 1,
    name: "0001_init",
    script: include_str!("../../migrations/postgres/0001_init.sql"),
}];

static CREATE: Statement =
    same("schema_migration/create", include_str!("../../sql/schema_migration/create.sql"));
static NEWEST: Statement =
    same("schema_migration/newest", include_str!("../../sql/schema_migration/newest.sql"));
static INSERT: Statement =
    same("schema_migration/insert", include_str!("../../sql/schema_migration/insert.sql"));

static FIND_META: Statement = same("meta/find", include_str!("../../sql/meta/find.sql"));
static INSERT_META: Statement = same("meta/insert", include_str!("../../sql/meta/insert.sql"));

/// Under which key the store keeps its id.
const STORE_ID: &str = "store_id";

const fn same(name: &'static str, text: &'static str) -> Statement {
    Statement { name, sqlite: text, postgres: text }
}

/// A connection that can be migrated.
pub(crate) trait Migrated: Send {
    /// Begins a transaction and keeps other servers from migrating until it ends.
    fn begin_alone(&mut self) -> impl Future<Output = Result<()>> + Send;

    /// Runs one statement.
    fn call(&mut self, call: Call) -> impl Future<Output = Result<Answer>> + Send;

    /// Runs a script of several statements.
    fn script(&mut self, script: &str, doing: &str) -> impl Future<Output = Result<()>> + Send;

    /// Commits.
    fn commit(&mut self) -> impl Future<Output = Result<()>> + Send;

    /// Rolls back.
    fn rollback(&mut self) -> impl Future<Output = Result<()>> + Send;
}

/// Applies what is missing; refuses a database that a newer program has migrated.
pub(crate) async fn run<M: Migrated>(
    database: &mut M,
    migrations: &[Migration],
    now: Timestamp,
) -> Result<()> {
    loop {
        database.begin_alone().await?;
        match apply_next(database, migrations, now).await {
            Ok(Some(migration)) => {
                database.commit().await?;
                tracing::debug!(migration = migration.name, "the database was migrated");
            }
            Ok(None) => return database.rollback().await,
            Err(error) => {
                // The error that led here says more than one of the rollback would.
                let _ = database.rollback().await;
                return Err(error);
            }
        }
    }
}

async fn apply_next<'m, M: Migrated>(
    database: &mut M,
    migrations: &'m [Migration],
    now: Timestamp,
) -> Result<Option<&'m Migration>> {
    database.call(call(&CREATE, vec![])).await?;
    let found = match database.call(call(&NEWEST, vec![])).await?.rows.pop().as_deref() {
        Some([Value::Int(version)]) => *version,
        other => return Err(StoreError::Corrupt(format!("the version of the schema is {other:?}"))),
    };
    let known = migrations.last().map_or(0, |migration| migration.version);
    if found > known {
        return Err(StoreError::NewerSchema { found, known });
    }
    let Some(next) = migrations.iter().find(|migration| migration.version > found) else {
        return Ok(None);
    };
    database.script(next.script, &format!("migration {}", next.name)).await?;
    database.call(call(&INSERT, vec![Value::Int(next.version), Value::Int(now.ms())])).await?;
    Ok(Some(next))
}

/// Returns the id of the store, which it gets when it is opened for the first time and then keeps.
pub(crate) async fn store_id<M: Migrated>(database: &mut M, randomness: &dyn Randomness) -> Result<String> {
    if let Some(id) = find_store_id(database).await? {
        return Ok(id);
    }
    let id = format!("{:016x}{:016x}", randomness.next(), randomness.next());
    database.begin_alone().await?;
    let insert = call(&INSERT_META, vec![Value::Text(STORE_ID.to_owned()), Value::Text(id)]);
    if let Err(error) = database.call(insert).await {
        let _ = database.rollback().await;
        return Err(error);
    }
    database.commit().await?;
    // Another server may have been first; then its id is the one.
    let id = find_store_id(database).await?;
    id.ok_or_else(|| StoreError::Corrupt("the id of the store is gone as soon as it is written".to_owned()))
}

async fn find_store_id<M: Migrated>(database: &mut M) -> Result<Option<String>> {
    let find = call(&FIND_META, vec![Value::Text(STORE_ID.to_owned())]);
    match database.call(find).await?.rows.pop().as_deref() {
        None => Ok(None),
        Some([Value::Text(id)]) => Ok(Some(id.clone())),
        Some(other) => Err(StoreError::Corrupt(format!("the id of the store is {other:?}"))),
    }
}

fn call(statement: &'static Statement, scalars: Vec<Value>) -> Call {
    Call { statement, scalars, rows: vec![], writes_all: false }
}

#[cfg(test)]
mod tests {
    use super::{Migration, POSTGRES, SQLITE};

    #[test]
    fn every_file_is_a_migration_under_its_number() {
        for (folder, migrations) in [("sqlite", SQLITE), ("postgres", POSTGRES)] {
            let folder = format!("{}/migrations/{folder}", env!("CARGO_MANIFEST_DIR"));
            let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
            let mut files: Vec<String> = files.map(|name| name.into_string().unwrap()).collect();
            files.sort();
            let known: Vec<String> =
                migrations.iter().map(|Migration { name, .. }| format!("{name}.sql")).collect();
            assert_eq!(files, known);
            for (migration, number) in migrations.iter().zip(1..) {
                assert_eq!(migration.version, number);
                assert!(migration.name.starts_with(&format!("{number:04}_")), "{}", migration.name);
            }
        }
    }
}
