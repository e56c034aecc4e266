"""A mail server that does what a test tells it to: refuse, stall, drip, hang up, inject. Speaks SMTP from its own
reading of RFC 5321, one thread a connection, and keeps what it was told."""

import base64
import socket
import ssl
import threading
import time

CLOSE = object()  # as a reply: hang up without one
SILENCE = object()  # as a reply: none, until the client leaves


class Gone(Exception):
    pass


class Mail:
    def __init__(self, sender, recipients, content, session):
        self.sender, self.recipients, self.content, self.session = sender, recipients, content, session


class Server:
    """Replies are texts without the line end, CLOSE, SILENCE, or a function (session, argument) that answers one of
    these; `replies` maps "greeting", "EHLO", "STARTTLS", "MAIL", "RCPT", "DATA", "." (the end of the content) to them, and
    "handshake" to what comes in its place. `plain` is all that came unencrypted."""

    def __init__(self, replies=None, extensions=("PIPELINING",), tls=None, behind_starttls=b"", users=None,
                 mechanisms=("PLAIN", "LOGIN"), auth_reply="535 5.7.8 bad credentials", sloppy=False, drip=None,
                 listen=True, split=0):
        self.replies = replies or {}
        self.extensions, self.tls, self.behind_starttls = list(extensions), tls, behind_starttls
        self.users, self.mechanisms, self.auth_reply = users, mechanisms, auth_reply
        self.sloppy, self.drip, self.split = sloppy, drip, split
        self.mails, self.commands, self.sessions, self.ended, self.plain = [], [], 0, 0, b""
        self.lock = threading.Lock()
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.address = "127.0.0.1:%d" % self.port
        if listen:
            self.listener.listen(16)
            threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.sessions += 1
                number = self.sessions
            threading.Thread(target=Session(self, connection, number).run, daemon=True).start()

    def close(self):
        self.listener.close()


class Session:
    def __init__(self, server, connection, number):
        self.server, self.connection, self.number = server, connection, number
        self.buffer, self.counts = b"", {}
        self.encrypted, self.user, self.sender, self.recipients = False, None, None, []

    def run(self):
        try:
            if self.send(self.reply("greeting", "220 scripted ESMTP", "")):
                while self.step():
                    pass
        except (Gone, OSError):
            pass
        finally:
            self.connection.close()
            with self.server.lock:
                self.server.ended += 1

    # Bytes.
    def fill(self):
        part = self.connection.recv(65536)
        if not part:
            raise Gone
        self.buffer += part
        if not self.encrypted:
            with self.server.lock:
                self.server.plain += part

    def read_line(self):
        while b"\n" not in self.buffer:
            self.fill()
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line + b"\n"

    def read(self, count):
        while len(self.buffer) < count:
            self.fill()
        part, self.buffer = self.buffer[:count], self.buffer[count:]
        return part

    def send(self, reply):
        if reply is CLOSE:
            return False
        if reply is SILENCE:
            while True:
                self.fill()
        data = reply if isinstance(reply, bytes) else reply.encode("latin-1") + b"\r\n"
        if self.server.drip:
            for byte in data * 1000:
                self.connection.sendall(bytes([byte if byte not in b"\r\n" else 45]))
                time.sleep(self.server.drip)
        if self.server.split:
            for at in range(0, len(data), self.server.split):
                self.connection.sendall(data[at:at + self.server.split])
                time.sleep(0.002)
            return True
        self.connection.sendall(data)
        return True

    def reply(self, what, otherwise, argument):
        chosen = self.server.replies.get(what, otherwise)
        self.counts[what] = self.counts.get(what, 0) + 1
        if callable(chosen):
            chosen = chosen(self, argument)
        return otherwise if chosen is None else chosen

    # Commands.
    def step(self):
        line = self.read_line()
        with self.server.lock:
            self.server.commands.append(line)
        verb, _, argument = line.decode("latin-1").rstrip("\r\n").partition(" ")
        action = getattr(self, "on_" + verb.lower(), None)
        if action is None:
            return self.send("500 5.5.2 unknown command")
        return action(argument)

    def on_ehlo(self, argument):
        words = list(self.server.extensions)
        if self.server.tls and not self.encrypted:
            words.append("STARTTLS")
        if self.server.users is not None:
            words.append("AUTH " + " ".join(self.server.mechanisms))
        lines = ["scripted"] + words
        text = "\r\n".join("250%s%s" % ("-" if i + 1 < len(lines) else " ", line) for i, line in enumerate(lines))
        return self.send(self.reply("EHLO", text, argument))

    def on_helo(self, argument):
        return self.send("250 scripted")

    def on_starttls(self, argument):
        if not self.server.tls:
            return self.send("502 5.5.1 no")
        answer = self.reply("STARTTLS", b"220 2.0.0 go ahead\r\n" + self.server.behind_starttls, argument)
        if not self.send(answer) or isinstance(answer, str):
            return answer is not CLOSE
        if self.connection.recv(1, socket.MSG_PEEK) != b"\x16":  # no handshake: whatever it is, it is not encrypted
            self.fill()
        self.encrypted = True
        instead = self.reply("handshake", None, "")
        if instead is not None:
            return self.send(instead) and self.send(SILENCE)
        self.connection = self.server.tls.wrap_socket(self.connection, server_side=True)
        self.buffer = b""
        return True

    def ask(self, prompt):
        self.send("334 " + base64.b64encode(prompt).decode())
        return self.read_line().strip()

    def on_auth(self, argument):
        mechanism, _, initial = argument.partition(" ")
        if mechanism == "PLAIN":
            _, user, password = base64.b64decode(initial or self.ask(b"")).split(b"\0")
        elif mechanism == "LOGIN":
            user = base64.b64decode(initial or self.ask(b"Username:"))
            password = base64.b64decode(self.ask(b"Password:"))
        else:
            if self.ask(b"<1.2@scripted>") == b"*":
                return self.send("501 5.7.0 cancelled")
            return self.send("535 5.7.8 no")
        if self.server.users.get(user.decode()) != password.decode():
            return self.send(self.server.auth_reply)
        self.user = user.decode()
        return self.send("235 2.7.0 welcome")

    def on_mail(self, argument):
        if self.sender is not None:
            return self.send("503 5.5.1 nested MAIL")
        answer = self.reply("MAIL", "250 2.1.0 fine", argument)
        if isinstance(answer, str) and answer.startswith("250"):
            self.sender, self.recipients = argument, []
        return self.send(answer)

    def on_rcpt(self, argument):
        if self.sender is None:
            return self.send("503 5.5.1 MAIL first")
        answer = self.reply("RCPT", "250 2.1.5 fine", argument)
        if isinstance(answer, str) and answer.startswith("250"):
            self.recipients.append(argument)
        return self.send(answer)

    def finish(self, content):
        answer = self.reply(".", "250 2.0.0 taken", content)
        if isinstance(answer, str) and answer.startswith("250"):
            with self.server.lock:
                self.server.mails.append(Mail(self.sender, self.recipients, content, self.number))
        self.sender = None
        return self.send(answer)

    def on_data(self, argument):
        if not self.recipients:
            return self.send("554 5.5.1 no valid recipients")
        answer = self.reply("DATA", "354 go ahead", argument)
        if not self.send(answer) or not answer.startswith("354"):
            return answer is not CLOSE
        lines = []
        while True:
            line = self.read_line()
            if line == b".\r\n" or (self.server.sloppy and line.rstrip(b"\r\n") == b"."):
                return self.finish(b"".join(lines))
            lines.append(line[1:] if line.startswith(b".") else line)

    def on_bdat(self, argument):
        size, _, last = argument.partition(" ")
        self.chunks = getattr(self, "chunks", b"") + self.read(int(size))
        if not self.recipients:
            return self.send("503 5.5.1 no valid recipients")
        if last != "LAST":
            return self.send("250 2.0.0 chunk")
        content, self.chunks = self.chunks, b""
        return self.finish(content)

    def on_rset(self, argument):
        self.sender, self.recipients = None, []
        return self.send("250 2.0.0 reset")

    def on_quit(self, argument):
        self.send("221 2.0.0 bye")
        return False


def tls_context(certificate, key, newest=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    if newest:
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = newest
    return context
