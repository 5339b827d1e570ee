#!/bin/sh
# Cargo runs rustc by this (.cargo/config.toml): what is built for others names no directory of its builder.
#
# Debug information and the messages of panics have names of source files in them, which begin with homes
# and build directories otherwise. Cargo cannot name these to rustc by itself: profile.trim-paths is not
# stable. Builds that are not optimised keep their paths, which debuggers of developers look up.
# A RUSTC_WRAPPER of the environment takes the place of this; it has to see to the paths then.
set -eu

# Some shells, dash among them, forget variables with hyphens in their names; cargo has some of these for tests
# of programs (CARGO_BIN_EXE_milter-try). Such shells are Linux's, where /proc remembers.
if [ -n "${CARGO_TARGET_TMPDIR:-}" ] && [ -r "/proc/$$/environ" ]; then
    variables=$(tr '\0' '\n' <"/proc/$$/environ" | sed -n 's/^\(CARGO_BIN_EXE_[^=]*-[^=]*\)=.*/\1/p')
    for variable in $variables; do
        set -- "$variable=$(tr '\0' '\n' <"/proc/$$/environ" | sed -n "s/^$variable=//p")" "$@"
    done
    [ -z "$variables" ] || set -- env "$@"
fi

case " $* " in
*" opt-level="*) ;;
*) exec "$@" ;;
esac

# The last that matches counts.
home=${HOME:-}
home=${home%/}
[ -z "$home" ] || set -- "$@" "--remap-path-prefix=$home=/usr/src/home"
case " $* " in
*" --cap-lints "*)
    # A crate from elsewhere; the same name wherever it comes from.
    set -- "$@" "--remap-path-prefix=$CARGO_MANIFEST_DIR=/usr/src/crates/$CARGO_PKG_NAME-$CARGO_PKG_VERSION"
    ;;
*) set -- "$@" "--remap-path-prefix=$(pwd -P)=/usr/src/libmilter" ;;
esac
[ -z "${OUT_DIR:-}" ] || set -- "$@" "--remap-path-prefix=$OUT_DIR=/usr/src/generated"
exec "$@"
