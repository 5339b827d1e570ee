# shellcheck shell=sh
# Sourced by the scripts here.

fail() {
    echo "$(basename "$0"): $*" >&2
    exit 1
}

# quietly COMMAND...: what it says goes to the file $log, and is shown only if it fails.
quietly() {
    "$@" >"${log:?}" 2>&1 || {
        tail -n 40 "$log"
        fail "$* failed"
    }
}

# Unpacks what "make dist" made into the current directory, with debian/ where it belongs, as
# libmilter-$version.
unpack() {
    version=$(sed -n '1s/.*(\(.*\)-.*/\1/p' /work/packaging/debian/changelog)
    tar -xf "/work/dist/libmilter-$version.tar.xz"
    for part in vendor vendor-tests; do
        mkdir "libmilter-$version/$part"
        tar -xf "/work/dist/libmilter-$version-$part.tar.xz" --strip-components=1 -C "libmilter-$version/$part"
    done
    cp -r "libmilter-$version/packaging/debian" "libmilter-$version/debian"
}

# The pages of packaging/installed-docs that are not in a directory, compressed or not.
missing_docs() {
    while read -r page; do
        [ -s "$1/$page" ] || [ -s "$1/$page.gz" ] || echo "$page"
    done <"$2/installed-docs"
}
