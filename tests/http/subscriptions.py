"""Subscriptions over HTTP: a client can't confirm for others, the pages of the links, what is refused and where."""

import base64
import hashlib
import hmac
import json
import time

from stage import Stage, equal, murmur2_partition, wait_for
from harness import ROOT, Failed

KEY = "0123456789abcdef" * 2
MORE = f"""[collection subscriptions]
key = subscriptionID
partitions = 6
schema = {ROOT}/schemas/subscriptions.schema.json
[subscriptions]
url = https://shop.example.com
key = {KEY}
"""
WANTED = {"subscriptionID": "s-1", "endpoint": "ada@example.com", "collection": "orders"}
HOUR_S = 3600


def token(key, action, expires_s, secret=KEY):
    expiry = "%x" % expires_s
    statement = "weir-token:%d:%s:%d:%s:%s" % (len(key.encode()), key, len(action), action, expiry)
    mac = hmac.new(secret.encode(), statement.encode(), hashlib.sha256).digest()
    return expiry + "." + base64.urlsafe_b64encode(mac).decode().rstrip("=")


def link(key, action, expires_s=None, version=None, **more):
    signed = action if version is None else action + " " + version
    query = ("version=%s&" % version if version else "") + "token=" + token(key, signed, expires_s or int(time.time()) + HOUR_S, **more)
    return "/v1/subscriptions/%s:%s?%s" % (key, action, query)


def records(stage, count):
    wait_for("records", 20, lambda: len(stage.records("subscriptions")) >= count, [stage.gateway])
    return stage.records("subscriptions")


def case_a_client_asks_and_no_more():
    """Whatever it writes is pending; the status is not for it to say."""
    with Stage(more=MORE).start() as stage:
        equal(stage.call("POST", "/v1/subscriptions", json.dumps(WANTED)).status, 202, "create")
        equal(stage.call("PUT", "/v1/subscriptions/s-2", json.dumps({**WANTED, "subscriptionID": "s-2"})).status, 202, "replace")
        merge = {"content_type": "application/merge-patch+json"}
        equal(stage.call("PATCH", "/v1/subscriptions/s-1", '{"endpoint":"eve@example.com"}', **merge).status, 202, "merge")
        for record in records(stage, 3):
            equal(json.loads(record["payload"])["status"], "PENDING", "status")
            equal(record["payload"].count('"status"'), 1, "statuses")
        for method, path, more in (("POST", "", {}), ("PUT", "/s-1", {}), ("PATCH", "/s-1", merge)):
            for status in ("CONFIRMED", None, {}):
                answer = stage.call(method, "/v1/subscriptions" + path, json.dumps({**WANTED, "status": status}), **more)
                equal((answer.status, answer.json["errors"][0]["pointer"]), (422, "/status"), f"{method} with status {status}")
        equal(len(stage.records("subscriptions")), 3, "records")
        equal(stage.call("POST", "/v1/orders", '{"orderID":"o-1","status":"CONFIRMED"}').status, 202, "an order's status")


def case_refused_documents():
    filters = [("x", "/filter"), ({"a": "x"}, "/filter/a"), ({"a": [{"cidr": "::/0"}]}, "/filter/a/0/cidr"),
               ({"a/b": {"c": [{"numeric": ["?"]}]}}, "/filter/a~1b/c/0/numeric"), ({"before.stock": [0]}, "/filter")]
    wrong = [({**WANTED, "filter": value}, pointer) for value, pointer in filters]
    wrong += [({**WANTED, "endpoint": value}, "/endpoint") for value in (None, 5, "ada", "a@" + "b" * 300)]
    wrong += [({**WANTED, "collection": value}, "/collection") for value in (None, 5, "ordrs", "x" * 100)]
    wrong.append(({**WANTED, "subscriptionID": "k" * 81}, "/subscriptionID"))
    with Stage(more=MORE).start() as stage:
        for document, pointer in wrong:
            answer = stage.call("POST", "/v1/subscriptions", json.dumps(document))
            equal((answer.status, answer.json["errors"][0]["pointer"]), (422, pointer), json.dumps(document)[:200])
        equal(stage.call("PUT", "/v1/subscriptions/" + "k" * 81, "{}").status, 422, "a long key")
        equal(stage.call("POST", "/v1/subscriptions", "{").status, 400, "no JSON")
        equal(stage.records("subscriptions"), [], "records")


def case_pages():
    """GET shows a button and changes nothing; POST acts, whatever form comes with it."""
    with Stage(more=MORE).start() as stage:
        for action, status in (("confirm", "CONFIRMED"), ("unsubscribe", "UNSUBSCRIBED")):
            page = stage.call("GET", link("s-1", action))
            equal((page.status, page.headers["content-type"]), (200, "text/html; charset=utf-8"), "page")
            equal((page.headers["cache-control"], page.headers["referrer-policy"]), ("no-store", "no-referrer"), "headers")
            if b'<form method="post"><button>' not in page.body:
                raise Failed(f"no button: {page!r}")
        equal(stage.records("subscriptions"), [], "records after GET")
        form = {"content_type": "application/x-www-form-urlencoded"}
        equal(stage.call("POST", link("s-1", "confirm", version="0190-abc"), "", **form).status, 202, "confirm")
        one_click = stage.call("POST", link("s-1", "unsubscribe"), "List-Unsubscribe=One-Click", **form)
        equal((one_click.status, one_click.headers["content-type"]), (202, "text/html; charset=utf-8"), "one click")
        equal(stage.call("POST", link("s%20%C3%A4".replace("%20", " ").replace("%C3%A4", "ä"), "unsubscribe")
                         .replace("s ä", "s%20%C3%A4"), None).status, 202, "an escaped key")
        found = {(record["key"], record["payload"]): record for record in records(stage, 3)}
        equal(set(found), {("s-1", '{"status":"CONFIRMED"}'), ("s-1", '{"status":"UNSUBSCRIBED"}'),
                           ("s ä", '{"status":"UNSUBSCRIBED"}')}, "commands")
        for (key, payload), record in found.items():
            equal(record["headers"]["ce_type"], "weir.subscriptions.merge", "type")
            equal(record["partition"], murmur2_partition(key), "partition")
            equal(record["headers"].get("weir-if-match"), '"0190-abc"' if "\"CONFIRMED" in payload else None, "If-Match")


def case_pages_say_how_it_ended():
    """Not before the store has spoken: a link that was used before is refused by it alone."""
    good, used = {"outcome": "stored", "op": "u", "version": 2}, {"outcome": "rejected", "error": "precondition-failed"}
    rows = [("confirm", good, 200, b"You will get these mails"), ("confirm", {"outcome": "unchanged"}, 200, b"You will get these mails"),
            ("confirm", used, 410, b"counts no longer"), ("confirm", {"outcome": "pending"}, 202, b"Unless this link was used before"),
            ("confirm", {"outcome": "dead-lettered", "error": "max-attempts"}, 500, b"could not be done"),
            ("unsubscribe", good, 200, b"no more of these mails"),
            ("unsubscribe", {"outcome": "dead-lettered", "error": "invalid"}, 410, b"no such subscription")]
    with Stage(more=MORE, topics=("orders", "subscriptions")).start() as stage:
        for action, outcome, status, words in rows:
            stage.store.outcomes = [{"request": "r", **outcome}]
            answer = stage.call("POST", link("s-1", action), "")
            equal((answer.status, answer.headers["content-type"]), (status, "text/html; charset=utf-8"), f"{action} {outcome}")
            if words not in answer.body:
                raise Failed(f"{action} {outcome}: {answer.body!r}")


def case_links_that_are_not_right():
    now = int(time.time())
    good = link("s-1", "confirm")
    wrong = [good.replace("s-1", "s-2"), good.replace(":confirm", ":unsubscribe"), good[:-1], good + "A", good.split("?")[0],
             good.split("?")[0] + "?token=", link("s-1", "confirm", secret="x" * 32), good.replace("token=", "version=v&token="),
             link("s-1", "confirm", version="v").replace("version=v", "version=w"), good.split("?")[0] + "?token=" + "9" * 5000,
             link("s-1", "confirm", version="v" * 100), good.split("?")[0] + "?token=%3Cscript%3E"]
    with Stage(more=MORE).start() as stage:
        for path in wrong:
            for method in ("GET", "POST"):
                answer = stage.call(method, path)
                equal((answer.status, b"<form" in answer.body, b"<script" in answer.body), (403, False, False), f"{method} {path[:200]}")
        for method in ("GET", "POST"):
            equal(stage.call(method, link("s-1", "confirm", now - 1)).status, 410, f"{method} of an expired link")
            equal(stage.call(method, "/v1/orders/s-1:confirm?token=x").status, 404, "another collection")
        answer = stage.call("DELETE", good)
        equal((answer.status, answer.headers["allow"]), (405, "GET, POST"), "DELETE")
        equal(stage.records("subscriptions"), [], "records")
        if "token=" in stage.log():
            raise Failed("a token is in the log")


def case_switched_off():
    """Without a section [subscriptions] there are no pages, but a client can't confirm for the day when there is one."""
    with Stage(more="[collection subscriptions]\nkey = subscriptionID\n").start() as stage:
        equal(stage.call("GET", link("s-1", "confirm")).status, 404, "page")
        wanted = {**WANTED, "status": "CONFIRMED"}
        equal(stage.call("POST", "/v1/subscriptions", json.dumps(wanted)).status, 422, "a status from a client")
        equal(stage.call("POST", "/v1/subscriptions", json.dumps(WANTED)).status, 202, "create")
        equal([json.loads(record["payload"])["status"] for record in records(stage, 1)], ["PENDING"], "what became of it")
