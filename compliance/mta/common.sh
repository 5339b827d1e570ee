# shellcheck shell=sh
# Sourced by postfix.sh and sendmail.sh: their arguments, their rights, and how an MTA comes and goes.
#
# They set `name` (of the MTA) and `packages` before; then `pid_file`, and a function `start` that is
# given PORT and the LINEs; and end with `obey "$@"`.
# shellcheck disable=SC2154 # what they set

script=${0##*/}
unpack=$here/../../c-tests/mta/unpack.sh

# Daemons read as other users, and whoever started the tests may have another one.
umask 022

fail() {
    echo "$script: $*" >&2
    exit 1
}

usage="usage: $script COMMAND DIR [PORT [LINE...]]; the top of $0 lists the commands"
[ $# -ge 2 ] || fail "$usage"
command=$1
dir=${2%/}
[ -n "${MTA_ROOT:-}" ] || fail "MTA_ROOT is not set: name a directory to unpack the packages of $name into"

# The last line is for LD_LIBRARY_PATH.
fetch() {
    # shellcheck disable=SC2086 # words are packages
    "$unpack" "$MTA_ROOT" $packages
}

if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || fail "$name must be started by root, and there is no sudo"
    case $command in
    start | run) fetch >/dev/null ;;
    esac
    exec sudo -n "MTA_ROOT=$MTA_ROOT" "$0" "$@"
fi

# DIR becomes root's, as sendmail writes no pid file into another user's directory; stop gives it back.
own() {
    mkdir -p "$dir"
    chown root "$dir"
    chmod 755 "$dir"
}

# Delivers a message into DIR/mail: arguments sender and recipient.
deliver_script() {
    cat >"$dir/deliver" <<END
#!/bin/sh
umask 022
file=\$(mktemp -p "$dir/mail" XXXXXXXX) && cat >"\$file" && chmod 644 "\$file" || exit 75
printf 'sender=%s\nrecipient=%s\n' "\$1" "\$2" >"\$file.env" && mv "\$file" "\$file.eml"
END
    chmod 755 "$dir/deliver"
}

# Whether it runs, as process $pid.
running() {
    [ -s "$pid_file" ] && read -r pid _ <"$pid_file" && kill -0 "$pid" 2>/dev/null
}

stop() {
    if running; then
        kill "$pid" 2>/dev/null || true
        tries=200
        while kill -0 "$pid" 2>/dev/null && [ $tries -gt 0 ]; do
            sleep 0.05
            tries=$((tries - 1))
        done
        kill -KILL "$pid" 2>/dev/null || true
    fi
    rm -f "$pid_file"
    # So that whoever made DIR can remove it; DIR itself comes last.
    if [ -n "${SUDO_UID:-}" ]; then
        find "$dir" -depth -exec chown -h "$SUDO_UID" {} +
    fi
}

# Until standard input ends; so it is stopped as well when whoever holds the other end is killed.
run() {
    trap stop EXIT
    # Nobody may be left to read the line.
    trap 'exit 1' HUP INT PIPE TERM
    start "$@" </dev/null
    echo running
    cat >/dev/null
}

obey() {
    case $command in
    start | run)
        [ $# -ge 3 ] || fail "$usage"
        ! running || fail "$dir: $name runs here already, process $pid"
        shift 2
        "$command" "$@"
        ;;
    stop) stop ;;
    *) fail "$usage" ;;
    esac
}
