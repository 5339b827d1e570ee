#!/bin/sh
# Makes the static library that is installed of the one that cargo makes: archive.sh FROM TO
#
# Cargo's has all of Rust's standard library with global names, such as rust_eh_personality, so that a
# second static library in Rust can't be linked into the same program. In this one, only the functions of
# the interface (c-tests/symbols.txt) are global.
#
# LD, OBJCOPY and AR have to be the target's when compiling for another machine; LLVM's are for all.
set -eu

fail() {
    echo "archive.sh: $*" >&2
    exit 1
}

[ $# = 2 ] || fail "usage: archive.sh FROM TO"
from=$1
to=$2
ld=${LD:-ld}
objcopy=${OBJCOPY:-objcopy}
names=$(dirname "$0")/../c-tests/symbols.txt
work=$to.work
rm -rf "$work"
mkdir -p "$work"
trap 'rm -rf "$work"' EXIT

# What these options do, only linkers of ELF know.
if ! "$ld" --version 2>/dev/null | grep -q -e GNU -e LLD; then
    echo "archive.sh: $ld is neither GNU's nor LLVM's; $to keeps cargo's global names" >&2
    cp "$from" "$to"
    exit
fi
# A group is discarded if another object has one of its name, which by then is no common one any more.
groups=
! "$ld" --help | grep -q force-group-allocation || groups=--force-group-allocation
# shellcheck disable=SC2046,SC2086 # words
"$ld" -r $groups $(sed 's/^/-u /' "$names") -o "$work/all.o" "$from" ||
    fail "$ld can't join what is in $from; for another machine, set LD, OBJCOPY and AR to its tools or to LLVM's"
# Without link-time optimisation, objects have LLVM's code of their crates with them, of which plug-ins of ar
# and ld for another LLVM make nothing good once it is joined.
"$objcopy" --keep-global-symbols="$names" -R .llvmbc -R .llvmcmd "$work/all.o" "$work/libmilter.o" ||
    fail "$objcopy can't make names local; for another machine, set OBJCOPY to its objcopy or to llvm-objcopy"
(cd "$work" && "${AR:-ar}" rcs libmilter.a libmilter.o) || fail "${AR:-ar} can't make $to"
mv "$work/libmilter.a" "$to"
