#!/bin/sh
# In a Debian chroot without network: runs the functions of the APKBUILD as abuild does.
#
# Reads /work/dist and /work/packaging. Debian has no abuild; the stand-ins below do what its functions of the
# same names do, as far as this APKBUILD needs.
# shellcheck disable=SC2034,SC2154 # variables for and from the APKBUILD
set -eu

# shellcheck source=packaging/tests/common.sh
. "$(dirname "$0")/common.sh"

# How well the code is optimised makes no difference here, but minutes.
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16

srcdir=/work/alpine/src
pkgbasedir=/work/alpine/pkg
pkgdir=$pkgbasedir/libmilter-rs
rm -rf /work/alpine
mkdir -p "$srcdir" "$pkgdir"
# shellcheck source=/dev/null
. /work/dist/APKBUILD

default_prepare() { [ -d "$builddir" ]; }

amove() {
    for pattern; do
        for file in "$pkgdir"/$pattern; do
            [ -e "$file" ] || fail "amove $pattern: nothing there"
            target=$subpkgdir/$(dirname "${file#"$pkgdir/"}")
            mkdir -p "$target"
            mv "$file" "$target"
        done
    done
}

default_dev() {
    amove usr/include 'usr/lib/*.so' usr/lib/pkgconfig
}

# abuild's own splits for -static and -doc.
static() { amove 'usr/lib/*.a'; }
doc() { amove usr/share/man usr/share/doc usr/share/licenses; }

# As abuild does before anything else.
(cd /work/dist && echo "$sha512sums" | sed '/^$/d' | sha512sum --quiet -c -) || fail "other sums than those of make apkbuild"
for archive in $source; do
    [ -e "/work/dist/$archive" ] || fail "make dist does not make $archive"
    tar -C "$srcdir" -xf "/work/dist/$archive"
done
for step in prepare build package; do
    directory=$builddir
    [ "$step" != prepare ] || directory=$srcdir
    (cd "$directory" && "$step") >"/work/alpine/$step.log" 2>&1 || {
        tail -n 40 "/work/alpine/$step.log"
        fail "$step failed"
    }
done
for subpackage in $subpackages; do
    name=${subpackage%%:*}
    split=${subpackage#*:}
    [ "$split" != "$subpackage" ] || split=${name##*-}
    subpkgdir=$pkgbasedir/$name
    (cd "$srcdir" && "$split")
done
find "$pkgbasedir" -type d -empty -delete

contents() {
    (cd "$pkgbasedir/$1" && find . ! -type d | sort | tr '\n' ' ')
}

[ "$(contents libmilter-rs)" = "./usr/lib/libmilter.so.1.0.2 " ] || fail "libmilter-rs holds $(contents libmilter-rs)"
readelf -d "$pkgdir/usr/lib/libmilter.so.1.0.2" | grep -q 'SONAME.*\[libmilter\.so\.1\.0\.2\]' || fail "wrong SONAME"
for file in libmilter-rs-dev/usr/include/libmilter/mfapi.h libmilter-rs-dev/usr/lib/pkgconfig/milter.pc \
    libmilter-rs-dev/usr/lib/libmilter.so libmilter-rs-static/usr/lib/libmilter.a milter-try/usr/bin/milter-try; do
    [ -e "$pkgbasedir/$file" ] || [ -L "$pkgbasedir/$file" ] || fail "$file is missing"
done
missing=$(missing_docs "$pkgbasedir/libmilter-rs-doc/usr/share/doc/libmilter" /work/packaging)
[ -z "$missing" ] || fail "libmilter-rs-doc has no $missing"
cd "$pkgbasedir"
echo "ok: the APKBUILD made" *
