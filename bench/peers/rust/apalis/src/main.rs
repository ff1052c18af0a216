//! apalis with its Postgres or its SQLite store, through its public interface: `peer-apalis postgres` (`PGURL`) or
//! `peer-apalis sqlite` (`SQLITE_FILE`, `SQLITE_SYNC`).

mod measured;
mod postgres;
mod sqlite;

#[tokio::main]
async fn main() -> measure::Outcome {
    match std::env::args().nth(1).as_deref() {
        Some("postgres") => postgres::run(&std::env::var("PGURL")?).await,
        Some("sqlite") => sqlite::run(&std::env::var("SQLITE_FILE")?, &std::env::var("SQLITE_SYNC")?).await,
        _ => Err("say postgres or sqlite".into()),
    }
}
