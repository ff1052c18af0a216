//! honker, a queue in SQLite, through its public interface: `SQLITE_FILE` names the file, `SQLITE_SYNC` its
//! `synchronous`, or `default` for honker's own.

mod measured;

fn main() -> measure::Outcome {
    measured::run(&std::env::var("SQLITE_FILE")?, &std::env::var("SQLITE_SYNC")?)
}
