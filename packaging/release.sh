#!/bin/sh
# Whether the files say one thing, before a release: release.sh
#
# The project's address has to be set, and the version of Cargo.toml to stand everywhere. Says all that is
# missing, not only the first.
set -eu

cd "$(dirname "$0")/.."
status=0

wrong() {
    echo "release.sh: $*" >&2
    status=1
}

version=$(sed -n '/^\[package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
address=$(sed -n '/^\[workspace.package\]/,/^\[/s/^repository = "\(.*\)"/\1/p' Cargo.toml)
case $address in
https://?*.?*/?*) ;;
'') wrong "Cargo.toml: repository is empty; it is where packages say that the project lives" ;;
*) wrong "Cargo.toml: repository \"$address\" is no https:// address" ;;
esac

# says FILE PATTERN: the pattern's group is a version.
says() {
    found=$(sed -n "s/$2/\\1/p" "$1" | head -n 1)
    [ "$found" = "$version" ] || wrong "$1 has ${found:-no version} where Cargo.toml has $version"
}
says mta/Cargo.toml '^version = "\(.*\)"$'
says packaging/debian/changelog '^libmilter-rs (\(.*\)-[^-]*) .*'
says packaging/rpm/libmilter-rs.spec '^Version: *\(.*\)$'
says packaging/alpine/APKBUILD '^pkgver=\(.*\)$'
says CHANGELOG.md '^## \[\([0-9][^]]*\)\] - [0-9].*'

# The release of sendmail whose interface this is.
sendmail=$(sed -n 's/^SENDMAIL_VERSION = //p' Makefile)
for file in packaging/libmilter.pc packaging/alpine/APKBUILD packaging/rpm/libmilter-rs.spec packaging/debian/control \
    packaging/debian/rules Cargo.toml; do
    grep -qF "$sendmail" "$file" || wrong "$file does not have $sendmail, SENDMAIL_VERSION of the Makefile"
done
exit $status
