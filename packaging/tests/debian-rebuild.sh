#!/bin/sh
# In a Debian chroot: builds Debian's source of opendkim against our -dev package, and runs the result.
#
# Reads the packages in /work/debs. apt must take libmilter-rs-dev for the libmilter-dev that the source
# asks for; its configure and dpkg-shlibdeps see no other libmilter.
set -eu

here=$(dirname "$0")

# shellcheck source=packaging/tests/common.sh
. "$here/common.sh"
log=/work/rebuild.log

# The release's source of opendkim. Where the mirror lacks files that its own index names, Debian 12's is built, with
# the release's compiler and libraries.
fetch_source() {
    ! apt-get -q -o APT::Sandbox::User=root source opendkim >"$log" 2>&1 || return 0
    grep -q '404  Not Found' "$log" || {
        cat "$log"
        fail "apt-get source opendkim failed"
    }
    lacking=$(grep -c '^E: Failed to fetch .*404' "$log")
    older=/etc/apt/sources.list.d/older.list
    sed -n 's|^deb-src \(.*/debian/*\) [a-z]* main$|deb-src \1 bookworm main|p' /etc/apt/sources.list >$older
    quietly apt-get -q update
    version=$(apt-cache madison opendkim | awk '/bookworm.* Sources/ { print $3 }')
    quietly apt-get -q -o APT::Sandbox::User=root source "opendkim=$version"
    rm $older
    echo "the mirror lacks $lacking files of the release's opendkim: building $version"
    # An error since GCC 14.
    export DEB_CFLAGS_APPEND=-Wno-error=incompatible-pointer-types
}

export DEB_BUILD_OPTIONS="nocheck noautodbgsym"
rm -rf /work/rebuild
mkdir -p /work/rebuild
cd /work/rebuild
quietly apt-get -q install -y --no-install-recommends /work/debs/libmilter-rs1.0.1_*.deb \
    /work/debs/libmilter-rs-dev_*.deb /work/debs/milter-try_*.deb python3 openssl
quietly apt-get -q build-dep -y --no-install-recommends opendkim
! dpkg-query -W -f '${db:Status-Abbrev}' libmilter-dev 2>/dev/null | grep -q ^ii || fail "apt took Debian's libmilter-dev"
fetch_source
cd opendkim-*/
quietly dpkg-buildpackage --no-sign --build=any
grep 'checking for .*\(milter\|smfi_\)' /work/rebuild.log
cd ..

depends=$(dpkg-deb -f opendkim_*.deb Depends)
echo "$depends" | grep -q 'libmilter1\.0\.1 (>= 8\.14\.1)' || fail "the rebuilt opendkim depends on $depends"
quietly apt-get -q install -y --no-install-recommends ./opendkim_*.deb ./libopendkim11*_*.deb
echo "ok: rebuilt $(echo opendkim_*.deb), depends on $(echo "$depends" | grep -o 'libmilter[^,]*')"
"$here/opendkim.sh"
