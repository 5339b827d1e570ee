#!/bin/sh
# Builds the library and shows an example milter at work: demo.sh [EXAMPLE]
#
# EXAMPLE is disclaimer (the default), rhubarb, gatekeeper or rewrite. It is compiled from examples-c/,
# run with the library just built, and played one message by milter-try, as an MTA would do it. Prints
# the conversation, and as a diff what the milter changed. Installs what building needs and this
# machine lacks, and says so first. In colour on a terminal, unless NO_COLOR is set.
set -eu

cd "$(dirname "$0")/.."
. scripts/setup.sh

example=${1:-disclaimer}
case $example in
disclaimer | rhubarb | gatekeeper | rewrite) ;;
*) die "no example $example: there are disclaimer, rhubarb, gatekeeper and rewrite" ;;
esac

setup build

built=${CARGO_TARGET_DIR:-target}/release
bold='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
    bold=$(printf '\033[1m') plain=$(printf '\033[0m')
fi
# A word as a shell takes it.
quoted() {
    case $1 in
    '' | *[!A-Za-z0-9_./:=@%+,{}-]*) printf "'%s'" "$(printf %s "$1" | sed "s/'/'\\\\''/g")" ;;
    *) printf %s "$1" ;;
    esac
}
# A command, which can be pasted.
show() {
    printf '%s+' "$bold"
    for word; do
        printf ' '
        quoted "$word"
    done
    printf '%s\n' "$plain"
}
run() {
    show "$@"
    "$@"
}
if [ ! -e "$built/libmilter.so" ]; then
    echo "Building the library and milter-try: a minute or two on two processors, 200 MB below ${CARGO_TARGET_DIR:-target}"
fi
run cargo build --release --package libmilter --package milter-mta --lib --bin milter-try
run "${CC:-cc}" -O2 -Wall -Wextra -Iinclude -o "$built/$example" "examples-c/$example.c" -L"$built" -lmilter

# milter-try puts a fresh socket in the place of {socket}; the rest are arguments of the example.
case $example in
disclaimer)
    set -- --macro mail:auth_authen=ada -- \
        "$built/disclaimer" "{socket}" "Example Ltd, registered in Ruritania"
    ;;
rhubarb) set -- -- "$built/rhubarb" "{socket}" rhubarb ;;
gatekeeper) set -- --from seller@spam.example -- "$built/gatekeeper" "{socket}" ;;
rewrite) set -- -- "$built/rewrite" "{socket}" sender@example.org ada@example.com ;;
esac
echo "An MTA hands a message to the milter; after -> stands what the milter answers."
status=0
run "$built/milter-try" "$@" || status=$?
# Up to 13 it is the verdict on the message, and to reject it is gatekeeper's job.
[ "$status" -le 13 ] || exit "$status"

others=
for other in disclaimer rhubarb gatekeeper rewrite; do
    [ "$other" = "$example" ] || others="$others $other"
done
cat <<END

${bold}What to try next$plain
  another example, one of$others:
      scripts/demo.sh ${others##* }
  a message and a milter of your own, as it is installed:
      $built/milter-try message.eml -- /usr/sbin/my-milter -p {socket}
  the tests, side by side with sendmail's library:
      scripts/test.sh
END
