//! SQLite by one connection: single commits, batches, and rows that move from ready through leased to done.

use crate::sqlite_logs;
use measure::{Outcome, Peer, Sizes, until_due, wall_ms};
use rusqlite::Connection;
use std::path::Path;
use std::thread;
use std::time::Instant;

const PAYLOAD: &[u8] = br#"{"i":1}"#;
/// How many rows one transaction moves.
const MOVED: i64 = 500;

const TABLES: &str = "
    create table run (
        id integer primary key, priority int not null, state int not null default 1, attempt int not null default 0,
        fence int not null default 0, lease_until int, run_at int not null, payload blob not null
    );
    create index run_ready on run(priority, run_at, id) where state = 1;
    create table ready (priority int, id int, payload blob, primary key(priority, id)) without rowid;
    create table leased (id integer primary key, priority int, fence int, until int, payload blob);
    create table done (id integer primary key, at int, result blob);";
const INSERT: &str = "insert into run(priority, run_at, payload) values (0, 0, ?1)";
const TAKE: &str = "
    delete from ready where (priority, id) in (select priority, id from ready order by priority, id limit ?1)
    returning id, payload";

/// Measures commits that survive a power cut, and those that SQLite leaves to the next checkpoint.
pub fn run(folder: &Path) -> Outcome {
    for synchronous in ["FULL", "NORMAL"] {
        let file = folder.join(format!("raw-{synchronous}.db"));
        let peer = Peer::new("raw", rusqlite::version(), format!("sqlite-{synchronous}"));
        let connection = open(&file, synchronous)?;
        let sizes = Sizes::from_env();
        commits(&connection, &peer, sizes)?;
        paced_commits(&connection, &peer, sizes)?;
        batches(&connection, &peer, sizes)?;
        moves(&connection, &peer, sizes)?;
        sqlite_logs::run(&connection, &peer)?;
    }
    Ok(())
}

fn open(file: &Path, synchronous: &str) -> Outcome<Connection> {
    let connection = Connection::open(file)?;
    connection.execute_batch(&format!(
        "pragma journal_mode = wal; pragma synchronous = {synchronous}; pragma temp_store = memory;
         pragma cache_size = -65536; pragma mmap_size = 268435456; pragma wal_autocheckpoint = 4000;"
    ))?;
    connection.execute_batch(TABLES)?;
    Ok(connection)
}

/// One row, one commit, the next one after it.
fn commits(connection: &Connection, peer: &Peer, sizes: Sizes) -> Outcome {
    let mut insert = connection.prepare(INSERT)?;
    let began = Instant::now();
    for _ in 0..sizes.alone {
        insert.execute([PAYLOAD])?;
    }
    peer.rate("enqueue_seq", sizes.alone, began, "commits/s");
    Ok(())
}

/// What one commit takes when they come at the pace at which waits are measured: the disk and the caches have rested.
fn paced_commits(connection: &Connection, peer: &Peer, sizes: Sizes) -> Outcome {
    let mut insert = connection.prepare(INSERT)?;
    let mut waits_ms = vec![];
    let began = Instant::now();
    for i in 0..sizes.paced {
        thread::sleep(until_due(began, i, sizes.rate));
        let sent_ms = wall_ms();
        insert.execute([PAYLOAD])?;
        waits_ms.push(wall_ms() - sent_ms);
    }
    peer.waits("paced_commit", waits_ms);
    Ok(())
}

fn batches(connection: &Connection, peer: &Peer, sizes: Sizes) -> Outcome {
    let mut insert = connection.prepare(INSERT)?;
    let began = Instant::now();
    for batch in sizes.batches() {
        connection.execute_batch("begin immediate")?;
        for _ in 0..batch {
            insert.execute([PAYLOAD])?;
        }
        connection.execute_batch("commit")?;
    }
    peer.rate("enqueue_batch1000", sizes.jobs, began, "rows/s");
    Ok(())
}

/// A claim is one transaction, an end is another.
fn moves(connection: &Connection, peer: &Peer, sizes: Sizes) -> Outcome {
    connection.execute_batch("begin")?;
    {
        let mut ready = connection.prepare("insert into ready values (0, ?1, ?2)")?;
        for id in 0..sizes.jobs {
            ready.execute((id as i64, PAYLOAD))?;
        }
    }
    connection.execute_batch("commit")?;
    let mut take = connection.prepare(TAKE)?;
    let mut lease = connection.prepare("insert into leased values (?1, 0, 1, 99, ?2)")?;
    let mut end = connection.prepare("delete from leased where id = ?1 and fence = 1")?;
    let mut keep = connection.prepare("insert into done values (?1, 0, null)")?;
    let began = Instant::now();
    loop {
        connection.execute_batch("begin immediate")?;
        let taken: Vec<(i64, Vec<u8>)> =
            take.query_map([MOVED], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
        for (id, payload) in &taken {
            lease.execute((id, payload))?;
        }
        connection.execute_batch("commit")?;
        if taken.is_empty() {
            break;
        }
        connection.execute_batch("begin immediate")?;
        for (id, _) in &taken {
            end.execute([id])?;
            keep.execute([id])?;
        }
        connection.execute_batch("commit")?;
    }
    peer.rate("drain", sizes.jobs, began, "jobs/s");
    Ok(())
}
