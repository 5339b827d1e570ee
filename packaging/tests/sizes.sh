#!/bin/sh
# In a Debian chroot: our shared library beside Debian's, as their packages install them, in numbers.
set -eu

rm -rf /work/sizes
mkdir -p /work/sizes
cd /work/sizes
apt-get -qq -o APT::Sandbox::User=root download libmilter1.0.1
dpkg -x libmilter1.0.1_*.deb sendmail
dpkg -x /work/debs/libmilter-rs1.0.1_*.deb ours

row() {
    library=$(echo "$2"/usr/lib/*/libmilter.so.1.0.1)
    # The first symbol is the null one; imported ones are UND.
    readelf -W --dyn-syms "$library" | awk '$1 ~ /^[0-9]+:/ && $1 != "0:" { n[$7 == "UND"]++ } END { print n[0], n[1] }' >symbols
    read -r exported imported <symbols
    relocations=$(readelf -W --relocs "$library" | awk '$1 ~ /^[0-9a-f]+$/ && $3 ~ /^R_/' | wc -l)
    [ "$exported" -gt 0 ] && [ "$relocations" -gt 0 ]
    printf '%-28s %10d %10d %10d %12d\n' "$1" "$(wc -c <"$library")" "$exported" "$imported" "$relocations"
}

printf '%-28s %10s %10s %10s %12s\n' 'libmilter.so.1.0.1, stripped' bytes exported imported relocations
row "sendmail's (Debian)" sendmail
row "this one" ours
