"""What the gateway takes, and what then stands on the topic."""
import re
from hashlib import sha256

from stage import Stage, check, equal, murmur2_partition

UUID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def accepted(reply, key):
    """Checks a 202 and gives its position."""
    equal(reply.status, 202, f"status of {reply}")
    equal(reply.headers["content-type"], "application/json", "content type")
    body = reply.json
    check(UUID.match(body["request_id"]), f"a UUIDv7: {body}")
    equal(reply.headers["x-request-id"], body["request_id"], "X-Request-Id")
    equal(body["key"], key, "key")
    equal(reply.headers["weir-position"], body["position"], "Weir-Position")
    location = f"/v1/requests/{body['request_id']}?at={body['position']}"
    equal(reply.headers["location"], location, "Location")
    return body


def only_record(stage, answer):
    """The one record of the topic, at the position the answer told."""
    records = stage.records()
    equal(len(records), 1, "records on the topic")
    record = records[0]
    equal(answer["position"], f"orders/{record['partition']}/{record['offset']}", "position")
    equal(record["partition"], murmur2_partition(record["key"]), "partition of the key")
    equal(record["headers"]["ce_id"], answer["request_id"], "ce_id")
    return record


def case_create():
    body = '{ "orderID": "o-1",  "total": 19.99, "big": 1e2 }'
    with Stage().start() as stage:
        answer = accepted(stage.call("POST", "/v1/orders", body, [("traceparent", TRACE)]), "o-1")
        record = only_record(stage, answer)
        equal(record["payload"], body, "value, byte for byte")
        headers = record["headers"]
        equal(headers["ce_specversion"], "1.0", "ce_specversion")
        equal(headers["ce_type"], "weir.orders.create", "ce_type")
        check(headers["ce_source"], "ce_source")
        check(TIME.match(headers["ce_time"]), f"ce_time {headers['ce_time']}")
        equal(headers["content-type"], "application/json", "content-type")
        equal(headers["traceparent"], TRACE, "a valid traceparent is passed on")
        check("weir-if-match" not in headers and "weir-if-none-match" not in headers, "no condition was given")


def case_create_without_key():
    with Stage().start() as stage:
        reply = stage.call("POST", "/v1/orders", '{"total":1}', [("traceparent", "nonsense")])
        answer = accepted(reply, reply.json["request_id"])
        record = only_record(stage, answer)
        equal(record["key"], answer["request_id"], "the key is the request id")
        equal(record["payload"], '{"total":1}', "value")
        check(re.match(r"^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$", record["headers"]["traceparent"]), "a new trace")


def case_replace():
    with Stage().start() as stage:
        answer = accepted(stage.call("PUT", "/v1/orders/o-1", '{"orderID":"o-1","n":1}', [("If-Match", '"e-1"')]), "o-1")
        headers = only_record(stage, answer)["headers"]
        equal(headers["ce_type"], "weir.orders.replace", "ce_type")
        equal(headers["weir-if-match"], '"e-1"', "If-Match is passed on")


def case_replace_without_key_in_body():
    with Stage().start() as stage:
        answer = accepted(stage.call("PUT", "/v1/orders/o-1", '{"n":1}', [("If-None-Match", "*")]), "o-1")
        equal(only_record(stage, answer)["headers"]["weir-if-none-match"], "*", "If-None-Match is passed on")


def case_merge():
    with Stage().start() as stage:
        reply = stage.call("PATCH", "/v1/orders/o-1", '{"n":null}', content_type="application/merge-patch+json; charset=utf-8")
        headers = only_record(stage, accepted(reply, "o-1"))["headers"]
        equal(headers["ce_type"], "weir.orders.merge", "ce_type")
        equal(headers["content-type"], "application/merge-patch+json", "content-type")


def case_delete():
    with Stage().start() as stage:
        record = only_record(stage, accepted(stage.call("DELETE", "/v1/orders/o-1"), "o-1"))
        equal(record["payload"], None, "a delete has a null value")
        equal(record["headers"]["ce_type"], "weir.orders.delete", "ce_type")
        check("content-type" not in record["headers"], "nothing has no type")


def case_keys():
    """Keys of any script, escaped or not, up to the limit, on the partition a Java client would choose."""
    keys = ["a", "o 1", "é", "日本語", "a/b", "a%b", "...", "x:y", "a?b#c", "k" * 255]
    with Stage().start() as stage:
        for key in keys:
            path = "/v1/orders/" + "".join(f"%{byte:02X}" for byte in key.encode())
            accepted(stage.call("PUT", path, "{}"), key)
        records = {record["key"]: record for record in stage.records()}
        equal(sorted(records), sorted(keys), "keys on the topic")
        for key, record in records.items():
            equal(record["partition"], murmur2_partition(key), f"partition of {key!r}")


def case_idempotency_key():
    """The same request with the same key has the same id, at any gateway and after any restart, and so the same generated
    document key; anything else has another."""
    with Stage().start() as stage:

        def ids(*arguments, key="k-1", **more):
            reply = stage.call(*arguments, [("Idempotency-Key", key)], **more)
            equal(reply.status, 202, f"status of {reply}")
            return reply.json["request_id"], reply.json["key"]

        first = ids("POST", "/v1/orders", '{"total":1}')
        check(re.match(r"^[0-9a-f-]{14}5", first[0]), f"a UUIDv5: {first}")
        equal(first[0], first[1], "the generated key is the id")
        stage.gateway.stop()
        stage.start()
        equal(ids("POST", "/v1/orders", '{"total":1}'), first, "the same again")
        equal(ids("POST", "/v1/orders", '{"total":2}'), first, "another body: the fingerprint will tell")
        named = ids("PUT", "/v1/orders/a", "{}")[0]
        equal(ids("PUT", "/v1/orders/%61", "{}")[0], named, "the same key, spelt otherwise")
        others = [
            ids("POST", "/v1/orders", "{}", key="k-2")[0],
            ids("POST", "/v1/products", "{}")[0],
            ids("PUT", "/v1/orders/b", "{}")[0],
            ids("PATCH", "/v1/orders/a", "{}", content_type="application/merge-patch+json")[0],
            ids("POST", "/v1/orders", '{"orderID":"a"}')[0],
            ids("POST", "/v1/orders/a:adjust", "{}")[0],
        ]
        equal(len({first[0], named, *others}), 8, "other requests have other ids")
        prints = [record["headers"]["weir-fingerprint"] for record in stage.records() if record["key"] == first[1]]
        equal(prints, [sha256(b'{"total":1}').hexdigest()] * 2 + [sha256(b'{"total":2}').hexdigest()], "fingerprints")


def case_collections():
    with Stage().start() as stage:
        equal(stage.call("POST", "/v1/products", '{"productID":"p-1"}').status, 202, "status")
        equal([record["key"] for record in stage.records("products")], ["p-1"], "records of products")
        equal(stage.records("orders"), [], "records of orders")


def case_kept_connection():
    """Twenty requests on one connection, pipelined; each is answered in turn."""
    from stage import request

    with Stage().start() as stage, stage.client() as client:
        client.send(b"".join(request("PUT", f"/v1/orders/o-{i}", "{}") for i in range(20)))
        equal([client.reply().json["key"] for _ in range(20)], [f"o-{i}" for i in range(20)], "keys in order")


def case_chunked_body():
    with Stage().start() as stage, stage.client() as client:
        client.send(
            b"PUT /v1/orders/o-1 HTTP/1.1\r\nHost: g\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"5\r\n{\"n\":\r\n2\r\n1}\r\n0\r\n\r\n"
        )
        record = only_record(stage, accepted(client.reply(), "o-1"))
        equal(record["payload"], '{"n":1}', "value")


def case_continue():
    """100-continue is answered for a good request, and the body then taken."""
    with Stage().start() as stage, stage.client() as client:
        client.send(
            b"PUT /v1/orders/o-1 HTTP/1.1\r\nHost: g\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        equal(client.reply().status, 100, "interim answer")
        equal(client.send(b"{}").reply().status, 202, "status")


def case_body_at_the_limit():
    limit = 4096
    with Stage(["body.max = 4KiB"]).start() as stage:
        body = '{"pad":"' + "x" * (limit - 10) + '"}'
        equal(len(body), limit, "length")
        equal(stage.call("PUT", "/v1/orders/o-1", body).status, 202, "status at the limit")
        equal(stage.records()[0]["payload"], body, "value")


def case_adjust():
    with Stage().start() as stage:
        answer = accepted(stage.call("POST", "/v1/orders/a%3Aadjust:adjust", '{"stock": -2}'), "a:adjust")
        record = only_record(stage, answer)
        equal(record["payload"], '{"stock": -2}', "value, byte for byte")
        equal(record["headers"]["ce_type"], "weir.orders.adjust", "ce_type")
