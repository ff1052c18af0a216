# shellcheck shell=bash
# shellcheck disable=SC2154 # what is not set here, run.sh sets
# One round: the raw limits, our own side and the peers, one after the other, so that what else the machine does hits all
# of them alike. Sourced by run.sh.

# Runs one program with a limit, keeps its figures, and says so if it failed.
measure() { # NAME COMMAND...
    local name=$1 status=0 output=$folder/output
    shift
    timeout "$PEER_TIMEOUT" "$@" >"$output" 2>>"$folder/stderr.log" &
    measured_pid=$!
    wait "$measured_pid" || status=$?
    measured_pid=
    sed -n "s/^\({.*\)}\$/\1,\"round\":$round}/p" "$output" | tee -a "$results"
    [ "$status" = 0 ] || say "$name ended with status $status: $(tail -n 2 "$folder/stderr.log")"
}

# ONLY=raw,spalla,bullmq measures only these.
wanted() {
    [ -z "${ONLY:-}" ] || [[ ",$ONLY," == *",$1,"* ]]
}

on_postgres() { # NAME COMMAND...
    wanted "$1" || return 0
    fresh_database
    measure "$@"
}

# A file of its own; the second argument is SQLite's synchronous, or `default` for what the peer sets itself.
on_sqlite() { # NAME SYNCHRONOUS COMMAND...
    local name=$1
    wanted "$name" || return 0
    export SQLITE_SYNC=$2 SQLITE_FILE=$folder/queue.db
    shift 2
    rm -f "$SQLITE_FILE"*
    measure "$name" "$@"
}

on_redis() { # NAME SYNC COMMAND...
    local name=$1
    wanted "$name" || return 0
    fresh_redis "$2"
    shift 2
    measure "$name" "$@"
}

raw_limits() {
    local raw=$kept/rust/release/raw-limits
    wanted raw || return 0
    rm -f "$folder"/raw-*.db*
    measure "raw (disk)" "$raw" disk "$folder"
    measure "raw (SQLite)" "$raw" sqlite "$folder"
    fresh_database
    measure "raw (Postgres)" "$raw" postgres "$PGURL"
    pgbench_commits
}

# The same commits by Postgres's own tool: a check on the loops above.
pgbench_commits() {
    local script connections
    psql -q "$PGURL" -c 'create table pgbench_commit (id bigint generated always as identity primary key, v int)' >&2
    for script in commit commit_notify; do
        for connections in 1 16; do
            measure "pgbench" "$here/pgbench.sh" "$postgres_programs" "$script" "$connections"
        done
    done
}

spalla() {
    if [ -z "${SPALLA_BENCH:-}" ]; then
        return 0
    fi
    local sizes=(--jobs "$N" --alone "$N_SEQ" --together "$N_CONC" --rate "$RATE" --seconds "$LAT_SECS" --json)
    # shellcheck disable=SC2086 # a program and its first words
    on_postgres spalla $SPALLA_BENCH queue --store postgres "${sizes[@]}"
    # shellcheck disable=SC2086
    on_sqlite spalla FULL $SPALLA_BENCH queue --store sqlite "${sizes[@]}"
}

peers() {
    local rust=$kept/rust/release python=$kept/venv/bin/python node synchronous sync
    node=$(cat "$kept/node.path" 2>/dev/null || true)
    on_postgres graphile-worker "$node" "$kept/node/graphile_worker.mjs"
    on_postgres graphile_worker "$rust/peer-graphile-worker"
    on_postgres apalis "$rust/peer-apalis" postgres
    on_postgres pg-boss "$node" "$kept/node/pg_boss.mjs"
    on_postgres procrastinate "$python" "$here/python/procrastinate_peer.py"
    for synchronous in FULL default; do
        on_sqlite honker "$synchronous" "$rust/peer-honker"
        on_sqlite apalis "$synchronous" "$rust/peer-apalis" sqlite
        on_sqlite plainjob "$synchronous" "$node" "$kept/node/plainjob.mjs"
        on_sqlite litequeue "$synchronous" "$python" "$here/python/litequeue_peer.py"
    done
    for sync in always everysec; do
        on_redis bullmq "$sync" "$node" "$kept/node/bullmq.mjs"
    done
    # Its worker is found by the name of its module.
    PYTHONPATH=$here/python on_redis celery everysec "$python" "$here/python/celery_peer.py"
}
