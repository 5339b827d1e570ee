#!/bin/sh
# In a Debian chroot without network: builds the packages from what "make dist" made, as a packager would.
#
#   debian-build.sh [OPTIONS FOR DEB_BUILD_OPTIONS]
#
# Reads /work/dist and /work/packaging, leaves the packages in /work/debs. Lintian must have nothing to say but what
# is overridden with a reason.
set -eu

# shellcheck source=packaging/tests/common.sh
. "$(dirname "$0")/common.sh"

rm -rf /work/debs
mkdir -p /work/debs
cd /work/debs
unpack
for part in '' -vendor -vendor-tests; do
    cp "/work/dist/libmilter-$version$part.tar.xz" "libmilter-rs_$version.orig$part.tar.xz"
done
cd "libmilter-$version"
DEB_BUILD_OPTIONS="$*" dpkg-buildpackage --no-sign --build=full
"$(dirname "$0")/hardening.sh" debian/libmilter-rs1.0.1/usr/lib/*/libmilter.so.1.0.1 debian/milter-try/usr/bin/milter-try
missing=$(missing_docs debian/libmilter-rs-dev/usr/share/doc/libmilter-rs-dev packaging)
[ -z "$missing" ] || fail "libmilter-rs-dev has no $missing"
cd ..
rm -rf "libmilter-$version"
# Some questions depend on the release, so that an override would be called unused in another one: whether its
# standards and watch files are newer or older than the package's, and words it finds where strings of Rust, which have no
# NUL between them, follow each other ("protocol" and a list of letters).
lintian --suppress-tags newer-standards-version,out-of-date-standards-version,older-debian-watch-file-standard,spelling-error-in-binary \
    --allow-root --info --display-info \
    --show-overrides ./*.changes >lintian.log || true
cat lintian.log
if grep '^[EWI]: ' lintian.log || ! grep -q '^O: ' lintian.log; then
    fail "lintian has more to say (E, W, I) than is overridden, or nothing at all"
fi
# shellcheck disable=SC2016 # for dpkg-query to expand
echo "ok: lintian $(dpkg-query -W -f '${Version}' lintian) at level I: $(grep -c '^O: ' lintian.log) tags, each overridden with its reason"
