"""The HTTP interface row by row, on the store itself: what each route does, and what each status brings along."""
import json
import re
import signal
import time

from access import bearer, line
from checkout import CART, CARTS
from subscriptions import MORE as SUBSCRIPTIONS
from subscriptions import WANTED, link
from stage import Stage, StoreStage, check, check_problem, equal

WAIT, PATCH = ("Prefer", "wait=8"), "application/merge-patch+json"
TAG, ID, POSITION = r'"[0-9a-f-]{36}"', r"[0-9a-f-]{36}", r"orders/\d/\d+"
ORDER = '{"orderID":"r-1","customerID":"ada","total":1}'
ACCEPTED = {"location": rf"/v1/requests/{ID}\?at={POSITION}", "weir-position": POSITION, "content-type": "application/json"}
STORED = {"etag": TAG, "weir-position": POSITION, "preference-applied": "wait=8", "content-type": "application/json"}
JSON, PAGE = {"content-type": "application/json"}, {"content-type": "text/html.*"}
DOCUMENT = {"etag": TAG, "last-modified": r".+ GMT", "weir-version": r"\d+", "content-type": "application/json"}


def row(status, method, path, body=None, *headers, brings=None, content_type="application/json"):
    return status, method, path, body, list(headers), brings or {}, content_type


ROUTES = [
    row(202, "POST", "/v1/orders", '{"total":7}', brings=ACCEPTED),
    row(201, "POST", "/v1/orders", ORDER, WAIT, brings=STORED),
    row(200, "GET", "/v1/orders/r-1", brings=DOCUMENT),
    row(200, "GET", "/v1/orders/r-1", None, ("Accept", "application/json"), ("Accept", "text/html"), brings=DOCUMENT),
    row(200, "HEAD", "/v1/orders/r-1", brings={**DOCUMENT, "content-length": str(len(ORDER))}),
    row(200, "GET", "/v1/orders?customerID=ada&limit=1", brings={"content-type": "application/json"}),
    row(200, "HEAD", "/v1/orders"),
    row(200, "PUT", "/v1/orders/r-1", ORDER, WAIT, brings=STORED),
    row(202, "PUT", "/v1/orders/r-2", "{}", brings=ACCEPTED),
    row(200, "PATCH", "/v1/orders/r-1", '{"total":2}', WAIT, content_type=PATCH, brings=STORED),
    row(200, "POST", "/v1/orders/r-1:adjust", '{"total":-1}', WAIT, brings=STORED),
    row(200, "GET", "/v1/orders/r-1:journey", brings={"content-type": "application/json"}),
    row(200, "HEAD", "/v1/orders/r-1:journey", brings={"content-type": "application/json"}),
    row(201, "POST", "/v1/orders:batch", '[{"orderID":"b-1"},{"orderID":"b-2"}]', WAIT, brings={"content-type": "application/json"}),
    row(207, "POST", "/v1/orders:batch", '[{"orderID":"b-1"},{"orderID":"b-3"}]', WAIT, brings={"content-type": "application/json"}),
    row(204, "DELETE", "/v1/orders/b-1", None, WAIT, brings={"weir-position": POSITION}),
    row(202, "DELETE", "/v1/orders/b-2", brings=ACCEPTED),
    row(200, "POST", "/dynamodbmanager", '{"operation":"ping"}', brings={"content-type": "application/json"}),
    row(200, "POST", "/dynamodbmanager", '{"operation":"read","tableName":"orders","payload":{"Key":{"orderID":"r-1"}}}'),
    row(200, "POST", "/v1/orders", "Action=SendMessage&MessageBody=%7B%7D", content_type="application/x-www-form-urlencoded"),
    row(200, "GET", "/v1/dlq", brings={"content-type": "application/json"}),
    row(200, "GET", "/v1/dlq/store/letters?open=true&limit=5", brings={"content-type": "application/json"}),
    row(200, "POST", "/v1/dlq/store/letters:redrive", '{"dry_run":true,"filter":{"key":"r-1"}}', brings={"content-type": "application/json"}),
    row(200, "GET", "/openapi.json", brings={**JSON, "etag": r'"[^"]+"'}),
    row(200, "GET", "/v1/orders?limit=1", brings={**JSON, "link": r'</v1/orders\?limit=1&cursor=[0-9a-f]+>; rel="next"'}),
    row(200, "GET", "/v1/orders:changes?since=earliest&limit=5", brings=JSON),
    row(200, "GET", "/v1/orders:changes", None, ("Accept", "text/event-stream"), brings={"content-type": "text/event-stream"}),
    row(201, "PUT", "/v1/carts/c-1", CART, WAIT, brings={**STORED, "weir-position": r"carts/\d/\d+"}),
    row(201, "POST", "/v1/carts/c-1:checkout", None, WAIT, brings={**JSON, "preference-applied": "wait=8"}),
    row(202, "POST", "/v1/carts/c-1:checkout", brings={**JSON, "location": ACCEPTED["location"]}),
    row(201, "PUT", "/v1/subscriptions/s-1", json.dumps(WANTED), WAIT, brings={**STORED, "weir-position": r"subscriptions/\d/\d+"}),
    row(200, "GET", link("s-1", "confirm"), brings=PAGE),
    row(200, "POST", link("s-1", "confirm"), brings=PAGE),
    row(200, "GET", link("s-1", "unsubscribe"), brings=PAGE),
    row(200, "POST", link("s-1", "unsubscribe"), brings=PAGE),
    row(403, "GET", "/v1/subscriptions/s-1:confirm?token=x", brings=PAGE),
    row(403, "POST", "/v1/subscriptions/s-1:unsubscribe", brings=PAGE),
    row(410, "GET", link("s-1", "confirm", int(time.time()) - 1), brings=PAGE),
    row(204, "OPTIONS", "/v1/orders", brings={"allow": "GET, HEAD, POST, OPTIONS"}),
    row(204, "OPTIONS", "/v1/orders/r-1", brings={"allow": "GET, HEAD, PUT, PATCH, DELETE, OPTIONS", "accept-patch": re.escape(PATCH)}),
]

PROBLEMS = [
    row(400, "POST", "/v1/orders", "{"),
    row(400, "POST", "/dynamodbmanager", '{"operation":"dump"}'),
    row(404, "GET", "/v1/orders/nosuch"),
    row(404, "HEAD", "/v1/orders/nosuch"),
    row(404, "GET", "/v1/orders/nosuch:journey"),
    row(404, "GET", "/v1/nosuch/r-1"),
    row(404, "POST", "/v1/carts/nosuch:checkout"),
    row(404, "POST", "/v1/orders/r-1:checkout"),
    row(404, "GET", "/v1/requests/nosuch?at=orders/0/0&wait=0"),
    row(400, "GET", "/v1/requests/nosuch"),
    row(400, "GET", "/v1/orders:changes?since=junk"),
    row(400, "GET", "/v1/orders?nosuch=1"),
    row(404, "GET", "/v1/dlq/store/letters/orders.store.dlq~0~9"),
    row(404, "POST", "/v1/dlq/store/letters/orders.store.dlq~0~9:redrive", "{}"),
    row(422, "POST", "/v1/dlq/store/letters:redrive", '{"rate":0}'),
    row(405, "DELETE", "/v1/orders", brings={"allow": "GET, HEAD, POST, OPTIONS"}),
    row(406, "GET", "/v1/orders/r-1", None, ("Accept", "text/html, application/json;q=0")),
    row(406, "GET", "/v1/orders/r-1", None, ("Accept", "text/html"), ("Accept", "application/json;q=0")),
    row(409, "POST", "/v1/orders", ORDER, WAIT),
    row(412, "PUT", "/v1/orders/r-1", ORDER, WAIT, ("If-Match", '"another"')),
    row(412, "PUT", "/v1/orders/r-1", ORDER, WAIT, ("If-None-Match", "*")),
    row(413, "POST", "/v1/orders", "[" + " " * 5000 + "]", brings={"connection": "(?i)close"}),
    row(415, "POST", "/v1/orders", "hello", content_type="text/plain", brings={"accept": "application/json"}),
    row(415, "PATCH", "/v1/orders/r-1", "{}", brings={"accept-patch": re.escape(PATCH)}),
    row(422, "PUT", "/v1/orders/r-1", '{"orderID":"another"}'),
    row(428, "PUT", "/v1/careful/c-1", "{}"),
]


def check_row(stage, wanted, more=()):
    status, method, path, body, headers, brings, content_type = wanted
    reply = stage.call(method, path, body, headers + list(more), content_type=content_type)
    equal((method, path, reply.status), (method, path, status), f"status of {reply}")
    for name, pattern in {"x-request-id": ID, **brings}.items():
        check(re.fullmatch(pattern, reply.headers.get(name, "")), f"{method} {path}: {name} of {reply} is not {pattern}")
    if status >= 400 and method != "HEAD" and brings is not PAGE:
        check_problem(reply, status)
    return reply


def stage_with_keys():
    more = "[collection careful]\nkey = id\nconditions = required\n" + CARTS + SUBSCRIPTIONS
    switches = ["body.max = 4KiB", "auth = keys", "dlq = on", "feed = on"]
    stage = StoreStage(switches, more, ["carts", "subscriptions"], ["indexes = customerID"])
    (stage.folder / "keys").write_text(line("all", "all", "*:*,dlq:*") + line("reader", "reader", "*:read"))
    stage._lines["gateway"].append(f"keys.file = {stage.folder}/keys")
    stage.write_conf()
    return stage.start()


def check_letter(stage, mine):
    """What no repeat would mend: a dead letter, told by itself and taken back."""
    check_row(stage, row(422, "POST", "/v1/orders/r-1:adjust", '{"customerID":1}', WAIT), mine)
    letter = stage.call("GET", "/v1/dlq/store/letters", headers=mine).json["letters"][0]["letter"].replace("/", "~")
    check_row(stage, row(200, "GET", f"/v1/dlq/store/letters/{letter}", brings=JSON), mine)
    check_row(stage, row(200, "POST", f"/v1/dlq/store/letters/{letter}:redrive", "{}", brings=JSON), mine)


def case_every_route_and_status():
    with stage_with_keys() as stage:
        mine = bearer("all")
        for wanted in ROUTES:
            check_row(stage, wanted, mine)
        reply = check_row(stage, row(202, "PUT", "/v1/orders/r-9", "{}"), mine)
        outcome = stage.call("GET", reply.headers["location"] + "&wait=8", headers=mine)
        equal((outcome.status, outcome.json["outcome"], outcome.json["version"]), (200, "stored", 1), "the outcome of a 202")
        own = [("Weir-Position", reply.headers["weir-position"]), WAIT, *mine]
        equal(stage.call("GET", "/v1/orders/r-9", headers=own).status, 200, "one's own write")
        tag = stage.call("GET", "/v1/orders/r-1", headers=mine).headers["etag"]
        for method in ("GET", "HEAD"):
            reply = check_row(stage, row(304, method, "/v1/orders/r-1", None, ("If-None-Match", tag), brings={"etag": TAG}), mine)
            length = len(stage.call("GET", "/v1/orders/r-1", headers=mine).body)
            equal(reply.headers.get("content-length"), str(length), f"the length that a 304 of {method} tells, of what it leaves out")
        check_row(stage, row(200, "PUT", "/v1/orders/r-1", ORDER, WAIT, ("If-Match", tag), brings=STORED), mine)
        for wanted in PROBLEMS:
            check_row(stage, wanted, mine)
        check_letter(stage, mine)
        body = '{"orderID":"i-1","n":%d}'
        check_row(stage, row(201, "POST", "/v1/orders", body % 1, WAIT, ("Idempotency-Key", "k")), mine)
        check_row(stage, row(422, "POST", "/v1/orders", body % 2, WAIT, ("Idempotency-Key", "k")), mine)
        check_row(stage, row(401, "GET", "/v1/orders/r-1", brings={"www-authenticate": "Bearer .*"}))
        check_row(stage, row(403, "POST", "/v1/orders", "{}"), bearer("reader"))
        reply = stage.call("GET", "/v1/orders/r-1", headers=[("X-Long", "x" * 9000), *mine])
        equal(reply.status, 431, "a header beyond header.max")


def case_overload_and_outage():
    """429, 503 and 504 say when to come again, or that nothing is known."""
    with Stage(["rate.limit = 1", "rate.burst = 2", "timeout = 1s"]).start() as stage, stage.client() as client:
        stage.broker.signal(signal.SIGSTOP)
        reply = stage.call("PUT", "/v1/orders/o", "{}")
        check_problem(reply, 504, "not known")
        replies = [stage.call("PUT", "/v1/nosuch/o", "{}") for _ in range(8)]
        limited = [reply for reply in replies if reply.status == 429]
        check(limited, f"nothing was limited in {replies}")
        for name in ("retry-after", "ratelimit", "ratelimit-policy"):
            check(limited[0].headers.get(name), name)
        stage.broker.signal(signal.SIGCONT)
    with Stage(broker=False).start(ready=False) as stage:
        reply = stage.call("PUT", "/v1/orders/o", "{}")
        check_problem(reply, 503, "nothing was written")
        equal(reply.headers.get("retry-after"), "1", "Retry-After")


def case_minimal():
    """return=minimal: the headers tell it all."""
    with Stage().start() as stage:
        reply = stage.call("PUT", "/v1/orders/o-1", "{}", [("Prefer", "return=minimal")])
        equal((reply.status, reply.body), (202, b""), "status and body")
        equal(reply.headers.get("preference-applied"), "return=minimal", "Preference-Applied")
        check("content-type" not in reply.headers, "nothing has no type")
        check(reply.headers.get("location") and reply.headers.get("weir-position"), "where to ask")
        for prefer in (["wait=5, return=minimal"], ["wait=5", "return=minimal"], ["respond-async", "return=minimal", "x,wait=5"]):
            stage.store.outcomes = [{"request": "r", "outcome": "stored", "op": "c", "version": 1}]
            reply = stage.call("PUT", "/v1/orders/o-1", "{}", [("Prefer", line) for line in prefer])
            equal((reply.status, reply.body, reply.headers.get("preference-applied")), (201, b"", "wait=5, return=minimal"), f"with a wait: {prefer}")
            check(reply.headers.get("etag"), "ETag")
