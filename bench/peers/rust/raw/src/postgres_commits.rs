//! Postgres: single commits by one connection and by sixteen, at full speed and at a pace, and batches by `unnest`.

use measure::{Outcome, Peer, Sizes, until_due, wall_ms};
use postgres::{Client, NoTls};
use std::thread;
use std::time::Instant;

const PAYLOAD: &[u8] = br#"{"i":1}"#;
const CONNECTIONS: usize = 16;

const TABLE: &str = "
    create table queued (
        id bigint generated always as identity primary key, priority smallint not null default 0,
        state smallint not null default 1, fence int not null default 0, lease_until timestamptz,
        run_at timestamptz not null default now(), payload bytea not null
    ) with (fillfactor = 70);
    create index queued_ready on queued(priority, id) where state = 1;";
const INSERT: &str = "insert into queued(payload) values ($1)";
const INSERT_MANY: &str = "insert into queued(payload) select payload from unnest($1::bytea[]) payload";

/// Measures them.
pub fn run(url: &str) -> Outcome {
    let mut client = Client::connect(url, NoTls)?;
    client.batch_execute(TABLE)?;
    let peer = Peer::new("raw", "0", "postgres");
    let sizes = Sizes::from_env();
    let began = Instant::now();
    commits(&mut client, sizes.alone)?;
    peer.rate("enqueue_seq", sizes.alone, began, "commits/s");
    crowd(url, &peer, sizes)?;
    paced(&mut client, &peer, sizes)?;
    client.batch_execute("truncate queued")?;
    batches(&mut client, &peer, sizes)?;
    client.batch_execute("drop table queued")?;
    Ok(())
}

/// One row, one commit, the next one after it.
fn commits(client: &mut Client, count: usize) -> Outcome {
    let insert = client.prepare(INSERT)?;
    for _ in 0..count {
        client.execute(&insert, &[&PAYLOAD])?;
    }
    Ok(())
}

fn crowd(url: &str, peer: &Peer, sizes: Sizes) -> Outcome {
    let clients = (0..CONNECTIONS).map(|_| Client::connect(url, NoTls)).collect::<Result<Vec<_>, _>>()?;
    let began = Instant::now();
    let callers: Vec<_> = clients
        .into_iter()
        .zip(sizes.shares(CONNECTIONS))
        .map(|(mut client, share)| thread::spawn(move || commits(&mut client, share)))
        .collect();
    for caller in callers {
        caller.join().map_err(|_| "a caller panicked")??;
    }
    peer.rate("enqueue_conc16", sizes.crowd, began, "commits/s");
    Ok(())
}

/// What one commit takes when they come at the pace at which waits are measured: the disk and the caches have rested.
fn paced(client: &mut Client, peer: &Peer, sizes: Sizes) -> Outcome {
    let insert = client.prepare(INSERT)?;
    let mut waits_ms = vec![];
    let began = Instant::now();
    for i in 0..sizes.paced {
        thread::sleep(until_due(began, i, sizes.rate));
        let sent_ms = wall_ms();
        client.execute(&insert, &[&PAYLOAD])?;
        waits_ms.push(wall_ms() - sent_ms);
    }
    peer.waits("paced_commit", waits_ms);
    Ok(())
}

fn batches(client: &mut Client, peer: &Peer, sizes: Sizes) -> Outcome {
    let insert = client.prepare(INSERT_MANY)?;
    let began = Instant::now();
    for batch in sizes.batches() {
        client.execute(&insert, &[&vec![PAYLOAD; batch]])?;
    }
    peer.rate("enqueue_batch1000", sizes.jobs, began, "rows/s");
    Ok(())
}
