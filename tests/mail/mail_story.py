#!/usr/bin/python3
"""The whole of Weir before three real mail servers, with TLS and AUTH on: subscribe, confirm, order, mail, leave, order, no mail.
What arrives is read by Python's mail parser, part by part."""

import http.client
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import urllib.parse

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from mail_servers import OpenSmtpd, Postfix, free_port
from scripted import Server
from support import ROOT, Certificates, cases_of, check, equal, main, parse, wait_for

sys.path.insert(0, os.path.join(ROOT, "deploy", "demonstration"))
import stack  # noqa: E402 (the demonstration's, found beside it)

# Several run at once: none may count on the demonstration's usual ports.
any_address = stack.free_address
stack.free_address = lambda wanted=0: any_address()

USER, PASSWORD = "weir", "a secret of 24 characters"
STRICT = """notifier.smtp.starttls = required
notifier.smtp.ca = {ca}
notifier.smtp.user = {user}
notifier.smtp.password = @file:{folder}/password
"""


class Story(stack.Stack):
    """The demonstration's stack, in front of a mail server of ours."""

    def __init__(self, address, ca, more=""):
        super().__init__(ROOT, os.path.join(os.path.dirname(os.environ["NOTIFIER_PLUGIN"]), ".."), False)
        self.smtp, self.ca, self.more = address, ca, more
        with open(os.path.join(self.folder, "password"), "w") as stream:
            stream.write(PASSWORD)
        self.template("Order {{key}}\n")

    def start_mail_sink(self):
        """The server is there already."""

    def template(self, subject):
        """Writes the team's anew, and has the notifier read it."""
        folder = os.path.join(self.folder, "templates")
        os.makedirs(folder, exist_ok=True)
        for name, text in (("subject", subject), ("txt", "{{key}}\n")):
            with open(os.path.join(folder, "team.%s.mustache" % name), "w") as stream:
                stream.write(text)
        if "notifier" in self.processes:
            self.processes["notifier"].send_signal(signal.SIGHUP)
            wait_for("the new template", lambda: "reload.done" in self.log("notifier"))

    def log(self, name):
        with open(self.log_of(name)) as stream:
            return stream.read()

    def say(self, text):
        """Nobody reads along."""

    def write_config(self, kafka):
        super().write_config(kafka)
        with open(self.config) as stream:
            text = stream.read().replace("notifier.to = team@example.com\n", "")
        if self.ca:
            text += STRICT.format(ca=self.ca, user=USER, folder=self.folder)
        text += self.more.format(folder=self.folder)
        text += "\n[notify team]\ncollection = orders\nto = team@example.org\n"
        if self.more:
            text += "template = team\n"
        with open(self.config, "w") as stream:
            stream.write(text)

    def __enter__(self):
        try:
            self.up()
        except stack.Failed:
            self.end()
            raise
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        for process in reversed(list(self.processes.values())):
            process.terminate()
        for process in self.processes.values():
            process.wait(30)
        shutil.rmtree(self.folder)

    def ask(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection(self.gateway, timeout=30)
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        return response.status, response.read().decode()

    def journey(self, order, **headers):
        """Its status, its ETag, and what became of the mails of its newest request: subscription to status."""
        connection = http.client.HTTPConnection(self.gateway, timeout=30)
        connection.request("GET", "/v1/orders/%s:journey" % order, None, headers)
        response = connection.getresponse()
        text = response.read().decode()
        mails = json.loads(text)["requests"][0].get("mails") if response.status == 200 else None
        return response.status, response.headers["ETag"], mails and {mail["subscription"]: mail["status"] for mail in mails}

    def suspended(self):
        connection = http.client.HTTPConnection(self.management, timeout=30)
        connection.request("GET", "/metrics")
        return "\nweir_gateway_suspended_requests 1\n" in connection.getresponse().read().decode()

    def create(self, collection, document):
        status, text = self.ask("POST", "/v1/" + collection, json.dumps(document, ensure_ascii=False).encode(), content_type="application/json",
                                prefer="wait=20")
        equal(status, 201, "answer %r" % text)


    def mails_of(self, order):
        """What the journey of an order tells: subscription to what became of its mail."""
        status, text = self.ask("GET", "/v1/orders/%s:journey" % order)
        equal(status, 200, "answer %r" % text)
        return {mail["subscription"]: mail["status"] for one in json.loads(text)["requests"] for mail in one.get("mails", ())}


def mails_to(server, name):
    found = [parse(content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")) for content in server.mails()]
    return [mail for mail in found if mail["To"] == "%s@example.org" % name]


def path_of(link):
    url = urllib.parse.urlsplit(link)
    return url.path + "?" + url.query


def check_parts(mail, words):
    """What every reader sees, whatever its mail program shows."""
    equal(mail.get_content_type(), "multipart/alternative", "type")
    equal([part.get_content_type() for part in mail.iter_parts()], ["text/plain", "text/html"], "parts")
    for part in mail.iter_parts():
        equal(part.get_content_charset(), "utf-8", "charset")
        text = part.get_content()
        for word in words:
            check(word in text.replace("&amp;", "&"), "%r is not in the %s part: %r", word, part.get_content_type(), text)
    equal(mail["From"], "orders@example.com", "From")
    equal(mail["Auto-Submitted"], "auto-generated", "Auto-Submitted")
    check(mail["Date"].datetime is not None, "Date %r", mail["Date"])
    check(mail["Message-ID"].endswith("@demo.example.com>"), "Message-ID %r", mail["Message-ID"])


def tell(server, ca):
    with Story(server.address, ca) as story:
        story.create("subscriptions", {"subscriptionID": "s-1", "endpoint": "ada@example.org", "collection": "orders"})
        wait_for("the mail that asks", lambda: len(mails_to(server, "ada")) == 1)
        asking = mails_to(server, "ada")[0]
        link = next(word for word in asking.get_body(("plain",)).get_content().split() if word.startswith("http://"))
        check_parts(asking, [link])
        status, page = story.ask("GET", path_of(link))
        check(status == 200 and "<button>" in page, "page %d %r", status, page)
        status, page = story.ask("POST", path_of(link), prefer="wait=20")
        check(status in (200, 202), "confirmation %d %r", status, page)

        story.create("orders", {"orderID": "o-1", "name": "Zoë & Cø", "total": 19.99})
        wait_for("the mail about the order", lambda: len(mails_to(server, "ada")) == 2)
        mail = next(mail for mail in mails_to(server, "ada") if mail["List-Unsubscribe"])
        leave = mail["List-Unsubscribe"].strip("<>")
        equal(mail["Subject"], "orders o-1 created", "Subject")
        equal(mail["List-Unsubscribe-Post"], "List-Unsubscribe=One-Click", "one click")
        check_parts(mail, ["Zoë & Cø", "19.99", leave])

        status, page = story.ask("POST", path_of(leave), "List-Unsubscribe=One-Click",
                                 content_type="application/x-www-form-urlencoded", prefer="wait=20")
        check(status in (200, 202), "unsubscription %d %r", status, page)
        story.create("orders", {"orderID": "o-2", "total": 5})
        wait_for("the team's mail about the second order", lambda: len(mails_to(server, "team")) == 2)
        story.create("orders", {"orderID": "o-3", "total": 5})
        wait_for("the team's mail about the third order", lambda: len(mails_to(server, "team")) == 3)
        equal(len(mails_to(server, "ada")), 2, "mails to who has left")


def links_to(server, name):
    found = []
    for mail in server.mails:
        content = parse(mail.content)
        if content["To"] == "%s@example.org" % name:
            text = content.get_body(("plain",)).get_content()
            found += [word for word in text.split() if word.startswith("http://")]
    return found


def subscribe(story, server, name):
    story.create("subscriptions", {"subscriptionID": name, "endpoint": "%s@example.org" % name, "collection": "orders"})
    wait_for("the mail that asks " + name, lambda: links_to(server, name))
    status, page = story.ask("POST", path_of(links_to(server, name)[0]))
    equal((status, "You will get these mails" in page), (200, True), "confirmation %r" % page)
    status, page = story.ask("POST", path_of(links_to(server, name)[0]))
    equal((status, "counts no longer" in page), (410, True), "the same link once more: %r" % page)


def order(story, server, number, **document):
    """Places one and waits for the team's mail about it."""
    story.create("orders", {"orderID": "o-%d" % number, **document})
    wait_for("the team's mail", lambda: sum(mail.recipients == ["TO:<team@example.org>"] for mail in server.mails) >= number)


def follow(story, passes):
    """Who has an order's journey waits for another one, and is told of the mail as soon as the server has taken it."""
    passes.clear()
    story.create("orders", {"orderID": "o-7"})
    status, tag, mails = story.journey("o-7")
    equal((status, mails), (200, []), "a journey without a mail")
    told = []
    waiting = threading.Thread(target=lambda: told.append(story.journey("o-7", **{"If-None-Match": tag, "Prefer": "wait=9"})))
    waiting.start()
    wait_for("the question is held", story.suspended)
    equal(told, [], "what it was told before the mail went out")
    passes.set()
    waiting.join(30)
    equal([(status, mails) for status, _, mails in told], [(200, {"team": "sent"})], "what it was told then")


LEAVING = """attempts = 100
retry.backoff = 100ms
retry.backoff.max = 200ms
notifier.templates = {folder}/templates
"""


def case_leaving():
    """Who leaves while a mail waits, or is refused again and again, gets no more, and each mail's end is told. A template that is changed
    on the way counts from SIGHUP on."""
    refusals, passes = {}, threading.Event()
    passes.set()
    server = Server({"RCPT": lambda session, recipient: passes.wait(30) and next((said for name, said in refusals.items() if name in recipient), None)})
    with Story(server.address, None, LEAVING) as story:
        subscribe(story, server, "ada")
        subscribe(story, server, "gone")
        order(story, server, 1)
        wait_for("the mail with a link to leave", lambda: len(links_to(server, "ada")) == 2)

        refusals["ada@"] = "450 4.2.0 come again"
        order(story, server, 2)
        wait_for("the refusal for now", lambda: story.mails_of("o-2").get("ada") == "deferred")
        status, page = story.ask("POST", path_of(links_to(server, "ada")[1]), "List-Unsubscribe=One-Click")
        equal((status, "no more of these mails" in page), (200, True), "unsubscription %r" % page)
        wait_for("the mail's end", lambda: story.mails_of("o-2").get("ada") == "suppressed")
        equal(story.mails_of("o-2"), {"team": "sent", "ada": "suppressed", "gone": "sent"}, "what the journey tells")

        refusals["gone@"] = "550 5.1.1 no such user"
        for number in (3, 4, 5):
            order(story, server, number)
            wait_for("the refusal", lambda: story.mails_of("o-%d" % number).get("gone") == "failed")
        suspended = lambda: json.loads(story.ask("GET", "/v1/subscriptions/gone")[1])
        wait_for("the suspension", lambda: suspended()["status"] == "SUSPENDED")
        equal(suspended()["reason"], "550 5.1.1 no such user", "reason")

        refusals.clear()
        story.template("Changed {{key}}\n")
        order(story, server, 6)
        equal(story.mails_of("o-6"), {"team": "sent"}, "mails of an order after both have left")
        team = [parse(mail.content)["Subject"] for mail in server.mails if mail.recipients == ["TO:<team@example.org>"]]
        equal(team, ["Order o-%d" % number for number in range(1, 6)] + ["Changed o-6"], "subjects")
        follow(story, passes)


TRACED = """attempts = 2
retry.backoff = 100ms
retry.backoff.max = 200ms
notifier.templates = {folder}/templates
"""
# Records of the deliveries that were not final went without the record that they are of.
TOPICS = {"orders": 6, "orders.changes": 5, "orders.store.outcomes": 2, "orders.store.dlq": 1, "orders.changes.notifier.retry": 2,
          "orders.changes.notifier.dlq": 1, "orders.changes.notifier.notifications": 3}


def trace_of(number):
    return "00-%032x-%016x-01" % (0xabc00 + number, number)


class Traced:
    """Requests with a traceparent each."""

    def __init__(self, story):
        self.story, self.requests = story, {}

    def send(self, method, path, document, wanted):
        number = len(self.requests) + 1
        connection = http.client.HTTPConnection(self.story.gateway, timeout=30)
        connection.request(method, "/v1/orders" + path, document and json.dumps(document),
                           {"Content-Type": "application/json", "Prefer": "wait=20", "traceparent": trace_of(number)})
        response = connection.getresponse()
        equal((number, response.status), (number, wanted), "status of a request")
        self.requests[response.headers["X-Request-Id"]] = trace_of(number)

    def records(self, topic):
        """The traceparent of each record, whose request's it has to be."""
        done = subprocess.run(["kcat", "-b", self.story.kafka, "-C", "-t", topic, "-e", "-q", "-J"], stdout=subprocess.PIPE, check=True)
        found = []
        for record in map(json.loads, done.stdout.splitlines()):
            headers = dict(zip(record["headers"][::2], record["headers"][1::2])) if record.get("headers") else {}
            if topic.endswith("notifications") and json.loads(record["payload"])["status"] not in ("sent", "failed"):
                continue
            wanted = self.requests.get(headers.get("ce_id"), headers.get("traceparent"))
            check(headers.get("traceparent") == wanted and wanted in self.requests.values(), "%s has %r, its request %r", topic, headers, wanted)
            found.append(wanted)
        return found


def case_trace():
    """A client's traceparent is in every record that comes of its request; what goes wrong names it in the log, and a mail names the request."""
    answers = []
    server = Server({"RCPT": lambda session, recipient: answers.pop() if answers else None})
    with Story(server.address, None, TRACED) as story:
        traced = Traced(story)

        def mails(number):
            wait_for("mail %d" % number, lambda: len(server.mails) == number)

        traced.send("POST", "", {"orderID": "o-1"}, 201)
        mails(1)
        traced.send("POST", "", {"orderID": "o-1"}, 409)
        answers.append("450 4.2.0 come again")
        traced.send("POST", "", {"orderID": "o-2"}, 201)
        mails(2)
        answers.append("550 5.1.1 no such user")
        traced.send("POST", "", {"orderID": "o-3"}, 201)
        wait_for("the dead letter", lambda: traced.records("orders.changes.notifier.dlq"))
        traced.send("DELETE", "/o-1", None, 204)
        traced.requests["poison"] = trace_of(9)
        subprocess.run(["kcat", "-b", story.kafka, "-P", "-t", "orders", "-k", "o-4", "-H", "ce_id=poison", "-H", "traceparent=" + trace_of(9), "-X",
                        "topic.partitioner=murmur2_random"], input=b"{", check=True)
        for topic, count in TOPICS.items():
            wait_for("%d records of %s" % (count, topic), lambda: len(traced.records(topic)) == count)
        found = {topic: traced.records(topic) for topic in TOPICS}
        ways = {topic: {trace_of(number) for number in numbers} for topic, numbers in {
            "orders": (1, 2, 3, 4, 5, 9), "orders.changes": (1, 3, 4, 5), "orders.store.outcomes": (2, 9), "orders.store.dlq": (9,),
            "orders.changes.notifier.retry": (3,), "orders.changes.notifier.dlq": (4,)}.items()}
        equal({topic: set(found[topic]) for topic in ways}, ways, "traces")
        given = [parse(mail.content)["X-Weir-Event"] for mail in server.mails]
        equal([traced.requests[request] for request in given], [trace_of(number) for number in (1, 3)], "requests that mails name")
        for name, word, number in (("gateway", "http.request", 2), ("notifier", "record.retry", 3), ("notifier", "record.dead_lettered", 4),
                                   ("store", "record.dead_lettered", 9)):
            lines = [line for line in story.log(name).splitlines() if word in line and "trace_id=" + trace_of(number)[3:35] in line]
            check(lines, "the log of the %s has no %s of trace %d", name, word, number)


class Aiosmtpd:
    def __init__(self, certificates):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificates.good)
        self.kept = []
        self.controller = Controller(self, hostname="127.0.0.1", port=free_port(), tls_context=context, require_starttls=True,
                                     authenticator=self.admit, auth_required=True)
        self.address = "127.0.0.1:%d" % self.controller.port

    @staticmethod
    def admit(server, session, envelope, mechanism, data):
        good = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=good, handled=False)

    async def handle_DATA(self, server, session, envelope):
        self.kept.append(envelope.original_content)
        return "250 2.0.0 kept"

    def mails(self):
        return list(self.kept)

    def __enter__(self):
        self.controller.start()
        return self

    def __exit__(self, *_):
        self.controller.stop()


def case_aiosmtpd():
    with Certificates() as certificates, Aiosmtpd(certificates) as server:
        tell(server, certificates.ca)


def case_postfix():
    with Certificates() as certificates, Postfix(certificates.good, (USER, PASSWORD)) as server:
        tell(server, certificates.ca)


def case_opensmtpd():
    with Certificates() as certificates, OpenSmtpd(certificates.good, (USER, PASSWORD)) as server:
        tell(server, certificates.ca)


if __name__ == "__main__":
    sys.exit(main(cases_of(globals()), sys.argv))
