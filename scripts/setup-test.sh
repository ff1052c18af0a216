#!/bin/sh
# Prepares a machine to test Spalla: the Postgres server's programs, libfaketime, jq, curl, git, node,
# Python's venv, D-Bus and GNOME's keyring. Tests start a database of their own in a temporary folder; the service that the package may start is not used.
# Touches nothing when nothing is missing.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

# Debian keeps the server's programs beside each other per version, not on the PATH.
has_postgres() {
    for folder in /usr/lib/postgresql/*/bin; do
        if [ -x "$folder/initdb" ] && [ -x "$folder/postgres" ]; then
            return 0
        fi
    done
    return 1
}

# Steps the clock of one process, for the soak.
has_faketime() {
    for library in /usr/lib/*/faketime/libfaketimeMT.so.1; do
        [ -e "$library" ] && return 0
    done
    return 1
}

# Debian's venv module is there without the part that puts pip in.
has_venv() {
    python3 -c 'import ensurepip, venv' >/dev/null 2>&1
}

missing=
has_postgres || missing="$missing postgresql"
has_faketime || missing="$missing libfaketime"
has_venv || missing="$missing python3-venv"
for tool in jq curl git; do
    command -v "$tool" >/dev/null 2>&1 || missing="$missing $tool"
done
# Reads what is published of agents, as a program in another language does.
command -v node >/dev/null 2>&1 || missing="$missing nodejs"
# A session's bus, and a keyring on it.
for tool in dbus-daemon dbus-send; do
    command -v "$tool" >/dev/null 2>&1 || missing="$missing dbus"
done
command -v gnome-keyring-daemon >/dev/null 2>&1 || missing="$missing gnome-keyring"
# shellcheck disable=SC2086 # one word per package
[ -z "$missing" ] || "$here/install-packages.sh" $missing

if ! has_postgres; then
    printf 'setup-test: no initdb under /usr/lib/postgresql/*/bin; is the Postgres server installed?\n' >&2
    exit 2
fi
printf "setup-test: ready (Postgres server programs, libfaketime, jq, curl, git, node, Python's venv, D-Bus, GNOME's keyring)\n"
