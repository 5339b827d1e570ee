#!/bin/sh
# Bare Debian systems in directories, to try things as on a new machine. Needs root or sudo.
#
#   chroot.sh make DIR             a minimal Debian 12 with nothing else in it
#   chroot.sh copy DIR DIR2        another one, with what was installed in the first
#   chroot.sh run DIR [-o] [-b FROM:TO]... [-e NAME=VALUE]... COMMAND...
#                                  runs a command as root in it, in /work if there is one; -o: offline, with
#                                  nothing but the loopback interface; -b: FROM seen as TO
#   chroot.sh remove DIR
#
# A run has mounts and processes of its own, that end with it: nothing of it stays behind, however it
# ends, and nothing in DIR is mounted when DIR is removed. The packages that it installs are kept in
# $CHROOT_CACHE (~/.cache/libmilter-ci/chroot by default) for the next time, and so is the minimal
# system, for a month. DEBIAN_MIRROR names a mirror other than deb.debian.org.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=scripts/setup.sh
. "$here/setup.sh"

suite=bookworm
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
security=${DEBIAN_SECURITY_MIRROR:-http://deb.debian.org/debian-security}
cache=${CHROOT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/libmilter-ci/chroot}
usage="usage: chroot.sh make|copy|run|remove DIR ...; see the top of $0"

sources() {
    for kind in deb deb-src; do
        echo "$kind $mirror $suite main"
        echo "$kind $mirror $suite-updates main"
        echo "$kind $security $suite-security main"
    done
}

# One system below $cache, packed; made anew after a month, as later updates pile up.
packed() {
    tarball=$cache/$suite-$(dpkg --print-architecture).tar
    mkdir -p "$cache/archives" "$cache/debootstrap"
    [ -z "$(find "$tarball" -mtime -30 2>/dev/null)" ] || return 0
    lacking=
    want debootstrap debootstrap
    [ -z "$lacking" ] || install_packages "$lacking"
    echo "Making a minimal Debian ($suite) with debootstrap"
    made=$(mktemp -d "$cache/new.XXXXXX")
    chmod 755 "$made"
    debootstrap --variant=minbase --cache-dir="$cache/debootstrap" "$suite" "$made" "$mirror" >"$cache/log" 2>&1 || {
        tail -n 20 "$cache/log" >&2
        rm -rf --one-file-system "$made"
        die "debootstrap failed: is $mirror reachable? All it said is in $cache/log"
    }
    # A throw-away system need not reach the disk after each package.
    echo force-unsafe-io >"$made/etc/dpkg/dpkg.cfg.d/throw-away"
    # The installer of a real machine writes it.
    printf '127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n' >"$made/etc/hosts"
    # Services of packages that are installed in it are not to start.
    printf '#!/bin/sh\nexit 101\n' >"$made/usr/sbin/policy-rc.d"
    chmod 755 "$made/usr/sbin/policy-rc.d"
    sources >"$made/etc/apt/sources.list"
    rm -f "$made"/var/cache/apt/archives/*.deb "$made"/var/lib/apt/lists/*_*
    tar --numeric-owner --one-file-system -C "$made" -cf "$tarball.new" .
    mv "$tarball.new" "$tarball"
    rm -rf --one-file-system "$made"
}

# A directory that is no system of ours is not touched.
own() {
    [ -e "$1/etc/dpkg/dpkg.cfg.d/throw-away" ] || die "$1 was not made by chroot.sh"
}

remove() {
    [ -e "$1" ] || return 0
    own "$1"
    ! findmnt -rno TARGET | grep "^$(readlink -f "$1")\(/\|\$\)" || die "$1 has mounts (above): unmount them first"
    rm -rf --one-file-system "$1"
}

make() {
    packed
    remove "$1"
    mkdir -p "$1"
    tar --numeric-owner -C "$1" -xpf "$tarball"
}

copy() {
    own "$1"
    remove "$2"
    mkdir -p "$(dirname "$2")"
    cp -a --one-file-system "$1" "$2"
}

run() {
    root=$(readlink -f "$1")
    shift
    own "$root"
    alone=
    variables=
    binds="$cache/archives:/var/cache/apt/archives"
    # What this machine needs to reach a mirror or registry.
    for name in http_proxy https_proxy no_proxy; do
        eval "value=\${$name:-}"
        [ -z "$value" ] || variables="$variables $name=$value"
    done
    if [ -n "${SSL_CERT_FILE:-}" ]; then
        binds="$binds $SSL_CERT_FILE:/var/tmp/of-host.crt"
        variables="$variables SSL_CERT_FILE=/var/tmp/of-host.crt"
    fi
    while getopts ob:e: option; do
        case $option in
        o) alone=--net ;;
        b) binds="$binds $OPTARG" ;;
        e) variables="$variables $OPTARG" ;;
        *) die "$usage" ;;
        esac
    done
    shift $((OPTIND - 1))
    [ $# -gt 0 ] || die "$usage"
    mkdir -p "$cache/archives"
    cp -L /etc/resolv.conf "$root/etc/resolv.conf"
    # shellcheck disable=SC2086 # no word, or one
    exec unshare --mount --propagation private --pid --fork --kill-child --ipc --uts $alone \
        "$0" inside "$root" "$binds" "$variables" "$alone" "$@"
}

# The second half of run, in namespaces of its own.
inside() {
    root=$1 binds=$2 variables=$3 alone=$4
    shift 4
    [ -z "$alone" ] || ip link set lo up
    mount -t proc proc "$root/proc"
    mount -t sysfs -o ro sysfs "$root/sys"
    mount -t tmpfs -o mode=755 tmpfs "$root/dev"
    mkdir "$root/dev/shm" "$root/dev/pts"
    mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
    mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
    ln -s pts/ptmx "$root/dev/ptmx"
    ln -s /proc/self/fd "$root/dev/fd"
    for device in null zero full random urandom tty; do
        : >"$root/dev/$device"
        mount --bind "/dev/$device" "$root/dev/$device"
    done
    for pair in $binds; do
        from=${pair%%:*} to=$root${pair#*:}
        if [ -d "$from" ]; then
            mkdir -p "$to"
        else
            [ -e "$to" ] || : >"$to"
        fi
        mount --bind "$from" "$to"
    done
    directory=/
    [ ! -d "$root/work" ] || directory=/work
    # shellcheck disable=SC2086,SC2016 # words are NAME=VALUE; the inner shell expands the rest
    # Not exec: this shell is process 1 there, and sees to the orphans that daemons are.
    chroot "$root" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive $variables \
        sh -c 'cd "$0" && exec "$@"' "$directory" "$@" || exit $?
}

[ $# -ge 2 ] || die "$usage"
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || die "chroot.sh must be run by root, and there is no sudo"
    exec sudo "CHROOT_CACHE=$cache" "SSL_CERT_FILE=${SSL_CERT_FILE:-}" "http_proxy=${http_proxy:-}" \
        "https_proxy=${https_proxy:-}" "no_proxy=${no_proxy:-}" "$0" "$@"
fi
command=$1
shift
case $command in
make | copy | run | remove | inside) "$command" "$@" ;;
*) die "$usage" ;;
esac
