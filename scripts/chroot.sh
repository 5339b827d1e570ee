#!/bin/sh
# Bare Debian systems in directories, to try things as on a new machine. Needs root or sudo.
#
#   chroot.sh make DIR [RELEASE]   a minimal Debian with nothing else in it; RELEASE: bookworm (Debian 12,
#                                  the default), trixie (13) or sid
#   chroot.sh copy DIR DIR2        another one, with what was installed in the first
#   chroot.sh run DIR [-o] [-u USER] [-b FROM:TO]... [-e NAME=VALUE]... COMMAND...
#                                  runs a command in it, as root in /work if there is one, as USER in its
#                                  home; -o: offline, with nothing but the loopback interface; -b: FROM
#                                  seen as TO
#   chroot.sh remove DIR
#
# A run has mounts and processes of its own, that end with it: nothing of it stays behind, however it
# ends, and nothing in DIR is mounted when DIR is removed. The packages that it installs are kept in
# $CHROOT_CACHE (~/.cache/libmilter-ci/chroot by default) for the next time, and so is the minimal
# system, for a month. The mirrors are those that this machine's apt is set up with; where it is not a
# Debian, or for others, set DEBIAN_MIRROR and DEBIAN_SECURITY_MIRROR.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=scripts/setup.sh
. "$here/setup.sh"

cache=${CHROOT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/libmilter-ci/chroot}
usage="usage: chroot.sh make|copy|run|remove DIR ...; see the top of $0"

# The first mirror of this machine's apt for packages with a label (Debian, Debian-Security).
mirror_of_apt() {
    # shellcheck disable=SC2016 # for apt-get to expand
    apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
        sed -n "s/^Debian|$1|\\([a-z]*:.*[^/]\\)\\/*\$/\\1/p" | head -n 1
}

find_mirrors() {
    mirror=${DEBIAN_MIRROR:-}
    security=${DEBIAN_SECURITY_MIRROR:-}
    if [ -z "$mirror" ]; then
        mirror=$(mirror_of_apt Debian)
        if [ -z "$mirror" ]; then
            # It knows what its mirrors are once it has lists.
            refresh_lists
            mirror=$(mirror_of_apt Debian)
        fi
        [ -n "$mirror" ] ||
            die "this machine's apt has no Debian mirror to take packages from; set DEBIAN_MIRROR to one's address, and DEBIAN_SECURITY_MIRROR"
        security=${security:-$(mirror_of_apt Debian-Security)}
    fi
    [ -n "$security" ] || echo "No mirror of security updates is known: going without; DEBIAN_SECURITY_MIRROR names one" >&2
}

sources() {
    for kind in deb deb-src; do
        echo "$kind $mirror $suite main"
        # All that is new goes into it at once.
        [ "$suite" != sid ] || continue
        echo "$kind $mirror $suite-updates main"
        [ -z "$security" ] || echo "$kind $security $suite-security main"
    done
}

# One system below $cache, packed; made anew after a month, as later updates pile up.
packed() {
    suite=$1
    tarball=$cache/$suite-$(dpkg --print-architecture).tar
    mkdir -p "$cache/archives" "$cache/debootstrap"
    # Two at a time would be in each other's way.
    exec 9>"$cache/lock"
    flock 9
    [ -z "$(find "$tarball" -mtime -30 2>/dev/null)" ] || return 0
    find_mirrors
    lacking=
    want debootstrap debootstrap
    [ -z "$lacking" ] || install_packages "$lacking"
    echo "Making a minimal Debian ($suite) with debootstrap"
    made=$(mktemp -d "$cache/new.XXXXXX")
    chmod 755 "$made"
    debootstrap --variant=minbase --cache-dir="$cache/debootstrap" "$suite" "$made" "$mirror" >"$cache/log" 2>&1 || {
        tail -n 20 "$cache/log" >&2
        rm -rf --one-file-system "$made"
        die "debootstrap could not make $suite from $mirror: see above, all it said is in $cache/log"
    }
    # A throw-away system need not reach the disk after each package.
    echo force-unsafe-io >"$made/etc/dpkg/dpkg.cfg.d/throw-away"
    # The installer of a real machine writes them.
    echo bare >"$made/etc/hostname"
    printf '127.0.0.1 localhost bare\n::1 localhost ip6-localhost ip6-loopback\n' >"$made/etc/hosts"
    # Services of packages that are installed in it are not to start.
    printf '#!/bin/sh\nexit 101\n' >"$made/usr/sbin/policy-rc.d"
    chmod 755 "$made/usr/sbin/policy-rc.d"
    sources >"$made/etc/apt/sources.list"
    # The lists of sid hold for a week, and a mirror may be behind for longer. No stable release's do, whose
    # mirrors are refused when they are.
    [ "$suite" != sid ] || echo 'Acquire::Check-Valid-Until "false";' >"$made/etc/apt/apt.conf.d/90sid"
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
    packed "${2:-bookworm}"
    exec 9>&-
    remove "$1"
    mkdir -p "$1"
    tar --numeric-owner -C "$1" -xpf "$tarball"
    # Certificate authorities that this machine's administrator has added, for its mirrors' sake; they
    # count once ca-certificates is installed there. apt asks for them itself.
    if [ -d /usr/local/share/ca-certificates ]; then
        cp -rL /usr/local/share/ca-certificates "$1/usr/local/share/"
    fi
    bundle=/etc/ssl/certs/ca-certificates.crt
    if [ -e "$bundle" ] && grep -q '^deb https:' "$1/etc/apt/sources.list"; then
        cp -L "$bundle" "$1/etc/apt/of-host.crt"
        echo 'Acquire::https::CAInfo "/etc/apt/of-host.crt";' >"$1/etc/apt/apt.conf.d/90of-host"
    fi
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
    user=root
    variables=
    binds=
    # What this machine needs to reach a mirror or registry.
    for name in http_proxy https_proxy no_proxy; do
        eval "value=\${$name:-}"
        [ -z "$value" ] || variables="$variables $name=$value"
    done
    while getopts ou:b:e: option; do
        case $option in
        o) alone=--net ;;
        u) user=$OPTARG ;;
        b) binds="$binds $OPTARG" ;;
        e) variables="$variables $OPTARG" ;;
        *) die "$usage" ;;
        esac
    done
    shift $((OPTIND - 1))
    [ $# -gt 0 ] || die "$usage"
    cp -L /etc/resolv.conf "$root/etc/resolv.conf"
    # shellcheck disable=SC2086 # no word, or one
    exec unshare --mount --propagation private --pid --fork --kill-child --ipc --uts $alone \
        "$0" inside "$root" "$binds" "$variables" "$alone" "$user" "$@"
}

# Lends a system the packages of the cache, or takes new ones back: share FROM TO. Links where it can. Each
# system has a directory of its own, as apt does not wait for another that has locked it.
share() {
    mkdir -p "$1" "$2"
    find "$1" -maxdepth 1 -name '*.deb' -exec sh -c '
        to=$1
        shift
        cp -ln "$@" "$to" 2>/dev/null || cp -n "$@" "$to"' sh "$2" {} +
}

# The second half of run, in namespaces of its own.
inside() {
    root=$1 binds=$2 variables=$3 alone=$4 user=$5
    shift 5
    hostname bare
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
    if [ "$user" = root ]; then
        home=/root directory=/
        [ ! -d "$root/work" ] || directory=/work
    else
        home=/home/$user directory=/home/$user
    fi
    share "$cache/archives" "$root/var/cache/apt/archives"
    status=0
    # shellcheck disable=SC2086,SC2016 # words are NAME=VALUE; the inner shell expands the rest
    # Not exec: the first shell is process 1 there, and sees to the orphans that daemons are.
    chroot "$root" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        HOME="$home" USER="$user" LOGNAME="$user" LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive $variables \
        sh -c 'cd "$0" && user=$1 && shift && case $user in root) "$@" ;; *) runuser -u "$user" -- "$@" ;; esac' \
        "$directory" "$user" "$@" || status=$?
    share "$root/var/cache/apt/archives" "$cache/archives"
    rm -f "$root"/var/cache/apt/archives/*.deb
    exit $status
}

[ $# -ge 2 ] || die "$usage"
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || die "chroot.sh must be run by root, and there is no sudo"
    exec sudo "CHROOT_CACHE=$cache" "DEBIAN_MIRROR=${DEBIAN_MIRROR:-}" \
        "DEBIAN_SECURITY_MIRROR=${DEBIAN_SECURITY_MIRROR:-}" "http_proxy=${http_proxy:-}" \
        "https_proxy=${https_proxy:-}" "no_proxy=${no_proxy:-}" "$0" "$@"
fi
command=$1
shift
case $command in
make | copy | run | remove | inside) "$command" "$@" ;;
*) die "$usage" ;;
esac
