#!/bin/sh
# In a Debian chroot without network: builds the packages from what "make dist" made, as a packager would.
#
# Reads /work/dist and /packaging, leaves the packages in /work/debs. Lintian must find no errors.
set -eu

version=$(sed -n '1s/.*(\(.*\)-.*/\1/p' /packaging/debian/changelog)
rm -rf /work/debs
mkdir -p /work/debs
cd /work/debs
cp "/work/dist/libmilter-$version.tar.xz" "libmilter-rs_$version.orig.tar.xz"
cp "/work/dist/libmilter-$version-vendor.tar.xz" "libmilter-rs_$version.orig-vendor.tar.xz"
tar -xf "libmilter-rs_$version.orig.tar.xz"
cd "libmilter-$version"
mkdir vendor
tar -xf "../libmilter-rs_$version.orig-vendor.tar.xz" --strip-components=1 -C vendor
cp -r packaging/debian debian
dpkg-buildpackage --no-sign --build=full
cd ..
rm -rf "libmilter-$version"
lintian --allow-root --info --display-level=">=warning" --fail-on error ./*.changes
