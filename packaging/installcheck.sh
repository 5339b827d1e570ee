#!/bin/sh
# Compiles an example milter against an installed tree and plays it a message: shared, then static.
#
#   installcheck.sh DESTDIR PKGCONFIGDIR DATADIR BINDIR       DESTDIR may be empty
#
# All that the compiler gets to know comes from pkg-config, under both of its names.
set -eu

cd "$(dirname "$0")/.."

fail() {
    echo "installcheck.sh: $*" >&2
    exit 1
}

[ $# = 4 ] || fail "usage: installcheck.sh DESTDIR PKGCONFIGDIR DATADIR BINDIR"
destdir=$1
milter_try=$destdir$4/milter-try
export PKG_CONFIG_PATH="$destdir$2:$destdir$3/pkgconfig"
export PKG_CONFIG_SYSROOT_DIR="$destdir"
config=${PKG_CONFIG:-pkg-config}
cc=${CC:-cc}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for name in milter libmilter; do
    "$config" --exists --print-errors "$name >= 8.18" || fail "pkg-config does not find $name in $destdir$2"
done

# Plays a message to the milter $1 and looks for what it must have changed.
try() {
    "$milter_try" --linked --macro mail:auth_authen=ada -- "$1" "{socket}" "Example Ltd" >"$work/log" 2>&1 || {
        cat "$work/log"
        fail "$1 did not accept the message"
    }
    grep -q '^+.*Example Ltd' "$work/log" || {
        cat "$work/log"
        fail "$1 did not append its text"
    }
}

# Compiles into $work/$1. What it includes and links must come from the installed tree, not from a
# libmilter that this machine has besides.
build() {
    name=$1
    shift
    # shellcheck disable=SC2046 # pkg-config prints words
    "$cc" -Wall -Wextra -Werror -H -Wl,--trace $("$config" --cflags libmilter) -o "$work/$name" \
        examples-c/disclaimer.c "$@" >"$work/files" 2>&1 || {
        cat "$work/files"
        fail "$cc could not compile the $name milter"
    }
    sed -n 's/^[. (]*\(\/.*libmilter[./][a-z.]*[0-9.]*\).*/\1/p' "$work/files" | sort -u >"$work/used"
    grep -q "mfapi\.h$" "$work/used" || fail "no mfapi.h in what $cc reports: $(cat "$work/used")"
    grep -q "libmilter\.\(so\|a\)" "$work/used" || fail "no library in what $cc reports: $(cat "$work/used")"
    ! grep -v "^$destdir" "$work/used" || fail "the $name milter uses files from elsewhere"
}

library=$destdir$(dirname "$2")
# shellcheck disable=SC2046
build shared $("$config" --libs milter)
export LD_LIBRARY_PATH="$library${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
ldd "$work/shared" | grep -q "=> $library/libmilter" || fail "$work/shared loads another libmilter: $(ldd "$work/shared")"
try "$work/shared"
unset LD_LIBRARY_PATH
echo "ok: shared milter, needs $(readelf -d "$work/shared" | sed -n 's/.*(NEEDED).*\[\(libmilter.*\)\]/\1/p')"

# With the static library only; the rest of "pkg-config --static" as it comes.
# shellcheck disable=SC2046
build static -Wl,-Bstatic $("$config" --libs milter) -Wl,-Bdynamic \
    $("$config" --static --libs milter | sed 's/-lmilter//')
! readelf -d "$work/static" | grep -q 'NEEDED.*libmilter' || fail "the static milter needs libmilter.so"
try "$work/static"
echo "ok: static milter, $(wc -c <"$work/static") bytes"
