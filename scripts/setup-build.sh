#!/bin/sh
# Prepares a machine to build Spalla: a C compiler and friends by apt where they are missing, and a check
# that Rust is there and new enough. Touches nothing when nothing is missing, so it may run before every build.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
rust_wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$here/../Cargo.toml")

fail() {
    printf 'setup-build: %s\n' "$*" >&2
    exit 2
}

# True when version $1 (major.minor…) is at least version $2.
at_least() {
    printf '%s %s\n' "$1" "$2" | awk '{
        split($1, is, "."); split($2, wanted, ".")
        exit !(is[1] + 0 > wanted[1] + 0 || (is[1] + 0 == wanted[1] + 0 && is[2] + 0 >= wanted[2] + 0))
    }'
}

install_missing_packages() {
    missing=
    # SQLite and zstd are compiled from C that comes with their crates.
    command -v cc >/dev/null 2>&1 || missing="$missing build-essential"
    command -v make >/dev/null 2>&1 || missing="$missing make"
    command -v git >/dev/null 2>&1 || missing="$missing git ca-certificates"
    command -v pkg-config >/dev/null 2>&1 || missing="$missing pkg-config"
    # shellcheck disable=SC2086 # one word per package
    [ -z "$missing" ] || "$here/install-packages.sh" $missing
}

check_rust() {
    PATH="$PATH:${HOME:-}/.cargo/bin"
    install_hint="install it with rustup (https://rustup.rs), then open a new shell"
    command -v cargo >/dev/null 2>&1 || fail "cargo is missing: $install_hint"
    version=$(cargo --version | awk '{ print $2 }')
    at_least "$version" "$rust_wanted" ||
        fail "cargo $version is too old, $rust_wanted is needed: run \`rustup update stable\`, or $install_hint"
    for component in fmt clippy; do
        cargo "$component" --version >/dev/null 2>&1 ||
            fail "cargo $component is missing: run \`rustup component add rustfmt clippy\`"
    done
}

install_missing_packages
check_rust
printf 'setup-build: ready (cargo %s)\n' "$version"
