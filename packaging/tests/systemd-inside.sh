#!/bin/sh
# A unit of the systemd that systemd.sh starts runs this: what the README says to do with opendkim, and what it says
# comes of it. The drop-in is in /root/drop-in.conf.
set -eu

fail() {
    echo "systemd-inside.sh: $*"
    exit 1
}

# Which file opendkim has loaded libmilter from, as the README looks.
runs_with() {
    pid=$(systemctl show -P MainPID opendkim)
    grep libmilter "/proc/$pid/maps" | sed 's/.* //' | sort -u | tr '\n' ' '
}

[ "$(cat /proc/1/comm)" = systemd ] || fail "process 1 is $(cat /proc/1/comm)"
systemctl start opendkim
case $(runs_with) in
*/milter-rs/*) fail "opendkim has $(runs_with) without the drop-in" ;;
*libmilter.so.1.0.1*) ;;
*) fail "opendkim has no libmilter: $(runs_with)" ;;
esac

library=$(sed -n 's/^Environment=LD_PRELOAD=//p' /root/drop-in.conf)
package=$(echo /root/package/usr/lib/*/libmilter.so.1.0.1)
install -D -m 644 "$package" "$library"
# Stands for a person: writes the lines where the text that is shown asks for them.
cat >/root/editor <<'EDITOR'
#!/bin/sh
for file; do :; done
sed -i '/^### Anything between here/r /root/drop-in.conf' "$file"
EDITOR
chmod 755 /root/editor
SYSTEMD_EDITOR=/root/editor script -qec "systemctl edit opendkim" /dev/null
[ -e /etc/systemd/system/opendkim.service.d/override.conf ] || fail "systemctl edit wrote no drop-in"
systemd-analyze verify opendkim.service 2>&1 | grep -i override.conf && fail "systemd-analyze verify complains (above)"
systemctl restart opendkim
user=$(stat -c %U "/proc/$(systemctl show -P MainPID opendkim)")
[ "$user" = opendkim ] || fail "the daemon runs as $user: it says nothing about who can read the library"
case $(runs_with) in
*"$library "*) ;;
*) fail "with the drop-in opendkim has $(runs_with)" ;;
esac
echo "ok: systemd $(systemctl --version | sed -n '1s/^systemd \([0-9]*\).*/\1/p'): with the README's drop-in opendkim runs with $library"

systemctl revert opendkim
systemctl restart opendkim
case $(runs_with) in
*"$library "*) fail "after systemctl revert opendkim has $(runs_with)" ;;
esac
echo "ok: systemctl revert goes back"

# A copy that the unit does not see: the loader says so, and the daemon runs with the distribution's.
install -D -m 644 "$package" /home/ann/libmilter.so
mkdir -p /etc/systemd/system/opendkim.service.d
printf '[Service]\nProtectHome=yes\nStandardError=file:/root/complaint\nEnvironment=LD_PRELOAD=/home/ann/libmilter.so\n' \
    >/etc/systemd/system/opendkim.service.d/override.conf
systemctl daemon-reload
systemctl restart opendkim
grep -q 'cannot be preloaded' /root/complaint || fail "the loader says: $(cat /root/complaint)"
case $(runs_with) in
*/home/*) fail "ProtectHome= makes no difference: $(runs_with)" ;;
esac
echo "ok: a library that the unit does not see is complained of, and left out"

# The units of docs/systemd, which only this library can serve: it takes the socket, and says that it is ready.
systemctl stop opendkim
systemctl revert opendkim
install -m 644 /root/units/opendkim.socket /root/units/opendkim.service /etc/systemd/system
sed -i -e '/^Socket\>/d' -e '/^PidFile\>/d' /etc/opendkim.conf
echo 'Socket systemd:dkim' >>/etc/opendkim.conf
systemctl daemon-reload
if systemd-analyze verify opendkim.socket opendkim.service 2>&1 | grep '^/etc/systemd/system/opendkim'; then
    fail "systemd-analyze verify complains (above)"
fi
systemctl start opendkim.socket
socket=/run/opendkim.sock
[ "$(stat -c '%F %a %G' "$socket")" = "socket 660 postfix" ] || fail "$socket: $(stat "$socket")"
if systemctl start opendkim; then
    fail "opendkim starts with the distribution's library"
fi
mkdir -p /etc/systemd/system/opendkim.service.d
cp /root/drop-in.conf /etc/systemd/system/opendkim.service.d/override.conf
systemctl daemon-reload
systemctl reset-failed opendkim
systemctl start opendkim.socket
before=$(stat -c %i "$socket")
# Each of these returns when the filter has said that it serves, or fails.
systemctl start opendkim
first=$(systemctl show -P MainPID opendkim)
systemctl restart opendkim
[ "$(systemctl show -P MainPID opendkim)" != "$first" ] || fail "opendkim was not restarted"
case $(runs_with) in
*"$library "*) ;;
*) fail "with the units opendkim has $(runs_with)" ;;
esac
[ "$(stat -c %i "$socket")" = "$before" ] || fail "the socket did not outlive the filter"
[ "$(systemctl show -P WatchdogUSec opendkim)" = 30s ] || fail "there is no watchdog"
echo "ok: opendkim takes the socket of the units of docs/systemd, says when it is ready, and is restarted behind it"

# Restarted behind Postfix while mail comes in: each message is signed and delivered once, and none put off.
openssl genrsa -out /root/key 2048 2>/dev/null || fail "openssl makes no key"
install -o opendkim -m 400 /root/key /etc/dkimkeys/test.private
printf 'Domain a.example\nSelector test\nKeyFile /etc/dkimkeys/test.private\n' >>/etc/opendkim.conf
systemctl stop opendkim.service opendkim.socket
# What the socket unit has for Debian's Postfix: another socket of the same name.
sed -i 's/^#ListenStream=/ListenStream=/' /etc/systemd/system/opendkim.socket
systemctl daemon-reload
systemctl reset-failed opendkim
systemctl start opendkim.socket
systemctl start opendkim
useradd --no-create-home ann
postconf -e inet_interfaces=127.0.0.1 mydestination=b.example mynetworks=127.0.0.0/8 \
    smtpd_milters=unix:milter/opendkim.sock maillog_file=/var/log/postfix.log
newaliases
systemctl start postfix

accepted() {
    /root/mail-load.pl accepted
}

# Waits until so many more messages were accepted.
flows() {
    wanted=$(($(accepted) + $1)) looks=0
    until [ "$(accepted)" -ge "$wanted" ]; do
        looks=$((looks + 1))
        if [ "$looks" -ge 600 ] || grep '^refused' /root/load.*; then
            fail "mail does not flow: $(tail -n 20 /var/log/postfix.log)"
        fi
        sleep 0.1
    done
}

clients=
for client in 1 2 3 4; do
    /root/mail-load.pl send "$client" &
    clients="$clients $!"
done
for start in 1 2 3 4 5 6 7 8; do
    # Twice as many as may be under way.
    flows 8
    before=$(systemctl show -P MainPID opendkim)
    # It is not that often that a person does so.
    systemctl reset-failed opendkim
    systemctl restart opendkim || fail "restart $start failed: $(systemctl status opendkim)"
    [ "$(systemctl show -P MainPID opendkim)" != "$before" ] || fail "restart $start did nothing"
done
flows 8
: >/root/stop
# shellcheck disable=SC2086 # their numbers
wait $clients
looks=0
until mailq | grep -q 'Mail queue is empty'; do
    looks=$((looks + 1))
    [ "$looks" -lt 600 ] || fail "mail stays in the queue: $(mailq)"
    sleep 0.1
done
/root/mail-load.pl check DKIM-Signature || fail "not all went well (above): $(grep milter /var/log/postfix.log)"
systemctl stop postfix
echo "ok: opendkim is restarted $start times behind Postfix, and $(accepted) messages are accepted, signed and delivered once"

# The template, for another opendkim: started by the first connection, with the library from the file of options.
install -m 644 "/root/units/milter@.socket" "/root/units/milter@.service" /etc/systemd/system
mkdir -p /etc/milter
printf 'Syslog yes\nMode v\n' >/etc/milter/opendkim.conf
printf 'OPTIONS=-f -x /etc/milter/opendkim.conf -p systemd:milter\nLD_PRELOAD=%s\n' "$library" >/etc/milter/opendkim
systemctl daemon-reload
if systemd-analyze verify milter@opendkim.socket milter@opendkim.service 2>&1 | grep '^/etc/systemd/system/milter'; then
    fail "systemd-analyze verify complains (above)"
fi
systemctl start milter@opendkim.socket
socket=/run/milter/opendkim.sock
[ "$(stat -c '%F %a %G' "$socket")" = "socket 660 postfix" ] || fail "$socket: $(stat "$socket")"
systemctl is-active -q milter@opendkim.service && fail "the milter runs before anybody has asked for it"
# Offers a milter all there is, and prints its answer's first letter.
answers() {
    perl -MIO::Socket::UNIX -e '$s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "$!";
        $s->send(pack "NaNNN", 13, "O", 6, 0x1ff, 0x1fffff); $s->recv($answer, 5); print substr $answer, 4' "$socket"
}
[ "$(answers)" = O ] || fail "the milter of the template does not answer: $(systemctl status milter@opendkim.service)"
user=$(stat -c %U "/proc/$(systemctl show -P MainPID milter@opendkim.service)")
[ "$user" = opendkim ] || fail "the milter of the template runs as $user"
before=$(stat -c %i "$socket")
systemctl restart milter@opendkim.service
[ "$(answers)" = O ] || fail "the milter of the template does not answer after a restart"
[ "$(stat -c %i "$socket")" = "$before" ] || fail "the template's socket did not outlive the milter"
# One without a user of its name gets one.
cp /usr/sbin/opendkim /usr/sbin/filter
sed 's/opendkim.conf/filter.conf/' /etc/milter/opendkim >/etc/milter/filter
cp /etc/milter/opendkim.conf /etc/milter/filter.conf
systemctl start milter@filter.socket
socket=/run/milter/filter.sock
[ "$(answers)" = O ] || fail "a milter without a user does not answer: $(systemctl status milter@filter.service)"
[ "$(stat -c %u "/proc/$(systemctl show -P MainPID milter@filter.service)")" -ge 61184 ] || fail "it has no user of its own"
echo "ok: the template's milters are started by a connection, each with its user, and restarted behind their sockets"
: >/root/passed
