"""A filter for python3-milter that adds a header: small.py SOCKET."""

import sys

import Milter


class Small(Milter.Base):
    def eom(self):
        self.addheader("X-Python", "yes")
        return Milter.CONTINUE


Milter.factory = Small
Milter.set_flags(Milter.ADDHDRS)
Milter.runmilter("small", sys.argv[1], 600)
