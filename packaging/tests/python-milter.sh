#!/bin/sh
# A milter in Python (python3-milter) changes a message, with the libmilter that the loader finds.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/filter.py" <<'END'
import sys
import Milter


class Filter(Milter.Base):
    def __init__(self):
        self.id = Milter.uniqueID()
        self.size = 0

    def body(self, chunk):
        self.size += len(chunk)
        return Milter.CONTINUE

    def eom(self):
        with open("/proc/self/maps") as maps:
            library = {line.split()[-1] for line in maps if "libmilter.so" in line}
        self.addheader("X-Seen-By", "python with " + " ".join(library))
        self.addrcpt("<archive@b.example>")
        self.replacebody("%d bytes were here\n" % self.size)
        return Milter.ACCEPT


Milter.factory = Filter
Milter.set_flags(Milter.ADDHDRS | Milter.ADDRCPT | Milter.CHGBODY)
Milter.runmilter("filter", sys.argv[1], 60)
END

milter-try --linked -- python3 "$work/filter.py" "{socket}" >"$work/log" 2>&1 || {
    cat "$work/log"
    exit 1
}
for change in 'X-Seen-By: python with /usr/lib/.*libmilter\.so\.1\.0\.1' 'archive@b\.example' 'bytes were here'; do
    grep -q "^+.*$change" "$work/log" || {
        cat "$work/log"
        echo "python-milter.sh: the message was not changed: no $change" >&2
        exit 1
    }
done
echo "ok: a milter in Python changed header, recipients and body"
