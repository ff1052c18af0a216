//! Postgres: narrow rows that move from ready through leased to done, 500 at a time. In the goals this is "raw B".

use measure::{Outcome, Peer, Sizes};
use postgres::{Client, NoTls};
use std::thread;
use std::time::Instant;

/// How many rows one statement moves.
const MOVED: i64 = 500;

const TABLES: &str = "
    create table run (
        id bigint primary key, state smallint not null default 1, fence int not null default 0, payload bytea not null
    ) with (fillfactor = 85);
    create table ready (priority smallint not null, id bigint not null, primary key(priority, id))
        with (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);
    create table leased (
        id bigint primary key, fence int not null, worker int not null, until timestamptz not null
    ) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);
    create table done (
        id bigint primary key, fence int not null, status smallint not null, at timestamptz not null default now()
    );";
const CLAIM: &str = "
    with taken as (
        delete from ready where ctid = any(array(
            select ctid from ready order by priority, id limit $1 for update skip locked
        )) returning id
    ), held as (
        insert into leased select id, 1, 0, now() + interval '30 s' from taken
    )
    select run.id, run.fence, run.payload from taken join run using (id)";
const COMPLETE: &str = "
    with ended as (
        delete from leased using unnest($1::bigint[]) given(id)
        where leased.id = given.id and leased.fence = 1 returning leased.id, leased.fence
    )
    insert into done(id, fence, status) select id, fence, 3 from ended";

/// Measures a drain by one connection and by four.
pub fn run(url: &str) -> Outcome {
    let mut client = Client::connect(url, NoTls)?;
    client.batch_execute(TABLES)?;
    let peer = Peer::new("raw", "0", "postgres");
    let sizes = Sizes::from_env();
    for connections in [1, 4] {
        fill(&mut client, sizes.jobs)?;
        let clients = (0..connections).map(|_| connect(url)).collect::<Outcome<Vec<_>>>()?;
        let began = Instant::now();
        let workers: Vec<_> =
            clients.into_iter().map(|mut client| thread::spawn(move || drain(&mut client))).collect();
        for worker in workers {
            worker.join().map_err(|_| "a worker panicked")??;
        }
        peer.rate(&format!("drain_c{connections}"), sizes.jobs, began, "jobs/s");
    }
    Ok(())
}

fn connect(url: &str) -> Outcome<Client> {
    let mut client = Client::connect(url, NoTls)?;
    client.batch_execute("set jit = off")?;
    Ok(client)
}

fn fill(client: &mut Client, jobs: usize) -> Outcome {
    client.batch_execute(&format!(
        "truncate run, ready, leased, done;
         insert into run(id, payload) select id, 'x' from generate_series(1, {jobs}) id;
         insert into ready select 0, id from generate_series(1, {jobs}) id;
         analyze run; analyze ready"
    ))?;
    Ok(())
}

fn drain(client: &mut Client) -> Outcome {
    let (claim, complete) = (client.prepare(CLAIM)?, client.prepare(COMPLETE)?);
    loop {
        let ids: Vec<i64> = client.query(&claim, &[&MOVED])?.iter().map(|row| row.get(0)).collect();
        if ids.is_empty() {
            return Ok(());
        }
        client.execute(&complete, &[&ids])?;
    }
}
