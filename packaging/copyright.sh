#!/bin/sh
# Says whose the crates are, from what is in them: copyright.sh check|update DIRECTORY
#
# DIRECTORY is what vendor.sh has made. "update" writes packaging/debian/copyright, and the crates that the
# RPM packages have inside into packaging/rpm/libmilter-rs.spec; "check" fails if they say anything else.
# Holders are those whom the license files of a crate name, else the authors of its Cargo.toml.
set -eu

cd "$(dirname "$0")/.."
vendor=${2:?usage: copyright.sh check|update DIRECTORY}

fail() {
    echo "copyright.sh: $*" >&2
    exit 1
}

value() {
    sed -n "/^\\[package\\]/,/^\\[[^p]/s/^$2 = \"\\(.*\\)\"\$/\\1/p" "$1/Cargo.toml" | head -n 1
}

# In the words of Debian's machine-readable format.
license() {
    spdx=$(value "$1" license)
    [ -n "$spdx" ] || fail "$1 does not say what its license is"
    echo "$spdx" | sed 's|/| OR |g; s/Apache-2.0 WITH LLVM-exception/Apache-2.0 with LLVM exception/g; s/\bMIT\b/Expat/g
        s/^(\(.*\)) AND /\1, and /; s/ OR / or /g; s/ AND / and /g'
}

# Lines of license files that name a holder; not those of the license texts themselves.
holders() {
    find "$1" -maxdepth 1 -type f \( -iname 'licen[cs]e*' -o -iname 'copy*' -o -iname 'unlicense*' -o -iname 'notice*' \) |
        LC_ALL=C sort | while read -r file; do
        sed -n 's/\r$//; s/^ *[Cc]opyright \(([Cc])\|©\)\{0,1\} *\(.*\)$/\2/p' "$file" | grep -v \
            -e '^[[{]yyyy' -e '^notice' -e '^owner' -e '^license' -e '^holder' -e '^protection' -e '^law' -e '^doctrines' \
            -e '^(c)$' -e '^Individual contributors$' || true
    done | awk '!seen[$0]++'
}

authors() {
    sed -n '/^authors = \[/,/\]/p' "$1/Cargo.toml" | tr '\n' ' ' | sed 's/\].*/]/' | grep -o '"[^"]*"' | tr -d '"'
}

# Files that say more than the license does.
more() {
    for file in "$1"/COPYRIGHT* "$1"/NOTICE* "$1"/LICENSE-THIRD-PARTY*; do
        [ ! -e "$file" ] || basename "$file"
    done
}

# The paragraph of one crate, whose files are below $2 in the source package.
paragraph() {
    echo "Files: $2/$(basename "$1")/*"
    names=$(holders "$1")
    comment=
    if [ -z "$names" ]; then
        names=$(authors "$1")
        comment="Its files have no copyright notice; these are the authors that its Cargo.toml names."
    fi
    if [ -z "$names" ]; then
        names="the authors of $(value "$1" name), $(value "$1" repository)"
        comment="Neither its files nor its Cargo.toml name anybody."
    fi
    echo "$names" | sed '1s/^/Copyright: /; 2,$s/^/           /'
    echo "License: $(license "$1")"
    for file in $(more "$1"); do
        comment="${comment:+$comment }More is said in $file."
    done
    [ -z "$comment" ] || echo "Comment: $comment"
    echo
}

is_stand_in() {
    grep -q '^# In the place of the crate of this name' "$1/Cargo.toml"
}

copyright() {
    cat packaging/copyright/head
    for crate in "$vendor"/packages/vendor/*; do
        ! is_stand_in "$crate" || printf ' vendor/%s/*\n' "$(basename "$crate")"
    done | sed '1s/^/Files:/; 2,$s/^/      /'
    cat packaging/copyright/stand-ins
    for crate in "$vendor"/packages/vendor/*; do
        is_stand_in "$crate" || paragraph "$crate" vendor
    done
    for crate in "$vendor"/tests/vendor/*; do
        paragraph "$crate" vendor-tests
    done
    cat packaging/copyright/licenses
}

# Lines "Provides: bundled(crate(NAME)) = VERSION", and the licenses, of what is linked into a file.
bundled() {
    sed 's/^\(.*\) v\(.*\)$/Provides:       bundled(crate(\1)) = \2/' "$vendor/$1.list"
}

linked_licenses() {
    while read -r name version; do
        for crate in "$vendor/packages/vendor/$name" "$vendor/packages/vendor/$name-${version#v}"; do
            [ ! -e "$crate" ] || value "$crate" license
        done
    done <"$vendor/$1.list" | sed 's|/| OR |g; s/.* OR .*/(&)/' | { echo "(MIT OR Apache-2.0)"; cat; } |
        sed 's/^(Apache-2.0 OR MIT)$/(MIT OR Apache-2.0)/' | LC_ALL=C sort -u | tr '\n' '&' | sed 's/&$//; s/&/ AND /g'
}

# Replaces what is between two comments, for each of the packages.
spec() {
    for list in library milter-try; do
        bundled "$list" >"$work/$list.bundled"
        linked_licenses "$list" >"$work/$list.license"
    done
    awk -v work="$work" '
        /^# crates of / { print; list = $4; file = work "/" list ".bundled"; while ((getline line < file) > 0) print line; skip = 1; next }
        /^# end of crates/ { skip = 0 }
        /^# license of / { print; file = work "/" $4 ".license"; getline line < file; print "License:        " line; getline; next }
        !skip { print }' packaging/rpm/libmilter-rs.spec
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
copyright >"$work/copyright"
spec >"$work/spec"

# Nothing is there whose terms the file does not have, and what the packages are built from is free of terms
# that ask for more than notices.
sed -n 's/^License: //p' "$work/copyright" | sed 's/, and \| or \| and /\n/g' | sort -u | while read -r name; do
    grep -qxF "License: $name" packaging/copyright/licenses || fail "packaging/copyright/licenses has no $name"
done
for crate in "$vendor"/packages/vendor/*; do
    ! value "$crate" license | grep -qE '^(MPL|LGPL|GPL|CDDL|EPL)[^ ]*$|AND' ||
        fail "$(basename "$crate") is under $(value "$crate" license), and in the archive that packages are built from"
done

case $1 in
update)
    cp "$work/copyright" packaging/debian/copyright
    cp "$work/spec" packaging/rpm/libmilter-rs.spec
    ;;
check)
    { diff -u packaging/debian/copyright "$work/copyright" && diff -u packaging/rpm/libmilter-rs.spec "$work/spec"; } ||
        fail "this is not what the crates say (lines with + are); make copyright writes both files"
    ;;
*) fail "usage: copyright.sh check|update DIRECTORY" ;;
esac
