"""The story that `deploy/demo --check` tells: 100 orders through every step, each step checked from outside."""
import email
import email.policy
import http.client
import json
import os
import subprocess
import time

from stack import Failed, wait_until

ORDERS = 100
REPLACED = range(0, 20)
MERGED = range(20, 40)
DELETED = range(40, 50)
ORDER = ('{{"orderID":"demo-{i:03d}", "customerID":"ada", "status":"CREATED", "total":{total}.90,'
         ' "items":[{{"sku":"SKU-{i}","quantity":1}}]}}')
REPLACEMENT = '{{"orderID":"demo-{i:03d}","customerID":"ada","status":"REPLACED","total":1e1,"note":"Größe \\u00df"}}'
PATCH = '{"status":"PAID","items":null,"paid":{"by":"card","fee":0.10}}'
TIMEOUT_S = 25


def key_of(i):
    return "demo-%03d" % i


def parse(text):
    """JSON with numbers as written: 19.90 and 19.9 differ."""
    return json.loads(text, parse_int=lambda s: "int " + s, parse_float=lambda s: "float " + s)


def request(stack, method, path, body=None, content_type="application/json"):
    connection = http.client.HTTPConnection(*stack.gateway.rsplit(":", 1), timeout=15)
    try:
        connection.request(method, path, body.encode() if body is not None else None,
                           {"Content-Type": content_type} if body is not None else {})
        reply = connection.getresponse()
        return reply.status, dict((name.lower(), value) for name, value in reply.getheaders()), reply.read()
    except (OSError, http.client.HTTPException) as error:
        raise Failed("%s %s: %s" % (method, path, error))
    finally:
        connection.close()


def accepted(stack, method, path, body=None, content_type="application/json"):
    status, headers, answer = request(stack, method, path, body, content_type)
    if status != 202:
        raise Failed("%s %s answered %d, not 202: %s" % (method, path, status, answer.decode(errors="replace")[:300]))
    if "weir-position" not in headers:
        raise Failed("%s %s: 202 without Weir-Position" % (method, path))
    return headers, answer


def kcat_read(stack, topic):
    """All records of a topic as kcat shows them: dicts with key, payload, partition, offset, headers."""
    run = subprocess.run(["kcat", "-b", stack.kafka, "-C", "-t", topic, "-e", "-q", "-J", "-X",
                          "isolation.level=read_committed"], stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
    if run.returncode != 0:
        raise Failed("kcat could not read %s: %s" % (topic, run.stderr.decode(errors="replace")[-300:]))
    records = [json.loads(line) for line in run.stdout.splitlines()]
    for record in records:
        flat = record.get("headers") or []
        record["headers"] = dict(zip(flat[::2], flat[1::2]))
    return records


def kcat_write(stack, topic, key, value, partition):
    run = subprocess.run(["kcat", "-b", stack.kafka, "-P", "-t", topic, "-p", str(partition), "-K", "\t"],
                         input=("%s\t%s\n" % (key, value)).encode(), capture_output=True, timeout=30)
    if run.returncode != 0:
        raise Failed("kcat could not write to %s: %s" % (topic, run.stderr.decode(errors="replace")[-300:]))


PRODUCTS = (
    ("SKU-1", "Field notebook", "7.50", 120),
    ("SKU-2", "Fountain pen", "34.00", 12),
    ("SKU-3", "Ink, blue-black", "9.90", 48),
)
PRODUCT = '{{"productID":"{sku}","name":"{name}","price":{price},"currency":"EUR","stock":{stock}}}'


def put_products(stack):
    """What the portal offers."""
    for sku, name, price, stock in PRODUCTS:
        accepted(stack, "PUT", "/v1/products/" + sku, PRODUCT.format(sku=sku, name=name, price=price, stock=stock))


def post_one(stack):
    """For the demonstration without --check: one order, stored and readable before it says so."""
    headers, _ = accepted(stack, "POST", "/v1/orders",
                          '{"orderID":"first-order","customerID":"ada","status":"CREATED","total":19.99}')
    wait_until("the first order in the store", TIMEOUT_S,
               lambda: request(stack, "GET", "/v1/orders/first-order")[0] == 200, stack.alive)
    return "first-order", headers.get("x-request-id", "?")


class Story:
    """Each step_* is one line of the report; it returns what it saw or raises Failed."""

    def __init__(self, stack):
        self.stack = stack
        self.expected = {}    # key → text of the document; None once deleted
        self.events = 0       # change events that must exist, tombstones not counted
        self.positions = {}

    def send(self, i, method, body=None, content_type="application/json"):
        path = "/v1/orders" if method == "POST" else "/v1/orders/" + key_of(i)
        headers, _ = accepted(self.stack, method, path, body, content_type)
        self.positions[key_of(i)] = headers["weir-position"]
        self.events += 1

    def step_create(self):
        for i in range(ORDERS):
            body = ORDER.format(i=i, total=i)
            self.send(i, "POST", body)
            self.expected[key_of(i)] = body
        return "%d orders accepted, each with its position" % ORDERS

    def step_replace(self):
        for i in REPLACED:
            body = REPLACEMENT.format(i=i)
            self.send(i, "PUT", body)
            self.expected[key_of(i)] = body
        return "%d orders" % len(REPLACED)

    def step_merge(self):
        for i in MERGED:
            self.send(i, "PATCH", PATCH, "application/merge-patch+json")
            self.expected[key_of(i)] = ('{"orderID":"%s","customerID":"ada","status":"PAID","total":%d.90,'
                                        '"paid":{"by":"card","fee":0.10}}' % (key_of(i), i))
        return "%d orders" % len(MERGED)

    def step_delete(self):
        for i in DELETED:
            self.send(i, "DELETE")
            self.expected[key_of(i)] = None
        return "%d orders" % len(DELETED)

    def step_invalid(self):
        before = len(kcat_read(self.stack, "orders"))
        status, headers, answer = request(self.stack, "POST", "/v1/orders", '{"orderID":"bad","total":')
        if status != 400 or headers.get("content-type") != "application/problem+json":
            raise Failed("malformed JSON answered %d %s, not a 400 problem" % (status, headers.get("content-type")))
        detail = json.loads(answer).get("detail", "")
        if len(kcat_read(self.stack, "orders")) != before:
            raise Failed("malformed JSON reached the topic")
        return "malformed JSON answered 400 (%s), nothing on the topic" % detail

    def step_poison(self):
        key = key_of(60)
        partition = int(self.positions[key].split("/")[1])
        kcat_write(self.stack, "orders", key, '{"orderID":"%s","total":' % key, partition)
        body = ORDER.format(i=60, total=61)
        self.send(60, "PUT", body)
        self.expected[key] = body
        letters = self.wait("a dead letter", lambda: kcat_read(self.stack, "orders.store.dlq"))
        headers = letters[0]["headers"]
        if len(letters) != 1 or letters[0]["key"] != key or letters[0]["partition"] != partition:
            raise Failed("expected one dead letter of %s in partition %d: %r" % (key, partition, letters))
        if headers.get("weir-disposition") != "invalid" or headers.get("__dlq.errors.topic") != "orders":
            raise Failed("the dead letter's headers are wrong: %r" % headers)
        return "broken JSON by kcat is one dead letter (%s); the order behind it goes on" % headers.get(
            "__dlq.errors.message")

    def step_store(self):
        for key, text in self.expected.items():
            self.wait("GET %s as last written" % key, lambda key=key, text=text: self.stored(key, text))
        return "GET gives all %d documents as last written, 19.90 still 19.90" % len(self.expected)

    def stored(self, key, text):
        status, _, answer = request(self.stack, "GET", "/v1/orders/" + key)
        if text is None or status == 404:
            return text is None and status == 404
        return status == 200 and parse(answer) == parse(text)

    def step_changes(self):
        records = self.wait("%d change events" % self.events, self.all_changes)
        last = {record["key"]: record for record in records}
        for key, text in self.expected.items():
            payload = last[key]["payload"]
            if (payload is None) != (text is None):
                raise Failed("the last record of %s should%s be a tombstone" % (key, "" if text is None else " not"))
            if text is not None and parse(payload)["after"] != parse(text):
                raise Failed("the last change of %s is not its document: %s" % (key, payload))
        self.check_versions(records)
        return "kcat shows %d events, %d tombstones, values equal to the documents" % (
            self.events, sum(record["payload"] is None for record in records))

    def all_changes(self):
        records = kcat_read(self.stack, "orders.changes")
        events = [record for record in records if record["payload"] is not None]
        if len(events) > self.events:
            raise Failed("%d change events, only %d commands asked for one" % (len(events), self.events))
        return records if len(events) == self.events else None

    def check_versions(self, records):
        versions = {}
        for record in records:
            if record["payload"] is not None:
                version = int(json.loads(record["payload"])["version"])
                if version != versions.get(record["key"], 0) + 1:
                    raise Failed("version %d of %s follows %d" % (version, record["key"], versions.get(record["key"], 0)))
                versions[record["key"]] = version

    def step_mails(self):
        folder = os.path.join(self.stack.maildir, "new")
        self.wait("%d mails, one for each change event" % self.events,
                  lambda: os.path.isdir(folder) and len(os.listdir(folder)) >= self.events,
                  lambda: "%d there" % (len(os.listdir(folder)) if os.path.isdir(folder) else 0))
        names = os.listdir(folder)
        if len(names) != self.events:
            raise Failed("%d mails for %d change events" % (len(names), self.events))
        identities = set()
        for name in names:
            with open(os.path.join(folder, name), "rb") as stream:
                mail = email.message_from_binary_file(stream, policy=email.policy.default)
            if mail["To"] != "team@example.com" or not mail["Subject"] or not mail["Date"]:
                raise Failed("mail %s lacks its headers" % name)
            identities.add(mail["Message-ID"])
        if len(identities) != self.events:
            raise Failed("%d mails have only %d different Message-IDs" % (len(names), len(identities)))
        return "%d mails for %d change events, each once" % (len(names), self.events)

    def wait(self, what, done, progress=lambda: ""):
        try:
            return wait_until(what, TIMEOUT_S, done, self.stack.alive)
        except Failed as failure:
            seen = progress()
            raise Failed("%s%s" % (failure, " (%s)" % seen if seen else ""))


STEPS = ("create", "replace", "merge", "delete", "invalid", "poison", "store", "changes", "mails")


def check(stack):
    """Prints one line per step; True when all passed. A failed step ends the story: the next ones build on it."""
    story, begin = Story(stack), time.monotonic()
    for step in STEPS:
        try:
            stack.alive()
            print("ok    %-8s %s" % (step, getattr(story, "step_" + step)()), flush=True)
        except (Failed, subprocess.TimeoutExpired) as failure:
            print("FAIL  %-8s %s" % (step, failure), flush=True)
            return False
    print("All %d checks passed in %.1f s" % (len(STEPS), time.monotonic() - begin), flush=True)
    return True
