#!/bin/sh
# Unpacks Debian or Ubuntu packages with their libraries into a directory; installs nothing.
#
#   unpack.sh ROOT PACKAGE...
#
# A mail server from the distribution would clash with the one a machine already has, so the tests
# run it from ROOT, with `unpack.sh`'s last line of output as LD_LIBRARY_PATH. Libraries that are
# installed already are not fetched. A second call with the same arguments does nothing. ROOT/versions
# says what was unpacked, a package and its version in each line.
#
# The exit status is 3 if the lists of this release are there and lack a package, with a line on standard
# error that names both; 1 if something else is in the way, such as a mirror that cannot be reached.
#
# DEB_CACHE, if set, names a directory that keeps the downloaded files.
set -eu
# Daemons that have changed their user read what it unpacks.
umask 022

fail() {
    echo "unpack.sh: $*" >&2
    exit 1
}

[ $# -ge 2 ] || fail "usage: unpack.sh ROOT PACKAGE..."
root=$1
shift
mirror="can the package mirror be reached? Try apt-get update as root"
command -v apt-get >/dev/null || fail "apt-get not found: these tests need Debian or Ubuntu"

installed() {
    dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed
}

# Library packages that a package depends on itself.
libraries_of() {
    apt-cache depends --important "$1" | sed -n 's/^ [ |]*\(Pre\)\{0,1\}Depends: \(lib[^<>:]*\)$/\2/p'
}

# The given packages and all libraries below them that are not installed. Programs that they depend
# on as well (debconf, adduser) only matter to an installation.
closure() {
    found=
    while [ $# -gt 0 ]; do
        case " $found " in
        *" $1 "*) ;;
        *)
            found="$found $1"
            for library in $(libraries_of "$1"); do
                installed "$library" || set -- "$@" "$library"
            done
            ;;
        esac
        shift
    done
    echo "$found"
}

# apt's sandbox user usually cannot write here; only root may choose another.
download() {
    if [ "$(id -u)" = 0 ]; then
        apt-get -qq -o APT::Sandbox::User=root download "$@"
    else
        apt-get -qq download "$@"
    fi
}

update() {
    if [ "$(id -u)" = 0 ]; then
        apt-get -qq update
    else
        sudo -n apt-get -qq update
    fi
}

# Whether apt's lists, not only what is installed, have a package.
listed() {
    apt-cache madison "$1" | grep -q .
}

fetch() {
    # A new machine has no package lists yet. Every release has this package.
    listed base-files || update || fail "apt-get update failed: $mirror"
    listed base-files || fail "apt has no package lists: $mirror"
    for package; do
        listed "$package" || {
            release=$(sed -n 's/^PRETTY_NAME="\(.*\)"$/\1/p' /etc/os-release)
            echo "no package $package in ${release:-this release}" >&2
            exit 3
        }
    done
    rm -rf "$root.partial"
    mkdir -p "$root.partial"
    debs=${DEB_CACHE:-$root.debs}
    mkdir -p "$debs"
    # shellcheck disable=SC2046 # one word per package
    set -- $(closure "$@")
    # Old lists name versions that the mirror has replaced since.
    (cd "$debs" && { download "$@" || { update && download "$@"; }; }) ||
        fail "apt-get download failed for $*: $mirror"
    # By name, as a cache may hold older versions too; apt names only files it does not find.
    for deb in $(cd / && apt-get -qq --print-uris download "$@" | cut -d ' ' -f 2); do
        dpkg -x "$debs/$deb" "$root.partial"
        # shellcheck disable=SC2016 # for dpkg-deb to expand
        dpkg-deb --show --showformat '${Package} ${Version}\n' "$debs/$deb" >>"$root.partial/versions"
    done
    [ -n "${DEB_CACHE:-}" ] || rm -r "$debs"
    # The loader ignores LD_LIBRARY_PATH for programs that change their group.
    find "$root.partial" -perm /6000 -type f -exec chmod ug-s {} +
    rm -rf "$root"
    mv "$root.partial" "$root"
}

[ -e "$root/versions" ] || fetch "$@"

# Every directory below ROOT that holds a shared library.
find "$root" -name 'lib*.so*' -exec dirname {} + | sort -u | paste -sd : -
