#!/bin/sh
# A sendmail of one's own on 127.0.0.1: started for one test, stopped and gone after it.
#
#   sendmail.sh start DIR PORT [LINE...]    LINE: of the .mc file, such as an INPUT_MAIL_FILTER
#   sendmail.sh run   DIR PORT [LINE...]    start, a line "running", and stop when standard input ends
#   sendmail.sh held  DIR                   says why messages are quarantined, a line for each
#   sendmail.sh stop  DIR
#
# It accepts mail for any recipient on PORT, except reject@... (refused by a rule; filters do not hear of
# it) and unknown@... (refused as an unknown user; filters that ask for rejected recipients hear of it).
# It delivers into DIR/mail, one pair of files per recipient: N.env (two lines, sender= and recipient=)
# and then N.eml (the message, LF line ends), before it says that it has accepted a message. DIR/log has
# what it has to say. DIR/sendmail is the sendmail command.
#
# Nothing outside DIR is touched. The program comes from the distribution's packages, unpacked below
# MTA_ROOT and not installed. It must be started by root, so any other user needs sudo without
# a password prompt. DIR and all above it must be searchable for everyone.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
name=sendmail
packages="sendmail-bin sendmail-cf m4"
# shellcheck source=compliance/mta/common.sh
. "$here/common.sh"

program=$MTA_ROOT/usr/libexec/sendmail/sendmail
macros=$MTA_ROOT/usr/share/sendmail/cf
pid_file=$dir/pid

# Where everything is, how mail flows, then what the caller wants.
mc() {
    cat <<END
divert(0)dnl
OSTYPE(\`linux')dnl
undefine(\`ALIAS_FILE')dnl
define(\`confDOMAIN_NAME', \`mx.test.example')dnl
define(\`QUEUE_DIR', \`$dir/queue')dnl
define(\`STATUS_FILE', \`$dir/statistics')dnl
define(\`HELP_FILE', \`')dnl
define(\`confCONTROL_SOCKET_NAME', \`')dnl
define(\`confPID_FILE', \`$pid_file')dnl
define(\`confSERVICE_SWITCH_FILE', \`$dir/services')dnl
define(\`confDEF_USER_ID', \`65534:65534')dnl
define(\`confTO_IDENT', \`0')dnl
define(\`confDONT_PROBE_INTERFACES', \`True')dnl
dnl Delivered means delivered when the client is told so.
define(\`confDELIVERY_MODE', \`interactive')dnl
dnl A busy machine is no reason to queue or to refuse.
define(\`confQUEUE_LA', \`99999')dnl
define(\`confREFUSE_LA', \`99999')dnl
define(\`confLOG_LEVEL', \`10')dnl
define(\`confMILTER_LOG_LEVEL', \`22')dnl
dnl Sockets of filters are below /tmp.
define(\`confDONT_BLAME_SENDMAIL', \`GroupWritableDirPathSafe,TrustStickyBit')dnl
FEATURE(\`no_default_msa')dnl
FEATURE(\`nouucp', \`nospecial')dnl
FEATURE(\`nocanonify')dnl
FEATURE(\`relay_entire_domain')dnl
FEATURE(\`accept_unresolvable_domains')dnl
FEATURE(\`accept_unqualified_senders')dnl
DAEMON_OPTIONS(\`Name=MTA, Family=inet, Addr=127.0.0.1, Port=$1')dnl
define(\`MAIL_HUB', \`files:hub')dnl
define(\`SMART_HOST', \`files:hub')dnl
END
    shift
    [ $# = 0 ] || printf '%s\n' "$@"
    cat <<END
MAILER_DEFINITIONS
Mfiles,	P=$dir/deliver, F=lnquDFM9, S=EnvFromSMTP/HdrFromSMTP, R=EnvToSMTP,
	U=65534:65534, T=DNS/RFC822/X-Unix, A=deliver \$g \$u
Mnouser,	P=/bin/false, F=lnquw, U=65534:65534, A=false
MAILER(\`smtp')dnl
LOCAL_RULE_0
Runknown < @ \$+ > \$*	\$#nouser \$: unknown-user
LOCAL_RULESETS
SLocal_check_rcpt
R\$* reject @ \$*	\$#error \$@ 5.1.1 \$: "550 5.1.1 No such user here"
END
}

sendmail_script() {
    cat <<END
#!/bin/sh
[ "\$(id -u)" = 0 ] || exec sudo -n "\$0" "\$@"
LD_LIBRARY_PATH=$libraries LD_PRELOAD=$dir/shim.so exec $program -C $dir/sendmail.cf "\$@"
END
}

# Whether anything listens on a port of 127.0.0.1; to connect would be a session in its log.
listens() {
    grep -q ": 0100007F:$(printf %04X "$1") 00000000:0000 0A" /proc/net/tcp
}

start() {
    libraries=$(fetch | tail -n 1)
    own
    mkdir -p "$dir/mail" "$dir/queue"
    chmod 1777 "$dir/mail"
    chmod 700 "$dir/queue"
    : >"$dir/log" # readable for whoever runs the tests
    : >"$dir/statistics"
    # No DNS, no NIS.
    printf 'hosts\tfiles\naliases\tfiles\n' >"$dir/services"
    mc "$@" >"$dir/sendmail.mc"
    LD_LIBRARY_PATH=$libraries "$MTA_ROOT/usr/bin/m4" -D_CF_DIR_="$macros/" "$macros/m4/cf.m4" \
        "$dir/sendmail.mc" >"$dir/sendmail.cf" || fail "m4 cannot make $dir/sendmail.cf"
    "${CC:-cc}" -shared -fPIC -O1 "-DLOG_FILE=\"$dir/log\"" -o "$dir/shim.so" "$here/sendmail_shim.c"
    deliver_script
    sendmail_script >"$dir/sendmail"
    chmod 755 "$dir/sendmail"
    (cd "$dir" && ./sendmail -bd) || fail "sendmail did not start on port $1:
$(cat "$dir/log")"
    # The file with its process id comes some milliseconds before its socket listens.
    tries=200
    until [ -s "$pid_file" ] && listens "$1"; do
        [ $tries -gt 0 ] || fail "sendmail did not start on port $1:
$(cat "$dir/log")"
        sleep 0.05
        tries=$((tries - 1))
    done
    chmod 644 "$pid_file" # for whoever runs the tests
}

held() {
    find "$dir/queue" -name 'hf*' -exec sed -n 's/^q//p' {} + | sort
}

if [ "$command" = held ]; then
    held
else
    obey "$@"
fi
