#!/bin/sh
# Installs what cargo built, or removes it again; the Makefile calls this.
#
#   install.sh install BUILT SENDMAIL_VERSION      BUILT: cargo's directory with libmilter.so
#   install.sh uninstall BUILT
#
# The directories come in DESTDIR, PREFIX, EXEC_PREFIX, BINDIR, LIBDIR, INCLUDEDIR, DATADIR, MANDIR,
# DOCDIR, LICENSEDIR and PKGCONFIGDIR, the program to copy with in INSTALL, libraries for static linking in LIBS_PRIVATE.
set -eu

fail() {
    echo "install.sh: $*" >&2
    exit 1
}

# install(1) of all systems knows -d and -m, and nothing else that is needed here.
put() {
    mode=$1
    shift
    # shellcheck disable=SC2086 # a command with arguments
    ${INSTALL:-install} -m "$mode" "$@"
}

# The file behind a SONAME: Debian's libmilter.so.1.0.1 also for Fedora's libmilter.so.1.0, which is
# a link to it there; else of the same name.
file_of() {
    full=libmilter.so.1.0.1
    case $full in
    "$1"*) echo $full ;;
    *) echo "$1" ;;
    esac
}

# The last component of each path that is there: a pattern without a match stands for itself.
names() {
    for path; do
        [ ! -e "$path" ] || basename "$path"
    done
}

# A directory as milter.pc names it: relative to one of its variables, so that a tree that was moved, and
# "pkg-config --define-prefix", need no other file: below DIRECTORY VARIABLE PATH
below() {
    case $3 in
    "$1") echo "\${$2}" ;;
    "${1%/}"/*) echo "\${$2}/${3#"${1%/}"/}" ;;
    *) echo "$3" ;;
    esac
}

pkg_config() {
    sed -e "s|@PREFIX@|$PREFIX|" -e "s|@EXEC_PREFIX@|$(below "$PREFIX" prefix "$EXEC_PREFIX")|" \
        -e "s|@LIBDIR@|$(below "$EXEC_PREFIX" exec_prefix "$LIBDIR")|" \
        -e "s|@INCLUDEDIR@|$(below "$PREFIX" prefix "$INCLUDEDIR")|" -e "s|@VERSION@|$1|" -e "s|@LIBS_PRIVATE@|$LIBS_PRIVATE|" \
        packaging/milter.pc.in
}

install_all() {
    put 755 -d "$bin" "$lib" "$pc" "$include/libmilter" "$share/pkgconfig" "$man/man1" "$man/man3" "$docs" "$licenses"
    put 755 "$built/milter-try" "$bin"
    put 755 "$built/libmilter.so" "$lib/$file"
    for link in "$soname" libmilter.so; do
        [ "$link" = "$file" ] || ln -sf "$file" "$lib/$link"
    done
    put 644 "$built/installed/libmilter.a" "$lib"
    put 644 include/libmilter/*.h "$include/libmilter"
    pkg_config "$1" >"$pc/milter.pc"
    chmod 644 "$pc/milter.pc"
    put 644 packaging/libmilter.pc "$share/pkgconfig"
    # Notices that have to go with what was compiled from the crates.
    put 644 LICENSE-MIT LICENSE-APACHE "$licenses"
    grep -v @ADDRESS@ packaging/debian/copyright >"$licenses/copyright"
    chmod 644 "$licenses/copyright"
    for section in 1 3; do
        for page in $(names man/*.$section); do
            put 644 "man/$page" "$man/man$section"
        done
    done
    while read -r page; do
        put 644 "docs/$page" "$docs"
    done <packaging/installed-docs
    echo "installed $lib/$file; $include/libmilter; $pc/milter.pc; $bin/milter-try"
    [ -n "${DESTDIR:-}" ] || left_to_do
}

# The two commands that make a milter run with it, and what they mean.
left_to_do() {
    cat <<TEXT
Left to do, as root:
    ldconfig                         # the loader learns of $LIBDIR/$file
    systemctl restart MILTER         # each milter that is to use it, opendkim for instance
Where the loader looks into $LIBDIR first, every milter of this machine that asks for $soname runs with
this library once it is restarted: "ldconfig -p | grep libmilter" shows whose comes first. To go back:
make uninstall, and the same two commands.
TEXT
}

uninstall_all() {
    rm -f "$bin/milter-try" "$lib/$file" "$lib/$soname" "$lib/libmilter.so" "$lib/libmilter.a" \
        "$pc/milter.pc" "$share/pkgconfig/libmilter.pc" \
        "$licenses/LICENSE-MIT" "$licenses/LICENSE-APACHE" "$licenses/copyright"
    while read -r page; do
        rm -f "$docs/$page"
    done <packaging/installed-docs
    for directory in "$licenses" "$docs"; do
        [ ! -d "$directory" ] || rmdir "$directory" || true
    done
    for header in $(names include/libmilter/*.h); do
        rm -f "$include/libmilter/$header"
    done
    [ ! -d "$include/libmilter" ] || rmdir "$include/libmilter" || true
    for section in 1 3; do
        for page in $(names man/*.$section); do
            rm -f "$man/man$section/$page"
        done
    done
}

cd "$(dirname "$0")/.."
[ $# -ge 2 ] || fail "usage: install.sh install BUILT SENDMAIL_VERSION | install.sh uninstall BUILT"
built=$2
bin=${DESTDIR:-}$BINDIR
lib=${DESTDIR:-}$LIBDIR
pc=${DESTDIR:-}$PKGCONFIGDIR
include=${DESTDIR:-}$INCLUDEDIR
share=${DESTDIR:-}$DATADIR
man=${DESTDIR:-}$MANDIR
docs=${DESTDIR:-}$DOCDIR
licenses=${DESTDIR:-}$LICENSEDIR
soname=$(cat "$built/libmilter.soname" 2>/dev/null) ||
    fail "$built/libmilter.soname is not there: run make first, with the same TARGET and TARGET_DIR"
file=$(file_of "$soname")
case $1 in
install) install_all "$3" ;;
uninstall) uninstall_all ;;
*) fail "unknown command $1" ;;
esac
