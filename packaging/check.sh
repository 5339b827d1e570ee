#!/bin/sh
# Checks installing and packaging: check.sh install|debian|rpm|alpine
#
#   install   "make install" and cargo-c install the same, and a milter can be built with either
#   debian    packages for Debian, in the place of Debian's libmilter; sizes beside that one's
#   rpm       packages by the spec file
#   alpine    the functions of the APKBUILD
#
# The last three work in Debian chroots below target/packaging (see scripts/chroot.sh), with Debian's
# Rust and, while building, without network. Needs root or sudo for them.
set -eu

cd "$(dirname "$0")/.."
. scripts/setup.sh
top=$PWD/${CARGO_TARGET_DIR:-target}/packaging
case ${CARGO_TARGET_DIR:-} in /*) top=$CARGO_TARGET_DIR/packaging ;; esac
chroots=$top/chroot
mkdir -p "$top"

# The archives, as a chroot's /work/dist.
dist() {
    # Packed fast, not small.
    XZ_OPT=-1 packaging/dist.sh "$top/dist" >/dev/null
    as_root mkdir -p "$1/work"
    as_root cp -r "$top/dist" "$1/work"
}

# A chroot with all that builds and checks packages; debian, rpm and alpine share it.
build_chroot() {
    [ -e "$chroots/build/ready" ] && return
    scripts/chroot.sh make "$chroots/build"
    scripts/chroot.sh run "$chroots/build" sh -ec 'apt-get -q update
        apt-get -q -o Dpkg::Use-Pty=0 install -y --no-install-recommends build-essential cargo-web cpio \
            debhelper fakeroot lintian mandoc pkg-config rpm rpmlint rustc-web
        touch /ready' >"$top/build.log" 2>&1 || {
        tail -n 20 "$top/build.log"
        die "could not make a chroot to build in; all it said is in $top/build.log"
    }
}

# Runs one of packaging/tests in a chroot: in_chroot NAME [-o] TEST
in_chroot() {
    name=$1
    shift
    for script; do :; done
    echo "+ $script in a Debian chroot"
    [ "$1" = -o ] || set -- "" "$1"
    # shellcheck disable=SC2086 # -o or nothing
    scripts/chroot.sh run "$chroots/$name" $1 -b "$PWD/packaging:/packaging" "/packaging/tests/$2"
}

debian() {
    build_chroot
    dist "$chroots/build"
    in_chroot build -o debian-build.sh >"$top/debian-build.log" 2>&1 || {
        tail -n 60 "$top/debian-build.log"
        die "the Debian packages do not build, or lintian finds errors; all output is in $top/debian-build.log"
    }
    grep '^[EW]: ' "$top/debian-build.log" || true
    scripts/chroot.sh make "$chroots/milters"
    scripts/chroot.sh run "$chroots/milters" apt-get -qq update
    as_root mkdir "$chroots/milters/work"
    as_root cp -r "$chroots/build/work/debs" "$chroots/milters/work"
    in_chroot milters debian-replace.sh
    scripts/chroot.sh remove "$chroots/milters"
    in_chroot build debian-rebuild.sh
    in_chroot build sizes.sh
}

rpm() {
    build_chroot
    dist "$chroots/build"
    in_chroot build -o rpm.sh
}

alpine() {
    shellcheck --shell=dash --exclude=SC2034,SC2154 packaging/alpine/APKBUILD
    build_chroot
    dist "$chroots/build"
    in_chroot build -o alpine.sh
}

case ${1:-} in
install)
    setup build lint package
    exec packaging/tests/install.sh "$top"
    ;;
debian | rpm | alpine)
    setup build lint package
    "$1"
    ;;
*) die "usage: check.sh install|debian|rpm|alpine" ;;
esac
