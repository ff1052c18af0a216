#!/bin/sh
# Installs the package into the folder DEPLOY_DIR (default ./deployed), after its checksum and a trial run.
# What was there before is replaced only by what works.
set -eu
cd "$(dirname "$0")"

target=${DEPLOY_DIR:-./deployed}
version=$(cat VERSION)
name=app-$version
if [ ! -f "dist/$name.tar.gz" ]; then
    printf 'deploy: dist/%s.tar.gz is missing: run package.sh first\n' "$name" >&2
    exit 1
fi
(cd dist && sha256sum -c "$name.tar.gz.sha256")

mkdir -p "$target"
incoming=$(mktemp -d "$target/.incoming.XXXXXX")
trap 'rm -rf "$incoming"' EXIT
tar -xzf "dist/$name.tar.gz" -C "$incoming"
if [ "$("$incoming/$name/app" --version)" != "invoice $version" ]; then
    printf 'deploy: the packaged app does not call itself %s; nothing was changed\n' "$version" >&2
    exit 1
fi

mv "$incoming/$name/app" "$target/app"
mv "$incoming/$name/VERSION" "$target/VERSION"
printf 'deployed invoice %s to %s\n' "$version" "$target"
