//! Many copies of a few rows that the store itself has written: the rows made since a moment are repeated, in sets,
//! with numbers of their own. What they refer to from before that moment stays the same for all copies.

use crate::bench::administrator::Administrator;
use anyhow::{Result, ensure};
use std::fmt::Write as _;

/// The kinds of number that are given out one after the other: each with the column that has every one of them.
const NUMBERS: [(&str, &str); 5] =
    [("work_item", "id"), ("entry", "id"), ("run", "id"), ("approval", "id"), ("event_chunk", "last_seq")];
const ITEM: usize = 0;
const ENTRY: usize = 1;
const RUN: usize = 2;
const APPROVAL: usize = 3;
const EVENT: usize = 4;

/// The tables with such rows, each with the column that tells new rows from old ones.
const TABLES: [(&str, &str, usize); 13] = [
    ("work_item", "id", ITEM),
    ("entry", "work_item_id", ITEM),
    ("open", "work_item_id", ITEM),
    ("ready", "work_item_id", ITEM),
    ("delayed", "work_item_id", ITEM),
    ("blocked", "work_item_id", ITEM),
    ("leased", "work_item_id", ITEM),
    ("finished", "work_item_id", ITEM),
    ("dep", "child", ITEM),
    ("run", "id", RUN),
    ("approval", "id", APPROVAL),
    ("log_chunk", "run_id", RUN),
    ("event_chunk", "last_seq", EVENT),
];

/// How many copies one transaction makes.
const CHUNK: u64 = 50_000;

/// The newest number of each kind at some moment.
type Newest = [i64; NUMBERS.len()];

/// What was made since a moment.
pub(super) struct Mould {
    since: Newest,
}

/// Which copies are made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Copies {
    /// How many, beside the rows that are there.
    pub(super) count: u64,
    /// Whether the events are copied as well; they are several for each run, and most of the bytes.
    pub(super) events: bool,
}

impl Mould {
    /// Begins: what is made from now on is copied.
    pub(super) async fn begin(administrator: &Administrator) -> Result<Self> {
        Ok(Self { since: newest(administrator).await? })
    }

    /// Copies what was made, while nobody else uses the database, and lets it count on from there.
    pub(super) async fn multiply(&self, administrator: &Administrator, copies: Copies) -> Result<()> {
        let newest = newest(administrator).await?;
        let mut made = Newest::default();
        for (made, (newest, since)) in made.iter_mut().zip(newest.iter().zip(self.since)) {
            *made = newest - since;
        }
        let (mut script, mut inserts) = (String::from(opening(administrator)), vec![]);
        for (table, key, kind) in TABLES.into_iter().filter(|(.., kind)| *kind != EVENT || copies.events) {
            let condition = format!("{key} > {}", self.since[kind]);
            if administrator.number(&format!("select count(*) from {table} where {condition}")).await? > 0 {
                writeln!(
                    script,
                    "create temp table mould_{table} as select * from {table} where {condition};"
                )?;
                inserts.push((table, key, self.values(administrator, table, &made).await?));
            }
        }
        for first in (1..=copies.count).step_by(usize::try_from(CHUNK)?) {
            let numbers = numbers(administrator, first, (first + CHUNK - 1).min(copies.count));
            script.push_str("begin;\n");
            for (table, key, (columns, values)) in &inserts {
                writeln!(
                    script,
                    "insert into {table} ({columns}) select {values} from {numbers} \
                     cross join mould_{table} as mould order by counted.number, mould.{key};"
                )?;
            }
            script.push_str("commit;\n");
        }
        // The numbers of events go on from the newest by themselves.
        for ((kind, _), made) in NUMBERS[..EVENT].iter().zip(made).filter(|(_, made)| *made > 0) {
            script.push_str(&count_on(administrator, kind, made * i64::try_from(copies.count)?));
        }
        if copies.events {
            // What is copied belongs to the newest project.
            script.push_str(
                "insert into event_stretch select distinct (select max(id) from project), last_seq / 1024 \
                 from event_chunk where true on conflict do nothing;\n",
            );
        }
        script.push_str(closing(administrator));
        administrator.ask(&script).await.map(drop)
    }

    /// Returns a table's columns, and what stands in them in a copy.
    async fn values(
        &self,
        administrator: &Administrator,
        table: &str,
        made: &Newest,
    ) -> Result<(String, String)> {
        let names = columns(administrator, table).await?;
        let value = |name: &String| match kind_of(table, name) {
            None => format!("mould.\"{name}\""),
            Some(kind) => format!(
                "case when mould.\"{name}\" > {since} then mould.\"{name}\" + counted.number * {made} \
                 else mould.\"{name}\" end",
                since = self.since[kind],
                made = made[kind],
            ),
        };
        let values: Vec<String> = names.iter().map(value).collect();
        let names: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
        Ok((names.join(", "), values.join(", ")))
    }
}

/// Tells which kind of number a column holds.
fn kind_of(table: &str, column: &str) -> Option<usize> {
    match (table, column) {
        ("work_item", "id") | (_, "work_item_id" | "parent" | "child" | "broken_by") => Some(ITEM),
        ("entry", "id") => Some(ENTRY),
        ("run", "id") | (_, "run_id") => Some(RUN),
        ("approval", "id") => Some(APPROVAL),
        ("event_chunk", "last_seq") => Some(EVENT),
        _ => None,
    }
}

async fn newest(administrator: &Administrator) -> Result<Newest> {
    let mut newest = Newest::default();
    for (newest, (table, column)) in newest.iter_mut().zip(NUMBERS) {
        *newest = administrator.number(&format!("select coalesce(max({column}), 0) from {table}")).await?;
    }
    // A run that is not over stands elsewhere.
    let live = administrator.number("select coalesce(max(run_id), 0) from leased").await?;
    newest[RUN] = newest[RUN].max(live);
    Ok(newest)
}

async fn columns(administrator: &Administrator, table: &str) -> Result<Vec<String>> {
    let ask = if administrator.is_postgres() {
        format!(
            "select column_name from information_schema.columns \
             where table_schema = 'public' and table_name = '{table}' order by ordinal_position"
        )
    } else {
        format!("select name from pragma_table_info('{table}') order by cid")
    };
    let columns: Vec<String> = administrator.ask(&ask).await?.lines().map(str::to_owned).collect();
    ensure!(!columns.is_empty(), "the table {table} has no columns");
    Ok(columns)
}

fn numbers(administrator: &Administrator, first: u64, last: u64) -> String {
    if administrator.is_postgres() {
        return format!("generate_series({first}, {last}) as counted(number)");
    }
    format!(
        "(with recursive up(number) as (select {first} union all select number + 1 from up \
         where number < {last}) select number from up) as counted"
    )
}

fn count_on(administrator: &Administrator, kind: &str, by: i64) -> String {
    if administrator.is_postgres() {
        return format!("select setval('{kind}_seq', (select last_value from {kind}_seq) + {by});\n");
    }
    format!("update sequence set next = next + {by} where name = '{kind}';\n")
}

/// A file that is lost with the machine is made anew, so nothing is written twice while it grows.
const fn opening(administrator: &Administrator) -> &'static str {
    if administrator.is_postgres() {
        ""
    } else {
        "pragma journal_mode = off;\npragma synchronous = off;\npragma cache_size = -400000;\n"
    }
}

/// Postgres is left as its own housekeeping leaves it after a while.
const fn closing(administrator: &Administrator) -> &'static str {
    if administrator.is_postgres() {
        "vacuum (analyze);\ncheckpoint;\n"
    } else {
        "pragma journal_mode = wal;\n"
    }
}
