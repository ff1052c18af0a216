#!/bin/sh
# Takes the sample application through its whole life in a copy, as the demo does: build, test, package
# (twice, to the same bytes) and deploy.
set -eu

sample=$(CDPATH='' cd -- "$(dirname -- "$0")/../examples/sample-app" && pwd)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT

cp -R "$sample/." "$copy"
cd "$copy"
sh ./build.sh
sh ./test.sh
sh ./package.sh
first=$(cat dist/*.sha256)
sh ./package.sh
if [ "$(cat dist/*.sha256)" != "$first" ]; then
    printf 'check-sample-app: the same source made two different packages\n' >&2
    exit 1
fi
sh ./deploy.sh
printf 'check-sample-app: build, test, package and deploy work\n'
