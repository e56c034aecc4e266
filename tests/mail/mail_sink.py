#!/usr/bin/python3
"""deploy/mail-sink by itself."""

import os
import smtplib
import socket
import subprocess
import sys

from support import ROOT, Sink, cases_of, check, equal, main

PROGRAM = os.path.join(ROOT, "deploy", "mail-sink")


def connect(sink):
    host, port = sink.address.rsplit(":", 1)
    return smtplib.SMTP(host, int(port), timeout=10)


def case_keeps_bytes():
    content = b"Subject: x\r\n\r\n.dot\r\n..two\r\n" + bytes(range(128, 256)) + b"\r\n"
    with Sink() as sink:
        with connect(sink) as client:
            for _ in range(3):
                client.sendmail("a@example.org", ["b@example.org", "c@example.org"], content)
        equal(sink.contents(), [b"Return-Path: <a@example.org>\r\nDelivered-To: b@example.org\r\n"
                                b"Delivered-To: c@example.org\r\n" + content] * 3, "mails")
        equal(os.listdir(os.path.join(sink.maildir, "tmp")), [], "unfinished files")


def case_ends_on_sigterm():
    with Sink() as sink:
        client = connect(sink)
        sink.child.process.terminate()
        equal(sink.child.process.wait(10), 0, "exit code")
        client.close()


def case_refuses_bad_arguments():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        with Sink() as sink:
            for arguments, code in ((["--listen", "nonsense", "--maildir", sink.maildir], 2), (["--maildir", "x"], 2),
                                    (["--listen", address, "--maildir", sink.maildir], 69),
                                    (["--listen", "127.0.0.1:0", "--maildir", "/proc/none"], 69)):
                done = subprocess.run([PROGRAM] + arguments, capture_output=True, text=True, timeout=20)
                equal(done.returncode, code, "exit code of %r" % arguments)
                check(done.stderr and "Traceback" not in done.stderr, "its error: %r", done.stderr)


if __name__ == "__main__":
    sys.exit(main(cases_of(globals()), sys.argv))
