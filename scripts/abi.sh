#!/bin/sh
# Compares the C interface with the recorded one and with sendmail's: abi.sh
#
# The record is abi/libmilter.abi, written by abidw (package abigail-tools): every function of the header
# with the types of its arguments, and their layout. A difference fails; if it is meant, record it with
# UPDATE_ABI=1 scripts/abi.sh and give the library the version that docs/release.md asks for.
# Fetches Debian's libmilter-dev for its header, unpacks it below the target directory, and builds ours.
set -eu

cd "$(dirname "$0")/.."
. scripts/setup.sh
setup build abi

target=${CARGO_TARGET_DIR:-target}
work=$target/abi
mkdir -p "$work"
DEB_CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/libmilter-ci/debs
export DEB_CACHE
mkdir -p "$DEB_CACHE"
c-tests/mta/unpack.sh "$work/reference" libmilter-dev libmilter1.0.1 >/dev/null

# describe INCLUDE-DIRECTORY NAME: makes NAME.abi of what a header declares. abidw reads compiled code,
# and rustc's says little about C types: so each function is defined anew, in C, and never called.
describe() {
    (
        cd "$work"
        echo '#include <libmilter/mfapi.h>' >"$2-include.c"
        gcc -DSM_CONF_STDBOOL_H=1 -I "$1" -fsyntax-only -aux-info "$2.list" "$2-include.c"
        {
            cat "$2-include.c"
            sed -n 's|^/\* .* \*/ \(extern .* smfi_[a-z_]* (.*)\);$|\1 { __builtin_trap(); }|p; s|^/\* .* \*/ \(extern .*\*smfi_[a-z_]* (.*)\);$|\1 { __builtin_trap(); }|p' "$2.list"
        } >"$2.c"
        # Arguments without names are a feature of C23.
        gcc -std=gnu2x -DSM_CONF_STDBOOL_H=1 -I "$1" -g -O0 -w -shared -fPIC -Wl,-soname,libmilter.so.1.0.1 -o "$2.so" "$2.c"
        abidw --no-show-locs --no-corpus-path --no-comp-dir-path --out-file "$2.abi" "$2.so"
        sed -i "s| path='[^']*$2[^']*'||" "$2.abi"
    )
}

describe "$PWD/include" ours
case $work in
/*) reference=$work/reference ;;
*) reference=$PWD/$work/reference ;;
esac
describe "$reference/usr/include" reference

functions=$(grep -c '<function-decl name=.smfi_' "$work/ours.abi")
[ "$functions" = 26 ] || die "$functions functions found in the header instead of 26"
if [ -n "${UPDATE_ABI:-}" ]; then
    mkdir -p abi
    cp "$work/ours.abi" abi/libmilter.abi
fi
echo "Comparing $functions functions and their types: the record, then sendmail's header"
abidiff --no-show-locs abi/libmilter.abi "$work/ours.abi" ||
    die "the interface is not the recorded one; see above and docs/release.md"
abidiff --no-show-locs "$work/reference.abi" "$work/ours.abi" ||
    die "the interface is not that of sendmail's header; see above"

cargo rustc --quiet --release --package libmilter --lib --crate-type cdylib --crate-type staticlib
exported "$target/release/libmilter.so" >"$work/symbols.txt"
diff c-tests/symbols.txt "$work/symbols.txt" || die "libmilter.so exports other names than c-tests/symbols.txt lists"

# What the loader has to do, of ours and of sendmail's.
cp "$target/release/libmilter.so" "$work/stripped.so"
strip "$work/stripped.so"
theirs=$(find "$work/reference" -name 'libmilter.so.1.0.1')
for library in "$work/stripped.so" "$theirs"; do
    size=$(stat -L -c %s "$library")
    names=$(exported "$library" | wc -l)
    relocations=$(readelf -W -r "$library" | grep -c ' R_')
    echo "$library: $size bytes, $names symbols exported, $relocations relocations"
done
