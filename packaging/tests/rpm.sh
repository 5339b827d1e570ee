#!/bin/sh
# In a Debian chroot without network: builds RPM packages from the spec, checks and unpacks them.
#
# Reads /work/dist and /work/packaging. Debian has no packages called rust or cargo of that version, hence --nodeps.
# The tests of the package were run for Debian's already.
set -eu

# shellcheck source=packaging/tests/common.sh
. "$(dirname "$0")/common.sh"

# How well the code is optimised makes no difference here, but minutes.
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16

top=/work/rpm
rm -rf "$top"
mkdir -p "$top/SOURCES"
cp /work/dist/*.tar.xz "$top/SOURCES"
rpmbuild --quiet -bb --nodeps --nocheck --define "_topdir $top" --define "_libdir /usr/lib64" \
    /work/packaging/rpm/libmilter-rs.spec >"$top/log" 2>&1 || {
    tail -n 40 "$top/log"
    fail "rpmbuild failed"
}
cd "$top"/RPMS/*
rpmlint --config /work/packaging/rpm/rpmlint.toml /work/packaging/rpm/libmilter-rs.spec ./*.rpm ||
    fail "rpmlint finds errors"

for rpm in ./*.rpm; do
    rpm2cpio "$rpm" | cpio -id --quiet -D "$top" --make-directories
done
library=$(echo ./libmilter-rs-0*.rpm)
rpm -qp --provides "$library" | grep -q '^libmilter\.so\.1\.0()(64bit)' ||
    fail "$library does not provide what milters require: $(rpm -qp --provides "$library")"
rpm -qp --provides "$library" | grep -q '^bundled(crate(libc)) = [0-9]' || fail "$library does not say what it bundles"
[ "$(readlink "$top/usr/lib64/libmilter.so.1.0")" = libmilter.so.1.0.1 ] || fail "no link libmilter.so.1.0"
# Some releases of rpm put the version behind the name.
missing=$(missing_docs "$(echo "$top"/usr/share/doc/libmilter-rs-devel*)" /work/packaging)
[ -z "$missing" ] || fail "libmilter-rs-devel has no $missing"
echo "ok: $(echo ./*.rpm)"
