"""A filter that makes every call python3-milter offers: every_call.py SOCKET TRACE

What it does at the end of a message is what the local part of the sender says. Callbacks go to TRACE,
a line each; the word of HELO names the session, since several run at once.
"""

import os
import sys
import threading
import time

import Milter
import milter

trace = open(sys.argv[2], "a", buffering=1)
lock = threading.Lock()


class EveryCall(Milter.Base):
    def __init__(self):
        self.name = "?"
        self.body_size = 0
        self.sender = ""

    def note(self, *words):
        with lock:
            trace.write(" ".join([self.name] + [str(word) for word in words]) + "\n")

    def negotiate(self, options):
        self.offered = list(options)
        result = Milter.Base.negotiate(self, options)
        # The class's own setsymlist gives bytes to a function that takes text only.
        self._ctx.setsymlist(milter.M_ENVFROM, "i {mail_addr}")
        self._ctx.setsymlist(milter.M_ENVRCPT, "{rcpt_addr}")
        return result

    def connect(self, host, family, address):
        self.peer = (host, family, type(address).__name__)
        return milter.CONTINUE

    def hello(self, host):
        self.name = host
        self.note("negotiated", [hex(flags) for flags in self.offered])
        self.note("connect", *self.peer)
        self.note("hello", self.getsymval("j") is not None, self.getsymval("no such macro"))
        return milter.CONTINUE

    def envfrom(self, sender, *parameters):
        self.note("envfrom", sender, parameters, self.getsymval("{mail_addr}"))
        self.sender = sender.strip("<>").split("@")[0]
        self.body_size = 0
        self.lines = []
        if self.sender == "refused":
            self.setreply("550", "5.7.1", "No %% of this,", "nor of", "that")
            return milter.REJECT
        if self.sender == "later":
            self.setreply("451", "4.7.1", "Not now")
            return milter.TEMPFAIL
        if self.sender == "raise":
            raise RuntimeError("as asked for")
        return milter.CONTINUE

    def envrcpt(self, recipient, *parameters):
        self.note("envrcpt", recipient, parameters, self.getsymval("{rcpt_addr}"))
        if recipient.startswith("<nobody"):
            self.setreply("550", "5.1.1", "Nobody")
            return milter.REJECT
        return milter.CONTINUE

    def data(self):
        self.note("data")
        return milter.CONTINUE

    @Milter.decode("bytes")
    def header(self, field, value):
        self.lines.append((field, value))
        return milter.CONTINUE

    def eoh(self):
        self.note("eoh", self.lines)
        return milter.ACCEPT if self.sender == "accept" else milter.CONTINUE

    def body(self, chunk):
        self.body_size += len(chunk)
        return milter.SKIP if self.sender == "skip" else milter.CONTINUE

    def unknown(self, command):
        self.note("unknown", command)
        return milter.CONTINUE

    def eom(self):
        self.note("eom", self.body_size, self.sender)
        action = getattr(self, "do_" + self.sender, None)
        return milter.CONTINUE if action is None else action()

    def do_change(self):
        self.addheader("X-Added", "one")
        self.addheader("X-Inserted", "first", 0)
        self.addheader("X-Folded", "one\n\ttwo")
        self.chgheader("Subject", 1, "changed")
        self.chgheader("X-Gone", 1, None)
        self.chgfrom("new@a.example")
        self.addrcpt("<added@b.example>")
        self.addrcpt("<notified@b.example>", "NOTIFY=NEVER")
        self.delrcpt("<gone@b.example>")
        self.progress()
        # Postfix refuses anything else between the parts of a body.
        for part in range(3):
            self.replacebody(("part %d\r\n" % part) * 3000)
        return milter.CONTINUE

    def do_quarantine(self):
        self.quarantine("as asked for")
        return milter.CONTINUE

    def do_discard(self):
        return milter.DISCARD

    def do_wrong(self):
        """Calls that must fail, each with an exception."""
        for call in [
            lambda: self.setreply("250", "2.0.0", "no"),
            lambda: self.setreply("550", "4.x.0", "no"),
            lambda: self.addheader("", "no"),
            lambda: self.chgheader("X", -1, "no"),
            lambda: self.addrcpt(""),
            lambda: self.quarantine(""),
            lambda: self._ctx.setsymlist(99, "i"),
        ]:
            try:
                self.note("wrong call gives", call())
            except Exception as error:
                self.note("wrong call raises", type(error).__name__, error)
        return milter.CONTINUE

    def do_slow(self):
        # Other sessions go on while this one waits without Python's lock.
        self.progress()
        time.sleep(0.2)
        self.addheader("X-Slow", "done")
        return milter.CONTINUE

    def do_stop(self):
        milter.stop()
        self.addheader("X-Stop", "called")
        return milter.CONTINUE

    def abort(self):
        self.note("abort")
        return milter.CONTINUE

    def close(self):
        self.note("close")
        return milter.CONTINUE


def main():
    milter.set_flags(milter.CURR_ACTS)
    milter.set_exception_policy(milter.TEMPFAIL)
    milter.setdbg(0)
    milter.setbacklog(50)
    milter.settimeout(600)
    for wrong in [lambda: milter.setbacklog(-1), lambda: milter.setconn("")]:
        try:
            trace.write("0 wrong call gives %s\n" % wrong())
        except milter.error as error:
            trace.write("0 wrong call raises %s\n" % error)
    trace.write("0 version %s flags %s\n" % (milter.getversion(), hex(milter.CURR_ACTS)))
    Milter.factory = EveryCall
    Milter.runmilter("every-call", sys.argv[1], 600)
    created, deleted = milter.getdiag()[:2]
    trace.write("9 contexts left: %s\n" % (created - deleted))
    trace.flush()
    os._exit(0)


main()
