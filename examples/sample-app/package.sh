#!/bin/sh
# Makes dist/app-VERSION.tar.gz and its checksum. The same source gives the same bytes: names are sorted,
# times and owners are fixed.
set -eu
cd "$(dirname "$0")"

if [ ! -x dist/app ]; then
    printf 'package: dist/app is missing: run build.sh first\n' >&2
    exit 1
fi
name=app-$(cat VERSION)

rm -rf "dist/$name"
mkdir -p "dist/$name"
cp dist/app VERSION README.md "dist/$name/"
chmod 755 "dist/$name" "dist/$name/app"
chmod 644 "dist/$name/VERSION" "dist/$name/README.md"
tar -C dist --sort=name --mtime='2000-01-01 00:00:00 UTC' --owner=0 --group=0 --numeric-owner --format=ustar \
    -cf - "$name" | gzip -9n >"dist/$name.tar.gz"
rm -rf "dist/$name"

(cd dist && sha256sum "$name.tar.gz" >"$name.tar.gz.sha256")
printf 'packaged dist/%s.tar.gz\n' "$name"
cat "dist/$name.tar.gz.sha256"
