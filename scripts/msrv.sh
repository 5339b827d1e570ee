#!/bin/sh
# Builds the library with the oldest Rust it is for, and runs the scripted sessions with it, and what rests
# on how this compiler leaves functions, callbacks that end their thread or throw: msrv.sh
#
# That is the rust-version in Cargo.toml. Compiler and cargo come from the distribution's packages of
# this version (rustc-web in Debian 12, rustc in Debian 13), unpacked below the target directory. The
# tests themselves are built with the usual compiler.
set -eu

cd "$(dirname "$0")/.."
. scripts/setup.sh
setup build test

minor=$(sed -n '/^\[package\]/,$ s/^rust-version = "1\.\([0-9]*\)"$/\1/p' Cargo.toml)
[ -n "$minor" ] || die "Cargo.toml states no rust-version for the package"
for suffix in "" -web; do
    version=$(apt-cache madison "rustc$suffix" | awk -v start="1.$minor." '{ if (index($3, start) == 1) { print $3; exit } }')
    [ -z "$version" ] || break
done
[ -n "$version" ] || die "the distribution has no package with Rust 1.$minor; Debian 12 and 13 have"

work=$(mkdir -p "${CARGO_TARGET_DIR:-target}/msrv" && cd "${CARGO_TARGET_DIR:-target}/msrv" && pwd)
debs=${XDG_CACHE_HOME:-$HOME/.cache}/libmilter-ci/debs
root=$work/rust-$version
mkdir -p "$debs"

# Libraries that these packages need and this machine lacks. Those of the toolchain itself are left to
# the line below: only there the version can be chosen.
missing_libraries() {
    apt-cache show "$@" | sed -n 's/^Depends: //p' | tr ',' '\n' | sed 's/^ *//; s/[ :(|].*//' |
        grep '^lib' | grep -v '^libstd-rust' | sort -u |
        while read -r library; do
            # Names without a package of their own, such as libc-dev, come with the C compiler.
            [ "$(apt-cache show "$library" 2>/dev/null)" ] || continue
            dpkg-query -W -f '${db:Status-Status}\n' "$library" 2>/dev/null | grep -qx installed || echo "$library"
        done
}

if [ ! -d "$root" ]; then
    rm -rf "$root.partial"
    own="rustc$suffix=$version cargo$suffix=$version libstd-rust$suffix-dev=$version libstd-rust$suffix-1.$minor"
    # shellcheck disable=SC2086 # one word per package
    libraries=$(missing_libraries $own)
    # shellcheck disable=SC2086
    DEB_CACHE=$debs c-tests/mta/unpack.sh "$root.partial" "libstd-rust$suffix-1.$minor" $libraries >/dev/null
    # shellcheck disable=SC2086
    (cd "$debs" && as_root apt-get -qq -o APT::Sandbox::User=root download $own)
    for package in "rustc$suffix" "cargo$suffix" "libstd-rust$suffix-dev"; do
        # apt writes the colon of an epoch as %3a.
        dpkg -x "$debs/${package}_$(echo "$version" | sed 's/:/%3a/')_$(dpkg --print-architecture).deb" "$root.partial"
    done
    mv "$root.partial" "$root"
fi

libraries=$(find "$root" -name 'lib*.so*' -exec dirname {} + | sort -u | paste -sd : -)
old() {
    LD_LIBRARY_PATH=$libraries PATH=$root/usr/bin:$PATH CARGO_TARGET_DIR=$work/target "$@"
}
old rustc --version
old cargo rustc --quiet --release --locked --package libmilter --lib --crate-type cdylib --crate-type staticlib

exported "$work/target/release/libmilter.so" >"$work/symbols.txt"
diff c-tests/symbols.txt "$work/symbols.txt" || die "built with this compiler the library exports other names than c-tests/symbols.txt lists"
LIBMILTER_DIR=$work/target/release cargo test --quiet --package c-tests -- sessions::ours_dynamic \
    sessions::ours_static runtime_leave:: runtime_throw::
