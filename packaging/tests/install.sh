#!/bin/sh
# "make install" and cargo-c install the same, under every SONAME: install.sh DIRECTORY
#
# A C milter is built against each tree with pkg-config, shared and static, and run.
set -eu

cd "$(dirname "$0")/../.."
top=$1
tree=$top/tree
unset CARGO_TARGET_DIR

# The newest that the Rust in use compiles; later ones need a later Rust.
cargo_c=0.10.24+cargo-0.98.0
cache=${XDG_CACHE_HOME:-$HOME/.cache}/libmilter-ci/cargo-c-$cargo_c

# shellcheck source=packaging/tests/common.sh
. packaging/tests/common.sh
log=$top/install.log

with_make() {
    make TARGET_DIR="$top/make" PREFIX=/usr LIBDIR=/usr/lib64 "$@"
}

# As cargo sees $1, a source tree; into $2.
with_cargo_c() {
    (cd "$1" && quietly cargo cinstall --locked --release --target-dir "$top/cargo-c" \
        --destdir "$2" --prefix /usr --libdir /usr/lib64)
}

# Everything in a tree: path, and where it points if it is a link.
contents() {
    (cd "$1" && find . ! -type d -printf '%p %l\n' | sort)
}

soname() {
    readelf -d "$1" | sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p'
}

exports() {
    nm -D --defined-only "$1" | sed 's/.* //' | LC_ALL=C sort
}

check() {
    quietly packaging/installcheck.sh "$1" /usr/lib64/pkgconfig /usr/share /usr/bin
    sed 's/^/    /' "$log"
}

# Nothing that was built may name a directory of whoever built it: neither what make made, nor cargo alone.
names_nobody() {
    for directory in "${HOME:-}" "$PWD" "${CARGO_HOME:-}"; do
        case $directory in
        '' | / | /usr) continue ;;
        esac
        ! grep -rlaF "$directory/" "$1" || fail "$directory stands in the files above"
    done
}

if ! cargo cinstall --version >/dev/null 2>&1; then
    PATH=$PATH:$cache/bin
    [ -x "$cache/bin/cargo-cinstall" ] || {
        echo "Compiling cargo-c $cargo_c into $cache; takes minutes, once"
        quietly cargo install --quiet --locked --root "$cache" --target-dir "$top/cargo-c-build" "cargo-c@$cargo_c"
        rm -rf "$top/cargo-c-build"
    }
fi

rm -rf "$tree"
quietly with_make
quietly with_make install DESTDIR="$tree/make"
check "$tree/make"
with_cargo_c . "$tree/cargo-c"
# cargo-c installs libraries only.
quietly cargo install --locked --path mta --bin milter-try --no-track --target-dir "$top/make" --root "$tree/cargo-c/usr"
check "$tree/cargo-c"
names_nobody "$tree/make/usr"
names_nobody "$tree/cargo-c/usr"
echo "ok: no file of either names $PWD or ${HOME:-}"

contents "$tree/make" >"$top/make.list"
contents "$tree/cargo-c" | diff "$top/make.list" - || fail "make and cargo-c install different files (above)"
diff -r "$tree/make/usr/include" "$tree/cargo-c/usr/include" || fail "different headers (above)"
for kind in make cargo-c; do
    library=$tree/$kind/usr/lib64/libmilter.so.1.0.1
    [ "$(soname "$library")" = libmilter.so.1.0.1 ] || fail "$library: SONAME is $(soname "$library")"
    exports "$library" | diff c-tests/symbols.txt - || fail "$library exports other names (above)"
    grep -E '^(Name|Description|Version|Libs): ?' "$tree/$kind/usr/lib64/pkgconfig/milter.pc" | sort >"$top/$kind.pc"
done
diff "$top/make.pc" "$top/cargo-c.pc" || fail "different milter.pc (above)"
# The names that a program gets from the static library.
nm -g --defined-only "$tree/make/usr/lib64/libmilter.a" | sed -n 's/.* [A-Z] //p' | LC_ALL=C sort |
    diff c-tests/symbols.txt - || fail "the installed libmilter.a has other global names (above)"
for file in LICENSE-MIT LICENSE-APACHE; do
    cmp "$file" "$tree/make/usr/share/licenses/libmilter/$file" || fail "$file is not installed"
done
grep -q '^Files: vendor/libc/' "$tree/make/usr/share/licenses/libmilter/copyright" || fail "no notices of the crates"
missing=$(missing_docs "$tree/make/usr/share/doc/libmilter" packaging)
[ -z "$missing" ] || fail "make does not install $missing"
echo "ok: make and cargo-c install the same $(wc -l <"$top/make.list") files"

# As Debian's; and in another place without a change.
of_pc() {
    PKG_CONFIG_PATH=$tree/$1/usr/lib64/pkgconfig pkg-config "$2" "$3" milter
}
[ "$(of_pc make --silence-errors --variable=includedir)" = /usr/include/libmilter ] ||
    fail "milter.pc: includedir is $(of_pc make --silence-errors --variable=includedir), which is /usr/include/libmilter with Debian's"
! sed 1d "$tree/make/usr/lib64/pkgconfig/milter.pc" | grep /usr || fail "milter.pc has the prefix in more than one line (above)"
cp -r "$tree/make" "$tree/moved"
of_pc moved --define-prefix --cflags | grep -qF "$tree/moved/usr/include/libmilter" || fail "milter.pc cannot be moved"
echo "ok: milter.pc has Debian's includedir, and is right wherever it is"

# What an administrator has to do after it is said, with the paths of this installation.
make TARGET_DIR="$top/make" PREFIX="$tree/prefix" install >"$top/said"
for words in '^ *ldconfig ' '^ *systemctl restart ' "$tree/prefix/lib/libmilter.so.1.0.1" 'make uninstall'; do
    grep -q "$words" "$top/said" || fail "make install does not say $words"
done
echo "ok: make install says what is left to do"

quietly with_make uninstall DESTDIR="$tree/make"
[ -z "$(contents "$tree/make")" ] || fail "make uninstall leaves $(contents "$tree/make")"
echo "ok: make uninstall leaves nothing"

# Other systems' names. Each compiles the library again, so two with make and one with cargo-c; the
# RPM and Alpine packages have the others.
for name in libmilter.so.6 libmilter.so.1.0; do
    quietly with_make SONAME=$name
    quietly with_make install DESTDIR="$tree/$name"
    [ "$(soname "$tree/$name/usr/lib64/$name")" = $name ] || fail "SONAME=$name gives $(contents "$tree/$name")"
    check "$tree/$name"
done
rm -rf "$top/source"
mkdir "$top/source"
git ls-files --cached --others --exclude-standard | while read -r file; do [ ! -e "$file" ] || echo "$file"; done |
    tar -cf - --files-from=- | tar -xf - -C "$top/source"
sed -i 's/^version_suffix_components = 3/version_suffix_components = 2/' "$top/source/Cargo.toml"
with_cargo_c "$top/source" "$tree/cargo-c-1.0"
contents "$tree/cargo-c-1.0" | grep libmilter.so >"$top/cargo-c.list"
contents "$tree/libmilter.so.1.0" | grep libmilter.so | diff "$top/cargo-c.list" - || fail "other links with cargo-c (above)"
[ "$(soname "$tree/cargo-c-1.0/usr/lib64/libmilter.so.1.0")" = libmilter.so.1.0 ] || fail "cargo-c gives another SONAME"
echo "ok: SONAME libmilter.so.1.0 with make and cargo-c, libmilter.so.6 with make"
