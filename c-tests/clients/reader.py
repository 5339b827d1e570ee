"""An MTA's side of the milter protocol, by somebody who has read docs/protocol.md and nothing else.

reader.py SOCKET MESSAGE SENDER RECIPIENT...

Plays a message and prints what came of it: the verdict, the text of a reply, refused recipients, changes.
The exit status is 0 accepted, 10 rejected, 11 refused for now, 12 discarded, 13 quarantined, 70 if the filter
broke the protocol.
"""
import re, socket, struct, sys

STATUS = {"accept": 0, "reject": 10, "tempfail": 11, "discard": 12, "quarantine": 13, "broken": 70}
OFFER = (6, 0x1FF, 0x1FFFFF)
# Section 4: the flag that leaves a command out, and the one that leaves out its response.
UNWANTED = dict(zip("CHMRTLNBU", (0x1, 0x2, 0x4, 0x8, 0x200, 0x20, 0x40, 0x10, 0x100)))
SILENT = dict(zip("CHMRTLNBU", (0x1000, 0x2000, 0x4000, 0x8000, 0x10000, 0x80, 0x40000, 0x80000, 0x20000)))
SKIP, LEADING_SPACE = 0x400, 0x100000
# Sections 7 and 8: the payload of each response.
NAME, STRING, INDEX = rb"[^\0]+\0", rb"[^\0]*\0", rb"[\0-\xff]{4}"
PAYLOAD = {letter: b"" for letter in "cartdsp"} | {
    "h": NAME + STRING, "i": INDEX + NAME + STRING, "m": INDEX + NAME + STRING, "e": NAME + b"(%s)?" % STRING,
    "+": NAME, "2": NAME + b"(%s)?" % STRING, "-": NAME, "q": NAME, "b": rb"[\0-\xff]{0,65535}",
    "y": rb"(?:([45]\d\d)-[^\0\r\n]*\r\n)*[45]\d\d [^\0\r\n]*\0"}
VERDICTS = {"r": "reject", "t": "tempfail", "d": "discard", "a": "accept"}


class Broken(Exception):
    """The filter broke the protocol."""


class Over(Exception):
    """The message has its verdict: name, text of a reply."""


class Session:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.flags, self.changes = 0, []
        self.send("O", struct.pack("!III", *OFFER))
        letter, payload = self.receive()
        if letter != "O" or len(payload) < 12:
            raise Broken(f"{letter} in answer to the offer")
        version, actions, self.flags = struct.unpack("!III", payload[:12])
        if not re.fullmatch(b"(%s%s)*" % (INDEX, STRING), payload[12:]):
            raise Broken("lists of macros")
        if not 2 <= version <= OFFER[0] or actions & ~OFFER[1] or self.flags & ~OFFER[2]:
            raise Broken("an answer beyond the offer")
        # Section 12: versions below have not got these commands.
        self.flags |= (UNWANTED["U"] if version < 3 else 0) | (UNWANTED["T"] if version < 4 else 0)

    def send(self, letter, payload=b""):
        self.socket.sendall(struct.pack("!I", len(payload) + 1) + letter.encode() + payload)

    def exactly(self, count):
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            if not part:
                raise Broken("the filter closed")
            data += part
        return data

    def receive(self):
        (length,) = struct.unpack("!I", self.exactly(4))
        if not 1 <= length <= 65536:
            raise Broken(f"a length of {length}")
        packet = self.exactly(length)
        return packet[:1].decode("latin-1"), packet[1:]

    def ask(self, letter, payload=b"", macros=()):
        """Sends macros and command; the final response, or "c" where there is none to wait for."""
        if letter in "CHMRTNE":
            self.send("D", letter.encode() + b"".join(f"{n}\0{v}\0".encode() for n, v in macros))
        if self.flags & UNWANTED.get(letter, 0):
            return "c"
        self.send(letter, payload)
        if self.flags & SILENT.get(letter, 0):
            return "c"
        while True:
            response, data = self.receive()
            if response not in PAYLOAD or not re.fullmatch(PAYLOAD[response], data):
                raise Broken(f"{response} with {data[:80]!r}")
            if response == "y":
                text = data[:-1].decode("latin-1")
                if len({line[:3] for line in text.split("\r\n")}) > 1:
                    raise Broken("a reply with several codes")
                self.text = text.replace("%%", "%")
                return "y"
            if response in "him+2-qeb":
                if letter != "E":
                    raise Broken(f"{response} in answer to {letter}")
                self.change(response, data)
            elif response == "s" and (letter != "B" or not self.flags & SKIP):
                raise Broken(f"skip in answer to {letter}")
            elif response == "d" and letter in "CH":
                raise Broken(f"discard in answer to {letter}")
            elif response != "p":
                return response

    def change(self, letter, data):
        """Notes a change; all parts of a new body are one."""
        for number, (known, before) in enumerate(self.changes):
            if letter == known == "b":
                self.changes[number] = ("b", before + data)
                return
        self.changes.append((letter, data))

    def must(self, letter, *command):
        """Asks, and goes on only if the filter says so."""
        response = self.ask(letter, *command)
        if response == "y":
            raise Over("reject" if self.text[0] == "5" else "tempfail", self.text)
        if response in VERDICTS and (letter, response) != ("E", "a"):
            raise Over(VERDICTS[response], None)
        return response

    def deliver(self, head, body, sender, recipients):
        self.must("C", b"client.example\x004" + struct.pack("!H", 40000) + b"192.0.2.1\0", [("j", "mx")])
        self.must("H", b"client.example\0")
        self.must("M", sender.encode() + b"\0", [("{mail_addr}", sender.strip("<>"))])
        refused = []
        for recipient in recipients:
            response = self.ask("R", recipient.encode() + b"\0", [("{rcpt_addr}", recipient.strip("<>"))])
            if response in "rty":
                refused.append(recipient)
                last = "reject" if response == "r" or response == "y" and self.text[0] == "5" else "tempfail"
            elif response in VERDICTS:
                raise Over(VERDICTS[response], None)
        self.refused = refused
        if len(refused) == len(recipients):
            self.send("A")
            raise Over(last, None)
        self.must("T", b"", [("i", "4F0C2A")])
        for name, value in head:
            if not self.flags & LEADING_SPACE and value.startswith(b" "):
                value = value[1:]
            self.must("L", name + b"\0" + value + b"\0")
        self.must("N", b"", [("i", "4F0C2A")])
        for start in range(0, len(body), 65535):
            if self.must("B", body[start : start + 65535]) == "s":
                break
        self.must("E", b"", [("i", "4F0C2A")])


def parse(message):
    """Headers with what stands behind the colon, lines joined by LF; the body with CRLF."""
    head, _, body = message.replace(b"\r\n", b"\n").partition(b"\n\n")
    fields = re.findall(rb"([^:\n]+):((?:[^\n]*)(?:\n[ \t][^\n]*)*)\n?", head)
    return fields, body.replace(b"\n", b"\r\n")


def main(path, message, sender, *recipients):
    session, verdict, text = None, "accept", None
    try:
        session = Session(path)
        session.deliver(*parse(open(message, "rb").read()), sender, recipients)
    except Over as over:
        verdict, text = over.args
    except (Broken, ConnectionError) as error:
        verdict, text = "broken", str(error)
    else:
        verdict = "quarantine" if any(letter == "q" for letter, _ in session.changes) else "accept"
    if verdict != "broken":
        session.send("Q")
    print("verdict", verdict)
    if text is not None:
        print("text", text.replace("\r\n", "\\r\\n"))
    for recipient in getattr(session, "refused", []):
        print("refused", recipient)
    for letter, data in getattr(session, "changes", []) if verdict in ("accept", "quarantine") else []:
        print("change", letter, data.hex())
    return STATUS[verdict]


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
