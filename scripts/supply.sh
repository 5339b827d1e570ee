#!/bin/sh
# Checks what the library is made of: supply.sh [advisories]
#
# With cargo-deny: licenses, sources and bans of deny.toml. With cargo-auditable: that a library built
# with it names its crates. With "advisories" it also fetches the RustSec database
# from github.com and looks for known defects. Compiles the two tools once, which takes minutes, and keeps
# them below ${XDG_CACHE_HOME:-~/.cache}/libmilter-ci.
set -eu

cd "$(dirname "$0")/.."
. scripts/setup.sh
setup build package

cargo_deny=0.20.2
cargo_auditable=0.7.7
cache=${XDG_CACHE_HOME:-$HOME/.cache}/libmilter-ci
target=${CARGO_TARGET_DIR:-target}

# tool NAME VERSION: installs it into the cache, and puts it first in PATH.
tool() {
    [ -x "$cache/$1-$2/bin/$1" ] || {
        echo "Compiling $1 $2 into $cache/$1-$2; takes minutes, once"
        cargo install --quiet --locked --root "$cache/$1-$2" --target-dir "$target/tools" "$1@$2"
        rm -rf "$target/tools"
    }
    PATH=$cache/$1-$2/bin:$PATH
}
tool cargo-deny "$cargo_deny"
tool cargo-auditable "$cargo_auditable"

# shellcheck disable=SC2046 # one word per check
cargo deny --locked check --hide-inclusion-graph licenses bans sources $([ "${1:-}" != advisories ] || echo advisories)

cargo auditable rustc --quiet --release --locked --target-dir "$target/auditable" \
    --package libmilter --lib --crate-type cdylib
work=$target/auditable
objcopy -O binary --only-section=.dep-v0 --set-section-flags .dep-v0=alloc "$work/release/libmilter.so" "$work/list.zlib"
# gzip reads what is in zlib's wrapping once it has a header of its own; it misses its check sum at the end.
{
    printf '\037\213\010\0\0\0\0\0\0\0'
    tail -c +3 "$work/list.zlib"
} | gzip -dc 2>/dev/null | tr '{' '\n' | sed -n 's/.*"name":"\([^"]*\)".*"version":"\([^"]*\)".*/\1 v\2/p' | LC_ALL=C sort >"$work/inside"
cargo tree --locked --package libmilter --edges normal,build --prefix none --format '{p}' |
    sed 's/ (.*//' | LC_ALL=C sort -u >"$work/wanted"
# It may name more: crates for other systems, of which cargo does not know that they are not used here.
missing=$(LC_ALL=C comm -23 "$work/wanted" "$work/inside")
[ -z "$missing" ] || die "libmilter.so does not name $missing"
echo "libmilter.so names the $(wc -l <"$work/inside") crates it is built from"
