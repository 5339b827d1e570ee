#!/bin/sh
# Builds the library and shows an example milter at work: demo.sh [EXAMPLE]
#
# EXAMPLE is disclaimer (the default), rhubarb, gatekeeper or rewrite. It is compiled from examples-c/,
# run with the library just built, and played one message by milter-try, as an MTA would do it. Prints
# the conversation, and as a diff what the milter changed. Installs what building needs and this
# machine lacks, and says so first.
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
run() {
    echo "+ $*"
    "$@"
}
run cargo build --release --package libmilter --package milter-mta
run "${CC:-cc}" -O2 -Wall -Wextra -Iinclude -o "$built/$example" "examples-c/$example.c" -L"$built" -lmilter

# milter-try puts a fresh socket in the place of {socket}; the rest are arguments of the example.
status=0
case $example in
disclaimer)
    run "$built/milter-try" --macro mail:auth_authen=ada -- \
        "$built/disclaimer" "{socket}" "Example Ltd, registered in Ruritania" || status=$?
    ;;
rhubarb) run "$built/milter-try" -- "$built/rhubarb" "{socket}" rhubarb || status=$? ;;
gatekeeper)
    run "$built/milter-try" --from seller@spam.example -- \
        "$built/gatekeeper" "{socket}" || status=$?
    ;;
rewrite)
    run "$built/milter-try" -- \
        "$built/rewrite" "{socket}" sender@example.org ada@example.com || status=$?
    ;;
esac
# Up to 13 it is the verdict on the message, and to reject it is gatekeeper's job.
[ "$status" -le 13 ] || exit "$status"
