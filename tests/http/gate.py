"""The strict gate: shapes by which two readers of one connection could see different requests, and clients that are slow
or huge on purpose."""
import os
import socket
import time

from stage import Stage, check, check_problem, equal, request

GOOD = b"Host: g\r\nContent-Type: application/json\r\n"


def put(headers, body=b"{}", version=b"HTTP/1.1", target=b"/v1/orders/o-1"):
    return b"PUT " + target + b" " + version + b"\r\n" + headers + b"\r\n" + body


# What our own gate refuses: 400 as a problem, and the connection is closed.
REFUSED = {
    "both lengths": put(GOOD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", b"2\r\n{}\r\n0\r\n\r\n"),
    "both lengths, other order": put(GOOD + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n", b"2\r\n{}\r\n0\r\n\r\n"),
    "unknown coding": put(GOOD + b"Transfer-Encoding: gzip\r\n"),
    "two codings": put(GOOD + b"Transfer-Encoding: gzip, chunked\r\n", b"2\r\n{}\r\n0\r\n\r\n"),
    "coding twice": put(GOOD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", b"2\r\n{}\r\n0\r\n\r\n"),
    "decorated coding": put(GOOD + b"Transfer-Encoding: xchunked\r\n", b"2\r\n{}\r\n0\r\n\r\n"),
    "coding with a parameter": put(GOOD + b"Transfer-Encoding: chunked;q=1\r\n", b"2\r\n{}\r\n0\r\n\r\n"),
    "chunked on 1.0": put(GOOD + b"Transfer-Encoding: chunked\r\n", b"2\r\n{}\r\n0\r\n\r\n", b"HTTP/1.0"),
    "two lengths": put(GOOD + b"Content-Length: 2\r\nContent-Length: 3\r\n"),
    "same length twice": put(GOOD + b"Content-Length: 2\r\nContent-Length: 2\r\n"),
    "two hosts": put(b"Host: a\r\nHost: b\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"),
    "two types": put(GOOD + b"Content-Type: text/plain\r\nContent-Length: 2\r\n"),
    "two authorizations": put(GOOD + b"Content-Length: 2\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n"),
    "two idempotency keys": put(GOOD + b"Content-Length: 2\r\nIdempotency-Key: a\r\nIdempotency-Key: b\r\n"),
    "no host on 1.0": put(b"Content-Type: application/json\r\nContent-Length: 2\r\n", version=b"HTTP/1.0"),
    "empty host": put(b"Host: \r\nContent-Type: application/json\r\nContent-Length: 2\r\n"),
    "space in a name": put(GOOD + b"Content-Length: 2\r\nBad Name: x\r\n"),
    "space before the colon": put(GOOD + b"Content-Length: 2\r\nTransfer-Encoding : chunked\r\n"),
    "8-bit name": put(GOOD + b"Content-Length: 2\r\nX\xe9: x\r\n"),
    "control byte in a value": put(GOOD + b"Content-Length: 2\r\nX-A: a\x01b\r\n"),
    "escape in a value": put(GOOD + b"Content-Length: 2\r\nX-A: a\x1b[31mb\r\n"),
    "bare CR in a value": put(GOOD + b"Content-Length: 2\r\nX-A: a\rSet-Cookie: b\r\n"),
    "delete in a value": put(GOOD + b"Content-Length: 2\r\nX-A: a\x7fb\r\n"),
    "folded header": put(GOOD + b"Content-Length: 2\r\nX-A: a\r\n b: c\r\n"),
    "NUL escape in the target": put(GOOD + b"Content-Length: 2\r\n", target=b"/v1/orders/o-1%00x"),
    "8-bit target": put(GOOD + b"Content-Length: 2\r\n", target=b"/v1/orders/\xe9"),
    "control byte in the target": put(GOOD + b"Content-Length: 2\r\n", target=b"/v1/orders/a\x01"),
    "broken escape": put(GOOD + b"Content-Length: 2\r\n", target=b"/v1/orders/a%4"),
    "no hexadecimal": put(GOOD + b"Content-Length: 2\r\n", target=b"/v1/orders/a%zz"),
    "dot segment": put(GOOD + b"Content-Length: 2\r\n", target=b"/v1/orders/../orders/o-1"),
    "escaped dot segment": put(GOOD + b"Content-Length: 2\r\n", target=b"/v1/orders/%2e%2E/x"),
    "single dot": put(GOOD + b"Content-Length: 2\r\n", target=b"/v1/./orders/o-1"),
    "fragment": put(GOOD + b"Content-Length: 2\r\n", target=b"/v1/orders/o-1#x"),
    "absolute target": put(GOOD + b"Content-Length: 2\r\n", target=b"http://other/v1/orders/o-1"),
    "NUL in a name": put(GOOD + b"Content-Length: 2\r\nX\x00A: b\r\n"),
    "NUL in a value": put(GOOD + b"Content-Length: 2\r\nX-A: a\x00b\r\nX-B: c\r\n"),
    "NUL at the end of a value": put(GOOD + b"Content-Length: 2\r\nX-A: a\x00\r\nX-B: c\r\n"),
    "NUL in the last value": put(GOOD + b"Content-Length: 2\r\nX-A: a\x00b\r\n"),
    "NUL in a length": put(GOOD + b"Content-Length: 2\x000\r\n"),
    "NUL in a coding": put(GOOD + b"Transfer-Encoding: chunked\x00, gzip\r\n", b"2\r\n{}\r\n0\r\n\r\n"),
    "NUL in the target": put(GOOD + b"Content-Length: 2\r\n", target=b"/v1/orders/o-1\x00x"),
    "NUL in the query": put(GOOD + b"Content-Length: 2\r\n", target=b"/v1/orders/o-1?a=b\x00x"),
    "NUL in the method": b"PUT\x00X /v1/orders/o-1 HTTP/1.1\r\n" + GOOD + b"Content-Length: 2\r\n\r\n{}",
    "bare LF after a field": put(GOOD + b"X-A: a\nContent-Length: 2\r\n"),
    "bare LF after the last field": b"PUT /v1/orders/o-1 HTTP/1.1\r\n" + GOOD + b"Content-Length: 2\n\r\n{}",
    "bare LF after the line": b"PUT /v1/orders/o-1 HTTP/1.1\n" + GOOD + b"Content-Length: 2\r\n\r\n{}",
    "bare LF for the empty line": b"PUT /v1/orders/o-1 HTTP/1.1\r\n" + GOOD + b"Content-Length: 2\r\n\n{}",
    "two spaces in the line": b"PUT  /v1/orders/o-1 HTTP/1.1\r\n" + GOOD + b"Content-Length: 2\r\n\r\n{}",
    "asterisk": b"OPTIONS * HTTP/1.1\r\nHost: g\r\n\r\n",
}

# Refused by libmicrohttpd before our handler is called: its own text/html. 1.x sees most of them itself.
LIBRARY_1 = os.environ.get("WEIR_LIBMICROHTTPD") == "newest"
BY_LIBRARY = set(REFUSED) if LIBRARY_1 else {"NUL in a name"}

# What libmicrohttpd itself has to refuse, or what must at least never become a record.
NEVER_TAKEN = {
    "space in the target": put(GOOD + b"Content-Length: 2\r\n", target=b"/v1/orders/o 1"),
    "no host": put(b"Content-Type: application/json\r\nContent-Length: 2\r\n"),
    "negative length": put(GOOD + b"Content-Length: -2\r\n"),
    "signed length": put(GOOD + b"Content-Length: +2\r\n"),
    "hexadecimal length": put(GOOD + b"Content-Length: 0x2\r\n"),
    "length list": put(GOOD + b"Content-Length: 2, 2\r\n"),
    "length beyond 64 bits": put(GOOD + b"Content-Length: 99999999999999999999\r\n"),
    "empty length": put(GOOD + b"Content-Length: \r\n"),
    "no version": put(GOOD + b"Content-Length: 2\r\n", version=b""),
    "HTTP/2.0": put(GOOD + b"Content-Length: 2\r\n", version=b"HTTP/2.0"),
    "HTTP/1.10": put(GOOD + b"Content-Length: 2\r\n", version=b"HTTP/1.10"),
    "not HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200,
    "bad chunk size": put(GOOD + b"Transfer-Encoding: chunked\r\n", b"zz\r\n{}\r\n0\r\n\r\n"),
    "negative chunk": put(GOOD + b"Transfer-Encoding: chunked\r\n", b"-2\r\n{}\r\n0\r\n\r\n"),
    "chunk beyond 64 bits": put(GOOD + b"Transfer-Encoding: chunked\r\n", b"10000000000000002\r\n{}\r\n0\r\n\r\n"),
    "huge header": put(GOOD + b"Content-Length: 2\r\nX-A: " + b"a" * 100000 + b"\r\n"),
    "many headers": put(GOOD + b"Content-Length: 2\r\n" + b"".join(b"X-%d: %s\r\n" % (i, b"a" * 50) for i in range(3000))),
    "huge target": put(GOOD + b"Content-Length: 2\r\n", target=b"/v1/orders/" + b"a" * 100000),
    "empty request line": b"\r\n\r\n\r\n\r\n",
}


def last_answer(client, data):
    """The status of the answer, or 0 when the connection just ends."""
    try:
        client.send(data)
        client.socket.shutdown(socket.SHUT_WR)
        return client.reply().status
    except OSError:  # closed, reset or silent
        return 0


def check_refused(client, name):
    try:
        reply = client.reply()
    except ConnectionError:
        check(LIBRARY_1, "closed without an answer")
        return
    if name in BY_LIBRARY:
        check(400 <= reply.status < 600, f"status {reply.status}")
    else:
        check_problem(reply, 400)
    check(client.is_closed(), "the connection stays open")


def case_shapes_are_refused_and_closed():
    with Stage().start() as stage:
        for name, data in REFUSED.items():
            with stage.client() as client:
                # A smuggled second request behind the shape must never be seen.
                client.send(data + request("PUT", "/v1/orders/smuggled", "{}"))
                try:
                    check_refused(client, name)
                except Exception as error:
                    raise type(error)(f"{name}: {error}") from None
        equal(stage.records(), [], "records on the topic")


def case_shapes_never_become_records():
    with Stage().start() as stage:
        for name, data in NEVER_TAKEN.items():
            with stage.client(timeout_s=5) as client:
                status = last_answer(client, data)
                check(status == 0 or 400 <= status < 600, f"{name}: answered {status}")
        equal(stage.records(), [], "records on the topic")
        equal(stage.call("PUT", "/v1/orders/o-1", "{}").status, 202, "a good request afterwards")


def case_odd_but_good():
    """What is unusual and allowed is taken: the gate must not refuse honest clients."""
    shapes = [
        put(b"host:g\r\nCONTENT-TYPE:application/json\r\ncontent-length:2\r\n"),
        put(GOOD + b"Content-Length:   2\r\nX-A:\r\nX-B: \t a \t \r\n"),
        put(GOOD + b"Content-Length: 2\r\nX-8: \xc3\xa9\r\nCookie: a=b; c=d\r\nCookie: e=f\r\nAccept: a\r\nAccept: b\r\n"),
        put(GOOD + b"Content-Length: 2\r\n", target=b"/v1/orders/o-1?a=b&c=%20d&e=./../f?g"),
        put(GOOD + b"Content-Length: 02\r\n"),
        put(GOOD + b"Transfer-Encoding: Chunked\r\n", b"2;ext=1\r\n{}\r\n0\r\nX-Trailer: a\r\n\r\n"),
        put(GOOD + b"Content-Length: 2\r\nConnection: close\r\n", version=b"HTTP/1.0"),
        put(GOOD + b"Content-Length: 2\r\n" + b"".join(b"X-%d: %s\r\n" % (i, b"a" * 40) for i in range(40))),
    ]
    with Stage().start() as stage:
        for data in shapes:
            with stage.client() as client:
                equal((data, client.send(data).reply().status), (data, 202), "status")
            with stage.client() as client:  # byte by byte: the library's buffer grows and moves
                for at in range(0, len(data), 7):
                    client.send(data[at : at + 7])
                equal((data, client.reply().status), (data, 202), "status in pieces")


def post_chunked(body):
    return b"POST /v1/orders HTTP/1.1\r\n" + GOOD + b"Transfer-Encoding: chunked\r\n\r\n" + body


LETTERS = b'{"a":"' + b"x" * 1000 + b'"}'
CHUNKS_TAKEN = {
    "one": b"2\r\n{}\r\n0\r\n\r\n",
    "two": b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
    "leading zeros": b"0002\r\n{}\r\n000\r\n\r\n",
    "extensions": b'2;a=b;c="d"\r\n{}\r\n0;e\r\n\r\n',
    "trailer": b"2\r\n{}\r\n0\r\nX-A: b\r\n\r\n",
    "trailer that would be a header": b"2\r\n{}\r\n0\r\nContent-Length: 5\r\nTransfer-Encoding: gzip\r\nHost: other\r\n\r\n",
    "a chunk for each byte": b"".join(b"1\r\n%c\r\n" % byte for byte in LETTERS) + b"0\r\n\r\n",
}
CHUNKS_REFUSED = {
    "no size": b"\r\n{}\r\n0\r\n\r\n",
    "space before the size": b" 2\r\n{}\r\n0\r\n\r\n",
    "junk behind the size": b"2x\r\n{}\r\n0\r\n\r\n",
    "hexadecimal prefix": b"0x2\r\n{}\r\n0\r\n\r\n",
    "sign": b"+2\r\n{}\r\n0\r\n\r\n",
    "minus zero": b"-0\r\n\r\n",
    "bare CR": b"2\r{}\r\n0\r\n\r\n",
    "no line end behind the data": b"2\r\n{}0\r\n\r\n",
    "more data than said": b"2\r\n{}}\r\n0\r\n\r\n",
    "line end in an extension": b"2;a\nb\r\n{}\r\n0\r\n\r\n",
    "size beyond 64 bits": b"10000000000000002\r\n{}\r\n0\r\n\r\n",
}
ENDLESS_EXTENSION = b"2;" + b"a" * 20000 + b"\r\n{}\r\n0\r\n\r\n"


def case_chunks():
    """What is taken is taken whole, with the next request behind it; of what is not, nothing is, and the connection ends."""
    with Stage().start() as stage:
        for name, body in CHUNKS_TAKEN.items():
            with stage.client() as client:
                client.send(post_chunked(body) + request("PUT", "/v1/orders/next", "{}"))
                equal((name, client.reply().status, client.reply().json["key"]), (name, 202, "next"), "answers")
        for name, body in CHUNKS_REFUSED.items():
            with stage.client() as client:
                client.send(post_chunked(body) + request("PUT", "/v1/orders/smuggled", "{}"))
                status = client.reply().status
                check(400 <= status < 600 and client.is_closed(), f"{name}: answered {status}, or not closed")
        records = stage.records()
        equal(len(records), 2 * len(CHUNKS_TAKEN), "records on the topic")
        equal({record["payload"] for record in records}, {"{}", LETTERS.decode()}, "their values")
        check("smuggled" not in {record["key"] for record in records}, "a smuggled request")


def case_endless_extension():
    """libmicrohttpd 0.9 neither answers nor closes when its memory is full: the body's deadline does, and others are served."""
    with Stage(["body.timeout = 1s"]).start() as stage, stage.client() as client:
        client.send(post_chunked(ENDLESS_EXTENSION) + request("PUT", "/v1/orders/smuggled", "{}"))
        equal(stage.call("PUT", "/v1/orders/o-1", "{}").status, 202, "another client")
        try:
            status = client.reply().status
            check(400 <= status < 600 and client.is_closed(), f"answered {status}, or not closed")
        except ConnectionError:
            pass  # closed without an answer
        equal([record["key"] for record in stage.records()], ["o-1"], "keys on the topic")


def case_pipeline():
    """Requests that come together are answered one by one, in their order, also those that are refused; behind one that ends the
    connection nothing is looked at."""
    with Stage().start() as stage, stage.client() as client:
        rows = [
            (request("PUT", "/v1/orders/o-1", "{}"), 202),
            (request("GET", "/v1/orders/o-9"), 404),
            (request("PUT", "/v1/orders/o-2", "{"), 400),
            (post_chunked(CHUNKS_TAKEN["two"]), 202),
            (request("DELETE", "/v1/nosuch/o-1"), 404),
            (request("PUT", "/v1/orders/o-3", "{}", content_type="text/plain"), 415),
            (request("PUT", "/v1/orders/o-4", "{}"), 202),
            (REFUSED["both lengths"], 400),
        ]
        client.send(b"".join(data for data, _ in rows) + request("PUT", "/v1/orders/o-5", "{}"))
        equal([client.reply().status for _ in rows], [status for _, status in rows], "answers in their order")
        check(client.is_closed(), "the connection stays open")
        keys = {record["key"] for record in stage.records()}
        check({"o-1", "o-4"} <= keys and len(keys) == 3, f"keys on the topic: {keys}")


def case_values_do_not_become_headers():
    """What a client sends comes back in no header of the answer, and in the log on no line of its own."""
    with Stage().start() as stage:
        reply = stage.call("PUT", "/v1/orders/a%0D%0ASet-Cookie:%20x", "{}")
        check_problem(reply, 400)
        check("set-cookie" not in reply.headers, "no header of the client's making")
        reply = stage.call("PUT", "/v1/nosuch%0d%0aX/o", "{}")
        check_problem(reply, 404)
        with stage.client() as client:
            last_answer(client, request("GET\x0b", "/v1/orders/o-1"))
        equal(stage.records(), [], "records on the topic")


def case_early_body_is_no_request():
    """A body that comes with a refused DELETE or PATCH is never read as the next request."""
    inner = request("PUT", "/v1/orders/smuggled", "{}")
    with Stage().start() as stage:
        for method in ("DELETE", "GET", "PATCH", "OPTIONS"):
            with stage.client() as client:
                client.send(request(method, "/v1/orders/o-1", inner, content_type="text/plain"))
                status = client.reply().status
                check(status >= 400, f"{method}: answered {status}")
                equal(client.send(request("POST", "/v1/nosuch", "{}")).reply().status, 404, "the next answer")
        equal(stage.records(), [], "records on the topic")


def case_slow_header():
    """One byte at a time keeps no connection: the header's time is absolute."""
    with Stage(["header.timeout = 1s"]).start() as stage, stage.client() as client:
        started = time.monotonic()
        data = iter(put(GOOD + b"Content-Length: 2\r\nX-A: " + b"a" * 500 + b"\r\n"))
        ended = drip(client, data, 10)
        check(ended and time.monotonic() - started < 5, "still open after 5 s")
        equal(stage.records(), [], "records on the topic")


def case_slow_body():
    with Stage(["body.timeout = 1s"]).start() as stage, stage.client() as client:
        body = b'{"a":"' + b"x" * 500 + b'"}'
        client.send(put(GOOD + b"Content-Length: %d\r\n" % len(body), b""))
        started = time.monotonic()
        check(drip(client, iter(body), 10) and time.monotonic() - started < 5, "still open after 5 s")
        equal(stage.records(), [], "records on the topic")


def drip(client, data, seconds):
    """One byte each 50 ms; True when the server ends the connection meanwhile."""
    deadline = time.monotonic() + seconds
    client.socket.settimeout(0.05)
    for byte in data:
        try:
            client.socket.sendall(bytes([byte]))
            if client.socket.recv(1 << 16) == b"":
                return True
        except socket.timeout:
            pass
        except ConnectionError:
            return True
        if time.monotonic() > deadline:
            return False
    return False


def case_idle_connection():
    """A connection without a request is closed, one that waits for its answer is not."""
    with Stage(["header.timeout = 1s", "idle.timeout = 1s"]).start() as stage:
        with stage.client() as client:
            check(client.is_closed(6), "an idle connection stays open")
        stage.store.put("/documents/orders/o-1", b"{}")
        stage.store.delay_s = 4
        with stage.client() as client:
            equal(client.send(request("GET", "/v1/orders/o-1")).reply().status, 200, "a slow answer")
