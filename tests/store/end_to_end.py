#!/usr/bin/python3
"""A running store on real Kafka: what a waiting client is told that was wrong, where a document's commands went, and documents
that are deleted after a while."""
import atexit
import http.client
import json
import os
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path[:0] = [str(Path(__file__).resolve().parents[1] / folder) for folder in ("integration", "judge")]

from harness import ROOT, Failed, Stage, free_ports, main, wait_for  # noqa: E402
import source  # noqa: E402

PARTITIONS, TTL_S, WAIT = 6, 3, {"Prefer": "wait=8"}
SCHEMA = {"type": "object", "properties": {"total": {"type": "number", "minimum": 0}}}


def call(weir, method, path, body=None, headers=()):
    """(status, {header: value}, body as JSON or None)"""
    host, port = weir.address["gateway"].split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=20)
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    fields = {**dict(headers), **({"Content-Type": kind} if body is not None else {})}
    connection.request(method, path, None if body is None else json.dumps(body), fields)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, json.loads(text) if text else None


def equal(what, wanted, found):
    if wanted != found:
        raise Failed(f"{what}: {found!r} instead of {wanted!r}")


def told(weir, key, method, body, status):
    """What a client that waits is told, and whoever asks for the request later."""
    found, headers, problem = call(weir, method, f"/v1/orders/{key}", body, WAIT)
    equal(f"status of {method} {key}", status, found)
    _, _, accepted = call(weir, method, f"/v1/orders/{key}", body)
    place = f"/v1/requests/{accepted['request_id']}?at={accepted['position']}&wait=8"
    outcome = call(weir, "GET", place)[2]
    equal("the outcome's detail", problem["detail"], outcome["detail"])
    equal("the outcome's errors", problem["errors"], outcome["errors"])
    return place, problem, outcome


def what_was_wrong(weir, store):
    call(weir, "PUT", "/v1/orders/bad", {"total": 1.5}, WAIT)
    place, problem, outcome = told(weir, "bad", "PATCH", {"total": "many"}, 422)
    equal("pointer", ["/total"], [error["pointer"] for error in problem["errors"]])
    equal("outcome", ("dead-lettered", "invalid"), (outcome["outcome"], outcome["error"]))
    store.stop()
    weir.wipe_store()
    store.start().wait_ready()
    equal("the outcome after a move", outcome, wait_for("its outcome", 30, lambda: call(weir, "GET", place)[2], [store]))


def journey(weir, kafka):
    """Where the commands of a document are said to be, they are; after the store's disk was lost, too."""
    told = call(weir, "GET", "/v1/orders/bad:journey")[2]
    equal("outcomes", ["dead-lettered", "dead-lettered", "stored"], [one["ended"]["outcome"] for one in told["requests"]])
    found = source.read(kafka.bootstrap, {"orders": PARTITIONS, "orders.changes": PARTITIONS})
    place = {f"{topic}/{r.partition}/{r.offset}": r for topic, records in found.items() for r in records}
    for one in told["requests"]:
        record = place[one["accepted"]["at"]]
        equal("the accepted command", (one["request"], one["accepted"]["ts_ms"]), (record.header("ce_id"), record.timestamp_ms))
    stored = told["requests"][2]
    equal("the change", stored["request"], place[stored["ended"]["change"]].header("ce_id"))
    if not stored["accepted"]["ts_ms"] <= stored["ended"]["ts_ms"]:
        raise Failed(f"stored before it was accepted: {stored}")


def mails(weir, programs):
    """The journey of a document tells of the mail that its change led to."""

    def told():
        requests = call(weir, "GET", "/v1/orders/bad:journey")[2]["requests"]
        return [(mail["status"], mail["recipient"]) for one in requests for mail in one.get("mails") or ()]

    wait_for("the journey's mails", 60, lambda: told() == [("sent", "ada@example.org")], programs)


def start_sink(stage):
    """A mail server; where it listens."""
    address = stage.folder / "smtp.address"
    argv = ["--listen", "127.0.0.1:0", "--maildir", stage.folder / "mail", "--address-file", address]
    sink = subprocess.Popen(["/usr/bin/python3", "-B", ROOT / "deploy" / "mail-sink", *argv])
    atexit.register(sink.kill)
    wait_for("the mail server", 20, address.exists)
    return address.read_text().strip()


def notifier(stage):
    """Its section."""
    port = free_ports(1)[0]
    return [
        "plugin = notifier",
        "topics = orders.changes",
        f"state.dir = {stage.folder}",
        f"notifier.smtp = {start_sink(stage)}",
        "notifier.from = shop@example.org",
        "notifier.to = ada@example.org",
        f"notifier.listen = 127.0.0.1:{port}",
    ]


def expiry(weir, kafka, programs):
    """One document is left alone, another is touched until the first is gone."""
    call(weir, "PUT", "/v1/orders/left", {"total": 1}, WAIT)
    call(weir, "PUT", "/v1/orders/kept", {"total": 1}, WAIT)

    def gone():
        call(weir, "PATCH", "/v1/orders/kept", {"n": 1}, WAIT)
        return call(weir, "GET", "/v1/orders/left")[0] == 404

    wait_for("the document that was left alone is gone", 60, gone, programs)
    wait_for("all are gone", 60, lambda: call(weir, "GET", "/v1/orders/kept")[0] == 404, programs)
    records = source.read(kafka.bootstrap, {"orders.changes": PARTITIONS})["orders.changes"]
    for key in (b"left", b"kept", b"bad"):
        events = [json.loads(r.value) for r in records if r.key == key and r.value is not None]
        equal(f"last event of {key}", ("d", "ttl"), (events[-1]["op"], events[-1].get("reason")))
        for before, event in zip(events, events[1:]):
            if event["op"] == "d" and event["ts_ms"] - before["ts_ms"] < TTL_S * 1000:
                raise Failed(f"{key} expired {event['ts_ms'] - before['ts_ms']} ms after its last change")
    equal("events of the one", ["c", "d"], [json.loads(r.value)["op"] for r in records if r.key == b"left" and r.value])
    again = call(weir, "PUT", "/v1/orders/left", {"total": 2}, WAIT)
    equal("made anew", (201, 1), (again[0], again[2]["version"]))


def test():
    with Stage() as stage:
        schema = stage.folder / "orders.schema.json"
        schema.write_text(json.dumps(SCHEMA))
        os.chmod(schema, 0o644)
        kafka = stage.kafka()
        sections = {"collection orders": [f"ttl = {TTL_S}s", f"schema = {schema}"], "service notifier": notifier(stage)}
        weir = stage.weir(kafka, partitions=PARTITIONS, sections=sections)
        gateway, store, mailer = (weir.start(name) for name in ("gateway", "store", "notifier"))
        gateway.wait_ready(), store.wait_ready()
        what_was_wrong(weir, store)
        journey(weir, kafka)
        mails(weir, [gateway, store, mailer])
        expiry(weir, kafka, [gateway, store])
        weir.stop()


if __name__ == "__main__":
    main(test)
