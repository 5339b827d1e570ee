#!/bin/sh
# The README's drop-in and the units of docs/systemd, tried with systemd as process 1 of a Debian chroot:
# systemd.sh DIRECTORY README
#
# DIRECTORY is a system made by scripts/chroot.sh, with systemd, opendkim, postfix and openssl, and the files of our
# package in /root/package. Run as root.
# systemd gets namespaces and a control group of its own, and nothing of the machine but these. What it does there
# says systemd-inside.sh.
set -eu

[ "$1" = alone ] || exec unshare --mount --propagation private "$0" alone "$@"
shift

# shellcheck source=packaging/tests/common.sh
. "$(dirname "$0")/common.sh"
root=$1
readme=$2

# The two lines that are to be written into the drop-in.
sed -n 's/^#   \(\[Service\]\|Environment=.*\)$/\1/p' "$readme" >"$root/root/drop-in.conf"
[ "$(wc -l <"$root/root/drop-in.conf")" = 2 ] || fail "$readme has no drop-in"
cp "$(dirname "$0")/systemd-inside.sh" "$root/root/inside.sh"
cp "$(dirname "$0")/mail-load.pl" "$root/root"
rm -rf "$root/root/units"
cp -r "$(dirname "$readme")/docs/systemd" "$root/root/units"
rm -f "$root/root/said" "$root/root/passed"
cat >"$root/etc/systemd/system/inside.service" <<UNIT
[Unit]
Requires=basic.target
After=basic.target
SuccessAction=exit
FailureAction=exit

[Service]
Type=oneshot
ExecStart=/bin/sh /root/inside.sh
StandardOutput=file:/root/said
StandardError=file:/root/said
TimeoutStartSec=300
UNIT
printf '[Unit]\nRequires=inside.service\nAfter=inside.service\n' >"$root/etc/systemd/system/inside.target"

# Whatever this machine has mounted of control groups.
hierarchy=$(mktemp -d)
mount -t cgroup2 cgroup2 "$hierarchy"
group=$hierarchy/libmilter-systemd-$$
mkdir "$group"
trap 'find "$group" -depth -type d -exec rmdir {} \; && umount "$hierarchy" && rmdir "$hierarchy"' EXIT
# shellcheck disable=SC2016 # for the inner shell to expand
sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$group" \
    timeout 400 unshare --cgroup --mount --propagation private --net --ipc --uts --pid --fork --kill-child sh -ec '
    mount --bind "$0" "$0"
    cd "$0"
    mount -t proc proc proc
    mount -t sysfs -o ro sysfs sys
    mount -t cgroup2 cgroup2 sys/fs/cgroup
    mount -t tmpfs -o mode=755 tmpfs run
    mount -t tmpfs -o mode=755 tmpfs dev
    mkdir dev/shm dev/pts
    mount -t tmpfs -o mode=1777 tmpfs dev/shm
    mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
    ln -s pts/ptmx dev/ptmx
    for device in null zero full random urandom tty; do
        : >"dev/$device"
        mount --bind "/dev/$device" "dev/$device"
    done
    pivot_root . mnt
    exec chroot . sh -c "umount -l /mnt && exec env -i container=chroot PATH=/usr/sbin:/usr/bin:/sbin:/bin \
        /lib/systemd/systemd --log-target=console --unit=inside.target"
' "$root" </dev/null >"$root/root/systemd.log" 2>&1 || true
[ -e "$root/root/passed" ] || {
    tail -n 20 "$root/root/systemd.log"
    cat "$root/root/said" || true
    fail "the drop-in or the units do not do what the documentation says"
}
grep '^ok: ' "$root/root/said"
