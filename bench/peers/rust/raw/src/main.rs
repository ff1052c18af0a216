//! What the disk, SQLite and Postgres give to hand-written code with no more than a queue's bare moves:
//! `raw-limits disk FOLDER`, `raw-limits sqlite FOLDER` or `raw-limits postgres URL` of an empty database.

mod disk;
mod postgres_commits;
mod postgres_moves;
mod sqlite;
mod sqlite_logs;

fn main() -> measure::Outcome {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (Some("disk"), Some(folder)) => disk::run(folder.as_ref()),
        (Some("sqlite"), Some(folder)) => sqlite::run(folder.as_ref()),
        (Some("postgres"), Some(url)) => {
            postgres_commits::run(&url)?;
            postgres_moves::run(&url)
        }
        _ => Err("say disk FOLDER, sqlite FOLDER or postgres URL".into()),
    }
}
