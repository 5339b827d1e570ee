#!/bin/sh
# Checks installing and packaging: check.sh CHECK
#
#   install            "make install" and cargo-c install the same, and a milter can be built with either
#   debian [RELEASE]   packages for Debian 12 (the default), 13 or sid, in the place of its libmilter; sizes
#                      beside that one's
#   cross              packages for 64-bit Arm, made on this machine
#   rpm                packages by the spec file
#   alpine             the functions of the APKBUILD
#   release            what a release asks for notices what is missing
#
# The Debian, RPM and Alpine ones work in Debian chroots below target/packaging (see scripts/chroot.sh), with
# Debian's Rust and, while building, without network. They need root or sudo.
set -eu

cd "$(dirname "$0")/.."
. scripts/setup.sh
top=$PWD/${CARGO_TARGET_DIR:-target}/packaging
case ${CARGO_TARGET_DIR:-} in /*) top=$CARGO_TARGET_DIR/packaging ;; esac
chroots=$top/chroot
mkdir -p "$top"
usage="usage: check.sh install|debian [12|13|sid]|cross|rpm|alpine|release"

# The archives, as a chroot's /work/dist.
dist() {
    # Packed fast, not small. Any address will do, to see that it gets where it belongs.
    packed=$top/dist-$(basename "$1")
    rm -rf "$packed"
    XZ_OPT=-1 UPSTREAM_ADDRESS=https://git.example.org/libmilter packaging/dist.sh "$packed" >/dev/null
    packaging/apkbuild.sh "$packed" >/dev/null
    as_root mkdir -p "$1/work"
    as_root rm -rf "$1/work/dist" "$1/work/packaging" "$1/work/examples-c"
    as_root cp -r "$packed" "$1/work/dist"
    # As packagers get them.
    as_root tar -xf "$packed"/libmilter-*[0-9].tar.xz -C "$1/work" --strip-components=1 --wildcards \
        '*/packaging' '*/examples-c'
}

# A chroot with all that builds and checks packages; debian, rpm and alpine share that of Debian 12.
build_chroot() {
    [ -e "$chroots/build-$1/ready" ] && return
    scripts/chroot.sh make "$chroots/build-$1" "$1"
    # shellcheck disable=SC2016 # for the inner shell to expand
    scripts/chroot.sh run "$chroots/build-$1" sh -ec 'apt-get -q update
        rust="cargo rustc"
        # Of stable releases, what is new enough is made for browsers.
        [ "$0" = sid ] || rust="cargo-web rustc-web libstd-rust-web-dev"
        [ "$0" != bookworm ] || rpm="rpm rpmlint"
        apt-get -q -o Dpkg::Use-Pty=0 install -y --no-install-recommends build-essential cpio debhelper \
            devscripts fakeroot lintian mandoc pkg-config $rust ${rpm:-}
        touch /ready' "$1" >"$top/build-$1.log" 2>&1 || {
        tail -n 20 "$top/build-$1.log"
        die "could not make a chroot to build in; all it said is in $top/build-$1.log"
    }
}

# Runs one of packaging/tests in a chroot: in_chroot NAME [-o] TEST [ARGUMENT]...
in_chroot() {
    name=$1
    offline=
    shift
    [ "$1" != -o ] || {
        offline=-o
        shift
    }
    echo "+ $* in a Debian chroot ($name)"
    script=$1
    shift
    # shellcheck disable=SC2086 # -o or nothing
    scripts/chroot.sh run "$chroots/$name" $offline -b "$PWD/packaging/tests:/packaging/tests" "/packaging/tests/$script" "$@"
}

debian() {
    case ${1:-12} in
    12 | bookworm) suite=bookworm options= ;;
    # Their tests were run for Debian 12.
    13 | trixie) suite=trixie options=nocheck ;;
    sid) suite=sid options=nocheck ;;
    *) die "no release $1: there are 12 (bookworm), 13 (trixie) and sid" ;;
    esac
    build_chroot $suite
    dist "$chroots/build-$suite"
    in_chroot build-$suite -o debian-build.sh $options >"$top/debian-$suite.log" 2>&1 || {
        tail -n 60 "$top/debian-$suite.log"
        die "the Debian packages do not build, or lintian has something to say; all output is in $top/debian-$suite.log"
    }
    grep '^ok: ' "$top/debian-$suite.log"
    scripts/chroot.sh make "$chroots/milters-$suite" $suite
    # What a mirror has today: the chroot to build in may be of last week, and mirrors keep no older versions.
    for chroot in milters build; do
        scripts/chroot.sh run "$chroots/$chroot-$suite" apt-get -qq update
    done
    as_root mkdir "$chroots/milters-$suite/work"
    for part in debs packaging examples-c; do
        as_root cp -r "$chroots/build-$suite/work/$part" "$chroots/milters-$suite/work"
    done
    in_chroot milters-$suite debian-replace.sh
    scripts/chroot.sh remove "$chroots/milters-$suite"
    systemd $suite
    # Sources of sid need not build at any time.
    [ $suite = sid ] || in_chroot build-$suite debian-rebuild.sh
    in_chroot build-$suite sizes.sh
}

# The README's drop-in, with the library of the packages, and systemd as process 1 of a chroot.
systemd() {
    echo "+ systemd.sh in a Debian chroot (systemd-$1)"
    there=$chroots/systemd-$1
    scripts/chroot.sh make "$there" "$1"
    scripts/chroot.sh run "$there" sh -ec 'apt-get -qq update
        apt-get -q -o Dpkg::Use-Pty=0 install -y --no-install-recommends systemd opendkim postfix openssl' >"$top/systemd-$1.log" 2>&1 || {
        tail -n 20 "$top/systemd-$1.log"
        die "could not install systemd, opendkim, Postfix and openssl; all output is in $top/systemd-$1.log"
    }
    as_root dpkg-deb -x "$chroots/build-$1"/work/debs/libmilter-rs1.0.1_*.deb "$there/root/package"
    as_root packaging/tests/systemd.sh "$(cd "$there" && pwd)" README.md
    scripts/chroot.sh remove "$there"
}

cross() {
    build_chroot bookworm
    dist "$chroots/build-bookworm"
    scripts/chroot.sh copy "$chroots/build-bookworm" "$chroots/cross"
    in_chroot cross debian-cross.sh arm64
    scripts/chroot.sh remove "$chroots/cross"
}

rpm() {
    build_chroot bookworm
    dist "$chroots/build-bookworm"
    in_chroot build-bookworm -o rpm.sh
}

alpine() {
    shellcheck --shell=dash --exclude=SC2034,SC2154 packaging/alpine/APKBUILD
    build_chroot bookworm
    dist "$chroots/build-bookworm"
    in_chroot build-bookworm -o alpine.sh
}

# In a copy, as it has to have faults.
release() {
    rm -rf "$top/release"
    mkdir -p "$top/release"
    tar -cf - Cargo.toml mta/Cargo.toml CHANGELOG.md Makefile packaging | tar -xf - -C "$top/release"
    sed -i 's|^repository = ".*"|repository = "https://git.example.org/libmilter"|' "$top/release/Cargo.toml"
    version=$(sed -n '/^\[package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
    sed -i "s/^## \[Unreleased\]/&\n\n## [$version] - 2026-01-01/" "$top/release/CHANGELOG.md"
    "$top/release/packaging/release.sh" || die "release.sh finds faults where there are none"
    for change in 's|^repository = ".*"|repository = ""| Cargo.toml' 's/^version = ".*/version = "9.9.9"/ mta/Cargo.toml' \
        's/^Version: .*/Version: 9.9.9/ packaging/rpm/libmilter-rs.spec'; do
        file=$top/release/${change##* }
        cp "$file" "$top/release/kept"
        sed -i "${change% *}" "$file"
        ! "$top/release/packaging/release.sh" 2>/dev/null || die "release.sh does not notice $change"
        cp "$top/release/kept" "$file"
    done
    echo "ok: no release without the project's address, or with versions that differ"
}

case ${1:-} in
install)
    setup build lint package
    exec packaging/tests/install.sh "$top"
    ;;
debian | cross | rpm | alpine)
    setup build lint package
    "$@"
    ;;
release) release ;;
*) die "$usage" ;;
esac
