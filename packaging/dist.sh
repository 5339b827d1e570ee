#!/bin/sh
# Packs what distributions build from: dist.sh DIRECTORY
#
#   libmilter-VERSION.tar.xz                 the source
#   libmilter-VERSION-vendor.tar.xz          the crates that library and milter-try need, to be unpacked in the
#                                            source, as vendor/
#   libmilter-VERSION-vendor-tests.tar.xz    those that "make check" needs besides, to be unpacked over them
#
# In what is below packaging/ of the source, @ADDRESS@ is the repository that Cargo.toml names, and lines with it
# are missing while it names none; UPSTREAM_ADDRESS in the environment stands in for it. The same files give
# the same archives, byte for byte. Fails if packaging/debian/copyright does not say what the crates do.
set -eu

cd "$(dirname "$0")/.."
out=${1:?usage: dist.sh DIRECTORY}
mkdir -p "$out"
out=$(cd "$out" && pwd)
version=$(sed -n '/^\[package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
address=${UPSTREAM_ADDRESS:-$(sed -n '/^\[workspace.package\]/,/^\[/s/^repository = "\(.*\)"/\1/p' Cargo.toml)}
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
[ -z "$(git status --porcelain)" ] || echo "dist.sh: packing changes that are not committed" >&2

pack() {
    tar --sort=name --mtime="@$epoch" --owner=0 --group=0 --numeric-owner --mode=go=rX,u+rw "$@" | xz -T1 >"$archive.new"
    mv "$archive.new" "$archive"
    echo "$archive"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
packaging/vendor.sh "$work/crates"
packaging/copyright.sh check "$work/crates"

# Files that git knows or would take, without those just deleted.
source=$work/libmilter-$version
mkdir "$source"
git ls-files --cached --others --exclude-standard | while read -r file; do
    [ ! -e "$file" ] || echo "$file"
done | tar -cf - --files-from=- | tar -xf - -C "$source"
grep -rl @ADDRESS@ "$source/packaging/debian" "$source/packaging/rpm" "$source/packaging/alpine" | while read -r file; do
    if [ -n "$address" ]; then
        sed -i "s|@ADDRESS@|$address|g" "$file"
    elif [ "$(basename "$file")" = watch ]; then
        rm "$file"
    else
        sed -i '/@ADDRESS@/d' "$file"
    fi
done
archive=$out/libmilter-$version.tar.xz
pack -C "$work" -c "libmilter-$version"
archive=$out/libmilter-$version-vendor.tar.xz
pack -C "$work/crates/packages" -c vendor
archive=$out/libmilter-$version-vendor-tests.tar.xz
pack -C "$work/crates/tests" -c vendor
