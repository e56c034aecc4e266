#!/usr/bin/python3
"""Subscriptions: who confirms, who gets mails, and how one gets no more of them."""

import base64
import hashlib
import hmac
import json
import sys
import tempfile
import time
import urllib.parse

from mail_rules import Configuration
from scripted import Server
from support import cases_of, check, equal, event, is_clean, main, parse, record

KEY, OLD_KEY = "0123456789abcdef" * 2, "fedcba9876543210" * 2
COLLECTION = "[collection subscriptions]\nkey = subscriptionID\n"
SECTION = "[subscriptions]\nurl = https://shop.example.com/shop\nkey = @file:%s\n"
EVENT_S = 1795243220
DAY_S = 86400


class Subscribed(Configuration):
    def __init__(self, *parts, **options):
        super().__init__(*parts, COLLECTION, **options)
        self.write("key", KEY + " " + OLD_KEY + "\n")
        with open(self.path, "a") as stream:
            stream.write(SECTION % (self.folder.name + "/key"))


def subscription(key, status="CONFIRMED", endpoint="ada@example.org", collection="orders", before_round=1, version=1,
                 ts_ms=EVENT_S * 1000, **more):
    """A record of the table, applied before a round."""
    document = {"subscriptionID": key, "status": status, "endpoint": endpoint, "collection": collection, **more}
    return record(0, event(key, "u" if version > 1 else "c", version, document, collection="subscriptions", ts_ms=ts_ms),
                  topic="subscriptions.changes", table=before_round)


def told(result):
    """The ledger's log: subscription to what became of its mails, in order."""
    found = {}
    for text in result.totals["log"]:
        value = json.loads(text)
        found.setdefault(value["subscription"], []).append(value["status"])
    return found


def asked(offset, key, version=1, status="PENDING", endpoint="ada@example.org", **more):
    """The same change, as a record to be handled."""
    document = {"subscriptionID": key, "status": status, "endpoint": endpoint, "collection": "orders", **more}
    return record(offset, event(key, "u" if version > 1 else "c", version, document, collection="subscriptions"),
                  topic="subscriptions.changes")


def read_link(link, action):
    """The subscription that a link is for and when it expires; fails for a signature that is not ours."""
    url = urllib.parse.urlsplit(link)
    equal((url.scheme, url.netloc), ("https", "shop.example.com"), "link")
    path = urllib.parse.unquote(url.path)
    check(path.startswith("/shop/v1/subscriptions/") and path.endswith(":" + action), "path %r", path)
    key = path[len("/shop/v1/subscriptions/"):-len(":" + action)]
    query = urllib.parse.parse_qs(url.query)
    expiry, signature = query["token"][0].split(".")
    signed = " ".join([action] + query.get("version", []))
    statement = "weir-token:%d:%s:%d:%s:%s" % (len(key.encode()), key, len(signed), signed, expiry)
    mac = hmac.new(KEY.encode(), statement.encode(), hashlib.sha256).digest()
    equal(signature, base64.urlsafe_b64encode(mac).decode().rstrip("="), "signature")
    return key, int(expiry, 16)


def recipients(server):
    return sorted(mail.recipients[0][len("TO:<"):-1] for mail in server.mails)


def case_only_confirmed_ones():
    server = Server()
    lines = [subscription("s-%d" % i, status, "%s@example.org" % status.lower())
             for i, status in enumerate(["PENDING", "CONFIRMED", "UNSUBSCRIBED", "SUSPENDED", "confirmed", ""])]
    lines += [subscription("s-9", endpoint="other@example.org", collection="products"), record(1, event("o-1"))]
    equal(Subscribed().run(server, lines).verdicts(), ["done"], "verdicts")
    equal(recipients(server), ["confirmed@example.org"], "recipients")


def case_filters_and_templates():
    files = {"big.subject.mustache": "Big: {{key}}\n", "big.txt.mustache": "{{after.total}} {{unsubscribe}}\n"}
    configuration = Subscribed(files=files)
    server = Server()
    lines = [subscription("s-1", endpoint="big@example.org", template="big",
                          filter={"after.total": [{"numeric": [">=", 100]}]}),
             subscription("s-2", endpoint="all@example.org", template="nowhere"),
             subscription("s-3", endpoint="updates@example.org", filter={"op": ["u"]}),
             record(1, event("o-1", "c", 1, {"total": 100})), record(2, event("o-2", "c", 1, {"total": 99})),
             record(3, event("o-1", "u", 2, {"total": 1}))]
    equal(configuration.run(server, lines, templates=configuration.folder.name).verdicts(), ["done"] * 3, "verdicts")
    equal(recipients(server), ["all@example.org", "all@example.org", "big@example.org", "updates@example.org"], "recipients")
    subjects = {str(parse(mail.content)["Subject"]) for mail in server.mails}
    equal(subjects, {"Big: o-1", "orders o-1 created", "orders o-2 created", "orders o-1 updated"}, "subjects")


def case_unsubscribe_header():
    """RFC 8058: a link of its own for each, good for a year, and the same at each try."""
    server, again = Server(), Server()
    lines = [subscription("s 1/ä"), subscription("s-2", endpoint="grace@example.org"), record(1, event("o-1"))]
    for one in (server, again):
        equal(Subscribed().run(one, lines).verdicts(), ["done"], "verdicts")
    equal(sorted(mail.content for mail in server.mails), sorted(mail.content for mail in again.mails), "the same mails")
    keys = set()
    for mail in server.mails:
        is_clean(mail.content)
        message = parse(mail.content)
        link = message["List-Unsubscribe"].strip("<>")
        key, expiry = read_link(link, "unsubscribe")
        keys.add(key)
        equal(expiry, EVENT_S + 365 * DAY_S, "expiry")
        equal(message["List-Unsubscribe-Post"], "List-Unsubscribe=One-Click", "one click")
        equal(message["List-Id"], "<orders.host.example.com>", "List-Id")
        for subtype in ("plain", "html"):
            text = message.get_body((subtype,)).get_content()
            check(link in text.replace("&amp;", "&"), "no link in the %s part: %r", subtype, text)
    equal(keys, {"s 1/ä", "s-2"}, "subscriptions")


def case_confirmation():
    """Who is asked gets a link for 48 hours, as often as the configuration allows, and nothing else."""
    server = Server()
    lines = [asked(i, "s-1", i + 1) for i in range(4)] + [asked(4, "s-2", 1, "CONFIRMED"), asked(5, "s-3", 2, "UNSUBSCRIBED"),
                                                          record(6, event("o-1"))]
    equal(Subscribed().run(server, lines).verdicts(), ["done"] * 7, "verdicts")
    equal(recipients(server), ["ada@example.org"] * 3, "recipients")
    message = parse(server.mails[0].content)
    equal(message["Subject"], "Please confirm: mails about orders", "subject")
    equal(message["List-Unsubscribe"], None, "List-Unsubscribe")
    text = message.get_body(("plain",)).get_content()
    link = next(line for line in text.split() if line.startswith("https://"))
    equal(read_link(link, "confirm"), ("s-1", EVENT_S + 2 * DAY_S), "link")
    request = json.loads(lines[0]["value"])["request"]
    check("version=%s&" % request in link, "the link is not for that version: %r", link)


def case_hostile_subscriptions():
    """Their texts come from anyone: nothing of them reaches a command or a header, and no other one is disturbed."""
    server = Server(sloppy=True)
    hostile = [{"endpoint": "a@b\r\nRCPT TO:<x@example.org>"}, {"endpoint": ["a@example.org"]}, {"endpoint": "x" * 100000},
               {"filter": {"a": "b"}}, {"filter": 5}, {"filter": {"a": [{"prefix": "x" * 5000}]}}, {"collection": 5},
               {"template": "../../etc/passwd"}, {"template": "x" * 100000}]
    lines = [subscription("h-%d" % i, **{"endpoint": "h%d@example.org" % i, **more}) for i, more in enumerate(hostile)]
    lines += [subscription("k" * 200, endpoint="long@example.org"), subscription("s-1"),
              record(0, None, topic="subscriptions.changes", table=1, key="s-9", raw="{"),
              record(1, event("o-1")), asked(2, "p\"><b>&", endpoint="p@example.org"),
              asked(3, "p-2", endpoint="a@b\r\nDATA"), asked(4, "p-3", endpoint=None)]
    result = Subscribed().run(server, lines)
    equal(result.verdicts(), ["done", "done", "reject", "done"], "verdicts")
    check("after.endpoint: " in result.lines[2]["text"], "reason %r", result.lines[2]["text"])
    equal(recipients(server), ["ada@example.org", "h7@example.org", "h8@example.org", "p@example.org"], "recipients")
    for mail in server.mails:
        is_clean(mail.content)
        for part in parse(mail.content).iter_parts():
            check("<b>&" not in part.get_content(), "an id became HTML")
    commands = {command.split()[0] for command in server.commands}
    check(commands <= {b"EHLO", b"MAIL", b"RCPT", b"DATA", b"RSET", b"QUIT"}, "commands %r", commands)


def case_unsubscribe_ends_queued_mails():
    """A mail that waits for its next try is not sent once its recipient has unsubscribed; the others are."""
    refused = set()

    def refuse_once(session, recipient):
        if recipient in refused:
            return "250 taken"
        refused.add(recipient)
        return "450 4.2.0 later"

    server = Server({"RCPT": refuse_once})
    now = int(time.time() * 1000)
    lines = [subscription("s-1", ts_ms=now - 9), subscription("s-2", endpoint="grace@example.org"),
             record(1, event("o-1", ts_ms=now)), subscription("s-1", "UNSUBSCRIBED", before_round=2, version=2, ts_ms=now + 9)]
    result = Subscribed().run(server, lines, 2)
    equal((result.verdicts(1), result.verdicts(2)), (["retry"], ["done"]), "verdicts")
    equal(recipients(server), ["grace@example.org"], "recipients")
    equal(told(result), {"s-1": ["deferred", "suppressed"], "s-2": ["deferred", "sent"]}, "log")


def case_suppressed():
    """On record for each who was confirmed at the time of an event and has left since: once, and for nobody else."""
    now, folder = int(time.time() * 1000), tempfile.TemporaryDirectory()
    was, left = {"ts_ms": now - 5000}, {"version": 2, "ts_ms": now + 5000}
    many = ["many-%d" % i for i in range(50)]
    lines = [subscription(key, **was) for key in [*many, "ended", "gone", "back", "other", "stayed"]]
    lines += [subscription(key, "UNSUBSCRIBED", **left) for key in [*many, "back", "other"]]
    lines += [subscription("ended", "SUSPENDED", **left), subscription("back", version=3, ts_ms=now + 6000),
              record(0, event("gone", "d", 2, collection="subscriptions", ts_ms=now + 5000), topic="subscriptions.changes", table=1),
              record(0, None, key="gone", topic="subscriptions.changes", table=1),
              subscription("filtered", ts_ms=now - 5000, filter={"op": ["d"]}), subscription("filtered", "UNSUBSCRIBED", **left),
              subscription("early", ts_ms=now - 9000), subscription("early", "UNSUBSCRIBED", version=2, ts_ms=now - 1),
              subscription("late", ts_ms=now + 1), subscription("late", "UNSUBSCRIBED", **left),
              subscription("asked", "PENDING", **was), subscription("asked", "UNSUBSCRIBED", **left),
              record(1, event("o-1", ts_ms=now)), record(2, event("p-1", collection="products", ts_ms=now))]
    server = Server()
    for log in ({**{key: ["suppressed"] for key in [*many, "ended", "gone", "other"]}, "back": ["sent"], "stayed": ["sent"]}, {}):
        result = Subscribed().run(server, lines, smtp_batch=7, ledger_path=folder.name)
        equal(result.verdicts(), ["done", "done"], "verdicts")
        equal(told(result), log, "log")
    equal(len(server.mails), 2, "mails")


def case_refused_again_and_again():
    """An address that is refused for three events in a row ends its subscription; one that was accepted between goes on."""
    answers = {"gone@": ["550 5.1.1 no such user"] * 3, "moody@": ["550 5.1.1 no"] * 2 + ["250 yes"] + ["550 5.1.1 no"] * 2,
               "full@": ["552 5.2.2 full"] * 9}

    def answer(session, recipient):
        for word, said in answers.items():
            if word in recipient and said:
                return said.pop(0)
        return None

    server = Server({"RCPT": answer})
    lines = [subscription("s-%s" % word[:-1], endpoint=word + "example.org") for word in answers]
    lines += [record(i, event("o-%d" % i)) for i in range(5)]
    result = Subscribed().run(server, lines, smtp_batch=3)
    commands = [json.loads(text) for text in result.totals["commands"]]
    equal(commands, [{"status": "SUSPENDED", "reason": "550 5.1.1 no such user"}], "commands")
    equal(Subscribed().run(Server({"RCPT": "550 5.1.1 no"}), lines, suspend_after=0).totals["commands"], [], "switched off")


def case_refusals_survive_a_restart():
    """They are counted for a version of the subscription, whoever was stopped in between; another version begins anew."""
    server, folder = Server({"RCPT": "550 5.1.1 no such user"}), tempfile.TemporaryDirectory()
    for offset, (version, commands) in enumerate([(1, 0), (1, 0), (1, 1), (2, 0), (2, 0), (2, 1)]):
        lines = [subscription("s-1", version=at) for at in range(1, version + 1)] + [record(offset, event("o-%d" % offset))]
        result = Subscribed().run(server, lines, ledger_path=folder.name)
        equal((result.verdicts(), len(result.totals["commands"])), (["reject"], commands), "verdict and commands of event %d" % offset)


def case_many_subscribers():
    """Of one event: each gets one mail."""
    server = Server()
    lines = [subscription("s-%d" % i, endpoint="a%d@example.org" % i) for i in range(600)] + [record(1, event("o-1"))]
    equal(Subscribed().run(server, lines, smtp_timeout="30s").verdicts(), ["done"], "verdicts")
    equal(recipients(server), sorted("a%d@example.org" % i for i in range(600)), "recipients")


def case_refused_settings():
    for text, wanted in [
            (SECTION.replace("@file:%s", KEY), "[subscriptions] needs a [collection subscriptions]"),
            (COLLECTION + SECTION.replace("@file:%s", "short"), "key: key 1 has 5 characters, not 32 to 256"),
            (COLLECTION + "[subscriptions]\nurl = https://a.example/\nkey = " + KEY + "\n", "without a / at its end"),
            (COLLECTION + "[subscriptions]\nurl = https://a.example?x\nkey = " + KEY + "\n", "url"),
            (COLLECTION + "[subscriptions]\nkey = " + KEY + "\n", "url is missing")]:
        said = Configuration(text).refused("--check")
        check(wanted in said, "%r: %r is not in %r", text, wanted, said)


if __name__ == "__main__":
    sys.exit(main(cases_of(globals()), sys.argv))
