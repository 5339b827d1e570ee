#!/bin/sh
# What annocheck and hardening-check ask of programs and libraries, as far as Rust's can have it: hardening.sh FILE...
#
# What they cannot have, and why, is in docs/packaging.md; the last part of this fails once they can.
set -eu

# shellcheck source=packaging/tests/common.sh
. "$(dirname "$0")/common.sh"

for file; do
    readelf -Wl "$file" >/tmp/hardening.segments
    readelf -Wd "$file" >/tmp/hardening.dynamic
    readelf -Wn "$file" >/tmp/hardening.notes
    grep -q 'Type:.*DYN\|Elf file type is DYN' /tmp/hardening.segments || fail "$file is at a fixed address"
    grep -q GNU_RELRO /tmp/hardening.segments || fail "$file: tables of the loader stay writable (no RELRO)"
    grep -q -e BIND_NOW -e 'FLAGS.*NOW' /tmp/hardening.dynamic || fail "$file: names are looked up late (no BIND_NOW)"
    grep 'GNU_STACK' /tmp/hardening.segments | grep -q 'RW ' || fail "$file wants a stack that can be executed"
    ! grep -q 'RWE' /tmp/hardening.segments || fail "$file has memory to write to and to execute"
    ! grep -q -e TEXTREL -e RPATH -e RUNPATH /tmp/hardening.dynamic || fail "$file has TEXTREL, RPATH or RUNPATH"
    grep -q 'Build ID' /tmp/hardening.notes || fail "$file has no build id"
    case $(uname -m),$(cat /tmp/hardening.notes) in
    x86_64,*IBT*) fail "$file is marked for CET now: say so in docs/packaging.md" ;;
    esac
    case $file in
    *.so*)
        readelf -W --dyn-syms "$file" | grep -q ' __stack_chk_fail@' || fail "$file: its C part has no stack protector"
        # None of the functions that fortify replaces is called: nothing to be fortified.
        ! readelf -W --dyn-syms "$file" | grep -E ' UND (gets|strcpy|strcat|sprintf|vsprintf|stpcpy|strncpy|strncat)@' ||
            fail "$file calls a function without bounds"
        ;;
    esac
    echo "ok: $(basename "$file"): position independent, RELRO, BIND_NOW, no executable stack, no RPATH, a build id"
done
