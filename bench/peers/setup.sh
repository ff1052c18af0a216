#!/bin/sh
# Prepares a machine to measure: bench/peers/setup.sh raw|peers
#   raw    Postgres's server programs and psql, and the program that measures the raw limits
#   peers  that, Redis, a Node that is new enough, Python's venv, and every peer from its package registry
# What is built or installed here is kept under $CARGO_TARGET_DIR/bench-peers, so a second run has nothing to do. A peer that
# cannot be set up is named and left out; the rest is measured all the same.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH='' cd -- "$here/../.." && pwd)
PATH="$PATH:${HOME:-}/.cargo/bin"

say() {
    printf 'bench-setup: %s\n' "$*" >&2
}

fail() {
    say "$*"
    exit 2
}

what=${1:-raw}
[ "$what" = raw ] || [ "$what" = peers ] || fail "say raw or peers"

target=${CARGO_TARGET_DIR:-$root/target}
mkdir -p "$target/bench-peers"
target=$(CDPATH='' cd -- "$target" && pwd)
kept=$target/bench-peers
log=$kept/setup.log
: >"$log"

# True when what was set up under that name is what this file's text asks for.
is_set_up() { # NAME FILE
    [ -f "$kept/$1.done" ] && cmp -s "$2" "$kept/$1.done"
}

has_postgres() {
    for folder in /usr/lib/postgresql/*/bin; do
        [ -x "$folder/initdb" ] && [ -x "$folder/pgbench" ] && return 0
    done
    return 1
}

install_packages() {
    missing=
    has_postgres || missing="$missing postgresql"
    command -v psql >/dev/null 2>&1 || missing="$missing postgresql-client"
    if [ "$what" = peers ]; then
        command -v redis-server >/dev/null 2>&1 || missing="$missing redis-server"
        command -v npm >/dev/null 2>&1 || missing="$missing npm"
        python3 -c 'import ensurepip, venv' >/dev/null 2>&1 || missing="$missing python3-venv"
    fi
    # shellcheck disable=SC2086 # one word per package
    [ -z "$missing" ] || "$root/scripts/install-packages.sh" $missing
    has_postgres || fail "no initdb and pgbench under /usr/lib/postgresql/*/bin; is the Postgres server installed?"
}

build_rust() { # FOLDER; cargo itself knows whether there is something to do
    say "building rust/$1 (slow the first time)"
    CARGO_TARGET_DIR="$kept/rust" cargo build --release --manifest-path "$here/rust/$1/Cargo.toml" >>"$log" 2>&1
}

# Debian's own Node may be older than the peers want; the registry has one as a package.
choose_node() {
    wanted='const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 22 || (a === 22 && b >= 18) ? 0 : 1)'
    if command -v node >/dev/null 2>&1 && node -e "$wanted"; then
        node=$(command -v node)
    else
        node=$kept/newer-node/node_modules/node/bin/node
        if ! { [ -x "$node" ] && "$node" -e "$wanted"; }; then
            say "installing a newer Node"
            mkdir -p "$kept/newer-node"
            npm install --prefix "$kept/newer-node" --no-audit --no-fund "node@22.23.3" >>"$log" 2>&1 || return 1
        fi
    fi
    "$node" -e "$wanted" || return 1
    printf '%s\n' "$node" >"$kept/node.path"
}

# The sources lie beside the packages: that is where Node looks for them.
install_node() {
    mkdir -p "$kept/node"
    cp "$here"/node/* "$kept/node/"
    ! is_set_up node "$here/node/package.json" || return 0
    say "installing the peers written in JavaScript"
    PATH="$(dirname "$node"):$PATH" npm install --prefix "$kept/node" --no-audit --no-fund >>"$log" 2>&1 || return 1
    cp "$here/node/package.json" "$kept/node.done"
}

# A binding to SQLite is compiled where the registry has none for this Node.
check_better_sqlite() {
    (cd "$kept/node" && "$node" -e 'new (require("better-sqlite3"))(":memory:")') >>"$log" 2>&1
}

install_python() {
    ! is_set_up python "$here/python/requirements.txt" || return 0
    say "installing the peers written in Python"
    python3 -m venv "$kept/venv" >>"$log" 2>&1 || return 1
    "$kept/venv/bin/pip" install --quiet -r "$here/python/requirements.txt" >>"$log" 2>&1 || return 1
    cp "$here/python/requirements.txt" "$kept/python.done"
}

without() {
    say "NOT set up: $*; the last lines of $log:"
    tail -n 5 "$log" >&2
}

install_packages
build_rust raw || { without "the raw limits"; exit 2; }
if [ "$what" = peers ]; then
    for peer in graphile-worker apalis honker; do
        build_rust "$peer" || without "$peer (Rust)"
    done
    if choose_node && install_node; then
        check_better_sqlite || without plainjob
    else
        without "graphile-worker, pg-boss, BullMQ and plainjob"
    fi
    install_python || without "procrastinate, litequeue and celery"
fi
say "ready ($what); kept under $kept"
