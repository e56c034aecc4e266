"""Pages of other origins: who may call, what a preflight tells, and that it tells nothing of what is there."""
from access import READER, bearer, stage_with
from lifecycle import EX_CONFIG, ends_with
from stage import Stage, check, check_problem, equal

SHOP, TILL, OTHER = "https://shop.example.org", "http://localhost:3000", "https://evil.example.org"
ALLOW, VARY = "access-control-allow-origin", "vary"


def origin(name):
    return [("Origin", name)]


def preflight(stage, name, path="/v1/orders", method="POST"):
    wants = [("Access-Control-Request-Method", method), ("Access-Control-Request-Headers", "authorization,content-type")]
    return stage.call("OPTIONS", path, headers=origin(name) + wants)


def case_off():
    with Stage().start() as stage:
        reply = stage.call("PUT", "/v1/orders/o-1", "{}", headers=origin(SHOP))
        equal((reply.status, ALLOW in reply.headers, VARY in reply.headers), (202, False, False), "an answer")
        reply = preflight(stage, SHOP)
        equal((reply.status, ALLOW in reply.headers), (204, False), "OPTIONS is what it always was")
        check("POST" in reply.headers["allow"], "with its Allow")


def case_named_origins():
    """A preflight needs no credential and is alike for every path; other origins get what they always got."""
    with stage_with(gateway=[f"cors.origins = {SHOP}, {TILL}"]).start() as stage:
        answers = []
        for path in ("/v1/orders", "/v1/orders/o-1", "/v1/nosuch", "/nosuch"):
            for name in (SHOP, TILL):
                reply = preflight(stage, name, path)
                equal((reply.status, reply.headers[ALLOW], reply.headers[VARY]), (204, name, "Origin"), path)
                told = {key: value for key, value in reply.headers.items() if key not in (ALLOW, "x-request-id", "date")}
                answers.append(tuple(sorted(told.items())))
        equal(len(set(answers)), 1, f"answers that differ: {set(answers)}")
        told = dict(answers[0])
        check({"PUT", "PATCH", "DELETE"} <= set(told["access-control-allow-methods"].split(", ")), "methods")
        check({"Authorization", "Content-Type", "Idempotency-Key", "If-Match"} <= set(told["access-control-allow-headers"].split(", ")), "fields")
        for name in (OTHER, "null", SHOP + ".evil", SHOP.upper()):
            reply = preflight(stage, name)
            check_problem(reply, 401)
            equal((ALLOW in reply.headers, reply.headers[VARY]), (False, "Origin"), name)
        check_problem(stage.call("OPTIONS", "/v1/orders", headers=origin(SHOP)), 401)  # not a preflight
        reply = stage.call("GET", "/v1/orders/o-1", headers=origin(SHOP))
        check_problem(reply, 401)
        equal(reply.headers[ALLOW], SHOP, "a page has to see its refusals")
        stage.store.put("/documents/orders/o-1", b"{}")
        reply = stage.call("GET", "/v1/orders/o-1", headers=origin(SHOP) + bearer(READER))
        equal((reply.status, reply.headers[ALLOW], reply.headers[VARY]), (200, SHOP, "Origin"), "a document")
        check({"ETag", "Weir-Position", "Location"} <= set(reply.headers["access-control-expose-headers"].split(", ")), "what it may see")
        reply = stage.call("GET", "/v1/orders/o-1", headers=bearer(READER))
        equal((reply.status, ALLOW in reply.headers, reply.headers[VARY]), (200, False, "Origin"), "without an origin")
        reply = stage.call("GET", "/v1/orders/o-1", headers=origin(OTHER) + bearer(READER))
        equal((reply.status, ALLOW in reply.headers, reply.headers[VARY]), (200, False, "Origin"), "of another origin")


def case_every_origin():
    with Stage(["cors.origins = *"]).start() as stage:
        reply = preflight(stage, OTHER)
        equal((reply.status, reply.headers[ALLOW], VARY in reply.headers), (204, "*", False), "preflight")
        reply = stage.call("PUT", "/v1/orders/o-1", "{}", headers=origin(OTHER))
        equal((reply.status, reply.headers[ALLOW], VARY in reply.headers), (202, "*", False), "an order")


def case_no_origins():
    for text in ("shop.example.org", "https://shop.example.org/", "https://Shop.example.org", "https://*.example.org", "ftp://a", "https://"):
        with Stage([f"cors.origins = {SHOP}, {text}"], broker=False) as stage:
            ends_with(stage, EX_CONFIG, "weir.conf:", f"cors.origins: {text} is no origin")
