#!/bin/sh
# Passes the whole test-suite: test.sh [ARGUMENTS OF CARGO TEST]
#
# Installs what building and testing need and this machine lacks, and says so first. The tests fetch
# distribution packages (sendmail's libmilter to compare with, MTAs, milters) and unpack them below
# target/ without installing them; all traffic apart from that stays on this machine. Its last line
# is "N passed, N failed, N left out"; the exit status is that of cargo test.
set -eu

cd "$(dirname "$0")/.."
. scripts/setup.sh

setup build test

# What the tests note beside passing and failing, see c-tests/src/notes.rs.
target=${CARGO_TARGET_DIR:-target}
C_TESTS_NOTES=$(target_dir c-tests)/notes
: >"$C_TESTS_NOTES"
# Intermediate results for the next compilation are half of what it writes.
CARGO_INCREMENTAL=${CARGO_INCREMENTAL:-0}
export C_TESTS_NOTES CARGO_INCREMENTAL
[ ! -t 1 ] || export CARGO_TERM_COLOR="${CARGO_TERM_COLOR:-always}"

echo "Compiling and running the tests: about 8 minutes on two processors, less for a selection; 1 GB below $target"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
started=$(date +%s)
# One failure must not hide another.
{ cargo test --workspace --no-fail-fast "$@" 2>&1 || echo $? >"$work/status"; } | tee "$work/log"
status=$(cat "$work/status" 2>/dev/null || echo 0)

seconds=$(($(date +%s) - started))
echo "The tests took $((seconds / 60)) min $((seconds % 60)) s, and $(du -sh "$target" | cut -f 1) below $target"
# Each test once, however often it says so.
awk -F '\t' '$1 == "left out" && !seen[$2]++ { print $1 ": " $2 ": " $3 }' "$C_TESTS_NOTES" | tee "$work/left"
left=$(wc -l <"$work/left")
awk -F '\t' '$1 == "shown true" && !seen[$2]++ { print $1 ": " $2 ": " $3 }' "$C_TESTS_NOTES"
awk -F '\t' '$1 == "played again" { print $1 ": " $2 ": " $3 }' "$C_TESTS_NOTES" | tee "$work/again"
echo "$(wc -l <"$work/again") times the reference library had to play again, as it races with itself"
# What failed, once more, where it is found.
awk '
    /^---- .* stdout ----$/ { shown = 40 }
    /^failures:$/ { shown = 0 }
    shown > 0 { print; shown-- }' "$work/log"
# "test result: ok. 5 passed; 0 failed; 0 ignored; ..." once per test program. A test left out has passed there.
awk -v left="$left" -v status="$status" '
    /^test result: / { passed += $4; failed += $6 }
    END {
        if (status != 0 && failed == 0) {
            print "cargo test did not get to its end; see above"
            failed = 1
        }
        print passed - left " passed, " failed + 0 " failed, " left " left out"
    }' "$work/log"
exit "$status"
