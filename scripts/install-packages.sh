#!/bin/sh
# Installs Debian packages: scripts/install-packages.sh PACKAGE...
# Needs root or sudo; without either it says what a person has to install.
set -eu

say() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
}

if [ "$#" -eq 0 ]; then
    say "name the packages to install"
    exit 2
fi

if ! command -v apt-get >/dev/null 2>&1; then
    say "no apt-get here; please install what Debian calls: $*"
    exit 2
fi

if [ "$(id -u)" -eq 0 ]; then
    as_root() { "$@"; }
elif command -v sudo >/dev/null 2>&1 && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
    # Without a terminal nobody could answer sudo's question, so then it has to do without one.
    as_root() { sudo -- "$@"; }
else
    say "not root and no sudo; please run: apt-get install $*"
    exit 2
fi

say "installing $*"
as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o Acquire::Retries=3 update
as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o Acquire::Retries=3 install -y --no-install-recommends "$@"
