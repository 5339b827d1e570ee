#!/bin/sh
# Makes what is packed beside the source: vendor.sh DIRECTORY
#
#   DIRECTORY/packages/vendor    the crates that library and milter-try are built from, on any Unix; in the
#                                place of all others a stand-in without code
#   DIRECTORY/tests/vendor       those that "make check" needs besides
#
# Cargo works out everything that Cargo.lock names before it builds anything, so no crate of it may be
# missing: a stand-in has what cargo wants to know (version, features, what it depends on), and nothing to
# compile. The archive with the tests' crates has the real ones, to be unpacked over them.
set -eu

cd "$(dirname "$0")/.."
out=${1:?usage: vendor.sh DIRECTORY}
cargo=${CARGO:-cargo}
mkdir -p "$out/packages" "$out/tests"
out=$(cd "$out" && pwd)

fail() {
    echo "vendor.sh: $*" >&2
    exit 1
}

# Systems whose crates are packed; what processor it is makes no difference to the list of most.
systems="x86_64-unknown-linux-gnu aarch64-unknown-linux-gnu armv7-unknown-linux-gnueabihf
    riscv64gc-unknown-linux-gnu s390x-unknown-linux-gnu powerpc64le-unknown-linux-gnu x86_64-unknown-linux-musl
    x86_64-unknown-freebsd x86_64-unknown-netbsd x86_64-unknown-illumos aarch64-apple-darwin"

# Names and versions of crates, and nothing of our own: needed EDGES PACKAGE...
needed() {
    edges=$1
    shift
    packages=
    for package; do packages="$packages --package $package"; done
    for system in $systems; do
        # shellcheck disable=SC2086 # words are options
        "$cargo" tree --locked --quiet --target "$system" --edges "$edges" $packages --prefix none --format '{p}'
    done | sed 's/ (.*//; /^$/d' | grep -v -e '^libmilter ' -e '^milter-mta ' | LC_ALL=C sort -u
}

# A value of a crate's [package]: value CRATE-DIRECTORY KEY
value() {
    sed -n "/^\\[package\\]/,/^\\[[^p]/s/^$2 = \"\\(.*\\)\"\$/\\1/p" "$1/Cargo.toml" | head -n 1
}

# Takes the code out of a crate.
stand_in() {
    name=$(value "$1" name)
    version=$(value "$1" version)
    new=$1.new
    mkdir -p "$new/src"
    # All that has to do with resolving; edition and the like as they are.
    awk -v name="$name" '
        BEGIN { print "# In the place of the crate of this name, which is not needed here: see packaging/vendor.sh.\n" }
        /^\[/ {
            keep = $0 ~ /^\[(target\..*\.)?(build-|dev-)?dependencies[.\]]/ || $0 == "[features]"
            package = $0 == "[package]"
            if (package || keep) print
            next
        }
        package && /^(name|version|edition|links) = / { print; next }
        package && /^$/ { print "license = \"MIT OR Apache-2.0\"\nbuild = false\n"; package = 0; next }
        keep { print }' "$1/Cargo.toml" >"$new/Cargo.toml"
    echo "compile_error!(\"$name $version is in the archive with the crates of the tests, or for another system\");" >"$new/src/lib.rs"
    sed 's/.*\("package":"[0-9a-f]*"\).*/{"files":{},\1}/' "$1/.cargo-checksum.json" >"$new/.cargo-checksum.json"
    rm -rf "$1"
    mv "$new" "$1"
}

"$cargo" vendor --quiet --locked "$out/packages/vendor" >/dev/null
mkdir -p "$out/tests/vendor"
needed normal,build libmilter milter-mta >"$out/packages.list"
needed normal,build,dev libmilter milter-mta >"$out/tests.list"
# What is linked into each of the two packages of files.
needed normal libmilter >"$out/library.list"
needed normal milter-mta >"$out/milter-try.list"
[ "$(wc -l <"$out/library.list")" -gt 5 ] || fail "cargo tree names no crates"

for crate in "$out"/packages/vendor/*; do
    line="$(value "$crate" name) v$(value "$crate" version)"
    ! grep -qxF "$line" "$out/packages.list" || continue
    ! grep -qxF "$line" "$out/tests.list" || cp -R "$crate" "$out/tests/vendor/"
    stand_in "$crate"
done
