#!/bin/sh
# Runs a command and says how long it took, beside what was timed before it: scripts/timed.sh NAME COMMAND...
# `scripts/timed.sh --begin` forgets what was timed. The times stand in the target directory, so that a long run of checks
# shows where it spends its time, also where it fails half-way.
set -eu

times="${CARGO_TARGET_DIR:-target}/times"
if [ "${1:-}" = --begin ]; then
    rm -f "$times"
    exit 0
fi
[ "$#" -gt 1 ] || {
    printf 'timed: give a name and a command\n' >&2
    exit 2
}
name="$1"
shift
begun="$(date +%s)"
status=0
"$@" || status=$?
mkdir -p "$(dirname "$times")"
printf '%s %ss\n' "$name" "$(($(date +%s) - begun))" >>"$times"
printf 'times so far: %s\n' "$(paste -s -d , "$times" | sed 's/,/, /g')"
exit "$status"
