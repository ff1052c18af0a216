#!/bin/sh
# Installs the agent CLIs that `make test-agents` starts, at the versions that the tests know, into a folder of the
# target directory: nothing of the machine is changed, and removing the folder removes them. Does nothing when they are
# there. Takes about 900 MB, most of it native programs.
set -eu

codex=0.169.0
claude=2.1.328
gemini=0.61.0

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
folder=${CARGO_TARGET_DIR:-$here/../target}/agents
programs=$folder/node_modules/.bin

say() {
    printf 'setup-agents: %s\n' "$*"
}

fail() {
    say "$*" >&2
    exit 2
}

# Prints the version of a program that was installed before, nothing where it is not there or does not run.
version_of() {
    [ ! -x "$programs/$1" ] || "$programs/$1" --version 2>/dev/null </dev/null | tr ' ' '\n' | grep -m 1 '^[0-9][0-9.]*$' || true
}

is_there() {
    [ "$(version_of codex)" = "$codex" ] && [ "$(version_of claude)" = "$claude" ] && [ "$(version_of gemini)" = "$gemini" ]
}

check_node() {
    command -v npm >/dev/null 2>&1 || fail "npm is missing; install Node.js 20 or newer with it"
    major=$(node --version | sed 's/^v\([0-9]*\).*/\1/')
    [ "$major" -ge 20 ] || fail "Node.js $(node --version) is too old for the Gemini CLI; 20 or newer is needed"
}

install() {
    say "installing codex $codex, claude $claude and gemini $gemini into $folder"
    mkdir -p "$folder"
    # Its own package, so that npm does not look for one further up.
    printf '{"private": true}\n' >"$folder/package.json"
    # The version of each is named, because npm would choose an older Claude Code on a Node.js older than it asks for.
    if ! npm install --prefix "$folder" --no-audit --no-fund --no-package-lock --loglevel error --force \
        "@openai/codex@$codex" "@anthropic-ai/claude-code@$claude" "@google/gemini-cli@$gemini" >"$folder/npm.log" 2>&1; then
        cat "$folder/npm.log" >&2
        fail "npm could not install the agent CLIs; see above"
    fi
}

if ! is_there; then
    check_node
    install
    is_there || fail "an agent CLI does not run: codex '$(version_of codex)', claude '$(version_of claude)', gemini '$(version_of gemini)'"
fi
say "ready (codex $codex, claude $claude, gemini $gemini)"
