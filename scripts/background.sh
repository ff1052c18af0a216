#!/bin/sh
# Runs Spalla in the background: scripts/background.sh start|stop server|worker [SPALLA]. Process id and log lie in the
# data folder, as server.pid and server.log or worker.pid and worker.log. Starting what runs, and stopping what does not,
# is no error.
set -eu

# The first SIGTERM lets runs end, the second hands them back at once; after that somebody has to look. In seconds.
grace=60
hurry=20
# How long a start may take, in seconds.
patience=60

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
verb=${1:-} kind=${2:-} spalla=${3:-${CARGO_TARGET_DIR:-$here/../target}/debug/spalla}

fail() {
    printf 'background: %s\n' "$*" >&2
    exit 2
}

case "$kind" in
server) set -- up --no-open; ready='^listening on ' down=down ;;
worker) set -- worker; ready='^worker .* takes runs from ' down=down-agent ;;
*) fail "what is it about: server or worker?" ;;
esac
[ -x "$spalla" ] || fail "no $spalla; build it first: cargo build -p spalla"

data=$("$spalla" config get data)
pid_file=$data/$kind.pid
log=$data/$kind.log

# Prints the id of the process that runs; a process that has got the id of one that is gone is not ours.
running() {
    pid=$(cat "$pid_file" 2>/dev/null) || return 1
    case "$pid" in '' | *[!0-9]*) return 1 ;; esac
    words=$(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null) || return 1
    case "$words" in *spalla*" $1 "*) printf '%s\n' "$pid" ;; *) return 1 ;; esac
}

# Waits up to $1 seconds until the process $2 is gone.
gone_within() {
    tenths=$(($1 * 10))
    while kill -0 "$2" 2>/dev/null; do
        [ "$tenths" -gt 0 ] || return 1
        tenths=$((tenths - 1))
        sleep 0.1
    done
}

start() {
    if pid=$(running "$1"); then
        printf 'the %s runs already, as process %s\n' "$kind" "$pid"
        return
    fi
    umask 077
    mkdir -p "$data"
    # A group and session of its own, so that neither Ctrl-C nor the end of the terminal reaches it.
    setsid "$spalla" "$@" </dev/null >"$log" 2>&1 &
    pid=$!
    printf '%s\n' "$pid" >"$pid_file"
    tenths=$((patience * 10))
    until grep -q "$ready" "$log"; do
        if ! kill -0 "$pid" 2>/dev/null || [ "$tenths" -eq 0 ]; then
            kill "$pid" 2>/dev/null || true
            rm -f "$pid_file"
            fail "the $kind did not start: $(tail -n 3 "$log")"
        fi
        tenths=$((tenths - 1))
        sleep 0.1
    done
    grep -E "$ready|^open once" "$log"
    printf 'the %s runs in the background as process %s; its log: %s; stop it with: make %s\n' \
        "$kind" "$pid" "$log" "$down"
}

stop() {
    if ! pid=$(running "$1"); then
        rm -f "$pid_file"
        printf 'no %s runs that was started in the background\n' "$kind"
        return
    fi
    kill -s TERM "$pid"
    if ! gone_within "$grace" "$pid"; then
        kill -s TERM "$pid" 2>/dev/null || true
        gone_within "$hurry" "$pid" || fail "process $pid does not end; look at $log"
    fi
    rm -f "$pid_file"
    printf 'the %s is stopped\n' "$kind"
}

case "$verb" in
start) start "$@" ;;
stop) stop "$@" ;;
*) fail "what is to be done: start or stop?" ;;
esac
