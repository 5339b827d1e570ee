#!/bin/bash
# Fuzzes the protocol: fuzz.sh [MINUTES [TARGET...]]
#
# Without arguments what CI does: a minute of each target of fuzz/src/lib.rs, beginning with the inputs in
# fuzz/corpus, which must find nothing; then each bug of src/proto/planted.rs is turned on, one by one, and
# the targets it is for must find it within their minute. With MINUTES so long for each target (or those
# named), one after the other, and no planted bugs; new inputs are kept in target/fuzz/corpus. With 0
# minutes only fuzz/corpus is written anew: what it and target/fuzz/corpus have, less what adds nothing.
#
# What is found stays in target/fuzz/found: FUZZ_SHOW=1 target/fuzz/x86_64-*/release/TARGET FILE plays it again.
#
# Stable Rust is enough, as the engine (libFuzzer) comes as a crate, and LLVM's counters are flags of rustc
# that are stable. FUZZ_SECONDS (60) is the minute; FUZZ_DIFFERENTIAL=no leaves that target out.
set -euo pipefail

cd "$(dirname "$0")/.."
. scripts/setup.sh
setup build test

seconds=${FUZZ_SECONDS:-60}
planted=yes
if [ $# -gt 0 ]; then
    case $1 in '' | *[!0-9]*) die "not a number of minutes: $1" ;; esac
    seconds=$(($1 * 60)) planted=no
    shift
fi
targets=("$@")
if [ $# = 0 ]; then
    targets=(session differential frames macros replies conn_spec)
    [ "${FUZZ_DIFFERENTIAL:-yes}" = yes ] || targets=(session frames macros replies conn_spec)
fi

work=$(target_dir fuzz)
unset CARGO_TARGET_DIR LIBMILTER_PLANTED
host=$(rustc -vV | sed -n 's/^host: //p')
bin=$work/$host/release
found=$work/found
rm -rf "$found"
mkdir -p "$found"
# Paths of sockets are short.
temporary=$(mktemp -d /tmp/fuzz-XXXXXX)
trap 'rm -rf "$temporary"' EXIT

# Beside what is fuzzed only: build scripts need no counters, and get none with --target.
counters="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1"
features=()
case " ${targets[*]} " in
*" differential "*)
    features=(--features differential)
    # The library that the filter of the differential target loads.
    RUSTFLAGS="--cfg planted" cargo rustc --quiet --locked --target-dir "$work/library" \
        --package libmilter --lib --crate-type cdylib --crate-type staticlib
    export LIBMILTER_DIR=$work/library/debug
    ;;
esac
RUSTFLAGS="$counters --cfg planted" cargo build --quiet --locked --release --manifest-path fuzz/Cargo.toml \
    --target-dir "$work" --target "$host" "${features[@]}"

# fuzz NAME TARGET ARGUMENTS...: its status; what it says is in $found/NAME.log.
fuzz() {
    local name=$1 target=$2 pid status=0
    shift 2
    # In a process group of its own, which the filters of the differential target do not outlive.
    set -m
    # The bounds for one input are far above what any takes.
    TMPDIR=$temporary "$bin/$target" -timeout=60 -rss_limit_mb=1024 -max_len=600 \
        -artifact_prefix="$found/$name-" "$@" >"$found/$name.log" 2>&1 &
    pid=$!
    set +m
    wait "$pid" || status=$?
    kill -KILL -- "-$pid" 2>/dev/null || true
    return "$status"
}

# unpack TARGET: the inputs in the repository, one in base64 a line, as files.
unpack() {
    mkdir -p "$temporary/corpus/$1"
    directory=$temporary/corpus/$1 perl -MMIME::Base64 -ne \
        'open F, ">", sprintf "%s/%04d", $ENV{directory}, $.; print F decode_base64($_); close F' "fuzz/corpus/$1.txt"
}

# pack TARGET: the other way, with what was found since, as far as it adds something.
pack() {
    mkdir -p "$work/corpus/$1" "$temporary/pack"
    fuzz pack "$1" -merge=1 -set_cover_merge=1 "$(mktemp -d "$temporary/pack/$1-XXXXXX")" \
        "$temporary/corpus/$1" "$work/corpus/$1"
    perl -MMIME::Base64 -e 'undef $/;
        print map { encode_base64($_, "") . "\n" } sort { length $a <=> length $b or $a cmp $b }
            grep { length } map { open F, "<", $_ or die; <F> } @ARGV' "$temporary/pack/$1"-*/* >"fuzz/corpus/$1.txt"
    echo "$1: $(wc -l <"fuzz/corpus/$1.txt") inputs"
}

# clean TARGET: must find nothing.
# shellcheck disable=SC2317 # called below, by name
clean() {
    local target=$1 start=$SECONDS new=$work/corpus/$1
    # New inputs are written to the first directory.
    [ "$planted" = no ] || new=$(mktemp -d "$temporary/new-XXXXXX")
    mkdir -p "$new"
    if fuzz "$target" "$target" -max_total_time="$seconds" "$new" "$temporary/corpus/$target"; then
        echo "$target: $(sed -n 's/^Done \([0-9]*\) runs.*/\1/p' "$found/$target.log") runs in $((SECONDS - start)) s"
    else
        sed -n '/panicked at/,$p' "$found/$target.log" | head -20
        echo "FAILED: $target, see $found/$target.log and the input beside it"
        return 1
    fi
}

# finds BUG TARGET: must find it.
# shellcheck disable=SC2317 # called below, by name
finds() {
    local bug=$1 target=$2 start=$SECONDS status=0
    LIBMILTER_PLANTED=$bug fuzz "$target-$bug" "$target" -max_total_time="$seconds" \
        "$(mktemp -d "$temporary/new-XXXXXX")" "$temporary/corpus/$target" || status=$?
    # 77 is what a panic ends in.
    if [ "$status" = 77 ] && grep -q 'panicked at' "$found/$target-$bug.log"; then
        echo "$target finds $bug in $((SECONDS - start)) s"
    else
        echo "FAILED: $target does not find $bug (status $status)"
        return 1
    fi
}

# in_pairs COMMAND LINE...: two at a time; fails if one does.
in_pairs() {
    # shellcheck disable=SC2016 # for the inner shell to expand
    printf '%s\0' "$@" | xargs -0 -n 1 -P 2 bash -c '$0'
}
export work bin found seconds planted temporary
export -f fuzz clean finds

for target in "${targets[@]}"; do unpack "$target"; done
failed=0
if [ "$seconds" = 0 ]; then
    for target in "${targets[@]}"; do pack "$target"; done
    exit
fi
if [ "$planted" = no ]; then
    for target in "${targets[@]}"; do clean "$target" || failed=1; done
    exit "$failed"
fi
in_pairs "${targets[@]/#/clean }" || failed=1
# "/// TARGET TARGET: what it is", and the name in the line below.
mapfile -t bugs < <(sed -n '/^bugs! {/,/^}/p' src/proto/planted.rs | awk '
    $1 == "///" { line = $0; sub(/^ *\/\/\/ /, "", line); sub(/:.*/, "", line); next }
    /^ *[A-Za-z]+,$/ { name = $1; sub(/,/, "", name); n = split(line, t, " "); for (i = 1; i <= n; i++) print name, t[i] }')
lines=()
for line in "${bugs[@]}"; do
    case " ${targets[*]} " in *" ${line#* } "*) lines+=("finds $line") ;; esac
done
[ ${#lines[@]} -ge 10 ] || die "only ${#lines[@]} planted bugs in src/proto/planted.rs were understood"
in_pairs "${lines[@]}" || failed=1
[ "$failed" = 1 ] || rm -rf "$found"
exit "$failed"
