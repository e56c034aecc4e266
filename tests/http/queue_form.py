"""The queue's own form, and bodies that are no JSON."""
import json
import re
from hashlib import md5
from urllib.parse import quote_plus, urlencode

from lifecycle import EX_CONFIG, ends_with
from stage import Stage, StoreStage, check_problem, equal

FORM, HELLO = "application/x-www-form-urlencoded", "Hello from SQS!"
OPAQUE = ["body = opaque"]
ORDER = '{ "orderID":"o-1", "total": 19.90, "note":"é + & = % ✓" }'


def send(stage, form, path="/v1/orders", headers=()):
    form = form if isinstance(form, (str, bytes)) else urlencode(form)
    return stage.call("POST", path, form, list(headers), content_type=FORM)


def payloads(stage, topic="orders"):
    return [record["payload"] for record in stage.records(topic)]


def text(stage, body, method="POST", path="/v1/orders", content_type="text/plain", headers=()):
    return stage.call(method, path, body, list(headers), content_type=content_type)


def case_message():
    with Stage().start() as stage:
        reply = send(stage, {"Action": "SendMessage", "MessageBody": ORDER, "Version": "2012-11-05"})
        equal((reply.status, reply.headers["content-type"]), (200, "text/xml"), "status and type")
        tags = dict(re.findall(rb"<(\w+)>([^<>]+)</\1>", reply.body))
        equal(tags[b"MD5OfMessageBody"].decode(), md5(ORDER.encode()).hexdigest(), "MD5OfMessageBody")
        equal(tags[b"MessageId"].decode(), reply.headers["x-request-id"], "MessageId")
        record = stage.records()[0]
        equal((record["key"], record["payload"]), ("o-1", ORDER), "key and value, byte for byte")
        equal(record["headers"]["ce_id"], tags[b"MessageId"].decode(), "ce_id")
        equal(record["headers"]["content-type"], "application/json", "content-type")
        reply = send(stage, "MessageBody=%7b%7d&Action=SendMessage&DelaySeconds=0&", headers=[("Accept", "application/json")])
        told = reply.json["SendMessageResponse"]
        wanted = {"MessageId": reply.headers["x-request-id"], "MD5OfMessageBody": md5(b"{}").hexdigest()}
        equal((told["SendMessageResult"], told["ResponseMetadata"]["RequestId"]), (wanted, wanted["MessageId"]), "JSON")
        headers = [("Idempotency-Key", "k")]
        same = [send(stage, {"Action": "SendMessage", "MessageBody": "{}"}, headers=headers).headers["x-request-id"] for _ in "ab"]
        equal(len(set(same)), 1, "ids of a repeat")


def case_refused_forms():
    message = f"MessageBody={quote_plus(ORDER)}"
    rows = [
        ("Action=SendMessage", 400, "MessageBody is missing"),
        ("Action=SendMessage&MessageBody=", 400, "MessageBody is missing or empty"),
        ("Action=SendMessage&MessageBody=%7B%7", 400, "MessageBody holds a broken escape"),
        ("Action=SendMessage&MessageBody=%zz", 400, "MessageBody holds a broken escape"),
        ("Action=SendMessage&MessageBody=%", 400, "broken escape"),
        ("Action=SendMessage&%zz=1", 400, "broken escape"),
        (f"Action=SendMessage&Action=SendMessage&{message}", 400, "Action is given twice"),
        (f"Action=SendMessage&{message}&{message}", 400, "MessageBody is given twice"),
        (f"Action=SendMessage&Act%69on=SendMessage&{message}", 400, "Action is given twice"),
        (f"Action=DeleteMessage&{message}", 400, 'action "DeleteMessage"'),
        (f"Action=&{message}", 400, 'action ""'),
        (f"Action=SendMessage%00&{message}", 400, "action"),
        (f"Action=SendMessage&{message}&DelaySeconds=5", 400, "DelaySeconds can only be 0"),
        (f"Action=SendMessage&{message}&MessageAttribute.1.Name=a", 400, "MessageAttribute.1.Name is not taken"),
        (f"Action=SendMessage&{message}&" + "a" * 200 + "=1", 400, "is not taken"),
        (f"Action=SendMessage&{message}&=1", 400, "is not taken"),
        (f"Action=SendMessage&{message}&a%00=1", 400, "NUL"),
        ("Action=SendMessage&" + "&".join(f"p{i}=1" for i in range(40)), 400, "p0 is not taken"),
        ("Action=SendMessage" + "&Version=1" * 40, 400, "Version is given twice"),
        ("Action=SendMessage&MessageBody=Hello", 400, "JSON"),
        ("Action=SendMessage&MessageBody=%7B%22orderID%22%3A7%7D", 400, "orderID"),
        ("Action=SendMessage&MessageBody=%ff", 400, "0xff"),
        (message, 415, "Action=SendMessage"),
        (f"xAction=SendMessage&{message}", 415, "Action=SendMessage"),
        ("%7B%zz", 415, "Action=SendMessage"),
        ("", 415, "Action=SendMessage"),
        ("Action=SendMessage&MessageBody=" + "x" * 5000, 413, "4096"),
    ]
    with Stage(["body.max = 4KiB"]).start() as stage:
        for form, status, part in rows:
            check_problem(send(stage, form), status, part)
        form = {"Action": "SendMessage", "MessageBody": "{}"}
        check_problem(send(stage, form, headers=[("Origin", "http://elsewhere")]), 415)
        check_problem(stage.call("PUT", "/v1/orders/o-1", urlencode(form), content_type=FORM), 415)
        equal(payloads(stage), [], "records on the topic")


def case_texts_on_the_topic():
    with Stage(orders=OPAQUE).start() as stage:
        replies = [text(stage, HELLO), text(stage, "a\tb", "PUT", "/v1/orders/o-1"), text(stage, "[1]", content_type=None)]
        replies.append(send(stage, {"Action": "SendMessage", "MessageBody": HELLO}))
        equal([reply.status for reply in replies], [202, 202, 202, 200], "status")
        records = stage.records()
        equal(sorted(payloads(stage)), sorted([HELLO, "a\tb", "[1]", HELLO]), "values, byte for byte")
        equal({r["headers"]["content-type"] for r in records}, {"text/plain; charset=utf-8"}, "content-type")
        keys = {record["headers"]["ce_id"]: record["key"] for record in records}
        equal([keys[r.headers["x-request-id"]] == r.headers["x-request-id"] for r in replies], [True, False, True, True], "keys")
        before = len(records)
        equal(text(stage, '{"orderID":"o-9"}').json["key"], "o-9", "an object is a document, whatever its type says")
        for body, kind, status in (
            (b"caf\xe9", "text/plain", 400),
            (b"a\0b", "text/plain", 400),
            ("", "text/plain", 400),
            ("Hello", "application/json", 400),
            ("Hello", "application/merge-patch+json", 202),
            ('{"orderID":7}', "text/plain", 400),
        ):
            equal((body, kind, text(stage, body, content_type=kind).status), (body, kind, status), "status")
        check_problem(text(stage, HELLO, headers=[("Origin", "http://elsewhere")]), 415)
        check_problem(text(stage, HELLO, "PATCH", "/v1/orders/o-1"), 415)
        check_problem(text(stage, HELLO, path="/v1/products"), 415)
        check_problem(text(stage, HELLO, path="/v1/orders/o-1:adjust"), 415)
        equal(len(stage.records()), before + 2, "records of what was not refused")


def case_texts_are_stored():
    """Read, listed and told of as a document of one text; by kcat, without any header, too."""
    with StoreStage(orders=OPAQUE).start() as stage:
        reply = text(stage, HELLO, headers=[("Prefer", "wait=8")])
        equal((reply.status, reply.json["status"]), (201, "stored"), "status")
        document = {"orderID": reply.json["key"], "order": HELLO}
        equal(stage.call("GET", f"/v1/orders/{reply.json['key']}").json, document, "the document")
        equal(stage.call("GET", "/v1/orders").json, {"items": [document]}, "the list")
        change = stage.records("orders.changes")[0]
        equal(json.loads(change["payload"])["after"], document, "the change event")
        equal(text(stage, "x", "PUT", f"/v1/orders/{reply.json['key']}", headers=[("Prefer", "wait=8")]).status, 200, "replaced")
        equal(stage.call("GET", f"/v1/orders/{reply.json['key']}").json["order"], "x", "the new text")
        headers = [("Prefer", "wait=8"), ("Accept", "application/json")]
        reply = send(stage, {"Action": "SendMessage", "MessageBody": 'a "quoted"\nline'}, headers=headers)
        stored = stage.call("GET", "/v1/orders/" + reply.json["SendMessageResponse"]["SendMessageResult"]["MessageId"]).json
        equal((reply.status, stored["order"]), (200, 'a "quoted"\nline'), "a message that waited")


def case_bad_settings():
    for line, part in (("body = text", "body"), ("body = opaque\nbody.member = id", "the key"), ("body = opaque\nschema = x", "schema")):
        with Stage(more=f"[collection goods]\nkey = id\n{line}", broker=False) as stage:
            ends_with(stage, EX_CONFIG, "weir.conf:", part)
