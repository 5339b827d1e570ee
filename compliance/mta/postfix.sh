#!/bin/sh
# A Postfix of one's own on 127.0.0.1: started for one test, stopped and gone after it.
#
#   postfix.sh start DIR PORT [LINE...]    LINE: of main.cf, such as "milter_protocol = 2"; or "chroot":
#                                          smtpd runs in one, as on Debian
#   postfix.sh run   DIR PORT [LINE...]    start, a line "running", and stop when standard input ends
#   postfix.sh stop  DIR
#
# It accepts mail for any recipient but reject@... on PORT and delivers into DIR/mail, one pair of files
# per recipient: N.env (two lines, sender= and recipient=) and then N.eml (the message, LF line ends).
# N.eml appears complete or not at all. DIR/log has what Postfix has to say. DIR/sendmail and
# DIR/postlog are its commands of these names.
#
# Nothing outside DIR is touched. The program comes from the distribution's package, unpacked
# below MTA_ROOT and not installed. Postfix must be started by root, so any other user needs sudo
# without a password prompt. Its unprivileged parts run as the users mail and nobody, which every
# Debian has, so DIR and all above it must be searchable for everyone.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
name=Postfix
packages=postfix
# shellcheck source=compliance/mta/common.sh
. "$here/common.sh"

programs=$MTA_ROOT/usr/lib/postfix/sbin
settings=$dir/settings
queue=$dir/queue
pid_file=$queue/pid/master.pid

# The parents of DIR, down from the root, must let the user nobody pass.
check_reachable() {
    parent=$dir
    while [ "$parent" != / ]; do
        case $(stat -c %A "$parent") in
        *[xt]) ;;
        *) fail "$parent: not searchable for all users, so mail cannot be delivered below it" ;;
        esac
        parent=$(dirname "$parent")
    done
}

make_directories() {
    mkdir -p "$settings" "$dir/state" "$dir/mail" "$queue/pid" "$queue/maildrop" "$queue/public"
    chmod 1777 "$dir/mail"
    for part in active bounce corrupt defer deferred flush hold incoming private saved trace; do
        mkdir -p "$queue/$part"
        chmod 755 "$queue/$part" # whoever runs the tests looks for files there
        chown mail "$queue/$part"
    done
    chmod 700 "$dir/state"
    chown mail "$dir/state"
    # For submission by the sendmail command.
    chown mail:uucp "$queue/maildrop" "$queue/public"
    chmod 1735 "$queue/maildrop"
    chmod 710 "$queue/public"
}

# Where everything is, then who runs it, then how mail flows, then what the caller wants.
main_cf() {
    cat >"$settings/main.cf" <<END
compatibility_level = 3.6
config_directory = $settings
queue_directory = $queue
data_directory = $dir/state
daemon_directory = $programs
command_directory = $MTA_ROOT/usr/sbin
sendmail_path = $MTA_ROOT/usr/sbin/sendmail
shlib_directory = $MTA_ROOT/usr/lib/postfix
meta_directory = $settings
maillog_file = $dir/log
maillog_file_prefixes = $dir
import_environment = LD_LIBRARY_PATH=$LD_LIBRARY_PATH MAIL_CONFIG TZ
export_environment = LD_LIBRARY_PATH=$LD_LIBRARY_PATH MAIL_CONFIG TZ

mail_owner = mail
setgid_group = uucp
default_privs = nobody

myhostname = mx.test.example
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
disable_dns_lookups = yes
# Short ones can be plain numbers, by which the tests would not know them.
enable_long_queue_ids = yes
mydestination =
alias_maps =
alias_database =
local_recipient_maps =
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions = check_recipient_access regexp:$settings/recipients, permit_mynetworks, reject
smtpd_authorized_xclient_hosts = 127.0.0.1
smtpd_discard_ehlo_keywords =
smtpd_tls_security_level = none
smtpd_error_sleep_time = 0
default_transport = files
relay_transport = files
local_transport = files
virtual_transport = files
files_destination_recipient_limit = 1

milter_default_action = tempfail
milter_connect_timeout = 10s
milter_command_timeout = 20s
milter_content_timeout = 60s
END
    # Postfix warns of a setting that comes twice, though the later one counts.
    for line; do
        [ "$line" != chroot ] || continue
        name=${line%%=*}
        sed -i "/^${name%% *} =/d" "$settings/main.cf"
        echo "$line" >>"$settings/main.cf"
    done
}

# service, type, private, unprivileged, chroot, wakeup, processes, program
master_cf() {
    chroot=n
    for line; do
        [ "$line" != chroot ] || chroot=y
    done
    cat <<END
127.0.0.1:$1 inet n - $chroot - - smtpd
postlog unix-dgram n - n - 1 postlogd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
flush unix n - n 1000? 0 flush
showq unix n - n - - showq
files unix - n n - 10 pipe
  flags= user=nobody null_sender= argv=$dir/deliver \${sender} \${recipient}
END
}

# A Postfix command in DIR.
command_script() {
    cat >"$dir/$1" <<END
#!/bin/sh
[ "\$(id -u)" = 0 ] || exec sudo -n "\$0" "\$@"
LD_LIBRARY_PATH=$LD_LIBRARY_PATH MAIL_CONFIG=$settings exec $MTA_ROOT/usr/sbin/$1 "\$@"
END
    chmod 755 "$dir/$1"
}

start() {
    port=$1
    shift
    LD_LIBRARY_PATH=$(fetch | tail -n 1)
    export LD_LIBRARY_PATH MAIL_CONFIG="$settings"
    own
    check_reachable
    make_directories
    : >"$dir/log" # readable for whoever runs the tests
    echo '/^reject@/ 550 5.1.1 No such user here' >"$settings/recipients"
    main_cf "$@"
    master_cf "$port" "$@" >"$settings/master.cf"
    deliver_script
    command_script sendmail
    command_script postlog
    # -w: returns when the servers are ready, or fails.
    "$programs/master" -w -c "$settings" ||
        fail "Postfix did not start on port $port:
$(cat "$dir/log" 2>/dev/null)"
    chmod 644 "$pid_file" # for whoever runs the tests
}

obey "$@"
