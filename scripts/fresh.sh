#!/bin/sh
# The README's two commands on a fresh machine: fresh.sh [ARGUMENTS OF scripts/test.sh]
#
# Makes a bare Debian 12 in target/fresh (see scripts/chroot.sh), puts this source tree into it, and runs
# scripts/demo.sh and scripts/test.sh there, which have to install all they need. Downloads of this
# machine are lent to it; nothing else is. Needs root or sudo.
set -eu

cd "$(dirname "$0")/.."
. scripts/setup.sh
setup package

machine=${CARGO_TARGET_DIR:-target}/fresh
scripts/chroot.sh make "$machine"
cargo_home=${CARGO_HOME:-$HOME/.cargo}
deb_cache=${DEB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/libmilter-ci/debs}
mkdir -p "$deb_cache"

as_root mkdir -p "$machine/work/libmilter" "$machine/root/.cargo/registry"
git ls-files --cached --others --exclude-standard | while read -r file; do
    [ ! -e "$file" ] || echo "$file"
done | tar -cf - --files-from=- | as_root tar -xf - --no-same-owner -C "$machine/work/libmilter"
for part in index cache; do
    [ ! -d "$cargo_home/registry/$part" ] || as_root cp -r "$cargo_home/registry/$part" "$machine/root/.cargo/registry"
done

on_machine() {
    echo "+ $* on a fresh machine"
    scripts/chroot.sh run "$machine" -b "$(readlink -f "$deb_cache"):/var/cache/debs" -e DEB_CACHE=/var/cache/debs \
        -e CARGO_TERM_COLOR=never sh -ec 'cd libmilter && exec "$@"' sh "$@"
}

status=0
on_machine scripts/demo.sh || status=$?
on_machine scripts/test.sh "$@" || status=$?
scripts/chroot.sh remove "$machine"
exit $status
