#!/bin/sh
# Passes the whole test-suite: test.sh [ARGUMENTS OF CARGO TEST]
#
# Installs what building and testing need and this machine lacks, and says so first. The tests fetch
# distribution packages (sendmail's libmilter to compare with, MTAs, milters) and unpack them below
# target/ without installing them; all traffic apart from that stays on this machine.
set -eu

cd "$(dirname "$0")/.."
. scripts/setup.sh

setup build test
# One failure must not hide another.
exec cargo test --workspace --no-fail-fast "$@"
