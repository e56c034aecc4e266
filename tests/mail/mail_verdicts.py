#!/usr/bin/python3
"""What the notifier makes of a server's behaviour: one case each, against scripted servers."""

import json
import os
import socket
import ssl
import sys
import tempfile
import threading
import time

from scripted import CLOSE, SILENCE, Server, tls_context
from support import (Certificates, cases_of, check, equal, event, main, parse, record, records, refused, run, wait_for)


SOON_S = 30  # on a busy machine too; what has no end would take a minute at least


def at(what, number, reply):
    return {what: lambda session, _: reply if session.counts[what] == number else None}


def case_all_taken():
    server = Server()
    result = run(server.address, records(250))
    equal(result.verdicts(), ["done"] * 250, "verdicts")
    equal(len(server.mails), 250, "mails")
    equal(server.sessions, 3, "sessions of at most 100 mails")
    equal(result.totals["healthy"], True, "health")
    equal([parse(mail.content)["Subject"] for mail in server.mails], ["orders o-%d created" % i for i in range(250)],
          "order of the mails")


def case_without_pipelining():
    server = Server(extensions=[])
    equal(run(server.address, records(5)).verdicts(), ["done"] * 5, "verdicts")
    equal(len(server.mails), 5, "mails")


def case_recipient_refused_for_good():
    server = Server(at("RCPT", 3, "550 5.1.1 no such user"))
    result = run(server.address, records(6))
    equal(result.verdicts(), ["done", "done", "reject", "done", "done", "done"], "verdicts")
    line = result.lines[2]
    equal((line["disposition"], line["error_type"]), ("invalid", "smtp-550"), "reason")
    check("no such user" in line["text"] and "<team@example.org>" in line["text"], "text %r", line["text"])
    equal(len(server.mails), 5, "mails")


def case_recipient_refused_with_chunking():
    """libesmtp's BDAT would mix up the replies behind a refused recipient: it has to send by DATA."""
    for extensions in (["PIPELINING", "CHUNKING"], ["CHUNKING", "PIPELINING"], ["chunking", "SIZE 1000000"]):
        for split in (0, 1, 7):
            server = Server(at("RCPT", 2, "550 5.1.1 no such user"), extensions=extensions, split=split)
            result = run(server.address, records(4))
            equal(result.verdicts(), ["done", "reject", "done", "done"], "verdicts with %r" % extensions)
            equal(len(server.mails), 3, "mails")
            check(not any(command.startswith(b"BDAT") for command in server.commands), "BDAT was used")


def case_recipient_refused_for_now():
    server = Server(at("RCPT", 1, "451 4.7.1 come again"))
    result = run(server.address, [record(0, event("a")), record(0, event("b"), partition=1)])
    equal(result.verdicts(), ["retry", "done"], "verdicts")
    equal(result.lines[0]["error_type"], "smtp-451", "reason")


def case_content_refused_for_good():
    server = Server(at(".", 2, "554 5.6.0 not this"))
    result = run(server.address, records(3))
    equal(result.verdicts(), ["done", "reject", "done"], "verdicts")
    equal(result.lines[1]["error_type"], "smtp-554", "reason")


def case_content_too_large():
    result = run(Server({".": "552 5.3.4 too big"}).address, records(1))
    equal((result.only()["verdict"], result.only()["disposition"]), ("reject", "too-large"), "verdict")


def case_content_refused_for_now():
    result = run(Server({".": "451 4.3.0 not now"}).address, records(1))
    equal((result.only()["verdict"], result.only()["error_type"]), ("retry", "smtp-451"), "verdict")


def case_outage_costs_no_execution():
    """A server that has no room, shuts down or hangs up is out for every mail: none of them may count a failure."""
    for what in ("RCPT", "DATA", "."):
        for reply in ("452 4.3.1 disk full", "452 no room", "421 4.3.2 shutting down", CLOSE):
            result = run(Server({what: reply}).address, records(3), rounds=2)
            word = "lost" if reply is CLOSE else reply[:3]
            for number in (1, 2):
                equal(set(result.verdicts(number)), {"wait"}, "verdicts on %r to %s" % (reply, what))
            equal(result.lines[0]["error_type"], "smtp-" + word, "reason of %r to %s" % (reply, what))
            equal(result.totals["healthy"], False, "health")


def case_full_mailbox_is_no_outage():
    for extensions in (["PIPELINING"], ["PIPELINING", "ENHANCEDSTATUSCODES"]):
        server = Server(at("RCPT", 2, "452 4.2.2 mailbox full"), extensions=extensions)
        result = run(server.address, records(3))
        equal(result.verdicts(), ["done", "retry", "done"], "verdicts with %r" % extensions)
        equal(result.lines[1]["error_type"], "smtp-452", "reason")


def case_data_refused():
    equal(run(Server({"DATA": "451 4.3.0 not now"}).address, records(1)).verdicts(), ["retry"], "4xx to DATA")
    equal(run(Server({"DATA": "554 5.0.0 never"}).address, records(1)).verdicts(), ["reject"], "5xx to DATA")


def case_odd_success_is_no_success():
    """Only 250 to 259 takes responsibility."""
    for reply in ("299 hm", "354 more", "199 hm", "220 hello", "9999 hm", "abc hm"):
        verdict = run(Server({".": reply}).address, records(1)).only()["verdict"]
        equal(verdict, "wait", "verdict on %r" % reply)


def case_sender_refused():
    for reply in ("451 4.3.0 not now", "550 5.7.1 not you", "530 5.7.0 authenticate first"):
        result = run(Server({"MAIL": reply}).address, records(3))
        equal(set(result.verdicts()), {"wait"}, "verdicts on %r" % reply)
        equal(result.lines[0]["error_type"], "smtp-" + reply[:3], "reason")
        equal(result.totals["healthy"], False, "health")


def case_authentication_demanded():
    for code in (530, 534, 535, 538):
        result = run(Server({"RCPT": "%d 5.7.0 authenticate" % code}).address, records(2))
        equal(result.verdicts()[0], "wait", "verdict on %d" % code)


def case_nobody_listens():
    server = Server(listen=False)
    result = run(server.address, records(2))
    equal(result.verdicts(), ["wait", "wait"], "verdicts")
    equal(result.lines[0]["error_type"], "smtp-unreachable", "reason")
    check("refused" in result.lines[0]["text"], "text %r", result.lines[0]["text"])


def case_name_unknown():
    result = run("nothing.invalid:25", records(1), smtp_starttls="required")
    equal((result.only()["verdict"], result.only()["error_type"]), ("wait", "smtp-unreachable"), "verdict")


def case_greeting_refuses():
    for greeting in ("421 4.3.2 too busy", "554 5.7.1 go away", "hello?"):
        result = run(Server({"greeting": greeting}).address, records(2))
        equal(result.verdicts(), ["wait", "wait"], "verdicts on %r" % greeting)


def case_greeting_hangs_up():
    result = run(Server({"greeting": CLOSE}).address, records(2))
    equal(result.verdicts(), ["wait", "wait"], "verdicts")
    equal(result.lines[0]["error_type"], "smtp-lost", "reason")


def case_hello_refused():
    for reply in ("421 4.3.2 closing", "550 5.7.1 bad name"):
        result = run(Server({"EHLO": reply}).address, records(1))
        equal((result.only()["verdict"], result.only()["error_type"]), ("wait", "smtp-refused"), "verdict on " + reply)


def case_hangs_up_midway():
    """The mail in flight is tried again, those after it were not reached, those before it are done."""
    server = Server(at(".", 3, CLOSE))
    result = run(server.address, records(6), rounds=2)
    equal(result.verdicts(1), ["done", "done", "wait", "none", "none", "none"], "verdicts")
    equal(result.lines[2]["error_type"], "smtp-lost", "reason")
    equal(result.verdicts(2)[0:2], ["done", "done"], "verdicts of the second round")


def case_hangs_up_at_recipient():
    result = run(Server(at("RCPT", 2, CLOSE)).address, records(4))
    equal(result.verdicts(), ["done", "wait", "none", "none"], "verdicts")


def case_silent_server():
    for what in ("greeting", "EHLO"):
        began = time.monotonic()
        result = run(Server({what: SILENCE}).address, records(2), smtp_timeout="1s")
        equal(result.verdicts(), ["wait", "wait"], "verdicts on silence at " + what)
        check(time.monotonic() - began < SOON_S, "it took %.1f s", time.monotonic() - began)


def case_silent_midway():
    result = run(Server(at(".", 2, SILENCE)).address, records(4), smtp_timeout="1s")
    equal(result.verdicts(), ["done", "wait", "none", "none"], "verdicts")


def case_dripping_server():
    """A byte now and then resets every timeout but the absolute one."""
    began = time.monotonic()
    result = run(Server(drip=0.05).address, records(2), smtp_timeout="2s")
    equal(result.verdicts(), ["wait", "wait"], "verdicts")
    equal(result.lines[0]["error_type"], "smtp-timeout", "reason")
    check(time.monotonic() - began < SOON_S, "it took %.1f s", time.monotonic() - began)


def case_black_hole():
    """Connecting blocks: the caller is released in time, and the thread left behind sends nothing later."""
    server = Server(listen=False)
    server.listener.listen(0)
    hold = [socket.socket() for _ in range(8)]
    for one in hold:  # fill the accept queue, so that further handshakes get no answer
        one.setblocking(False)
        one.connect_ex(("127.0.0.1", server.port))
    began = time.monotonic()
    result = run(server.address, records(2), smtp_timeout="1s")
    equal(result.verdicts(), ["wait", "wait"], "verdicts")
    equal(result.lines[0]["error_type"], "smtp-timeout", "reason")
    check(time.monotonic() - began < SOON_S, "it took %.1f s", time.monotonic() - began)


def case_connect_timeout():
    """Whoever does not even accept a connection costs less than a whole session may take."""
    server = Server(listen=False)
    server.listener.listen(0)
    held = [socket.socket() for _ in range(4)]
    for one in held:
        one.setblocking(False)
        one.connect_ex(("127.0.0.1", server.port))
    result = run(server.address, records(2), smtp_timeout="25s", smtp_connect_timeout="500ms")
    equal(result.verdicts(), ["wait", "wait"], "verdicts")
    equal(result.lines[0]["error_type"], "smtp-unreachable", "reason")
    check("smtp.connect.timeout" in result.lines[0]["text"], "text %r", result.lines[0]["text"])
    check(result.totals["longest_ms"] < 20000, "handle took %d ms", result.totals["longest_ms"])


def case_rate():
    """No more mails than smtp.rate allows; the rest has its turn later, and costs no execution."""
    server = Server()
    verdicts = run(server.address, records(40), smtp_rate=1).verdicts()
    equal(set(verdicts), {"done", "none"}, "verdicts")
    equal(len(server.mails), verdicts.count("done"), "mails")


def case_domain_rate():
    """A domain that may have few mails holds back its own events alone."""
    server = Server()
    lines = [record(i, event("o-%d" % i, document={"to": "a@%s.example" % ("fast" if i % 10 == 9 else "slow")}))
             for i in range(40)]
    verdicts = run(server.address, lines, to="after.to", smtp_domain_rate=4).verdicts()
    equal(set(verdicts), {"done", "defer"}, "verdicts")
    equal([verdicts[i] for i in range(9, 40, 10)], ["done"] * 4, "verdicts of the other domain")
    equal(len(server.mails), verdicts.count("done"), "mails")


def case_silent_at_each_command():
    """A server that falls silent costs smtp.command.timeout; only a mail whose text it has may have arrived."""
    for what in ("MAIL", "RCPT", "DATA", "."):
        result = run(Server({what: SILENCE}).address, records(2), smtp_timeout="20s", smtp_command_timeout="300ms")
        equal(result.verdicts()[0], "wait", "verdict on silence at " + what)
        check("done" not in result.verdicts(), "verdicts on silence at %s: %r", what, result.verdicts())
        equal(result.totals["unknown"], 1 if what == "." else 0, "unknown mails on silence at " + what)
        check(result.totals["longest_ms"] < 15000, "handle took %d ms", result.totals["longest_ms"])


def case_shuts_down_at_each_stage():
    """421 is never said of a mail."""
    for what in ("greeting", "EHLO", "MAIL", "RCPT", "DATA", "."):
        result = run(Server({what: "421 4.3.2 shutting down"}).address, records(2), rounds=2)
        equal(set(result.verdicts(1) + result.verdicts(2)), {"wait"}, "verdicts on 421 at " + what)
        equal(told(result), [], "records on 421 at " + what)


def told(result):
    return [json.loads(text)["status"] for text in result.totals["log"]]


def case_greylisting():
    """Refused for now at the first try, taken at the next: once."""
    seen = set()

    def grey(session, recipient):
        known = recipient in seen
        seen.add(recipient)
        return None if known else "450 4.2.0 greylisted"

    server = Server({"RCPT": grey})
    lines = [record(i, event("o-%d" % i, document={"to": "a%d@example.org" % i})) for i in range(5)]
    result = run(server.address, lines, rounds=2, to="after.to")
    equal((result.verdicts(1), result.verdicts(2)), (["retry"] * 5, ["done"] * 5), "verdicts")
    equal(len(server.mails), 5, "mails")


def case_one_of_five():
    """One address that is gone keeps the mail from none of the other four, and names itself."""
    server = Server({"RCPT": lambda session, recipient: "550 5.1.1 gone" if "c@" in recipient else None})
    result = run(server.address, records(1), to=", ".join("%s@example.org" % name for name in "abcde"))
    equal(result.only()["verdict"], "reject", "verdict")
    check("<c@example.org>: 550 5.1.1 gone" in result.only()["text"], "text %r", result.only()["text"])
    equal(sorted(mail.recipients[0][4] for mail in server.mails), ["a", "b", "d", "e"], "recipients")
    equal(sorted(told(result)), ["failed"] + ["sent"] * 4, "records")


def case_garbage_replies():
    """Bytes that are no SMTP prove nothing: no mail counts as sent, and none as refused for good."""
    for garbage in (b"\xff\xfe\x00\x01garbage\r\n", b"two fifty\r\n", b"999 what\r\n", b"-250 no\r\n"):
        for what in ("greeting", "MAIL", "RCPT", "."):
            verdicts = run(Server({what: garbage}).address, records(1), smtp_timeout="20s", smtp_command_timeout="300ms").verdicts()
            check(verdicts[0] in ("wait", "retry"), "verdict on %r to %s: %s", garbage, what, verdicts)


def case_long_replies():
    """10,000 bytes in one line: a mail is taken or waits, a refusal is told in a short one."""
    for what in ("greeting", "EHLO", "MAIL", "RCPT", "."):
        code = "220 " if what == "greeting" else "250 "
        server = Server({what: lambda session, _: code + "x" * 10000})
        verdicts = run(server.address, records(1), smtp_timeout="20s", smtp_command_timeout="500ms").verdicts()
        check(verdicts[0] in ("done", "wait", "retry"), "verdict on a long reply to %s: %s", what, verdicts)
        check((verdicts[0] == "done") <= (len(server.mails) == 1), "mails: %d", len(server.mails))
    said = run(Server({"RCPT": "550 5.1.1 " + "x" * 10000}).address, records(1), smtp_command_timeout="500ms").only()
    check(said["verdict"] != "done" and len(said["text"]) < 800, "verdict %s, text of %d bytes", said["verdict"], len(said["text"]))


def case_mail_after_the_deadline():
    """A connection that comes about after its session was given up carries no mail; the next session does."""
    server = Server(listen=False)
    server.listener.listen(0)
    hold = [socket.socket() for _ in range(4)]
    for one in hold:
        one.setblocking(False)
        one.connect_ex(("127.0.0.1", server.port))

    def open_up(_):
        if hold:
            threading.Thread(target=server.accept, daemon=True).start()
        while hold:
            hold.pop().close()
    result = run(server.address, records(1), rounds=8, told=open_up, smtp_timeout="1s")
    verdicts = [line["verdict"] for line in result.lines]
    equal((verdicts[0], verdicts[-1]), ("wait", "done"), "first and last verdict of %r" % verdicts)
    wait_for("the end of all connections", lambda: server.ended == server.sessions)
    equal(len(server.mails), 1, "mails")


def case_handle_returns_soon():
    """A call ends with a full session or after a second: what was sent is committed before more is."""
    def slowly(session, _):
        time.sleep(0.05)
    result = run(Server({".": slowly}).address, records(60), smtp_batch=5)
    equal(result.verdicts(), ["done"] * 60, "verdicts")
    equal(result.totals["handles"], 12, "calls of handle")
    same_key = [record(i, event("same", "u", i + 1)) for i in range(60)]
    result = run(Server({".": slowly}).address, same_key)
    equal(result.verdicts(), ["done"] * 60, "verdicts of one key")
    equal(result.totals["sessions"], 60, "sessions")
    check(2 <= result.totals["handles"] < 60, "calls of handle: %d", result.totals["handles"])


class Stopper:
    """Asks the driver to end at its server's answer to mail `number`, which comes after `delay` seconds or never."""

    def __init__(self, number, delay=None):
        self.number, self.delay = number, delay

    def started(self, process):
        self.process = process

    def answer(self, session, _):
        if session.counts["."] != self.number:
            return None
        self.process.terminate()
        if self.delay is None:
            return SILENCE
        time.sleep(self.delay)
        return None


def case_stop_ends_the_session():
    """Asked to end, the notifier finishes the mail in flight and begins no other: they are not reached."""
    for extensions in (["PIPELINING"], []):
        stopper = Stopper(3, delay=1)
        server = Server({".": stopper.answer}, extensions=extensions)
        result = run(server.address, records(8), started=stopper.started)
        equal(result.verdicts(), ["done"] * 3 + ["none"] * 5, "verdicts")
        equal(len(server.mails), 3, "mails")
        equal(result.totals["healthy"], True, "health")


def case_stop_waits_not_for_ever():
    """A server that does not answer holds a process that has been asked to end for half of drain.timeout."""
    stopper = Stopper(2)
    server = Server({".": stopper.answer})
    result = run(server.address, records(4), started=stopper.started, smtp_timeout="30s", drain_timeout_ms=4000)
    equal(result.verdicts(), ["done", "wait", "none", "none"], "verdicts")
    check(result.totals["longest_ms"] < 4000, "handle took %d ms", result.totals["longest_ms"])


def case_acknowledged_is_sent():
    """A session that can't be ended in time: the mails that the server has taken before are sent, not blocked."""
    def drip(session, _):
        while session.counts["."] == 2:
            session.connection.sendall(b"2")
            time.sleep(0.05)
    server = Server({".": drip})
    result = run(server.address, records(3), flags=["--deaf"], smtp_timeout="1s")
    equal(result.verdicts(), ["done", "wait", "wait"], "verdicts")
    equal((result.totals["mails"], len(server.mails)), (1, 1), "mails")


def case_blocked_stops_the_batch():
    server = Server({"MAIL": "451 4.3.0 not now"})
    result = run(server.address, records(30), smtp_batch=10)
    equal(result.verdicts(), ["wait"] * 10 + ["none"] * 20, "verdicts")
    equal(server.sessions, 1, "sessions")


def case_starttls():
    """Fifty sessions: with TLS 1.3, whose tickets libesmtp takes for a reply, a third of them would stall."""
    with Certificates() as certificates:
        server = Server(tls=tls_context(*certificates.good))
        result = run(server.address, records(250), smtp_starttls="required", smtp_ca=certificates.ca, smtp_batch=5)
        equal(result.verdicts(), ["done"] * 250, "verdicts")
        equal((len(server.mails), server.sessions), (250, 50), "mails and sessions")
        hello = server.commands.index(b"STARTTLS\r\n")
        check(not any(command.startswith(b"MAIL") for command in server.commands[:hello]), "MAIL before STARTTLS")
        named = run("localhost:%d" % server.port, records(1), smtp_starttls="required", smtp_ca=certificates.ca)
        equal(named.verdicts(), ["done"], "verdict by name")


def sent_nothing(server, result, type, *words):
    equal((result.only()["verdict"], result.only()["error_type"]), ("wait", type), "verdict")
    check(all(word in result.only()["text"] for word in words), "text %r", result.only()["text"])
    equal(len(server.mails), 0, "mails")
    check(not any(command.startswith(b"MAIL") for command in server.commands), "MAIL was sent")


def fails_closed(certificates, server, what, word):
    """The mail waits, and not one byte of it, its envelope or the credentials leaves in clear text."""
    result = run(server.address, records(1), smtp_starttls="required", smtp_ca=certificates.ca, smtp_user="weir",
                 smtp_password=with_password("secret"), smtp_command_timeout="500ms")
    sent_nothing(server, result, "smtp-tls", word)
    equal([verb for verb in server.plain.split() if verb not in (b"EHLO", b"host.example.com", b"STARTTLS", b"QUIT")], [],
          "what was sent in clear text when TLS was " + what)


def case_starttls_wrong_certificate():
    users = {"weir": "secret"}
    with Certificates() as certificates, Certificates() as strangers:
        expired = certificates.issue("expired", "DNS:localhost,IP:127.0.0.1", days=-1)
        for what, word, pair in (("expired", "certificate", expired), ("signed by itself", "certificate", certificates.self_signed()),
                                 ("of another authority", "certificate", strangers.good), ("for another name", "mismatch", certificates.other)):
            fails_closed(certificates, Server(tls=tls_context(*pair), users=users), what, word)
        for newest in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            fails_closed(certificates, Server(tls=tls_context(*certificates.good, newest=newest), users=users), "old: %s" % newest, "")


def case_starttls_fails():
    """Stripped, injected into, refused, broken off or stalled, at the command and in the handshake."""
    injected = b"250-scripted\r\n250 PIPELINING\r\n250 fine\r\n250 fine\r\n354 go\r\n250 taken\r\n221 bye\r\n"
    users = {"weir": "secret"}
    with Certificates() as certificates:
        good = tls_context(*certificates.good)
        fails_closed(certificates, Server(users=users), "not offered", "STARTTLS")
        fails_closed(certificates, Server(tls=good, users=users, behind_starttls=injected), "injected into", "plain text")
        for stage in ("STARTTLS", "handshake"):
            for reply in ("454 4.7.0 not now", b"\x00\xff garbage\r\n" * 9, CLOSE, SILENCE):
                word = reply if isinstance(reply, str) and stage == "STARTTLS" else ""
                fails_closed(certificates, Server({stage: reply}, tls=good, users=users), "%r at %s" % (reply, stage), word)


def case_starttls_without_a_home():
    """libesmtp looks for a client certificate below HOME, which a service may not have."""
    with Certificates() as certificates:
        server = Server(tls=tls_context(*certificates.good))
        for name in ("HOME", "XDG_CONFIG_HOME"):
            os.environ.pop(name, None)
        result = run(server.address, records(1), smtp_starttls="required", smtp_ca=certificates.ca)
        equal(result.verdicts(), ["done"], "verdict without HOME")


def with_password(password):
    path = os.path.join(tempfile.mkdtemp(), "password")
    with open(path, "w") as stream:
        os.chmod(path, 0o600)
        stream.write(password)
    return "@file:" + path


def case_authentication():
    for mechanisms in (["PLAIN"], ["LOGIN"], ["LOGIN", "PLAIN"], ["CRAM-MD5", "NTLM", "PLAIN"]):
        server = Server(users={"weir": "päss word"}, mechanisms=mechanisms)
        result = run(server.address, records(2), smtp_user="weir", smtp_password=with_password("päss word"))
        equal(result.verdicts(), ["done", "done"], "verdicts with %r" % mechanisms)


def case_authentication_over_tls():
    with Certificates() as certificates:
        server = Server(tls=tls_context(*certificates.good), users={"weir": "secret"})
        result = run(server.address, records(2), smtp_starttls="required", smtp_ca=certificates.ca, smtp_user="weir",
                     smtp_password=with_password("secret"))
        equal(result.verdicts(), ["done", "done"], "verdicts")


def case_authentication_fails():
    for reply in ("535 5.7.8 bad credentials", "454 4.7.0 try later", "534 5.7.9 too weak", "421 4.3.2 closing", CLOSE, SILENCE,
                  b"hm\r\n"):
        server = Server(users={"weir": "right"}, auth_reply=reply)
        result = run(server.address, records(1), smtp_user="weir", smtp_password=with_password("wrong"), smtp_command_timeout="500ms")
        sent_nothing(server, result, "smtp-auth", reply[:3] if isinstance(reply, str) else "")
        check("wrong" not in result.only()["text"], "the password is in %r", result.only()["text"])


def case_authentication_not_offered():
    for mechanisms in (None, ["NTLM", "CRAM-MD5"]):
        server = Server(users=None if mechanisms is None else {}, mechanisms=mechanisms or ())
        result = run(server.address, records(1), smtp_user="weir", smtp_password=with_password("secret"))
        sent_nothing(server, result, "smtp-auth")


def case_hostile_reply():
    """What a server says reaches logs and headers as one line of printable text."""
    reply = b"550-5.1.1 \x1b[31mred\x00\x7f\xff\r\n550 5.1.1 X-Injected: \xc3\xa4 " + b"long " * 150 + b"\r\n"
    text = run(Server({"RCPT": reply}).address, records(1)).only()["text"]
    check(all(32 <= ord(c) < 127 for c in text) and len(text) < 800, "text %r", text)


def case_other_recipients_get_it_once():
    """An event is tried again for the recipient that failed only."""
    def once(session, argument):
        return "451 4.7.1 greylisted" if "b@" in argument and session.number == 1 else None
    server = Server({"RCPT": once})
    result = run(server.address, records(2), rounds=2, to="a@example.org,b@example.org,c@example.org")
    equal((result.verdicts(1), result.verdicts(2)), (["retry", "retry"], ["done", "done"]), "verdicts")
    equal(sorted(recipient for mail in server.mails for recipient in mail.recipients),
          sorted(["TO:<%s@example.org>" % name for name in "abc"] * 2), "recipients")


def case_worst_recipient_decides():
    def by_name(session, argument):
        return {"a@": "550 5.1.1 gone", "b@": "451 4.7.1 later"}.get(argument[4:6])
    result = run(Server({"RCPT": by_name}).address, records(1), to="a@example.org,b@example.org,c@example.org")
    equal((result.only()["verdict"], result.only()["error_type"]), ("retry", "smtp-451"), "verdict")


def case_order_of_a_key():
    """A later mail of a key never goes out before an earlier one, also when that is refused for now."""
    server = Server({"RCPT": lambda session, _: "451 4.7.1 later" if session.number == 1 else None})
    lines = [record(0, event("same", "c", 1)), record(1, event("same", "u", 2)), record(2, event("same", "d", 3))]
    result = run(server.address, lines, rounds=2)
    equal((result.verdicts(1), result.verdicts(2)), (["retry", "none", "none"], ["done"] * 3), "verdicts")
    equal([parse(mail.content)["Subject"] for mail in server.mails],
          ["orders same created", "orders same updated", "orders same deleted"], "mails")


def case_behind_a_failure_not_twice():
    """Other keys of the partition are mailed while a record before them failed: handed out again, they are not repeated."""
    server = Server({"RCPT": lambda session, _: "451 4.7.1 later" if session.number == 1 and
                     session.counts["RCPT"] == 1 else None})
    lines = [record(0, event("a")), record(1, event("b")), record(2, event("b", "u", 2))]
    result = run(server.address, lines, rounds=2)
    equal((result.verdicts(1), result.verdicts(2)), (["retry", "done", "done"], ["done"] * 3), "verdicts")
    equal([parse(mail.content)["Subject"] for mail in server.mails],
          ["orders b created", "orders b updated", "orders a created"], "mails")


def case_shared_id():
    """A producer may put one ce_id into several records, of one batch and of later ones: each is an event."""
    server = Server()
    lines = [record(i, event("same" if i < 3 else "other", op, version), headers={"ce_id": "again"})
             for i, (op, version) in enumerate([("c", 1), ("d", 2), ("c", 1), ("c", 1)])]
    equal(run(server.address, lines).verdicts(), ["done"] * 4, "verdicts")
    mails = [parse(mail.content) for mail in server.mails]
    equal([mail["Subject"] for mail in mails if "same" in mail["Subject"]],
          ["orders same created", "orders same deleted", "orders same created"], "mails")
    equal(len({mail["Message-ID"] for mail in mails}), 4, "Message-IDs")
    equal({mail["X-Weir-Event"] for mail in mails}, {"again"}, "the id that the producer gave")


def case_tombstone():
    server = Server()
    lines = [record(0, event("a", "d", 2)), record(1, None, key="a")]
    equal(run(server.address, lines).verdicts(), ["done", "done"], "verdicts")
    equal((len(server.mails), server.sessions), (1, 1), "mails and sessions")
    quiet = Server()
    equal(run(quiet.address, [record(0, None, key="a")]).verdicts(), ["done"], "verdict")
    equal(quiet.sessions, 0, "sessions for a tombstone alone")


def case_no_event():
    """What is no change event is rejected, and the next one is mailed."""
    good = event("good")
    bad = ["", "{", "[]", "\"text\"", "{}", "null", '{"op":"c"}', "\ufeff{}",
           *[json.dumps({**good, **change}) for change in (
               {"op": "x"}, {"op": 1}, {"collection": "Orders"}, {"collection": "a\r\nb"}, {"collection": ""},
               {"key": ""}, {"key": "a\r\nBcc: <x@example.org>"}, {"key": "\x7f"}, {"key": "k" * 256}, {"key": 7},
               {"version": 0}, {"version": "1"}, {"version": 1.5}, {"ts_ms": -1}, {"ts_ms": 10**15}, {"after": None},
               {"after": []}, {"request": "a\r\nb"}, {"request": 7})]]
    server = Server()
    result = run(server.address, [record(i, raw=text, key="k%d" % i) for i, text in enumerate(bad)] +
                 [record(99, good)])
    equal(result.verdicts(), ["reject"] * len(bad) + ["done"], "verdicts")
    equal({(line["disposition"], line["error_type"]) for line in result.lines[:-1]}, {("invalid", "event")}, "reasons")
    equal(len(server.mails), 1, "mails")


def case_sessions_at_once():
    """Each carries its share; a refusal in one disturbs no other; the mails of a key keep their order."""
    met = threading.Barrier(4)

    def meet(session, _):
        if session.counts["MAIL"] == 1 and session.number <= 4:
            met.wait(20)

    def refuse_one(session, _):
        return "550 5.7.1 no" if session.number == 2 and session.counts["."] == 1 else None

    server = Server({"MAIL": meet, ".": refuse_one})
    lines = records(40) + [record(100 + i, event("o-%d" % i, "u", 2)) for i in range(40)]
    result = run(server.address, lines, smtp_sessions=4, smtp_batch=40, smtp_timeout="20s")
    equal((sorted(set(result.verdicts())), result.verdicts().count("reject")), (["done", "reject"], 1), "verdicts")
    equal(server.sessions, 8, "sessions")
    subjects = [str(parse(mail.content)["Subject"]) for mail in server.mails]
    equal(len(set(subjects)), 79, "mails")
    for i in range(40):
        order = [subject for subject in subjects if subject.startswith("orders o-%d " % i)]
        check(order in (["orders o-%d created" % i, "orders o-%d updated" % i], ["orders o-%d updated" % i]), "order %r", order)


def case_no_reply_behind_the_end():
    """Nobody knows whether such a mail has arrived: it is counted, sent again, and the same by its Message-ID."""
    server = Server({".": lambda session, _: CLOSE if session.number == 1 else None})
    result = run(server.address, records(1), rounds=2)
    equal((result.verdicts(1), result.verdicts(2)), (["wait"], ["done"]), "verdicts")
    equal((result.totals["mails"], result.totals["unknown"]), (1, 1), "mails and unknown ones")
    untried = Server({"DATA": lambda session, _: CLOSE if session.number == 1 else None})
    equal(run(untried.address, records(1), rounds=2).totals["unknown"], 0, "unknown ones of a server that left before")


def case_relays_by_preference():
    """While the first can't be used, for whatever reason, the mails go to the next; no attempt is lost on it."""
    nobody = Server(listen=False)
    nobody.close()
    for first in (nobody, Server({"greeting": "421 4.3.2 down"}), Server({"greeting": CLOSE}), Server({"MAIL": "451 4.3.0 full"}),
                  Server({"EHLO": CLOSE})):
        second, third = Server(), Server()
        result = run(",".join((first.address, second.address, third.address)), records(3), rounds=2)
        equal((result.verdicts(1)[0], result.verdicts(2)), ("wait", ["done"] * 3), "verdicts")
        equal((len(first.mails), len(second.mails), len(third.mails)), (0, 3, 0), "mails")
    preferred, other = Server(), Server()
    equal(run(",".join((preferred.address, other.address)), records(3)).verdicts(), ["done"] * 3, "verdicts")
    equal((len(preferred.mails), other.sessions), (3, 0), "mails")


def case_settings_refused():
    for address in ("a\r\nRCPT TO:<b@example.org>", "a@b\nc", "no-at.example.org", "a b@example.org", "a@-b.example",
                    "<a@example.org>", "a@example.org>", "ä@example.org", "a@exämple.org", "@example.org", "a@",
                    "a" * 65 + "@example.org", "a@" + ".".join(["b" * 60] * 5), "a..b@example.org", ".a@example.org",
                    "a\x01@example.org", "a@b..c", "\"a b\"@example.org", "a;b@c,d"):
        for key in ("from", "to"):
            if key == "to" and address == "a@exämple.org":
                continue  # a recipient's domain may be an international one
            said = refused(**{key: address})
            check(key in said, "the error does not name the key: %r", said)
            check("\r" not in said and said.count("\n") == 1, "the error repeats control bytes: %r", said)
    check("notifier.hostname" in refused(hostname="bad host"), "hostname")
    check("none" in refused(smtp="mail.example.org:25", smtp_starttls="none"), "no encryption beyond loopback")
    check("IPv6" in refused(smtp="[::1]:25"), "IPv6 literal")
    check("8 entries" in refused(smtp=",".join(["localhost:25"] * 9)), "relays")
    check("none" in refused(smtp="localhost:25,mail.example.org:25", smtp_starttls="none"), "one of them beyond loopback")
    check("password" in refused(smtp_user="weir"), "a user without password")
    check("handle.timeout" in refused(smtp_timeout="40s"), "timeout")
    said = refused(drain_timeout_ms=3999)
    check(said.startswith("notifier-driver: drain.timeout:") and "notifier.smtp.timeout" in said, "drain: %r", said)
    check("more than 100" in refused(to=",".join("a%d@example.org" % i for i in range(101))), "recipients")


if __name__ == "__main__":
    sys.exit(main(cases_of(globals()), sys.argv))
