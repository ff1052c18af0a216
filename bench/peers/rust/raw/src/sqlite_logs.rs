//! Lines of a log in SQLite: a row for each, or many in one chunk.

use measure::{Outcome, Peer};
use rusqlite::Connection;
use std::time::Instant;

const LINE: [u8; 100] = [b'x'; 100];
const LINES: usize = 40_000;
/// Lines of one transaction where each is a row.
const LINES_A_COMMIT: usize = 1_000;
const CHUNK_BYTES: usize = 32 * 1024;

const TABLES: &str = "
    create table log_line (run int, seq int, line blob, primary key(run, seq)) without rowid;
    create table log_chunk (run int, seq int, lines int, data blob, primary key(run, seq)) without rowid;";

/// Measures both.
pub fn run(connection: &Connection, peer: &Peer) -> Outcome {
    connection.execute_batch(TABLES)?;
    rows(connection, peer)?;
    chunks(connection, peer)
}

fn rows(connection: &Connection, peer: &Peer) -> Outcome {
    let mut insert = connection.prepare("insert into log_line values (1, ?1, ?2)")?;
    let began = Instant::now();
    for first in (0..LINES).step_by(LINES_A_COMMIT) {
        connection.execute_batch("begin immediate")?;
        for line in first..first + LINES_A_COMMIT {
            insert.execute((line as i64, &LINE[..]))?;
        }
        connection.execute_batch("commit")?;
    }
    peer.rate("log_row_per_line", LINES, began, "lines/s");
    Ok(())
}

/// Each chunk is a commit of its own: 327 lines.
fn chunks(connection: &Connection, peer: &Peer) -> Outcome {
    let lines_a_chunk = CHUNK_BYTES / LINE.len();
    let chunk = vec![b'x'; CHUNK_BYTES];
    let chunks = LINES / lines_a_chunk;
    let mut insert = connection.prepare("insert into log_chunk values (1, ?1, ?2, ?3)")?;
    let began = Instant::now();
    for seq in 0..chunks {
        insert.execute((seq as i64, lines_a_chunk as i64, &chunk))?;
    }
    peer.rate("log_append", chunks * lines_a_chunk, began, "lines/s");
    Ok(())
}
