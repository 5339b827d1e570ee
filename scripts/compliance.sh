#!/bin/sh
# Runs real MTAs with real, unmodified milters on this library: compliance.sh [ARGUMENTS OF CARGO TEST]
#
# Each pair runs with the distribution's libmilter and with this one, and must show the same.
# UPDATE_COMPATIBILITY=1 writes anew what docs/compatibility.md says of this release. Installs what building
# and testing need and this machine lacks, and says so first; MTAs and milters are only unpacked.
set -eu

cd "$(dirname "$0")/.."
. scripts/setup.sh

setup build test
exec cargo test -p compliance --no-fail-fast "$@"
