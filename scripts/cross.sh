#!/bin/sh
# Builds and tests the library for other machines: cross.sh [TARGET...], all of them by default.
#
# For the Linux targets it builds libmilter.so and libmilter.a, compares the exported names with
# c-tests/symbols.txt, and runs the scripted sessions of c-tests with both, in an emulator where this
# processor can't run them. For the others it only checks that the library compiles. Last comes a table.
#
# Needs Debian 12: compiler and source of the standard library are its rustc-web packages, unpacked below
# ${XDG_CACHE_HOME:-~/.cache}/libmilter-ci. The standard library is compiled for each target once and
# kept there too, which takes some ten minutes the first time.
set -eu

cd "$(dirname "$0")/.."
. scripts/setup.sh

# Rust's name, and the one of the C compiler and of c-tests/src/machine.rs.
machines="
aarch64-unknown-linux-gnu aarch64-linux-gnu
armv7-unknown-linux-gnueabihf arm-linux-gnueabihf
i686-unknown-linux-gnu i686-linux-gnu
riscv64gc-unknown-linux-gnu riscv64-linux-gnu
s390x-unknown-linux-gnu s390x-linux-gnu
powerpc64le-unknown-linux-gnu powerpc64le-linux-gnu
x86_64-unknown-linux-musl x86_64-linux-musl
"
checked="
x86_64-unknown-freebsd
x86_64-unknown-netbsd
x86_64-unknown-illumos
aarch64-apple-darwin
"

# The C side's name of a target that is run, nothing for one that is only checked.
machine_of() {
    echo "$machines" | sed -n "s/^$1 //p"
}

targets() {
    echo "$machines$checked" | cut -d ' ' -f 1 | sed '/^$/d'
}

# As cargo spells a target in names of variables.
upper() {
    echo "$1" | tr 'a-z-' 'A-Z_'
}

[ $# -gt 0 ] || {
    # shellcheck disable=SC2046 # one word per target
    set -- $(targets)
}
run=
check=
for target in "$@"; do
    if [ -n "$(machine_of "$target")" ]; then
        run="$run $target"
    elif echo "$checked" | grep -qx -- "$target"; then
        check="$check $target"
    else
        die "unknown target $target; there are: $(targets | paste -sd ' ')"
    fi
done

setup build test cross

cache=${XDG_CACHE_HOME:-$HOME/.cache}/libmilter-ci
version=$(apt-cache policy rustc-web | sed -n 's/^  Candidate: //p')
[ -n "$version" ] || die "the distribution has no package rustc-web; this script needs Debian 12"
unwind=$(apt-cache search --names-only '^libunwind-[0-9]+-dev$' | cut -d ' ' -f 1 | sort -V | tail -n 1)
[ -n "$unwind" ] || die "the distribution has no package libunwind-NN-dev, which musl needs"
toolchain=$cache/cross/rust-$version
mkdir -p "$cache/cross"
# Two runs would clean up each other's builds.
exec 9>"$cache/cross/lock"
flock 9
for old in "$cache"/cross/rust-*; do
    [ "$old" = "$toolchain" ] || rm -rf "$old"
done
mkdir -p "$toolchain" "$cache/debs"
libraries=$(DEB_CACHE=$cache/debs c-tests/mta/unpack.sh "$toolchain/root" rustc-web cargo-web rust-web-src "$unwind")

# musl comes without an unwinder: LLVM's takes the place of GCC's, which needs glibc.
unwinder=$toolchain/unwind
mkdir -p "$unwinder"
archive=$(find "$toolchain/root/usr/lib" -name libunwind.a | head -n 1)
[ -n "$archive" ] || die "no libunwind.a in $unwind"
cp "$archive" "$unwinder/"
cat >"$unwinder/glibc.c" <<'C'
/* What libunwind.a was compiled to call, in musl's words. */
#include <stdarg.h>
#include <stdio.h>
int __fprintf_chk(FILE *file, int flag, const char *format, ...)
{
	va_list args;
	int written;

	(void)flag;
	va_start(args, format);
	written = vfprintf(file, format, args);
	va_end(args);
	return written;
}
C
musl-gcc -O2 -fPIC -fvisibility=hidden -c -o "$unwinder/glibc.o" "$unwinder/glibc.c"
ar r "$unwinder/libunwind.a" "$unwinder/glibc.o"
echo "INPUT(-l:libunwind.a)" >"$unwinder/libgcc_s.so"

# Cargo of the unpacked toolchain; it builds the standard library along with ours. What it leaves is
# kept from run to run, but for our own part: every checkout would add to it.
built=$toolchain/target
cross_cargo() {
    LD_LIBRARY_PATH=$libraries PATH=$toolchain/root/usr/bin:$PATH RUSTC_BOOTSTRAP=1 \
        CARGO_TARGET_DIR=$built cargo "$@" --locked --package libmilter --lib -Z build-std
}
rm -rf "$built"/*/*/.fingerprint/libmilter-* "$built"/*/*/build/libmilter-* "$built"/*/*/deps/*milter*

table=
for target in $run; do
    machine=$(machine_of "$target")
    here=$built/$target/release
    compiler=$machine-gcc
    flags=
    if [ "$machine" = x86_64-linux-musl ]; then
        compiler=musl-gcc
        # A shared library that links with the system's libc and crt files.
        flags="-C target-feature=-crt-static -C link-self-contained=no -L native=$unwinder"
    fi
    export "CC_$(echo "$target" | tr - _)=$compiler"
    export "CARGO_TARGET_$(upper "$target")_LINKER=$compiler" "CARGO_TARGET_$(upper "$target")_RUSTFLAGS=$flags"
    echo "Building: $target"
    # As the Makefile does it.
    cross_cargo rustc --quiet --release --target "$target" --crate-type cdylib --crate-type staticlib
    exported "$here/libmilter.so" >"$here/symbols.txt"
    diff c-tests/symbols.txt "$here/symbols.txt" || die "$target exports other names than c-tests/symbols.txt lists"
    echo "Running the sessions: $target"
    C_TESTS_MACHINE=$machine LIBMILTER_DIR=$here C_TESTS_MACHINE_STATIC=$unwinder/libunwind.a \
        cargo test --quiet --package c-tests -- sessions::ours_dynamic sessions::ours_static ||
        die "the library for $target differs; run again: scripts/cross.sh $target"
    table="$table$target: sessions with shared and static library
"
done

if [ -n "$check" ]; then
    set --
    for target in $check; do
        # Any compiler for the one C file, nothing is linked; no machine code for the standard library.
        export "CC_$(echo "$target" | tr - _)=clang" "AR_$(echo "$target" | tr - _)=ar"
        export "CARGO_TARGET_$(upper "$target")_RUSTFLAGS=-Z no-codegen"
        set -- "$@" --target "$target"
        table="$table$target: compiles
"
    done
    echo "Checking for$check"
    cross_cargo check --quiet "$@"
fi
echo "$table"
