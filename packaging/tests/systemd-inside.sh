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
# There is no Postfix here.
sed -i 's/^SocketGroup=postfix$/SocketGroup=opendkim/' /etc/systemd/system/opendkim.socket
sed -i -e '/^Socket\>/d' -e '/^PidFile\>/d' /etc/opendkim.conf
echo 'Socket systemd:dkim' >>/etc/opendkim.conf
systemctl daemon-reload
if systemd-analyze verify opendkim.socket opendkim.service 2>&1 | grep '^/etc/systemd/system/opendkim'; then
    fail "systemd-analyze verify complains (above)"
fi
systemctl start opendkim.socket
socket=/run/opendkim/opendkim.sock
[ "$(stat -c '%F %a %G' "$socket")" = "socket 660 opendkim" ] || fail "$socket: $(stat "$socket")"
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
: >/root/passed
