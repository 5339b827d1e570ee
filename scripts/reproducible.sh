#!/bin/sh
# Builds the library in two directories and compares the files: reproducible.sh
#
# Both builds are of the checked-out files, with the same toolchain and crates, in directories whose
# names differ in length too. libmilter.so and libmilter.a have to be equal, debug information included.
set -eu

cd "$(dirname "$0")/.."
. scripts/setup.sh
setup build package

work=$(mkdir -p "${CARGO_TARGET_DIR:-target}/reproducible" && cd "${CARGO_TARGET_DIR:-target}/reproducible" && pwd)
unset CARGO_TARGET_DIR
for place in a another/place; do
    rm -rf "${work:?}/$place"
    mkdir -p "$work/$place"
    git ls-files -z | tar -c --null -T - --ignore-failed-read 2>/dev/null | tar -x -C "$work/$place"
    echo "Building in $work/$place"
    make -s -C "$work/$place" lib CARGO="cargo --quiet"
done
for file in libmilter.so libmilter.a; do
    cmp "$work/a/target/release/$file" "$work/another/place/target/release/$file" ||
        die "$file depends on the directory it is built in; diffoscope shows where"
    (cd "$work/a/target/release" && sha256sum "$file")
done
rm -rf "$work"
