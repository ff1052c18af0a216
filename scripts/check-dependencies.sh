#!/bin/sh
# Holds the dependency tree to deny.toml, as far as that needs no network: licences, bans, sources.
# Advisories change from day to day and are asked for by hand: `cargo deny check advisories`.
set -eu

if ! cargo deny --version >/dev/null 2>&1; then
    printf 'check-dependencies: cargo-deny is not installed, so deny.toml was NOT checked\n' >&2
    exit 0
fi
cargo deny --offline check --hide-inclusion-graph bans licenses sources
