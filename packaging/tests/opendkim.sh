#!/bin/sh
# Debian's opendkim signs a message and verifies it, with the libmilter that the loader finds.
set -eu

# shellcheck source=packaging/tests/common.sh
. "$(dirname "$0")/common.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

openssl genrsa -out private.pem 2048 2>/dev/null
key=$(openssl rsa -pubout -in private.pem 2>/dev/null | grep -v '^-' | tr -d '\n')
echo "test._domainkey.a.example v=DKIM1; k=rsa; p=$key" >public
printf 'From: ann@a.example\nTo: bob@b.example\nSubject: test\nMessage-ID: <1@a.example>\nDate: Fri, 20 Nov 2026 12:00:00 +0000\n\nhello\n' >message.eml
cat >sign.conf <<END
Mode s
Domain a.example
Selector test
KeyFile $work/private.pem
RequireSafeKeys no
END
# By default mail from this machine is not verified.
cat >verify.conf <<END
Mode v
TestPublicKeys $work/public
InternalHosts 192.0.2.1
AlwaysAddARHeader yes
END

# try CONF OPTIONS...: what opendkim did, as milter-try's JSON document, into report.
try() {
    conf=$1
    shift
    milter-try --linked --json --from ann@a.example "$@" -- /usr/sbin/opendkim -f -x "$conf" -p "{socket}" >report || {
        cat report
        fail "opendkim did not accept the message"
    }
}

# Prints an expression about the message in the report.
about() {
    python3 -c "import json; m = json.load(open('report'))['sessions'][0]['messages'][0]; print($1)"
}

try sign.conf --client 'localhost[127.0.0.1]' message.eml
about "m['delivered']['message']" >signed.eml
grep -q '^DKIM-Signature: ' signed.eml || fail "no signature in: $(cat signed.eml)"
try verify.conf signed.eml
about "m['delivered']['message']" | grep -q 'dkim=pass' || fail "the signature does not hold: $(cat report)"
echo "ok: opendkim signed a message and found the signature good"
