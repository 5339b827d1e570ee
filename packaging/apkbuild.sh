#!/bin/sh
# Writes Alpine's APKBUILD with the sums of what "make dist" has packed: apkbuild.sh DIRECTORY
#
# DIRECTORY is where the archives are and the APKBUILD goes. It cannot be in the source complete: one of the
# sums is the source's own.
set -eu

cd "$(dirname "$0")/.."
out=${1:?usage: apkbuild.sh DIRECTORY}
version=$(sed -n '/^\[package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
source=libmilter-$version.tar.xz
[ -e "$out/$source" ] || {
    echo "apkbuild.sh: no $out/$source: make dist makes it" >&2
    exit 1
}
{
    # From the archive, where the project's address is filled in.
    tar -xOf "$out/$source" "libmilter-$version/packaging/alpine/APKBUILD"
    echo 'sha512sums="'
    (cd "$out" && sha512sum "$source" "libmilter-$version-vendor.tar.xz" "libmilter-$version-vendor-tests.tar.xz")
    echo '"'
} >"$out/APKBUILD.new"
mv "$out/APKBUILD.new" "$out/APKBUILD"
echo "$out/APKBUILD"
