#!/bin/sh
# Installs the agent CLIs that `make test-agents` starts, at the versions that the tests know, into a folder of the
# target directory: nothing of the machine is changed, and removing the folder removes them. Does nothing when they are
# there. Takes about 900 MB, most of it native programs.
set -eu

codex=0.169.0
claude=2.1.328
gemini=0.61.0
node=22.23.3

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
folder=${CARGO_TARGET_DIR:-$root/target}/agents
programs=$folder/node_modules/.bin
# Written once all three were seen to run.
stamp=$folder/installed
PATH="$programs:$PATH"
export PATH
versions="codex $codex, claude $claude, gemini $gemini"

say() {
    printf 'setup-agents: %s\n' "$*"
}

fail() {
    say "$*" >&2
    exit 2
}

# A package can be there and its native program not: npm may have left out what belongs to this machine.
check_program() {
    said=$("$programs/$1" --version 2>&1 </dev/null) || said="ended with an error: $said"
    case "$said" in
    *"$2"*) ;;
    *) fail "$1 $2 was installed but does not run: $said" ;;
    esac
}

# What a machine lacks: npm, what makes a network of its own, and a Node.js that is new enough, which comes by npm beside
# the CLIs where the machine's is too old.
prepare() {
    missing=
    command -v npm >/dev/null 2>&1 || missing="$missing npm"
    command -v ip >/dev/null 2>&1 || missing="$missing iproute2"
    # shellcheck disable=SC2086 # one word per package
    [ -z "$missing" ] || "$root/scripts/install-packages.sh" $missing
    major=$(node --version | sed 's/^v\([0-9]*\).*/\1/')
    newer=
    if [ "$major" -lt 20 ]; then
        newer=node@$node
        say "Node.js $(node --version) is too old for the Gemini CLI; $newer is installed beside it"
    fi
}

install() {
    say "installing $versions into $folder"
    mkdir -p "$folder"
    # Its own package, so that npm does not look for one further up.
    printf '{"private": true}\n' >"$folder/package.json"
    # The version of each is named, because npm would choose an older Claude Code on a Node.js older than it asks for.
    # shellcheck disable=SC2086 # one word, or none
    if ! npm install --prefix "$folder" --no-audit --no-fund --no-package-lock --loglevel error \
        "@openai/codex@$codex" "@anthropic-ai/claude-code@$claude" "@google/gemini-cli@$gemini" $newer \
        >"$folder/npm.log" 2>&1; then
        cat "$folder/npm.log" >&2
        fail "npm could not install the agent CLIs; see above"
    fi
}

if [ ! -x "$programs/gemini" ] || [ "$(cat "$stamp" 2>/dev/null)" != "$versions" ]; then
    prepare
    install
    check_program codex "$codex"
    check_program claude "$claude"
    check_program gemini "$gemini"
    printf '%s\n' "$versions" >"$stamp"
fi
say "ready ($versions)"
