#!/bin/sh
# Runs dist/app against known lists and prints the results as TAP. Exit status 1 when a test fails.
set -eu
cd "$(dirname "$0")"

app=./dist/app
if [ ! -x "$app" ]; then
    printf 'Bail out! %s is missing: run build.sh first\n' "$app"
    exit 1
fi

count=0
failed=0

# is NAME EXPECTED ACTUAL
is() {
    count=$((count + 1))
    if [ "$2" = "$3" ]; then
        printf 'ok %d - %s\n' "$count" "$1"
        return
    fi
    failed=$((failed + 1))
    printf 'not ok %d - %s\n' "$count" "$1"
    printf '%s\n' "$2" | sed 's/^/# expected: /'
    printf '%s\n' "$3" | sed 's/^/# actual:   /'
}

# totals_of LIST: the totals of a list given as text
totals_of() {
    printf '%b' "$1" | "$app" --totals
}

# answer_to LIST [ARGUMENT...]: the complaint about a list, and the exit status
answer_to() {
    list=$1
    shift
    status=0
    words=$(printf '%b' "$list" | "$app" "$@" 2>&1 >/dev/null) || status=$?
    printf '%s (%d)' "$(printf '%s\n' "$words" | head -n 1)" "$status"
}

is "a list becomes one invoice per customer, in the order of their first item" \
    "$(cat tests/orders.txt)" "$("$app" tests/orders.csv)"
is "standard input gives the same as the file" \
    "$(cat tests/orders.txt)" "$("$app" <tests/orders.csv)"
is "totals are for programs" \
    "$(printf 'Ada;17.49;2.43;19.92\nBob;104.80;18.96;123.76')" "$("$app" --totals tests/orders.csv)"
is "half a cent of tax is rounded up" "A;0.50;0.04;0.54" "$(totals_of 'A;x;1;0.50;7\n')"
is "less than half a cent is rounded down" "A;0.49;0.03;0.52" "$(totals_of 'A;x;1;0.49;7\n')"
is "tenths are not hundredths" "A;1.50;0.00;1.50" "$(totals_of 'A;x;1;1.5;0\n')"
is "ten times ten cents are one" "A;1.00;0.00;1.00" "$(totals_of 'A;x;10;0.10;0\n')"
is "large sums keep their cents" \
    "A;99999800000.21;0.00;99999800000.21" "$(totals_of 'A;x;999999;99999.90;0\nA;y;1;0.11;0\n')"
is "spaces around fields and line ends of another system do not matter" \
    "A;2.00;0.00;2.00" "$(totals_of ' A ; x ; 2 ; 1.00 ; 0 \r\n')"
is "the currency is the caller's" "1 invoice, to pay 1.00 CHF" \
    "$(printf 'A;x;1;1;0\n' | "$app" --currency CHF | tail -n 1)"
is "a wrong price stops everything, with its line" \
    "invoice: line 2: the price \`1,50\` is not an amount such as 12.50 (1)" \
    "$(answer_to 'A;x;1;1.50;0\nA;y;1;1,50;0\n')"
is "a missing field is said" \
    "invoice: line 1: expected 5 fields divided by \`;\`, found 3 (1)" "$(answer_to 'A;x;1\n')"
is "nothing is printed before a wrong line" "" "$(printf 'A;x;1;1;0\nB\n' | "$app" 2>/dev/null || :)"
is "an empty list is an error" "invoice: no items (1)" "$(answer_to '# nothing\n')"
is "a wrong option is a wrong call" "invoice: unknown option '--total' (2)" "$(answer_to '' --total)"
is "a wrong currency is a wrong call" \
    "invoice: the currency 'euro' is not three capital letters (2)" "$(answer_to '' --currency euro)"
is "a missing file is named" "invoice: cannot read 'none.csv' (1)" "$(answer_to '' none.csv)"
is "the version is the one in VERSION" "invoice $(cat VERSION)" "$("$app" --version)"

printf '1..%d\n' "$count"
[ "$failed" -eq 0 ] || {
    printf '# %d of %d failed\n' "$failed" "$count"
    exit 1
}
