#!/bin/sh
# In a Debian chroot: builds Debian's source of opendkim against our -dev package, and runs the result.
#
# Reads the packages in /work/debs. apt must take libmilter-rs-dev for the libmilter-dev that the source
# asks for; its configure and dpkg-shlibdeps see no other libmilter.
set -eu

here=$(dirname "$0")

fail() {
    echo "debian-rebuild.sh: $*" >&2
    exit 1
}

quietly() {
    "$@" >/work/rebuild.log 2>&1 || {
        tail -n 40 /work/rebuild.log
        fail "$* failed"
    }
}

export DEB_BUILD_OPTIONS="nocheck noautodbgsym"
rm -rf /work/rebuild
mkdir -p /work/rebuild
cd /work/rebuild
quietly apt-get -q install -y --no-install-recommends /work/debs/libmilter-rs1.0.1_*.deb \
    /work/debs/libmilter-rs-dev_*.deb /work/debs/milter-try_*.deb python3 openssl
quietly apt-get -q build-dep -y --no-install-recommends opendkim
! dpkg-query -W -f '${db:Status-Abbrev}' libmilter-dev 2>/dev/null | grep -q ^ii || fail "apt took Debian's libmilter-dev"
quietly apt-get -q -o APT::Sandbox::User=root source opendkim
cd opendkim-*/
quietly dpkg-buildpackage --no-sign --build=any
grep 'checking for .*\(milter\|smfi_\)' /work/rebuild.log
cd ..

depends=$(dpkg-deb -f opendkim_*.deb Depends)
echo "$depends" | grep -q 'libmilter1\.0\.1 (>= 8\.14\.1)' || fail "the rebuilt opendkim depends on $depends"
quietly apt-get -q install -y --no-install-recommends ./opendkim_*.deb ./libopendkim11*_*.deb
echo "ok: rebuilt $(echo opendkim_*.deb), depends on $(echo "$depends" | grep -o 'libmilter[^,]*')"
"$here/opendkim.sh"
