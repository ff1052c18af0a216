#!/usr/bin/env bash
# Measures the raw limits, our own side and the peers in interleaved rounds: bench/peers/run.sh raw|peers
# README.md beside this file says what the figures mean. Prints one JSON line a figure, and keeps them in
# $CARGO_TARGET_DIR/bench-peers/results.jsonl; the words on standard error say what is going on.
#   ROUNDS=3 N=20000 N_SEQ=2000 N_CONC=8000 RATE=50 LAT_SECS=8 DRAIN_LIMIT=40 PEER_TIMEOUT=180 ONLY=spalla,raw,pg-boss
#   SPALLA_BENCH="the program, and its first words, that measures our own side"
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
kept=${CARGO_TARGET_DIR:-$root/target}/bench-peers
export N=${N:-20000} N_SEQ=${N_SEQ:-2000} N_CONC=${N_CONC:-8000} RATE=${RATE:-50} LAT_SECS=${LAT_SECS:-8}
export DRAIN_LIMIT=${DRAIN_LIMIT:-40}
ROUNDS=${ROUNDS:-3} PEER_TIMEOUT=${PEER_TIMEOUT:-180}

say() {
    printf 'bench: %s\n' "$*" >&2
}

fail() {
    say "$*"
    exit 2
}

what=${1:-raw}
[ "$what" = raw ] || [ "$what" = peers ] || fail "say raw or peers"
[ -x "$kept/rust/release/raw-limits" ] || fail "nothing is set up: run bench/peers/setup.sh $what first"
kept=$(cd "$kept" && pwd)
results=$kept/results.jsonl
# shellcheck source=bench/peers/servers.sh
. "$here/servers.sh"
# shellcheck source=bench/peers/round.sh
. "$here/round.sh"

folder=$(mktemp -d)
measured_pid=
clean_up() {
    trap - EXIT INT TERM
    # `timeout` hands the signal on to all that it started.
    [ -z "$measured_pid" ] || kill "$measured_pid" 2>/dev/null || true
    stop_servers
    cp "$folder/stderr.log" "$kept/stderr.log" 2>/dev/null || true
    rm -rf "$folder"
}
trap clean_up EXIT
trap 'clean_up; exit 130' INT
trap 'clean_up; exit 143' TERM

# On a disk of memory every commit is free, and no figure means anything.
[ "$(stat -f -c %T "$folder")" != tmpfs ] || fail "$folder is memory, not a disk: set TMPDIR to a folder on the disk"
# Postgres's user has to pass through.
chmod 711 "$folder"
[ -n "${SPALLA_BENCH:-}" ] || say "SPALLA_BENCH names no program: our own side is left out"

start_postgres
[ "$what" = raw ] || start_redis
rm -f "$results"
for round in $(seq "$ROUNDS"); do
    say "round $round of $ROUNDS"
    raw_limits
    spalla
    [ "$what" = raw ] || peers
done
say "figures are in $results; \`cargo xtask goals $results\` sets them beside the goals"
