#!/bin/sh
# In a Debian chroot: our packages take the place of Debian's libmilter, with its milters installed.
#
# Reads the packages in /work/debs. apt must keep every milter, with nothing left to repair, and go back
# to Debian's library if asked. Between the two, opendkim and a milter in Python filter mail with ours.
set -eu

# All that the release has of these.
known="amavisd-milter clamav-milter libsendmail-milter-perl mimedefang opendkim opendmarc python3-milter spamass-milter"
here=$(dirname "$0")

# shellcheck source=packaging/tests/common.sh
. "$here/common.sh"

install() {
    apt-get -q -o Dpkg::Use-Pty=0 install -y --no-install-recommends "$@" >>/work/apt.log 2>&1 || {
        tail -n 30 /work/apt.log
        fail "apt-get install $* failed"
    }
}

# Name and version of each milter that is installed, sorted.
installed() {
    # shellcheck disable=SC2086 # words are packages
    dpkg-query -W -f '${db:Status-Abbrev}${Package} ${Version}\n' $milters | sed -n 's/^ii *//p'
}

# Whose library the loader finds.
owner() {
    library=$(ldconfig -p | sed -n 's/.*libmilter\.so\.1\.0\.1 .*=> //p')
    dpkg-query -S "$(readlink -f "$library")" | sed 's/:.*//'
}

# What apt would do beyond the commands given must not touch libmilter or a milter.
leaves_alone() {
    apt-get -s "$@" >/work/plan || fail "apt-get $* finds something to repair"
    for package in $milters libmilter1.0.1 libmilter-rs1.0.1; do
        ! grep -E "^(Inst|Remv|Purg) $package " /work/plan || fail "apt-get $* would do that"
    done
}

milters=
for package in $known; do
    ! apt-cache madison "$package" | grep -q . || milters="$milters $package"
done
[ "$(echo "$milters" | wc -w)" -ge 5 ] || fail "the release has only these milters:$milters"

env | grep '^LD_' && fail "an LD_ variable is set"
: >/work/apt.log
# shellcheck disable=SC2086
install $milters openssl python3
before=$(installed)
# shellcheck disable=SC2086
[ "$(echo "$before" | wc -l)" = "$(echo $milters | wc -w)" ] || fail "not all milters got installed: $before"
[ "$(owner)" = libmilter1.0.1 ] || fail "Debian's milters run with $(owner)"

install /work/debs/libmilter-rs1.0.1_*.deb /work/debs/milter-try_*.deb
[ "$(installed)" = "$before" ] || fail "the milters were $before
now they are $(installed)"
[ "$(owner)" = libmilter-rs1.0.1 ] || fail "the loader finds the library of $(owner)"
apt-get -q check >/dev/null || fail "apt-get check"
leaves_alone full-upgrade
leaves_alone autoremove
echo "ok: replaced, all of these kept: $(echo "$before" | tr '\n' ',')"

for program in /usr/sbin/amavisd-milter /usr/sbin/clamav-milter /usr/bin/mimedefang /usr/sbin/opendkim \
    /usr/sbin/opendmarc /usr/sbin/spamass-milter /usr/lib/python3/dist-packages/milter.*.so \
    /usr/lib/*/perl5/*/auto/Sendmail/PMilter/*.so /usr/lib/*/perl5/*/auto/Sendmail/Milter/*.so; do
    [ -e "$program" ] || continue
    # Extensions leave their interpreter's symbols open.
    ldd -r "$program" 2>&1 | grep -E 'undefined symbol: (smfi_|mi_|sm_)|libmilter.*not found' && fail "$program lacks symbols"
    checked="${checked:-} $(basename "$program")"
done
echo "ok: every symbol of libmilter is found for$checked"

"$here/opendkim.sh"
"$here/python-milter.sh"

# The packages' own tests, with what is installed.
install autopkgtest /work/debs/libmilter-rs-dev_*.deb gcc libc6-dev pkgconf
mkdir /work/autopkgtest
cp -r /work/packaging /work/examples-c /work/packaging/debian /work/autopkgtest
autopkgtest --output-dir /work/autopkgtest.out --no-built-binaries /work/autopkgtest -- null >/work/autopkgtest.log 2>&1 || {
    tail -n 40 /work/autopkgtest.log
    fail "the packages' autopkgtest"
}
[ "$(grep -c 'PASS$' /work/autopkgtest.out/summary)" = 2 ] || fail "autopkgtest ran $(cat /work/autopkgtest.out/summary)"
echo "ok: autopkgtest: $(tr -s ' \n' '  ' </work/autopkgtest.out/summary)"

# What docs/packaging.md warns of: sendmail's -dev package brings its library along.
apt-get -qq remove -y libmilter-rs-dev >/dev/null
apt-get -s install libmilter-dev >/work/plan
grep -q '^Remv libmilter-rs1\.0\.1 ' /work/plan || fail "libmilter-dev leaves our library: docs/packaging.md says otherwise"
apt-get -s install /work/debs/libmilter-rs-dev_*.deb >/work/plan
! grep '^Remv ' /work/plan || fail "libmilter-rs-dev removes something"

install libmilter1.0.1
[ "$(installed)" = "$before" ] || fail "going back removed milters"
[ "$(owner)" = libmilter1.0.1 ] || fail "going back left the library of $(owner)"
echo "ok: went back to Debian's library"

# Of the README: what "make install" puts into /usr/local goes before Debian's, and away again.
library=$(dpkg-deb --fsys-tarfile /work/debs/libmilter-rs1.0.1_*.deb | tar -t | grep 'libmilter\.so\.1\.0\.1$')
dpkg-deb --fsys-tarfile /work/debs/libmilter-rs1.0.1_*.deb | tar -xO "$library" >/usr/local/lib/libmilter.so.1.0.1
ldconfig
ldd /usr/sbin/opendkim | grep -q '=> /usr/local/lib/libmilter\.so\.1\.0\.1' || fail "$(ldd /usr/sbin/opendkim | grep milter)"
rm /usr/local/lib/libmilter.so.1.0.1
ldconfig
[ "$(owner)" = libmilter1.0.1 ] || fail "the loader finds the library of $(owner)"
echo "ok: a library in /usr/local/lib goes before Debian's after ldconfig"
