#!/bin/sh
# The README's two commands on a fresh machine: fresh.sh [RELEASE [USER [ARGUMENTS OF scripts/test.sh]]]
#
#   RELEASE   12 (the default) or bookworm, 13 or trixie
#   USER      root (the default), or sudo: a user who may run everything through sudo
#
# Makes a bare Debian in target/fresh-RELEASE-USER (see scripts/chroot.sh), puts this source tree below a
# home that nobody else may enter, and runs scripts/demo.sh and scripts/test.sh there, which have to install
# all they need; as runners start them that leave signals ignored and blocked, a closed umask, low limits,
# open descriptors and variables behind, of which nohup is the mildest. Nothing is lent but what was
# downloaded before: packages and crates, kept in ~/.cache/libmilter-ci. Needs root or sudo. Ends
# with what each command took, and how many tests passed.
set -eu

cd "$(dirname "$0")/.."
. scripts/setup.sh

release=${1:-12}
case $release in
12 | bookworm) suite=bookworm release=12 ;;
13 | trixie) suite=trixie release=13 ;;
*) die "no release $release: there are 12 (bookworm) and 13 (trixie)" ;;
esac
kind=${2:-root}
case $kind in
root) user=root home=/root ;;
sudo) user=ada home=/home/ada ;;
*) die "no user $kind: there are root, and sudo for a user with sudo" ;;
esac
[ $# -lt 2 ] || shift 2
[ $# != 1 ] || shift
setup package

name="Debian $release, $([ "$kind" = root ] && echo root || echo a user with sudo)"
machine=${CARGO_TARGET_DIR:-target}/fresh-$release-$kind
cache=${XDG_CACHE_HOME:-$HOME/.cache}/libmilter-ci
debs=${DEB_CACHE:-$cache/debs}
crates=$cache/crates
mkdir -p "$debs" "$crates"

scripts/chroot.sh make "$machine" "$suite"
if [ "$kind" = sudo ]; then
    # shellcheck disable=SC2016 # for the inner shell to expand
    scripts/chroot.sh run "$machine" sh -ec 'apt-get -qq update
        apt-get -qq -o Dpkg::Use-Pty=0 install -y --no-install-recommends sudo >/dev/null
        useradd --create-home --shell /bin/sh "$0"
        echo "$0 ALL=(ALL) NOPASSWD: ALL" >"/etc/sudoers.d/$0"' "$user"
fi

# The clone, and crates that were downloaded before, below a home of mode 0700.
as_root mkdir -p "$machine$home/libmilter" "$machine$home/.cargo/registry/cache" "$machine/var/cache/debs"
git ls-files --cached --others --exclude-standard | while read -r file; do
    [ ! -e "$file" ] || echo "$file"
done | tar -cf - --files-from=- | as_root tar -xf - --no-same-owner -C "$machine$home/libmilter"
as_root cp -r "$crates/." "$machine$home/.cargo/registry/cache"
as_root cp -r "$debs/." "$machine/var/cache/debs"
on_machine() {
    scripts/chroot.sh run "$machine" "$@"
}
# shellcheck disable=SC2016 # for the inner shell to expand
on_machine sh -ec 'chmod 0700 "$1" && chown -R "$0:" "$1" /var/cache/debs' "$user" "$home"

# Kilobytes below one of its directories, without what was lent.
used() {
    as_root du -skx --exclude="$machine/var/cache/*" --exclude="$machine$home/.cargo/registry/cache" "$machine$1" |
        cut -f 1
}

took=
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# A command of the README, as somebody types it there.
try() {
    echo "+ $* ($name)"
    before=$(used /)
    own_before=$(used "$home")
    start=$(date +%s)
    {
        on_machine -u "$user" -e DEB_CACHE=/var/cache/debs -e CARGO_TERM_COLOR=never \
            -e LIBMILTER_THREADS=session -e LANG=xx -e MALLOC_PERTURB_=17 \
            sh -ec 'trap "" HUP PIPE USR1; umask 077; ulimit -S -n 256; ulimit -S -c 1000; exec 9</dev/null
                cd ~/libmilter && exec nice -n 1 env --block-signal=USR2,ALRM,TERM "$@"' sh "$@" 2>&1 || echo "failed with status $?" >"$log.failed"
    } | tee "$log"
    seconds=$(($(date +%s) - start))
    counts=$(sed -n 's/^[0-9]* passed, [0-9]* failed, [0-9]* left out$/&; /p' "$log")
    if [ -e "$log.failed" ]; then
        counts="$counts$(cat "$log.failed"); "
        rm -f "$log.failed"
        all=1
    fi
    own=$(($(used "$home") - own_before))
    rest=$(($(used /) - before - own))
    took="$took$name: $1: $counts$seconds s, $((own / 1000)) MB, and $((rest / 1000)) MB of installed packages
"
}

all=0
try scripts/demo.sh
try scripts/test.sh "$@"

# What was downloaded serves the next time.
as_root cp -rn "$machine$home/.cargo/registry/cache/." "$crates"
as_root cp -rn "$machine/var/cache/debs/." "$debs"
scripts/chroot.sh remove "$machine"
printf %s "$took"
exit $all
