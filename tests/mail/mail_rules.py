#!/usr/bin/python3
"""Who gets which mail: [notify NAME] sections, filters, templates; what is refused at the start and where it says so."""

import json
import os
import sys
import tempfile

from scripted import Server
from support import (COMMON, ROOT, cases_of, check, driver, equal, event, is_clean, main, parse, record, run_plugin)

EXAMPLES = os.path.join(ROOT, "deploy", "conf", "templates")
KAFKA = "[kafka]\nbootstrap.servers = broker:9092\n"
ORDERS = "[collection orders]\nkey = orderID\n"
PRODUCTS = "[collection products]\nkey = productID\nchanges.view = NEW_AND_OLD_IMAGES\n"
SERVICE = "[service notifier]\nplugin = notifier\ntopics = orders.changes, products.changes\nnotifier.from = weir@example.com\n"
SHIPPED = """[notify shipped]
collection = orders
to = after.customer.email
filter = {"op": ["u"], "after.status": ["SHIPPED"]}
template = shipped
"""
STOCK = """[notify out-of-stock]
collection = products
to = purchasing@example.org
filter = {"before.stock": [{"numeric": [">", 0]}], "after.stock": [{"numeric": ["<=", 0]}]}
template = out-of-stock
[notify back-in-stock]
collection = products
to = ada@example.org, grace@example.org
filter = {"before.stock": [{"numeric": ["<=", 0]}], "after.stock": [{"numeric": [">", 0]}]}
template = back-in-stock
"""


class Configuration:
    def __init__(self, *parts, files=None):
        self.folder = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.folder.name, "weir.conf")
        self.write("weir.conf", KAFKA + ORDERS + PRODUCTS + SERVICE + "".join(parts))
        for name, text in (files or {}).items():
            self.write(name, text)

    def write(self, name, text):
        """Read by its owner only: it may hold a secret."""
        path = os.path.join(self.folder.name, name)
        with open(path, "w") as stream:
            os.chmod(path, 0o600)
            stream.write(text)

    def run(self, server, lines, rounds=1, **settings):
        settings = {"smtp": server.address, "templates": EXAMPLES, **COMMON, **settings}
        return run_plugin(settings, lines, rounds, ["--config", self.path])

    def refused(self, *flags, **settings):
        """What the start is refused with."""
        settings = {"templates": EXAMPLES, "from": "weir@example.com", **settings}
        done = driver([*flags, "--config", self.path, os.environ["NOTIFIER_PLUGIN"]]
                      + ["%s=%s" % item for item in settings.items()])
        check(done.returncode == 78, "not refused: %d %s", done.returncode, done.stderr)
        check(done.stderr.count("\n") == 1, "more than one line: %r", done.stderr)
        return done.stderr.removeprefix("notifier-driver: ").rstrip("\n")


def order(status, **more):
    return {"orderID": "o-1", "status": status, "total": 19.90,
            "customer": {"name": "Ada", "email": "ada@example.org", **more}}


def received(server):
    return [(mail.recipients[0], str(parse(mail.content)["Subject"])) for mail in server.mails]


def part(mail, subtype):
    return parse(mail.content).get_body((subtype,)).get_content().replace("\r\n", "\n")


def case_delivery_status():
    """The customer hears when the order is shipped, and of nothing else."""
    events = [event("o-1", "c", 1, order("NEW")), event("o-1", "u", 2, order("PAID")), event("o-1", "u", 3, order("SHIPPED")),
              event("o-2", "c", 1, order("SHIPPED")), event("o-1", "d", 4)]
    server = Server()
    result = Configuration(SHIPPED).run(server, [record(i, value) for i, value in enumerate(events)])
    equal(result.verdicts(), ["done"] * 5, "verdicts")
    equal(received(server), [("TO:<ada@example.org>", "Your order o-1 is on its way")], "mails")
    text = part(server.mails[0], "plain")
    check(text.startswith("Dear Ada,\n\nyour order o-1 has left our house.\n"), "text %r", text)
    check("19.9" in text, "the total: %r", text)


def case_stock():
    def change(offset, before, after, op="u"):
        value = event("p-1", op, offset + 1, {"productID": "p-1", "name": "Tea & <b>", "stock": after}, collection="products")
        if before is not None:
            value["before"] = {"productID": "p-1", "stock": before}
        return record(offset, value)

    server = Server()
    lines = [change(0, None, 0, "c"), change(1, 0, 5), change(2, 5, 3), change(3, 3, 0), change(4, 0, 0), change(5, 0, 7)]
    equal(Configuration(STOCK).run(server, lines).verdicts(), ["done"] * 6, "verdicts")
    back, out = "Back in stock: Tea & <b>", "Out of stock: Tea & <b>"
    equal(received(server), [("TO:<ada@example.org>", back), ("TO:<grace@example.org>", back),
                             ("TO:<purchasing@example.org>", out),
                             ("TO:<ada@example.org>", back), ("TO:<grace@example.org>", back)], "mails")


def case_inserts_by_default():
    rule = "[notify big]\ncollection = orders\nto = a@example.org\nfilter = {\"after.total\": [{\"numeric\": [\">\", 9]}]}\n"
    server = Server()
    lines = [record(0, event("o-1", "c")), record(1, event("o-2", "u")), record(2, event("o-3", "d")),
             record(3, event("o-4", "c", 1, {"total": 9}))]
    equal(Configuration(rule).run(server, lines).verdicts(), ["done"] * 4, "verdicts")
    equal(received(server), [("TO:<a@example.org>", "orders o-1 created")], "mails")


def case_without_a_filter():
    rule = "[notify new]\ncollection = orders\nto = a@example.org\n"
    server = Server()
    lines = [record(0, event("o-1", "c")), record(1, event("o-2", "u")),
             record(2, event("p-1", "c", 1, {}, collection="products"))]
    equal(Configuration(rule).run(server, lines).verdicts(), ["done"] * 3, "verdicts")
    equal(received(server), [("TO:<a@example.org>", "orders o-1 created")], "mails")


def case_two_rules_one_recipient():
    """Two reasons are two mails, with Message-IDs of their own; one reason is one mail, however often it names someone."""
    rules = "".join("[notify %s]\ncollection = orders\nto = ada@example.org, after.customer.email\n" % name
                    for name in ("one", "two"))
    server = Server()
    equal(Configuration(rules).run(server, [record(0, event("o-1", "c", 1, order("NEW")))]).verdicts(), ["done"], "verdict")
    messages = [parse(mail.content) for mail in server.mails]
    equal(len(messages), 2, "mails")
    equal(len({message["Message-ID"] for message in messages}), 2, "Message-IDs")
    equal({message["List-Id"] for message in messages}, {"<one.host.example.com>", "<two.host.example.com>"}, "List-Ids")


HOSTILE_ADDRESSES = ["", "no-at", "a@b\r\nRCPT TO:<x@example.org>", "a@b\n", "<a@b>", "a@b,c@d", "\"a b\"@c", "a (x)@b",
                     "a@" + "b" * 300, "x" * 1000000 + "@b", "ä@example.org", "a@b..c", "a@[1.2.3.4]", "a@exa_mple.org",
                     "a@\u202emoc.elpmaxe", 5, True, {"a": "b@c.d"}, ["a@example.org", 5]]


def case_hostile_addresses():
    """An address that is none becomes a dead letter that names the place; nobody else loses the mail, nothing is added."""
    rules = SHIPPED + "[notify team]\ncollection = orders\nto = team@example.org\nfilter = {\"op\": [\"u\"]}\n"
    server = Server(sloppy=True)
    lines = [record(i, event("o-%d" % i, "u", 2, order("SHIPPED", email=address))) for i, address in enumerate(HOSTILE_ADDRESSES)]
    result = Configuration(rules).run(server, lines)
    equal(set(result.verdicts()), {"reject"}, "verdicts")
    for line in result.lines:
        equal((line["disposition"], line["error_type"]), ("invalid", "event"), "reason")
        check(line["text"].startswith("after.customer.email: "), "the text does not name the place: %r", line["text"])
        check(not set(line["text"]) & set("\r\n"), "line ends in %r", line["text"])
    equal([mail.recipients for mail in server.mails].count(["TO:<team@example.org>"]), len(lines), "mails to the team")
    equal([mail.recipients for mail in server.mails if mail.recipients != ["TO:<team@example.org>"]],
          [["TO:<a@example.org>"]], "other mails")
    commands = {command.split()[0] for command in server.commands}
    check(commands <= {b"EHLO", b"MAIL", b"RCPT", b"DATA", b"RSET", b"QUIT"}, "commands %r", commands)


def case_nobody_named():
    """No address at the path: there is nobody to write to, which is no failure."""
    server = Server()
    lines = [record(0, event("o-1", "u", 2, order("SHIPPED", email=None))), record(1, event("o-2", "u", 2, {"status": "SHIPPED"})),
             record(2, event("o-3", "u", 2, order("SHIPPED", email=[])))]
    equal(Configuration(SHIPPED).run(server, lines).verdicts(), ["done"] * 3, "verdicts")
    equal(server.sessions, 0, "sessions")


def case_international_domains():
    server = Server()
    addresses = ["a@exämple.org", "b@例え.テスト", "c@EXÄMPLE.org", "d@plain.example"]
    lines = [record(i, event("o-%d" % i, "u", 2, order("SHIPPED", email=address))) for i, address in enumerate(addresses)]
    equal(Configuration(SHIPPED).run(server, lines).verdicts(), ["done"] * 4, "verdicts")
    equal([mail.recipients[0] for mail in server.mails],
          ["TO:<a@xn--exmple-cua.org>", "TO:<b@xn--r8jz45g.xn--zckzah>", "TO:<c@xn--exmple-cua.org>", "TO:<d@plain.example>"],
          "recipients")


HOSTILE_VALUES = ["\r\nBcc: <x@example.org>\r\n\r\n", "a\u0000b".replace("\u0000", "\x01"), "\u202emoc.elpmaxe", "<script>alert(1)</script>",
                  "{{#after}}{{.}}{{/after}}{{>footer}}", "=?UTF-8?B?QmNj?=", "x" * 100000, "\n.\n", "é" * 500, "\x1b[31m"]


def case_hostile_values():
    """What a document holds stays text: in the subject, in the text, in HTML."""
    files = {"t.subject.mustache": "Hello {{after.name}}\n", "t.txt.mustache": "{{after.name}}\n",
             "t.html.mustache": "<p title=\"{{after.name}}\">{{after.name}}</p>\n"}
    rule = "[notify t]\ncollection = orders\nto = a@example.org\ntemplate = t\n"
    server = Server(sloppy=True)
    configuration = Configuration(rule, files=files)
    lines = [record(i, event("o-%d" % i, document={"name": value})) for i, value in enumerate(HOSTILE_VALUES)]
    result = configuration.run(server, lines, templates=configuration.folder.name)
    equal(result.verdicts(), ["done"] * len(lines), "verdicts")
    for value, mail in zip(HOSTILE_VALUES, server.mails):
        is_clean(mail.content)
        message = parse(mail.content)
        equal(len(message["Subject"].splitlines()), 1, "lines of the subject")
        check(message["Subject"].startswith("Hello"), "subject %r", message["Subject"])
        equal(sorted(message.keys()), sorted(["From", "To", "Subject", "Date", "Message-ID", "List-Id", "Auto-Submitted",
                                              "X-Weir-Event", "MIME-Version", "Content-Type"]), "headers")
        equal(part(mail, "plain"), value.replace("\r\n", "\n") + "\n", "text")
        html = part(mail, "html")
        check("<script>" not in html and html.count("<") == 2 and html.count('"') == 2, "HTML %r", html)


def case_a_name_of_a_megabyte():
    """Beyond what a mail may hold it is a dead letter that says so, and every other mail goes out; a NUL is in no mail."""
    files = {"t.subject.mustache": "Hello {{after.name}}\n", "t.txt.mustache": "{{after.id}} {{after.name}}\n"}
    rule = "[notify t]\ncollection = orders\nto = a@example.org\ntemplate = t\n[notify team]\ncollection = orders\nto = team@example.org\n"
    server = Server(sloppy=True)
    configuration = Configuration(rule, files=files)
    large = [record(i, event("o-%d" % i, document={"name": text * (1000000 // len(text.encode()))}))
             for i, text in enumerate(["x", "\r\n.\r\n", "\u202e", "é"])]
    nul = record(8, raw=json.dumps(event("o-8", document={"name": "a@NUL@b"})).replace("@NUL@", "\\u0000"), key="o-8")
    result = configuration.run(server, [*large, nul, record(9, event("o-9"))], templates=configuration.folder.name)
    equal(result.verdicts(), ["reject"] * 5 + ["done"], "verdicts")
    equal([line["disposition"] for line in result.lines[:5]], ["too-large"] * 4 + ["invalid"], "reasons")
    equal([mail.recipients[0] for mail in server.mails], ["TO:<team@example.org>"] * 4 + ["TO:<a@example.org>", "TO:<team@example.org>"],
          "recipients")
    for mail in server.mails:
        is_clean(mail.content)
        parse(mail.content)


def case_every_header():
    """Item by item, as Python's parser reads them."""
    server = Server()
    configuration = Configuration(SHIPPED)
    document = order("SHIPPED", name="例え" * 100)
    configuration.run(server, [record(0, event("o-1", "u", 3, document))], from_name="Müller & Söhne, \"Tee\"")
    is_clean(server.mails[0].content)
    check(all(len(line) <= 78 for line in server.mails[0].content.split(b"\r\n") if not line.startswith(b"Message-ID")),
          "a line of more than 78 bytes")
    message = parse(server.mails[0].content)
    equal(message["From"].addresses[0].addr_spec, "weir@example.com", "From")
    equal(message["From"].addresses[0].display_name, "Müller & Söhne, \"Tee\"", "From's name")
    equal([address.addr_spec for address in message["To"].addresses], ["ada@example.org"], "To")
    equal(message["Date"].datetime.timestamp(), 1795243220, "Date")
    equal(message["Auto-Submitted"], "auto-generated", "Auto-Submitted")
    equal(message["List-Id"], "<shipped.host.example.com>", "List-Id")
    equal(message.get_content_type(), "multipart/alternative", "content type")
    plain, html = message.iter_parts()
    equal((plain.get_content_type(), html.get_content_type()), ("text/plain", "text/html"), "parts")
    equal((plain.get_content_charset(), html.get_content_charset()), ("utf-8", "utf-8"), "charsets")
    equal(plain["Content-Transfer-Encoding"], "base64", "encoding of a text in another script")
    check(plain.get_content().startswith("Dear 例え"), "text")
    check("Dear 例え" in html.get_content(), "HTML")
    again = Server()
    configuration.run(again, [record(0, event("o-1", "u", 3, document))], from_name="Müller & Söhne, \"Tee\"")
    equal(again.mails[0].content, server.mails[0].content, "the same event gives the same mail")


def case_reloaded_templates():
    """After a SIGHUP the next mail is by the new file; a broken one leaves the old."""
    rule = "[notify x]\ncollection = orders\nto = a@example.org\ntemplate = t\n"
    for text, wanted in (("new\n", "new"), ("{{#broken}}\n", "old"), (None, "old")):
        configuration = Configuration(rule, files={"t.subject.mustache": "old\n", "t.txt.mustache": "t\n"})
        path = os.path.join(configuration.folder.name, "t.subject.mustache")

        def refuse_once(session, _):
            if len(server.mails) > 0 or session.number > 1:
                return "250 taken"
            os.unlink(path) if text is None else configuration.write("t.subject.mustache", text)
            return "450 4.2.0 later"

        server = Server({".": refuse_once})
        settings = {"smtp": server.address, "templates": configuration.folder.name, **COMMON}
        result = run_plugin(settings, [record(0, event("o-1"))], 2, ["--reload", "--config", configuration.path])
        equal((result.verdicts(1), result.verdicts(2)), (["retry"], ["done"]), "verdicts")
        equal(str(parse(server.mails[-1].content)["Subject"]), wanted, "subject with %r" % text)


def case_refused_rules():
    rule = "[notify x]\ncollection = %s\nto = %s\n"
    good = rule % ("orders", "a@example.org")
    at = ":%d: " % ((KAFKA + ORDERS + PRODUCTS + SERVICE + good).count("\n") + 1)
    for text, wanted in [
            (rule % ("ordrs", "a@example.org"), "there is no [collection ordrs]"),
            (good + "filter = {\"after.status\": \"SHIPPED\"}\n", at + "filter: /after.status: has to be an array"),
            (good + "filter = {\"a\": [{\"cidr\": \"10.0.0.0/8\"}]}\n", at + "filter: /a/0/cidr: cidr is not supported"),
            (good + "filter = {\"a\": [1]\n", at + "filter: invalid JSON"),
            (good + "filter = {\"before.stock\": [0]}\n", "set changes.view = NEW_AND_OLD_IMAGES in [collection orders]"),
            (good + "filter = {\"$or\": [{\"op\": [\"u\"]}, {\"before\": {\"stock\": [0]}}]}\n", "set changes.view"),
            (rule % ("orders", "after..email"), "to of [notify x]: address 1: neither an address"),
            (rule % ("orders", "customer.email"), "to of [notify x]: address 1: neither an address"),
            (rule % ("orders", "a@example.org, b@@c"), "to of [notify x]: address 2: "),
            (good + "colour = red\n", "unknown key \"colour\""),
            (rule.replace("notify x", "notify X") % ("orders", "a@example.org"), "[notify X]: a name is a-z"),
            ("", "notifier.to: nobody gets a mail"),
            ("[service other]\nplugin = notifier\ntopics = x.changes\n", "notifier.to: nobody gets a mail")]:
        said = Configuration(text).refused("--check")
        check(wanted in said, "%r: %r is not in %r", text, wanted, said)


def case_refused_templates():
    rule = "[notify x]\ncollection = orders\nto = a@example.org\ntemplate = t\n"
    good = {"t.subject.mustache": "s\n", "t.txt.mustache": "t\n"}
    for files, wanted in [
            ({}, "template of [notify x]: there is no t.subject.mustache in "),
            ({"t.subject.mustache": "s"}, "template of [notify x]: there is no t.txt.mustache in "),
            ({**good, "t.txt.mustache": "a\n{{#b}}\n"}, "/t.txt.mustache:2: the section that begins here is never closed"),
            ({**good, "t.html.mustache": "\n\n{{>foot}}\n"}, "/t.html.mustache:3: there is no partial foot.html.mustache"),
            ({**good, "unused.txt.mustache": "{{"}, "/unused.txt.mustache:1: this tag does not end"),
            ({**good, "T.txt.mustache": ""}, "/T.txt.mustache: templates are named NAME.subject.mustache"),
            ({**good, "t.mustache": ""}, "/t.mustache: templates are named"),
            ({**good, "t.txt.mustache": "x" * (256 * 1024 + 1)}, "/t.txt.mustache")]:
        configuration = Configuration(rule, files=files)
        said = configuration.refused(templates=configuration.folder.name)
        check(wanted in said, "%r is not in %r", wanted, said)
    check("/nowhere: No such file" in Configuration(rule).refused(templates="/nowhere"), "a folder that is not there")


PAYMENTS = """[service notifier]
plugin = notifier
topics = payments, orders.changes
topics.partitions = 3
notifier.from = weir@example.com
[notify settled]
topic = payments
to = customer.email, audit@example.org
filter = {"state": ["settled"], "amount": [{"numeric": [">", 10]}]}
template = settled
[notify ordered]
collection = orders
to = team@example.org
"""


def payment(offset, key, value, **more):
    return record(offset, key=key, raw=value if isinstance(value, str) else json.dumps(value), topic="payments", **more)


def case_topic_of_others():
    """Any topic of JSON objects, whatever they look like; what is none is a dead letter, and our own events are as ever."""
    configuration = Configuration(files={"settled.subject.mustache": "{{collection}} {{key}}: {{amount}}\n",
                                         "settled.txt.mustache": "Dear {{customer.name}}, {{amount}}\n"})
    configuration.write("weir.conf", KAFKA + ORDERS + PAYMENTS)
    server = Server()
    good = {"state": "settled", "amount": 12.50, "customer": {"name": "Ada", "email": "ada@example.org"}}
    lines = [payment(0, "p-1", good), payment(1, "p-2", {**good, "state": "open"}), payment(2, "p-3", {**good, "amount": 5}),
             payment(3, None, {**good, "customer": "nobody"}), payment(4, "p-5", "[1]"), payment(5, "p-6", "{"),
             record(6, event("o-1"), source=1),
             payment(7, "p-8", {**good, "op": "d", "collection": "orders", "key": "o-1", "after": {}})]
    result = configuration.run(server, lines, templates=configuration.folder.name)
    equal(result.verdicts(), ["done"] * 4 + ["reject"] * 2 + ["done"] * 2, "verdicts")
    got = sorted((mail.recipients[0][len("TO:<"):-1], str(parse(mail.content)["Subject"])) for mail in server.mails)
    equal(got, [("ada@example.org", "payments p-1: 12.5"), ("ada@example.org", "payments p-8: 12.5"),
                ("audit@example.org", "payments : 12.5"), ("audit@example.org", "payments p-1: 12.5"),
                ("audit@example.org", "payments p-8: 12.5"), ("team@example.org", "orders o-1 created")], "mails")


if __name__ == "__main__":
    sys.exit(main(cases_of(globals()), sys.argv))
