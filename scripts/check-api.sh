#!/bin/sh
# Sends generated requests, fitting and not, at every operation of a server of its own, and holds the answers to the
# OpenAPI document: scripts/check-api.sh [SPALLA]. The streams of /events and of logs never end and are left to other
# tests. An item that was just made has no recipe yet, and a project no vision: that is no resource that was lost, so
# this one check is left out.
set -eu

version=4.32.5
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
target=${CARGO_TARGET_DIR:-$here/../target}
venv=$target/check-api
spalla=${1:-$target/debug/spalla}

fail() {
    printf 'check-api: %s\n' "$*" >&2
    exit 1
}

[ -x "$spalla" ] || fail "no $spalla; build it first: cargo build -p spalla"
spalla=$(CDPATH='' cd -- "$(dirname -- "$spalla")" && pwd)/$(basename -- "$spalla")

if [ "$("$venv/bin/schemathesis" --version 2>/dev/null)" != "schemathesis, version $version" ]; then
    python3 -m venv --clear "$venv" || fail "no Python environment; scripts/setup-test.sh installs python3-venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$version" ||
        fail "schemathesis $version could not be installed from the package index"
fi
schemathesis=$(CDPATH='' cd -- "$venv/bin" && pwd)/schemathesis

folder=$(mktemp -d)
server=
stop() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    [ -z "$server" ] || wait "$server" 2>/dev/null || true
    rm -rf "$folder"
}
trap stop EXIT
trap 'exit 130' INT TERM

# Where no .env of the checkout is read.
cd "$folder"
ORCH_RATE_LIMIT_PER_MIN=0 "$spalla" up --auth none --no-open --no-worker --listen 127.0.0.1:0 --data "$folder/data" >server.log 2>&1 &
server=$!
until url=$(sed -n 's|^listening on \(http://.*\)$|\1|p' server.log) && [ -n "$url" ]; do
    kill -0 "$server" 2>/dev/null || fail "the server ended: $(cat server.log)"
    sleep 0.1
done

# A claim that is told to wait does so for up to a minute, so nothing is told to.
curl --silent --show-error --fail "$url/openapi.json" | jq 'del(.. | objects | .wait_seconds)' >api.json
if ! "$schemathesis" --config-file "$here/check-api.toml" run api.json --url "$url" \
    --exclude-path /events --exclude-path '/work-items/runs/{id}/logs/sse' \
    --exclude-path '/work-items/runs/{id}/logs/ws' --request-timeout 20 --checks all \
    --exclude-checks ensure_resource_availability --warnings off; then
    cat server.log >&2
    fail "the server and its OpenAPI document disagree"
fi
! grep -q panicked server.log || fail "the server panicked: $(grep panicked server.log)"
printf 'check-api: the server answers as its OpenAPI document says\n'
