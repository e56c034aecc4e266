#!/usr/bin/python3
"""What arrives, read by Python's own mail parser: well-formed mail, whatever the documents hold."""

import json
import sys

from scripted import Server
from support import (Sink, cases_of, check, equal, event, is_clean, main, parse, record, records, run)

HOSTILE = ["\r\n.\r\nMAIL FROM:<x@example.org>\r\nRCPT TO:<y@example.org>\r\nDATA\r\n", "\n.\n", "\r.\r", "\n.\r\n", "\r\n.\n",
           "\r\n.\r", "\r.\r\n", "\r\n.\r\n.\r\n", "\n..\r\n",
           ".", "..", ".\r\n.", "From me", "</pre><script>alert(1)</script>", "=?UTF-8?B?YQ==?=", "--=_weir_part--",
           "x" * 5000, "." * 2000, "é" * 3000, "\u2028\u2029\u202e", "\x7f\x85", "=" * 300, " " * 200, "\t end \t",
           "\x01\x1b[31m", "🍋" * 500]


def case_hostile_documents():
    """Also to a server that takes any lonely dot for the end: nothing is smuggled, every text arrives as it was."""
    lines = [record(i, event("o-%d" % i, document={"text": text, text: 1})) for i, text in enumerate(HOSTILE)]
    for sloppy in (False, True):
        server = Server(sloppy=sloppy)
        equal(run(server.address, lines).verdicts(), ["done"] * len(HOSTILE), "verdicts")
        equal(len(server.mails), len(HOSTILE), "mails")
        commands = {command.split()[0] for command in server.commands}
        check(commands <= {b"EHLO", b"MAIL", b"RCPT", b"DATA", b"RSET", b"QUIT"}, "commands %r", commands)
        for text, mail in zip(HOSTILE, server.mails):
            equal(mail.recipients, ["TO:<team@example.org>"], "recipients")
            is_clean(mail.content)
            body = parse(mail.content).get_body(("plain",)).get_content()
            shown = json.loads(body[body.index("{"):body.rindex("}") + 1])
            equal(shown, {"text": text, text: 1}, "document in the mail")


def case_hostile_keys():
    keys = ["a b", "<x@example.org>", "Bcc: x@example.org", "=?UTF-8?Q?fake?=", "ключ", "🍋" * 63, "k" * 255, "a,b;c",
            "\"quoted\"", ".", "..", " leading", "trailing ", "a\u2028b"]
    server = Server(sloppy=True)
    equal(run(server.address, [record(i, event(key)) for i, key in enumerate(keys)]).verdicts(), ["done"] * len(keys),
          "verdicts")
    for key, mail in zip(keys, server.mails):
        is_clean(mail.content)
        message = parse(mail.content)
        equal(message["Subject"], "orders %s created" % key, "subject")
        equal((message["To"], message["From"], message["Bcc"]), ("team@example.org", "weir@example.com", None), "people")
        equal(len([name for name, _ in message.items() if name == "Subject"]), 1, "subjects")


def case_hostile_headers_of_the_record():
    """Header values come from anyone who may write to the topic."""
    lines = [record(i, event("o-%d" % i), headers={"ce_id": text, "traceparent": text, "Bcc": text, "Subject": text})
             for i, text in enumerate(["a\r\nBcc: <x@example.org>", "a\nb", "x" * 5000, "", "ä", "<a@b>", "a b"])]
    server = Server(sloppy=True)
    equal(set(run(server.address, lines).verdicts()), {"done"}, "verdicts")
    for mail in server.mails:
        is_clean(mail.content)
        message = parse(mail.content)
        equal(message["Bcc"], None, "Bcc")
        check(message["Message-ID"].endswith("@host.example.com>"), "Message-ID %r", message["Message-ID"])


def case_mail_sink():
    """Through deploy/mail-sink, on a real SMTP implementation: one mail an event and recipient, each its own."""
    lines = records(60) + [record(100 + i, event("o-%d" % i, "u", 2)) for i in range(60)]
    with Sink() as sink:
        result = run(sink.address, lines, to="team@example.org,other@example.org")
        equal(result.verdicts(), ["done"] * 120, "verdicts")
        mails = [parse(content) for content in sink.contents()]
    equal(len(mails), 240, "mails")
    equal(len({mail["Message-ID"] for mail in mails}), 240, "Message-IDs")
    equal({mail["Delivered-To"] for mail in mails}, {"team@example.org", "other@example.org"}, "envelope recipients")
    equal({mail["Return-Path"] for mail in mails}, {"<weir@example.com>"}, "envelope senders")
    for mail in mails:
        equal(mail["Auto-Submitted"], "auto-generated", "Auto-Submitted")
        equal(mail["Date"].datetime.timestamp(), 1795243220, "Date")
        equal([part.get_content_type() for part in mail.iter_parts()], ["text/plain", "text/html"], "parts")
        equal(mail["To"], mail["Delivered-To"], "To")


if __name__ == "__main__":
    sys.exit(main(cases_of(globals()), sys.argv))
