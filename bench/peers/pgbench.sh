#!/bin/sh
# One figure of pgbench as a line of JSON: bench/peers/pgbench.sh PROGRAMS SCRIPT CONNECTIONS, on the database PGURL.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
programs=$1 script=$2 connections=$3

version=$("$programs/pgbench" --version | awk '{ print $3 }')
"$programs/pgbench" -n -M prepared -c "$connections" -j 2 -T "${PGBENCH_SECONDS:-3}" -f "$here/sql/$script.pgbench" "$PGURL" |
    awk -v metric="${script}_c$connections" -v version="$version" '/^tps = / {
        printf "{\"peer\":\"pgbench\",\"version\":\"%s\",\"store\":\"postgres\",\"metric\":\"%s\",", version, metric
        printf "\"value\":%.3f,\"unit\":\"commits/s\"}\n", $3
    }'
