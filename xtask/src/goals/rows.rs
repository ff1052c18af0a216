//! The goals of the queue and the engine, by the numbers they have in docs/benchmarks.md.

use super::comparison::Against::{BestOf, BestPeer, Fixed, Peer, Raw, RawEach};
use super::comparison::Goal::{AtLeast, AtMost, Told};
use super::comparison::{Against, Better, Comparison, Goal, Place};

/// A goal and all that it is compared with.
pub(crate) struct Row {
    pub(crate) number: u8,
    pub(crate) what: &'static str,
    pub(crate) comparisons: &'static [Comparison],
}

const fn at(store: &'static str, metric: &'static str) -> Place {
    Place { store, metric }
}

const fn pg(metric: &'static str) -> Place {
    at("postgres", metric)
}

/// SQLite with every commit on the disk.
const fn full(metric: &'static str) -> Place {
    at("sqlite-FULL", metric)
}

/// SQLite as the peer sets it.
const fn default(metric: &'static str) -> Place {
    at("sqlite-default", metric)
}

const fn compare(ours: Place, against: Against, goal: Goal) -> Comparison {
    Comparison { ours, against, goal }
}

const NODE_PEERS: Against = BestOf(&[
    ("graphile-worker", pg("peak_rss")),
    ("pg-boss", pg("peak_rss")),
    ("plainjob", full("peak_rss")),
    ("bullmq", at("redis-aof-always", "peak_rss")),
]);

/// Every goal.
pub(crate) const ROWS: &[Row] = &[
    Row {
        number: 1,
        what: "Postgres: drain",
        comparisons: &[
            compare(pg("drain"), BestPeer(pg("drain")), AtLeast(1.7)),
            compare(pg("drain"), Peer("graphile-worker", pg("drain")), AtLeast(2.0)),
            compare(pg("drain"), Raw(pg("drain_c4")), AtLeast(0.5)),
        ],
    },
    Row {
        number: 2,
        what: "Postgres: enqueue, 16 callers",
        comparisons: &[
            compare(pg("enqueue_conc16"), Peer("pg-boss", pg("enqueue_conc16")), AtLeast(4.0)),
            compare(pg("enqueue_conc16"), Peer("graphile-worker", pg("enqueue_conc16")), AtLeast(10.0)),
            compare(pg("enqueue_conc16"), BestPeer(pg("enqueue_conc16")), Told(Better::Larger)),
            compare(pg("enqueue_conc16"), Raw(pg("enqueue_conc16")), AtLeast(1.2)),
        ],
    },
    Row {
        number: 3,
        what: "Postgres: enqueue, one caller",
        comparisons: &[
            compare(pg("enqueue_seq"), BestPeer(pg("enqueue_seq")), AtLeast(1.0)),
            compare(pg("enqueue_seq"), Raw(pg("enqueue_seq")), AtLeast(0.7)),
        ],
    },
    Row {
        number: 4,
        what: "Postgres: enqueue, batches of 1,000",
        comparisons: &[
            compare(pg("enqueue_batch1000"), BestPeer(pg("enqueue_batch1000")), AtLeast(2.0)),
            compare(pg("enqueue_batch1000"), Raw(pg("enqueue_batch1000")), AtLeast(0.6)),
        ],
    },
    Row {
        number: 5,
        what: "Postgres: start on another node",
        comparisons: &[
            compare(pg("latency_p50"), BestPeer(pg("latency_p50")), AtMost(1.0)),
            compare(pg("latency_p99"), BestPeer(pg("latency_p99")), AtMost(0.8)),
            compare(pg("latency_p50"), RawEach(pg("enqueue_seq")), AtMost(4.0)),
            compare(pg("latency_p50"), Raw(pg("paced_commit_p50")), Told(Better::Smaller)),
        ],
    },
    Row {
        number: 6,
        what: "Postgres: start by hand-off",
        comparisons: &[
            compare(pg("latency_handoff_p50"), BestPeer(pg("latency_p50")), AtMost(0.5)),
            compare(pg("latency_handoff_p50"), Raw(pg("paced_commit_p50")), AtMost(1.5)),
        ],
    },
    Row {
        number: 7,
        what: "SQLite: drain",
        comparisons: &[
            compare(full("drain"), Peer("honker", full("drain")), AtLeast(4.0)),
            compare(full("drain"), Peer("honker", default("drain")), AtLeast(4.0)),
            compare(full("drain"), BestPeer(full("drain")), Told(Better::Larger)),
            compare(full("drain"), Raw(full("drain")), AtLeast(0.5)),
        ],
    },
    Row {
        number: 8,
        what: "SQLite: enqueue, 16 callers",
        comparisons: &[
            compare(full("enqueue_conc16"), BestPeer(full("enqueue_seq")), AtLeast(3.0)),
            compare(full("enqueue_conc16"), Raw(full("enqueue_seq")), AtLeast(5.0)),
        ],
    },
    Row {
        number: 9,
        what: "SQLite: enqueue, one caller",
        comparisons: &[
            compare(full("enqueue_seq"), Peer("plainjob", full("enqueue_seq")), AtLeast(0.8)),
            compare(full("enqueue_seq"), Peer("honker", full("enqueue_seq")), AtLeast(1.0)),
            compare(full("enqueue_seq"), BestPeer(full("enqueue_seq")), Told(Better::Larger)),
            compare(full("enqueue_seq"), Raw(full("enqueue_seq")), AtLeast(0.9)),
        ],
    },
    Row {
        number: 10,
        what: "SQLite: enqueue, batches of 1,000",
        comparisons: &[
            compare(full("enqueue_batch1000"), Peer("plainjob", full("enqueue_batch1000")), AtLeast(1.5)),
            compare(full("enqueue_batch1000"), Peer("honker", full("enqueue_batch1000")), AtLeast(10.0)),
            compare(full("enqueue_batch1000"), BestPeer(full("enqueue_batch1000")), Told(Better::Larger)),
            compare(full("enqueue_batch1000"), Raw(full("enqueue_batch1000")), AtLeast(0.5)),
        ],
    },
    Row {
        number: 11,
        what: "SQLite: start",
        comparisons: &[
            compare(full("latency_p50"), Peer("honker", full("latency_p50")), AtMost(0.8)),
            compare(full("latency_p99"), Peer("honker", default("latency_p99")), AtMost(0.6)),
            compare(full("latency_p50"), BestPeer(full("latency_p50")), Told(Better::Smaller)),
            compare(full("latency_p50"), RawEach(full("enqueue_seq")), AtMost(2.0)),
            compare(full("latency_p50"), Raw(full("paced_commit_p50")), Told(Better::Smaller)),
        ],
    },
    Row {
        number: 12,
        what: "SQLite: drain, against Redis that syncs always",
        comparisons: &[compare(full("drain"), Peer("bullmq", at("redis-aof-always", "drain")), AtLeast(5.0))],
    },
    Row {
        number: 13,
        what: "peak memory",
        comparisons: &[
            compare(pg("peak_rss"), NODE_PEERS, AtMost(0.3)),
            compare(pg("peak_rss"), BestPeer(pg("peak_rss")), Told(Better::Smaller)),
            compare(pg("peak_rss"), Fixed(30.0, "MiB"), AtMost(1.0)),
            compare(full("peak_rss"), NODE_PEERS, AtMost(0.3)),
            compare(full("peak_rss"), BestPeer(full("peak_rss")), Told(Better::Smaller)),
            compare(full("peak_rss"), Fixed(30.0, "MiB"), AtMost(1.0)),
        ],
    },
    Row {
        number: 14,
        what: "SQLite: append to a log, 327 lines a commit",
        comparisons: &[
            compare(full("log_append"), Raw(full("log_row_per_line")), AtLeast(1.2)),
            compare(full("log_append"), Raw(full("log_append")), Told(Better::Larger)),
        ],
    },
];
