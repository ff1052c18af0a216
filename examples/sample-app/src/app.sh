#!/bin/sh
# invoice: turns a list of sold items into invoices. Made by build.sh from src/; change it there.
set -eu

version='@VERSION@'

usage() {
    printf 'usage: app [--currency CODE] [--totals] [--version] [--help] [FILE]\n'
    printf 'Reads customer;item;quantity;price;tax percent, one per line, from FILE or standard input.\n'
}

misused() {
    printf 'invoice: %s\n' "$1" >&2
    usage >&2
    exit 2
}

currency=EUR
totals=0
while [ "$#" -gt 0 ]; do
    case $1 in
    --currency)
        case ${2-} in
        [A-Z][A-Z][A-Z]) currency=$2 ;;
        *) misused "the currency '${2-}' is not three capital letters" ;;
        esac
        shift
        ;;
    --totals) totals=1 ;;
    --version)
        printf 'invoice %s\n' "$version"
        exit 0
        ;;
    --help)
        usage
        exit 0
        ;;
    -?*) misused "unknown option '$1'" ;;
    *) break ;;
    esac
    shift
done

[ "$#" -le 1 ] || misused "one file at a time"
file=${1:--}
if [ "$file" != - ] && { [ ! -r "$file" ] || [ -d "$file" ]; }; then
    printf "invoice: cannot read '%s'\n" "$file" >&2
    exit 1
fi
# awk takes an argument with `=` in it for an assignment; a path with `/` in front is always a file.
case $file in
- | /*) ;;
*) file=./$file ;;
esac

LC_ALL=C
export LC_ALL
exec awk -v currency="$currency" -v totals="$totals" '
@PROGRAM@
' "$file"
