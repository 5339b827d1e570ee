#!/bin/bash
# Runs the library under sanitizers: sanitize.sh [long]
#
#   AddressSanitizer   differential sessions and tests of the runtime, and what is not freed at the end
#   ThreadSanitizer    tests of the runtime, with threads held up at random (src/sys/jitter.rs)
#   valgrind           one filter, a few messages: what the two above have no eye for, as memory that was
#                      never written
#   Miri               the tests of src/proto (long: and src/session), if there is a nightly toolchain
#                      with it; one line says so if there is none
#
# For AddressSanitizer the library is compiled by the compiler in use, whose flags for that are open to nightly
# compilers only, and to others with RUSTC_BOOTSTRAP=1, which nothing that is shipped is built with. Rust's
# standard library comes compiled and is watched where it is compiled anew with ours, that is in generic code.
# ThreadSanitizer has to see all of it, as it holds locks: that takes a nightly toolchain with the sources
# (rustup +nightly component add rust-src), and is left out without. The functions of both tools are
# those of GCC, preloaded into the filters, which are compiled as always: what filters do with memory of the
# heap beyond its end or life is not looked at, what they leak is.
#
# "long" runs more of everything. What is reported stays in target/sanitize; nothing is suppressed.
set -euo pipefail

cd "$(dirname "$0")/.."
. scripts/setup.sh
setup build test

long=${1:-}
work=$(target_dir sanitize)
host=$(rustc -vV | sed -n 's/^host: //p')
failed=0

# Newer compilers refuse what is meant here, a standard library without it.
mixed=-Cunsafe-allow-abi-mismatch=sanitizer
RUSTC_BOOTSTRAP=1 rustc $mixed --print cfg >/dev/null 2>&1 || mixed=

# use NAME TOOL: has the tests use that library with the functions of GCC's libTOOL.so.
use() {
    export LIBMILTER_DIR=$work/$1/$host/debug
    C_TESTS_SANITIZER=$(gcc -print-file-name="lib$2.so")
    [ -e "$C_TESTS_SANITIZER" ] || die "gcc has no lib$2.so"
    export C_TESTS_SANITIZER
    reports=$work/reports-$1
    rm -rf "$reports"
    mkdir -p "$reports"
    # Some filters change their user.
    chmod 1777 "$reports"
}

# play TESTS...: runs tests; a report is a failure even where no test sees it.
play() {
    cargo test --quiet --package c-tests -- "$@" || failed=1
    if [ -n "$(ls -A "$reports")" ]; then
        head -n 60 "$reports"/*
        echo "FAILED: $(find "$reports" -type f | wc -l) reports in $reports"
        failed=1
    fi
}

build=(--quiet --locked --target "$host" --package libmilter --lib --crate-type cdylib --crate-type staticlib)
RUSTC_BOOTSTRAP=1 RUSTFLAGS="--cfg sanitized --cfg planted -Zsanitizer=address -Zexternal-clangrt $mixed" \
    cargo rustc --target-dir "$work/address" "${build[@]}"
use address asan
export ASAN_OPTIONS=log_path=$reports/asan:detect_leaks=1:detect_stack_use_after_return=1
echo "AddressSanitizer: differential sessions and the runtime"
# Not those that link the library into the filter, nor those that leave no thread to look for leaks with.
SESSIONS=${long:+1}3000 play sessions::ours_dynamic random:: runtime_mixed:: runtime_closed:: runtime_accept:: \
    runtime_limits:: runtime_timeouts:: ${long:+runtime_stop:: runtime_concurrency:: runtime_scale:: exhaustive::} \
    --skip there_are_no_threads --skip no_thread_at_all --skip runtime_own_threads::
# That what it finds would be seen: one of the bugs that fuzzing is tried on is a leak.
LIBMILTER_PLANTED=ReplyLeaked cargo test --quiet --package c-tests -- sessions::ours_dynamic >/dev/null || true
if grep -qs 'LeakSanitizer: detected memory leaks' "$reports"/*; then
    echo "AddressSanitizer finds the planted leak"
else
    echo "FAILED: AddressSanitizer does not find the planted leak"
    failed=1
fi

if [ -d "$(rustc +nightly --print sysroot 2>/dev/null)/lib/rustlib/src/rust/library" ]; then
    RUSTFLAGS="--cfg sanitized --cfg jitter -Zsanitizer=thread -Zexternal-clangrt" \
        cargo +nightly rustc -Zbuild-std --target-dir "$work/thread" "${build[@]}"
    use thread tsan
    # Left out with "long": what links the library into the filter, and 300 threads within three seconds.
    # What newer compilers call by other names than GCC's functions have.
    cat >"$work/memory.c" <<'EOF'
#include <string.h>
void *__tsan_memcpy(void *to, const void *from, size_t n) { return memcpy(to, from, n); }
void *__tsan_memmove(void *to, const void *from, size_t n) { return memmove(to, from, n); }
void *__tsan_memset(void *to, int byte, size_t n) { return memset(to, byte, n); }
EOF
    gcc -shared -fPIC -O1 -fno-builtin -o "$work/memory.so" "$work/memory.c"
    C_TESTS_SANITIZER=$C_TESTS_SANITIZER:$work/memory.so
    export TSAN_OPTIONS=log_path=$reports/tsan:exitcode=66
    echo "ThreadSanitizer: the runtime under load, with jitter"
    play runtime_mixed:: runtime_stress:: runtime_concurrency:: runtime_timeouts:: runtime_slow:: \
        ${long:+runtime_own_threads:: runtime_stop:: runtime_scale:: --skip runtime_own_threads::leave::
            --skip what_arrives_while_the_process_is_stopped}
else
    echo "left out: ThreadSanitizer: there is no nightly toolchain with rust-src"
fi
unset LIBMILTER_DIR C_TESTS_SANITIZER

cargo build --quiet --release --package libmilter --lib
cargo build --quiet --release --package milter-mta
target=${CARGO_TARGET_DIR:-target}
gcc -O1 -g -pthread -Iinclude -o "$work/rewrite" examples-c/rewrite.c "-L$target/release" -lmilter
echo "valgrind: a filter that changes a message"
MILTER_TRY_LIBRARY=$PWD/$target/release/libmilter.so "$target/release/milter-try" mta/src/bin/milter-try/sample.eml -- \
    valgrind --quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite \
    --log-file="$work/valgrind" "$work/rewrite" '{socket}' old@example.org new@example.org >"$work/milter-try" || failed=1
if [ -s "$work/valgrind" ]; then
    cat "$work/valgrind"
    echo "FAILED: reports of valgrind"
    failed=1
fi

if cargo +nightly miri --version >/dev/null 2>&1; then
    # Random input in small numbers, and not what is about large packets: it is hundreds of times slower than
    # a processor.
    which=(--skip proto::stage::tests)
    [ -z "$long" ] || which=(session::)
    MIRIFLAGS=-Zmiri-disable-isolation PROPTEST_CASES=${long:+6}4 cargo +nightly miri test --quiet --locked \
        --target-dir "$work/miri" --package libmilter --lib -- proto:: "${which[@]}" || failed=1
else
    echo "left out: Miri: there is no nightly toolchain with it (rustup +nightly component add miri)"
fi
exit "$failed"
