#!/bin/sh
# Puts src/ together into one executable, dist/app, and sees that the shell and awk accept it.
set -eu
cd "$(dirname "$0")"

version=$(cat VERSION)
case $version in
*[!0-9.]* | '')
    printf "build: VERSION holds '%s', not a version such as 1.2.0\n" "$version" >&2
    exit 1
    ;;
esac
if grep -n "'" src/invoice.awk >&2; then
    printf 'build: src/invoice.awk must not contain single quotes\n' >&2
    exit 1
fi

mkdir -p dist
awk -v version="$version" '
    $0 == "@PROGRAM@" {
        while ((getline line < "src/invoice.awk") > 0) print line
        next
    }
    { gsub(/@VERSION@/, version); print }
' src/app.sh >dist/app.new
sh -n dist/app.new
chmod 755 dist/app.new
mv dist/app.new dist/app

printf 'Probe;One;1;1.00;0\n' | ./dist/app --totals >/dev/null
printf 'built dist/app %s (%s lines)\n' "$version" "$(grep -c '' dist/app)"
