"""Bad input: what is answered, and that nothing of it reaches the topic."""
import json

from stage import Client, Stage, check, check_problem, equal, request

JSON, PATCH = "application/json", "application/merge-patch+json"


def row(status, method, path, *parts, body=None, headers=(), content_type=JSON, **wanted):
    return {
        "status": status,
        "method": method,
        "path": path,
        "parts": parts,
        "body": body,
        "headers": headers,
        "type": content_type,
        "wanted": wanted,
    }


def post(status, body, *parts, **more):
    return row(status, "POST", "/v1/orders", *parts, body=body, **more)


ROUTES = [
    row(404, "GET", "/"),
    row(404, "GET", "/v1"),
    row(404, "GET", "/v1/"),
    row(404, "GET", "/v2/orders"),
    row(404, "GET", "/v1/nosuch", "nosuch"),
    row(404, "POST", "/v1/nosuch", body="{}"),
    row(404, "PUT", "/v1/orders/a/b", body="{}"),
    row(404, "PUT", "/v1/orders/", body="{}"),
    row(404, "POST", "/v1/orders:batches", body="[]"),
    row(404, "POST", "/v1/orders/o-1:checkout", body="{}"),
    row(404, "POST", "/v1/orders/:adjust", body="{}"),
    row(405, "PUT", "/v1/orders/o-1:adjust", body="{}", allow="POST"),
    row(405, "DELETE", "/v1/requests/r-1", allow="GET, HEAD"),
    row(404, "GET", "/v1/requests"),
    row(400, "GET", "/v1/requests/r-1", "at="),
    row(400, "GET", "/v1/requests/r-1?at=orders", "at:"),
    row(400, "GET", "/v1/requests/r-1?at=orders/0/0&wait=x", "wait"),
    row(400, "GET", "/v1/requests/r-1?at=orders/0/", "at:"),
    row(400, "GET", "/v1/requests/r-1?at=orders/0/0/0", "at:"),
    row(404, "GET", "/v1/requests/r-1?at=orders/6"),
    row(404, "GET", "/v1/requests/r-1?at=nothing/0/0"),
    row(404, "GET", "/v1/requests/r-1?at=orders/6/0"),
    row(404, "POST", "/V1/orders", body="{}"),
    row(405, "PUT", "/v1/orders", body="{}", allow="GET, HEAD, POST, OPTIONS"),
    row(405, "DELETE", "/v1/orders", allow="GET, HEAD, POST, OPTIONS"),
    row(405, "POST", "/v1/orders/o-1", body="{}", allow="GET, HEAD, PUT, PATCH, DELETE, OPTIONS"),
    row(405, "BREW", "/v1/orders", allow="GET, HEAD, POST, OPTIONS"),
]

TYPES = [
    post(415, "{}", JSON, "text/plain", content_type="text/plain", accept=JSON),
    post(415, "{}", JSON, content_type="application/x-www-form-urlencoded", accept=JSON),
    post(415, "{}", "nothing", content_type=None, accept=JSON),
    post(415, "{}", content_type="application/jsonp"),
    post(415, "{}", content_type=PATCH),
    post(415, "{}", "Content-Encoding", headers=[("Content-Encoding", "gzip")]),
    row(415, "PATCH", "/v1/orders/o-1", PATCH, body="{}", accept_patch=PATCH),
    row(415, "PUT", "/v1/orders/o-1", body="{}", content_type=PATCH, accept=JSON),
    row(400, "DELETE", "/v1/orders/o-1", "no body", body="{}"),
]

KEYS = [
    row(400, "PUT", "/v1/orders/" + "k" * 256, "255", body="{}"),
    row(400, "PUT", "/v1/orders/a%0Ab", body="{}"),
    row(400, "PUT", "/v1/orders/a%7Fb", body="{}"),
    row(400, "PUT", "/v1/orders/%FF", body="{}"),
    row(400, "PUT", "/v1/orders/%C0%80", body="{}"),
    row(400, "PUT", "/v1/orders/%ED%A0%80", body="{}"),
    row(400, "GET", "/v1/orders/a%00b"),
    post(400, '{"orderID":""}', pointer="/orderID"),
    post(400, '{"orderID":".."}', "dot segment", pointer="/orderID"),
    post(400, '{"orderID":17}', pointer="/orderID"),
    post(400, '{"orderID":null}', pointer="/orderID"),
    post(400, '{"orderID":"a\\nb"}', pointer="/orderID"),
    post(400, '{"orderID":"%s"}' % ("k" * 256), "255", pointer="/orderID"),
    row(422, "PUT", "/v1/orders/o-1", "orderID", body='{"orderID":"o-2"}', pointer="/orderID"),
    row(422, "PUT", "/v1/orders/o-1", body='{"orderID":1}', pointer="/orderID"),
    row(422, "PATCH", "/v1/orders/o-1", body='{"orderID":null}', content_type=PATCH, pointer="/orderID"),
    row(422, "PATCH", "/v1/orders/o-1", body='{"orderID":"x"}', content_type=PATCH, pointer="/orderID"),
]

BODIES = [
    post(400, ""),
    post(400, " "),
    post(400, "{", "byte"),
    post(400, '{"a":1,}', "byte"),
    post(400, '{"a":1}x', "byte"),
    post(400, '{"a":{"b":[1,2,}}', "byte", pointer="/a/b"),
    post(400, '{"a":1,"a":2}', "duplicate"),
    post(400, "{'a':1}"),
    post(400, '{"a":01}'),
    post(400, '{"a":+1}'),
    post(400, '{"a":NaN}'),
    post(400, '{"a":1e400}'),
    post(400, '{"a":123456789012345678901234567890}'),
    post(400, '{"a":"\\ud800"}'),
    post(400, '{"a":"\\u0000"}'),
    post(400, b'{"a":"\xff"}'),
    post(400, b'{"a":"\xc0\x80"}'),
    post(400, b'{"a":"\xed\xa0\x80"}'),
    post(400, b'{"a":"x\x00y"}'),
    post(400, b'{"a":"x\ny"}'),
    post(400, b'\xef\xbb\xbf{"a":1}'),
    post(400, b"\xff\xfe{\x00}\x00"),
    post(400, '{"a":' + "[" * 40 + "]" * 40 + "}", "32"),
    post(400, "[" * 100000),
    post(400, "[]", "object"),
    post(400, '"text"'),
    post(400, "17"),
    post(400, "null"),
    row(400, "PATCH", "/v1/orders/o-1", body="[1]", content_type=PATCH),
    row(422, "POST", "/v1/orders/o-1:adjust", "numbers", body='{"stock":"1"}', pointer="/stock"),
    row(422, "POST", "/v1/orders/o-1:adjust", "numbers", body='{"a":1,"b":{"c":2,"d~/":null}}', pointer="/b/d~0~1"),
    post(400, "{}", "If-Match", headers=[("If-Match", "\xe9")]),
    post(400, "{}", "Idempotency-Key", headers=[("Idempotency-Key", "")]),
    post(400, "{}", "Idempotency-Key", headers=[("Idempotency-Key", "a b")]),
    post(400, "{}", "255", headers=[("Idempotency-Key", "k" * 256)]),
    post(400, "{}", "If-None-Match", headers=[("If-None-Match", "x" * 2000)]),
]


def check_row(stage, wanted):
    what = f"{wanted['method']} {wanted['path'][:60]} {wanted['body']!r:.80}"
    data = request(wanted["method"], wanted["path"], wanted["body"], content_type=wanted["type"])
    if wanted["headers"]:
        lines = "".join(f"{name}: {value}\r\n" for name, value in wanted["headers"]).encode("latin-1")
        data = data.replace(b"\r\n\r\n", b"\r\n" + lines + b"\r\n", 1)
    with Client(stage.port) as client:
        reply = client.send(data).reply()
    try:
        problem = check_problem(reply, wanted["status"], *wanted["parts"])
        for name, value in wanted["wanted"].items():
            if name == "pointer":
                equal(problem["errors"][0]["pointer"], value, "pointer")
            else:
                equal(reply.headers.get(name.replace("_", "-")), value, name)
    except Exception as error:
        raise type(error)(f"{what}: {error}") from None


def check_rows(rows):
    with Stage().start() as stage:
        for wanted in rows:
            check_row(stage, wanted)
        equal(stage.records(), [], "records on the topic")
        equal(stage.call("POST", "/v1/orders", "{}").status, 202, "a good request afterwards")


def case_routes():
    check_rows(ROUTES)


def case_types():
    check_rows(TYPES)


def case_key_rule():
    check_rows(KEYS)


def case_bodies():
    check_rows(BODIES)


def case_head_has_no_body():
    with Stage().start() as stage, stage.client() as client:
        client.send(request("HEAD", "/v1/orders")).reply(head_only=True)
        equal(client.send(request("PUT", "/v1/orders/o-1", "{}")).reply().status, 202, "the next request")


def case_length_over_the_limit():
    """Refused by Content-Length alone: not a byte of the body was sent, and no 100-continue is told."""
    with Stage(["body.max = 4KiB"]).start() as stage:
        for method, path in (("POST", "/v1/orders"), ("PUT", "/v1/orders/o-1"), ("PATCH", "/v1/orders/o-1"), ("DELETE", "/v1/orders/o-1")):
            for expect in (b"", b"Expect: 100-continue\r\n"):
                with stage.client(timeout_s=5) as client:
                    client.send(
                        f"{method} {path} HTTP/1.1\r\nHost: g\r\nContent-Type: application/json\r\n".encode()
                        + b"Content-Length: 4097\r\n" + expect + b"\r\n"
                    )
                    check_problem(client.reply(), 413, "4096", "body.max")
                    check(client.is_closed(), f"{method}: the connection is closed")
        equal(stage.records(), [], "records on the topic")


def case_chunks_over_the_limit():
    with Stage(["body.max = 4KiB"]).start() as stage, stage.client() as client:
        chunk = b"400\r\n" + b" " * 1024 + b"\r\n"
        client.send(
            b"POST /v1/orders HTTP/1.1\r\nHost: g\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
            + chunk * 5
            + b"2\r\n{}\r\n0\r\n\r\n"
        )
        check_problem(client.reply(), 413, "4096", "body.max")
        check(client.is_closed(), "the connection is closed")
        equal(stage.records(), [], "records on the topic")


def case_refused_before_continue():
    """A refusal that the header decides comes instead of 100-continue."""
    with Stage().start() as stage, stage.client() as client:
        client.send(
            b"POST /v1/nosuch HTTP/1.1\r\nHost: g\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        check_problem(client.reply(), 404)


def case_refusal_keeps_the_connection():
    """After a refusal that does not touch the framing, the connection serves the next request."""
    with Stage().start() as stage, stage.client() as client:
        client.send(request("POST", "/v1/orders", "{", ()) + request("POST", "/v1/nosuch", "x" * 5000) + request("PUT", "/v1/orders/o-1", "{}"))
        equal([client.reply().status for _ in range(3)], [400, 404, 202], "answers")


def case_detail_is_clean_json():
    """Hostile bytes come back neither raw nor as broken JSON, wherever they stood."""
    bodies = [b'{"\xff":1,"a":}', b'{"a\x01":}', b'{"</script>":}', b'{"' + b"n" * 3000 + b'":}', '{"é":}'.encode()]
    with Stage().start() as stage:
        for body in bodies:
            reply = stage.call("POST", "/v1/orders", body)
            check_problem(reply, 400)
            json.loads(reply.body.decode("utf-8"))
