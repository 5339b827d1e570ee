#!/bin/sh
# In a Debian chroot: builds Debian's source of amavisd-milter against our -dev package, and runs it.
#
# Reads the packages in /work/debs. configure, compiler and dpkg-shlibdeps see ours only; the milter must
# come out as Debian's does, and pass a message to a stand-in for amavis and carry out what that says.
set -eu

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

export DEB_BUILD_OPTIONS=nocheck
quietly apt-get -q install -y --no-install-recommends /work/debs/libmilter-rs1.0.1_*.deb \
    /work/debs/libmilter-rs-dev_*.deb /work/debs/milter-try_*.deb python3
mkdir -p /work/rebuild
cd /work/rebuild
quietly apt-get -q build-dep -y --no-install-recommends amavisd-milter
dpkg-query -W -f '${db:Status-Abbrev}' libmilter-dev 2>/dev/null | grep -q ^ii && fail "apt took Debian's libmilter-dev"
quietly apt-get -q -o APT::Sandbox::User=root source amavisd-milter
cd amavisd-milter-*/
quietly dpkg-buildpackage --no-sign --build=binary
grep -i 'milter.*yes' /work/rebuild.log | head -n 5
cd ..

deb=$(echo amavisd-milter_*.deb)
dpkg-deb -f "$deb" Depends | grep -q 'libmilter1\.0\.1' || fail "$deb does not depend on libmilter1.0.1: $(dpkg-deb -f "$deb" Depends)"
dpkg -x "$deb" root
echo "ok: rebuilt $deb, depends on $(dpkg-deb -f "$deb" Depends | grep -o 'libmilter[^,]*')"

cat >amavis.py <<'END'
"""Answers each request (lines of name=value, then an empty one) with a header to add."""
import socket
import sys

with socket.socket(socket.AF_UNIX) as server:
    server.bind(sys.argv[1])
    server.listen()
    while True:
        client, _ = server.accept()
        with client, client.makefile("rwb") as stream:
            request = dict(line.rstrip().split(b"=", 1) for line in iter(stream.readline, b"\n"))
            sender = request.get(b"sender", b"?").decode()
            stream.write(f"addheader=X-Scanned by a stand-in, from {sender}\n".encode())
            stream.write(b"return_value=continue\nexit_code=0\n\n")
END
python3 amavis.py amavis.sock &
amavis=$!
trap 'kill $amavis' EXIT
milter-try --linked -- root/usr/sbin/amavisd-milter -f -p /dev/null -w /tmp -S "$PWD/amavis.sock" -s "{socket}" >session 2>&1 ||
    fail "amavisd-milter did not accept the message: $(cat session)"
grep -q '^+X-Scanned: .*a stand-in, from .*sender@example.org' session || fail "no header was added: $(cat session)"
echo "ok: the rebuilt amavisd-milter filtered a message"
