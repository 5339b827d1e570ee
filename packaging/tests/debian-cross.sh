#!/bin/sh
# In a Debian chroot: builds the packages for another architecture: debian-cross.sh ARCHITECTURE
#
# Reads /work/dist and /work/packaging. dpkg's own check of Build-Depends has to be content; what comes out has to be for
# the architecture, with the names of c-tests/symbols.txt.
set -eu

architecture=$1
# shellcheck source=packaging/tests/common.sh
. "$(dirname "$0")/common.sh"
log=/work/cross.log

quietly dpkg --add-architecture "$architecture"
quietly apt-get -q update
quietly apt-get -q -o Dpkg::Use-Pty=0 install -y --no-install-recommends "crossbuild-essential-$architecture" \
    "libstd-rust-web-dev:$architecture" "pkg-config:$architecture"
rm -rf /work/cross
mkdir -p /work/cross
cd /work/cross
unpack
cd "libmilter-$version"
export DEB_BUILD_OPTIONS="nocheck noautodbgsym"
quietly dpkg-buildpackage --no-sign --build=any --host-arch="$architecture" --build-profiles=cross,nocheck
library=$(echo debian/libmilter-rs1.0.1/usr/lib/*/libmilter.so.1.0.1)
readelf -W --dyn-syms "$library" | awk '$5 == "GLOBAL" && !/ UND / && !/ ABS / { print $NF }' | LC_ALL=C sort |
    diff c-tests/symbols.txt - || fail "$library exports other names (above)"
for deb in ../*.deb; do
    [ "$(dpkg-deb -f "$deb" Architecture)" = "$architecture" ] || fail "$deb is for $(dpkg-deb -f "$deb" Architecture)"
done
echo "ok: $(cd .. && echo *.deb): $(readelf -h "$library" | sed -n 's/^ *Machine: *//p')"
