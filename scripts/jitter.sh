#!/bin/sh
# Looks for races: runs tests of the runtime with a library whose threads are held up at random: jitter.sh
#
# JITTER_ROUNDS (1) is how often. What fails here and nowhere else is a window that is too small to be
# met by chance, and will be met on some server.
set -eu

cd "$(dirname "$0")/.."
. scripts/setup.sh
setup build test

target=${CARGO_TARGET_DIR:-target}/jitter
mkdir -p "$target"
target=$(cd "$target" && pwd)
RUSTFLAGS="--cfg jitter" CARGO_TARGET_DIR=$target \
    cargo rustc --quiet --locked --package libmilter --lib --crate-type cdylib --crate-type staticlib

play() {
    LIBMILTER_DIR=$target/debug cargo test --quiet --package c-tests "$@"
}

round=0
while [ "$round" -lt "${JITTER_ROUNDS:-1}" ]; do
    round=$((round + 1))
    play -- runtime_own_threads:: runtime_stop:: runtime_stuck:: runtime_mixed:: runtime_limits:: runtime_timeouts:: \
        runtime_leave:: runtime_fork:: runtime_accept:: runtime_closed:: runtime_slow::
    # The one that is about any timing.
    for _ in 1 2 3 4 5 6 7 8; do
        play runtime_stress::
    done
done
