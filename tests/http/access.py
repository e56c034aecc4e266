"""Access keys: who is let in, what 401 and 403 tell, and keys that change while connections are open."""
import hashlib
import signal

from lifecycle import EX_CONFIG, ends_with
from stage import Stage, check, check_problem, equal, request, wait_for

WRITER, READER, ALL = "writer-key-1", "reader-key-2", "all-key-3"


def line(name, key, scopes):
    return f"{name} {hashlib.sha256(key.encode()).hexdigest()} {scopes}\n"


KEYS = (
    "# name, SHA-256, scopes\n\n"
    + line("writer", WRITER, "orders:create,orders:replace")
    + line("reader", READER, "*:read")
    + line("all", ALL, "*:*")
)


def stage_with(keys=KEYS, gateway=()):
    stage = Stage(gateway)
    stage._lines["gateway"] += ["auth = keys", f"keys.file = {stage.folder}/keys"]
    (stage.folder / "keys").write_text(keys)
    stage.write_conf()
    return stage


def bearer(key):
    return [("Authorization", f"Bearer {key}")] if key else []


def status(stage, method, path, key, body=None):
    return stage.call(method, path, body, headers=bearer(key)).status


def case_scopes():
    rows = [
        (WRITER, "POST", "/v1/orders", "{}", 202),
        (WRITER, "PUT", "/v1/orders/o-1", "{}", 202),
        (WRITER, "DELETE", "/v1/orders/o-1", None, 403),
        (WRITER, "GET", "/v1/orders/o-1", None, 403),
        (WRITER, "GET", "/v1/orders/o-1:journey", None, 403),
        (WRITER, "POST", "/v1/products", "{}", 403),
        (READER, "GET", "/v1/orders/o-1", None, 200),
        (READER, "GET", "/v1/orders/o-1:journey", None, 200),
        (READER, "OPTIONS", "/v1/products", None, 204),
        (READER, "POST", "/v1/orders", "{}", 403),
        (WRITER, "GET", "/v1/requests/r-1?at=orders/0/0", None, 403),
        (WRITER, "GET", "/v1/requests/r-1?at=nosuch/0/0", None, 403),
        (READER, "GET", "/v1/requests/r-1?at=nosuch/0/0", None, 404),
        (ALL, "DELETE", "/v1/products/p-1", None, 202),
        (ALL, "GET", "/v1/orders/o-1", None, 200),
    ]
    with stage_with().start() as stage:
        stage.store.put("/documents/orders/o-1", b"{}")
        stage.store.put("/journeys/orders/o-1", b"{}")
        for key, method, path, body, wanted in rows:
            equal((key, method, path, status(stage, method, path, key, body)), (key, method, path, wanted), "status")
        equal({r["headers"]["weir-principal"] for r in stage.records()}, {"writer"}, "principals of orders")
        equal({r["headers"]["weir-principal"] for r in stage.records("products")}, {"all"}, "principals of products")
        wait_for("access log", 5, lambda: "principal=writer" in stage.log() and "principal=anonymous" not in stage.log())
        check(WRITER not in stage.log(), "no key in the log")


def case_refusals_tell_nothing():
    """Without a key, and with one that is not for it, what exists and what does not answers alike."""
    paths = ("/v1/orders", "/v1/orders/o-1", "/v1/nosuch", "/v1/nosuch/x", "/nosuch", "/v1/orders/a/b", "/v1/orders:batch", "/v1/requests/r-1?at=orders/0/0")
    with stage_with().start() as stage:
        for path in paths:
            for method in ("GET", "POST", "BREW"):
                for headers in ([], bearer("nobody"), bearer(WRITER + "x"), [("Authorization", WRITER)], [("Authorization", "Basic " + WRITER)], [("Authorization", "Bearer ")]):
                    reply = stage.call(method, path, "{}" if method == "POST" else None, headers=headers)
                    equal((path, method, check_problem(reply, 401)["detail"]), (path, method, "an access key is needed: Authorization: Bearer KEY"), "detail")
                    equal(reply.headers.get("www-authenticate"), 'Bearer realm="weir"', "WWW-Authenticate")
        for path in ("/v1/products", "/v1/nosuch", "/v1/nosuch/x", "/nosuch"):
            equal(check_problem(stage.call("POST", path, "{}", headers=bearer(WRITER)), 403)["detail"], "the key is not for this", "detail")
            equal(status(stage, "BREW", path, ALL), 405 if path == "/v1/products" else 404, path)
        equal(stage.records(), [], "records on the topic")


def case_idempotency_is_each_callers_own():
    with stage_with().start() as stage:
        replies = [
            stage.call("PUT", "/v1/orders/o-1", "{}", headers=bearer(key) + [("Idempotency-Key", "k")]) for key in (WRITER, ALL, WRITER)
        ]
        ids = [reply.json["request_id"] for reply in replies]
        check(ids[0] == ids[2] != ids[1], f"request ids {ids}")


def case_reload():
    """SIGHUP: a new key works, an old one does not, a connection goes on; a broken file changes nothing."""
    with stage_with().start() as stage, stage.client() as client:
        post = lambda key: client.send(request("POST", "/v1/orders", "{}", headers=bearer(key))).reply().status
        equal((post(WRITER), post("fresh")), (202, 401), "before")
        (stage.folder / "keys").write_text(line("fresh", "fresh", "orders:create"))
        stage.gateway.signal(signal.SIGHUP)
        wait_for("keys reloaded", 10, lambda: "gateway.keys-reloaded" in stage.log())
        equal((post(WRITER), post("fresh")), (401, 202), "after")
        (stage.folder / "keys").write_text("broken\n")
        stage.gateway.signal(signal.SIGHUP)
        wait_for("refused", 10, lambda: "gateway.keys-not-reloaded" in stage.log())
        check("keys:1: " in stage.log(), "the line is named")
        equal((post(WRITER), post("fresh")), (401, 202), "after a broken file")


def case_bad_files():
    rows = [
        ("", "holds no key"),
        ("# nothing\n", "holds no key"),
        ("a b\n", ":1: a line holds"),
        ("\na " + "0" * 63 + " *:*\n", ":2: the second word"),
        ("a " + "0" * 64 + "00 *:*\n", ":1: the second word"),
        ("a " + "g" * 64 + " *:*\n", ":1: the second word"),
        ("a/b " + "0" * 64 + " *:*\n", ":1: a name"),
        ("a " + "0" * 64 + " orders\n", ":1: a scope"),
        ("a " + "0" * 64 + " orders:write\n", ":1: a scope"),
        ("a " + "0" * 64 + " orders:read,\n", ":1: a scope"),
        (line("a", "x", "*:*") + line("a", "y", "*:*"), ":2: the name is given twice"),
        (line("a", "x", "*:*") + line("b", "x", "*:*"), ":2: two names have one key"),
    ]
    with stage_with() as stage:
        for text, reason in rows:
            (stage.folder / "keys").write_text(text)
            ends_with(stage, EX_CONFIG, "keys", reason)
        (stage.folder / "keys").unlink()
        ends_with(stage, EX_CONFIG, "keys")


def case_settings_that_belong_together():
    with Stage(["auth = keys"], broker=False) as stage:
        ends_with(stage, EX_CONFIG, "weir.conf:", "keys.file")
    with Stage(["keys.file = /etc/hostname"], broker=False) as stage:
        ends_with(stage, EX_CONFIG, "weir.conf:", "auth = keys")
    with stage_with() as stage:
        text = stage.conf.read_text()
        stage.conf.write_text(text.replace(f"listen = 127.0.0.1:{stage.port}", f"listen = 0.0.0.0:{stage.port}", 1))
        ends_with(stage, 0, arguments=["--check-config"])
