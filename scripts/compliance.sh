#!/bin/sh
# Runs real MTAs with real, unmodified milters on this library: compliance.sh [ARGUMENTS OF CARGO TEST]
#
# Each pair runs with the distribution's libmilter and with this one, and must show the same.
# UPDATE_COMPATIBILITY=1 writes docs/compatibility.md anew from what ran. Installs what building and
# testing need and this machine lacks, and says so first; MTAs and milters are only unpacked below target/.
set -eu

cd "$(dirname "$0")/.."
. scripts/setup.sh

setup build test
exec cargo test -p compliance --no-fail-fast "$@"
