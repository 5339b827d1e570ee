#!/bin/sh
# Packs what distributions build from: dist.sh DIRECTORY
#
#   libmilter-VERSION.tar.xz           the source
#   libmilter-VERSION-vendor.tar.xz    the crates it needs, to be unpacked in the source, as vendor/
#
# The same files give the same archives, byte for byte.
set -eu

cd "$(dirname "$0")/.."
out=${1:?usage: dist.sh DIRECTORY}
mkdir -p "$out"
out=$(cd "$out" && pwd)
version=$(sed -n '/^\[package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
[ -z "$(git status --porcelain)" ] || echo "dist.sh: packing changes that are not committed" >&2

pack() {
    tar --sort=name --mtime="@$epoch" --owner=0 --group=0 --numeric-owner --mode=go=rX,u+rw "$@" | xz -T1 >"$archive.new"
    mv "$archive.new" "$archive"
    echo "$archive"
}

list=$(mktemp)
crates=$(mktemp -d)
trap 'rm -rf "$list" "$crates"' EXIT

# Files that git knows or would take, without those just deleted.
git ls-files --cached --others --exclude-standard | while read -r file; do
    [ ! -e "$file" ] || echo "$file"
done >"$list"
archive=$out/libmilter-$version.tar.xz
pack --transform "s,^,libmilter-$version/," -c --files-from="$list"

${CARGO:-cargo} vendor --quiet --locked "$crates/vendor" >/dev/null
archive=$out/libmilter-$version-vendor.tar.xz
pack -C "$crates" -c vendor
