# shellcheck shell=bash
# shellcheck disable=SC2154 # what is not set here, run.sh sets
# A Postgres and a Redis of our own, on free ports of the loopback interface, in a temporary folder. Sourced by run.sh.

postgres_programs=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
postgres_runs=
redis_pid=

# Postgres refuses to run as root.
as_postgres() {
    if [ "$(id -u)" = 0 ]; then
        runuser -u postgres -- "$@"
    else
        "$@"
    fi
}

free_port() {
    local port
    for port in $(shuf -i 20000-30000 -n 50); do
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            printf '%s\n' "$port"
            return
        fi
    done
    fail "no free port between 20000 and 30000"
}

start_postgres() {
    local data=$folder/postgres/data
    POSTGRES_PORT=$(free_port)
    mkdir "$folder/postgres"
    [ "$(id -u)" != 0 ] || chown postgres "$folder/postgres"
    (cd / && as_postgres "$postgres_programs/initdb" -D "$data" -A trust -U postgres) >"$folder/initdb.log" 2>&1 ||
        fail "initdb failed: $(tail -n 3 "$folder/initdb.log")"
    # Every commit is on the disk: fsync and synchronous_commit stay on.
    cat >>"$data/postgresql.conf" <<CONF
port = $POSTGRES_PORT
listen_addresses = '127.0.0.1'
unix_socket_directories = '$folder/postgres'
max_connections = 200
shared_buffers = 1GB
max_wal_size = 4GB
wal_compression = on
CONF
    postgres_runs=yes
    (cd / && as_postgres "$postgres_programs/pg_ctl" -D "$data" -l "$folder/postgres/log" -w start) >/dev/null ||
        fail "Postgres did not start: $(as_postgres tail -n 3 "$folder/postgres/log")"
}

# Gives each peer a database of its own, and no earlier one's checkpoint to pay for.
fresh_database() {
    local server=postgres://postgres@127.0.0.1:$POSTGRES_PORT
    psql -q "$server/postgres" -c 'set client_min_messages = warning' -c 'drop database if exists bench with (force)' \
        -c 'create database bench' -c 'checkpoint' >&2
    export PGURL=$server/bench
}

start_redis() {
    local waited
    REDIS_PORT=$(free_port)
    export REDIS_PORT
    mkdir "$folder/redis"
    redis-server --port "$REDIS_PORT" --bind 127.0.0.1 --dir "$folder/redis" --appendonly yes --save '' \
        >"$folder/redis/log" 2>&1 &
    redis_pid=$!
    for waited in $(seq 100); do
        [ "$(redis-cli -p "$REDIS_PORT" ping 2>/dev/null)" != PONG ] || return 0
        sleep 0.1
    done
    fail "Redis did not answer within $((waited / 10)) s: $(tail -n 3 "$folder/redis/log")"
}

# Empties Redis; the argument says how often it syncs: always or everysec.
fresh_redis() {
    redis-cli -p "$REDIS_PORT" config set appendfsync "$1" >/dev/null
    redis-cli -p "$REDIS_PORT" flushall >/dev/null
    export REDIS_FSYNC=$1
}

stop_servers() {
    [ -z "$redis_pid" ] || kill "$redis_pid" 2>/dev/null || true
    [ -z "$postgres_runs" ] ||
        (cd / && as_postgres "$postgres_programs/pg_ctl" -D "$folder/postgres/data" -m immediate -w stop) >/dev/null 2>&1 ||
        true
    [ -z "$redis_pid" ] || wait "$redis_pid" 2>/dev/null || true
}
