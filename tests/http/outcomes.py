"""What becomes of a command: clients that wait for it, that ask for it later, that read their own write."""
import re

from stage import FaultyStage, Stage, check, check_problem, equal, murmur2_partition

WAIT = ("Prefer", "wait=5")
PARTITION = murmur2_partition("o-1")


def stored(op="c", version=1):
    return {"request": "r", "outcome": "stored", "key": "o-1", "op": op, "version": version}


def rejected(error):
    return {"request": "r", "outcome": "rejected", "error": error}


def lettered(error):
    return {"request": "r", "outcome": "dead-lettered", "error": error}


def put(stage, *outcomes, headers=(WAIT,)):
    stage.store.outcomes = list(outcomes)
    return stage.call("PUT", "/v1/orders/o-1", "{}", list(headers))


def case_stored():
    with Stage().start() as stage:
        reply = put(stage, stored())
        equal(reply.status, 201, "status of a created document")
        equal(reply.headers["etag"], f'"{reply.headers["x-request-id"]}"', "ETag")
        equal(reply.headers["preference-applied"], "wait=5", "Preference-Applied")
        equal(reply.headers["weir-position"], f"orders/{PARTITION}/0", "Weir-Position")
        equal((reply.json["status"], reply.json["key"], reply.json["version"]), ("stored", "o-1", 1), "body")
        asked = stage.store.seen[-1][0]
        check(asked.startswith(f"/requests/orders/{PARTITION}/{reply.headers['x-request-id']}?wait=") and asked.endswith("&offset=0"), asked)
        reply = put(stage, stored("u", 2))
        equal((reply.status, reply.json["version"]), (200, 2), "an updated document")
        stage.store.outcomes = [stored("d", 3)]
        reply = stage.call("DELETE", "/v1/orders/o-1", headers=[WAIT])
        equal((reply.status, reply.body, "etag" in reply.headers), (204, b"", False), "a deleted document")
        reply = put(stage, {"request": "r", "outcome": "unchanged"})
        equal((reply.status, reply.json["status"]), (200, "unchanged"), "a command without effect")


def case_not_stored():
    rows = [
        (rejected("already-exists"), 409),
        (rejected("precondition-failed"), 412),
        (rejected("minimum"), 409),
        (rejected("not-found"), 404),
        (rejected("idempotency-key-reused"), 422),
        (rejected("something-new"), 500),
        (lettered("invalid"), 422),
        (lettered("too-large"), 413),
        (lettered("max-attempts"), 500),
    ]
    with Stage().start() as stage:
        for outcome, status in rows:
            check_problem(put(stage, outcome), status)


def case_what_was_wrong_is_told():
    errors = [{"pointer": "/total", "detail": "has to be a number"}, {"pointer": "/a~1b", "detail": "is missing"}]
    told = {**lettered("invalid"), "detail": "the document breaks its schema at 2 places", "errors": errors}
    with Stage().start() as stage:
        reply = put(stage, told)
        check_problem(reply, 422, "the document breaks its schema at 2 places")
        equal(reply.json["errors"], errors, "errors")
        reply = put(stage, {**rejected("minimum"), "detail": "it would be -1", "errors": errors[:1]})
        check_problem(reply, 409, "it would be -1")
        equal(reply.json["errors"], errors[:1], "errors")
        broken = ({}, [], {"pointer": "/" + "x" * 300, "detail": "d"}, {"pointer": 1, "detail": "without a place"})
        equal(put(stage, {**told, "errors": broken}).status, 422, "status with errors that are none")
        equal(put(stage, {**told, "errors": errors * 100}).status, 422, "status with too many errors")
        location = put(stage, headers=()).headers["location"]
        stage.store.outcomes = [told]
        equal(stage.call("GET", location).json, told, "the store's word")


def case_retrying_is_202():
    with Stage().start() as stage:
        equal(put(stage, {"request": "r", "outcome": "retrying", "error": "disk-full"}).status, 202, "status")


def case_no_answer_in_time_is_202():
    with Stage(gateway=["timeout = 3s"]).start() as stage:
        reply = put(stage, {"request": "r", "outcome": "pending"})
        equal(reply.status, 202, "pending")
        check("preference-applied" not in reply.headers, "nothing was applied")
        equal(put(stage, 503, stored()).status, 201, "the store is asked again")
        equal(put(stage, *[503] * 100).status, 202, "a store that is not ready")
        stage.store.delay_s = 30
        equal(put(stage, stored()).status, 202, "a store that does not answer")


def case_who_does_not_wait_is_not_kept():
    with Stage().start() as stage:
        for headers in ((), (("Prefer", "respond-async"),), (("Prefer", "wait=0"),), (("Prefer", "wait=x"),)):
            equal(put(stage, headers=headers).status, 202, f"status with {headers}")
        equal(stage.store.seen, [], "what the store was asked")
        equal(put(stage, stored(), headers=[("Prefer", 'respond-async , WAIT="4"')]).status, 201, "status")


def case_a_collection_waits_by_itself():
    with Stage(orders=["default.wait = 5s"]).start() as stage:
        reply = put(stage, stored(), headers=())
        equal((reply.status, "preference-applied" in reply.headers), (201, False), "a client that says nothing waits")
        check(re.search(r"[?&]wait=[1-9]", stage.store.seen[-1][0]), stage.store.seen[-1][0])
        for prefer, status in (("respond-async", 202), ("wait=0", 202), ("RESPOND-ASYNC, wait=3", 201), ("return=minimal", 201)):
            reply = put(stage, stored(), headers=[("Prefer", prefer)])
            equal((prefer, reply.status), (prefer, status), "status")
        seen = len(stage.store.seen)
        equal(stage.call("PUT", "/v1/products/p-1", "{}").status, 202, "another collection")
        equal(len(stage.store.seen), seen, "what the store was asked")


def case_success_is_200_where_it_is_asked_for():
    with Stage(orders=["success.status = 200"]).start() as stage:
        for method, path, body in (("POST", "/v1/orders", "{}"), ("PUT", "/v1/orders/o", "{}"), ("DELETE", "/v1/orders/o", None), ("POST", "/v1/orders:batch", "[{}]")):
            equal((method, path, stage.call(method, path, body).status), (method, path, 200), "status")
        equal(stage.call("POST", "/v1/orders", "{}").json["status"], "accepted", "and its body says how far it is")
        equal(put(stage, stored()).status, 201, "with a wait")
        equal(put(stage, {"request": "r", "outcome": "pending"}).status, 200, "with a wait that was too short")
        check_problem(stage.call("POST", "/v1/orders", "{"), 400)
        equal(stage.call("POST", "/v1/products", "{}").status, 202, "another collection")


def case_idempotency_key_is_compared():
    with Stage().start() as stage:
        reply = put(stage, stored(), headers=[WAIT, ("Idempotency-Key", "k")])
        equal(reply.status, 201, "status")
        digest = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
        check(stage.store.seen[-1][0].endswith(f"&fingerprint={digest}"), stage.store.seen[-1][0])


def case_asked_later():
    with Stage().start() as stage:
        location = put(stage, headers=()).headers["location"]
        stage.store.outcomes = [rejected("already-exists"), 503, stored(), 404]
        reply = stage.call("GET", location)
        equal((reply.status, reply.json), (200, rejected("already-exists")), "the store's word")
        equal(stage.call("GET", location + "&wait=3").json, stored(), "after a store that was not ready")
        check("?wait=" in stage.store.seen[-1][0] and "?wait=0" not in stage.store.seen[-1][0], stage.store.seen[-1][0])
        check_problem(stage.call("GET", location), 404, "no such request")


def case_kafka_does_not_say_where():
    """A record that Kafka had already (an answer was lost): written, but not told at which offset. It is a 202 like any other,
    and its outcome can be waited for and asked for."""
    with FaultyStage("repeated-produce").start() as stage:
        reply = put(stage, headers=())
        identity = reply.headers["x-request-id"]
        equal((reply.status, reply.json["position"], "weir-position" in reply.headers), (202, None, False), "an order")
        equal(reply.headers["location"], f"/v1/requests/{identity}?at=orders/{PARTITION}", "Location")
        stage.store.outcomes = [stored()]
        equal(stage.call("GET", reply.headers["location"]).json, stored(), "its outcome")
        equal(stage.store.seen[-1][0], f"/requests/orders/{PARTITION}/{identity}?wait=0", "what the store was asked")
        equal(put(stage, headers=()).headers["weir-position"], f"orders/{PARTITION}/0", "the next one")
    with FaultyStage("repeated-produce").start() as stage:
        reply = put(stage, stored())
        equal((reply.status, reply.json["position"], reply.json["version"]), (201, None, 1), "one that waits")


def case_own_write_is_read():
    with Stage().start() as stage:
        stage.store.put("/documents/orders/o-1", b"{}")
        position = ("Weir-Position", f"orders/{PARTITION}/7")
        equal(stage.call("GET", "/v1/orders/o-1", headers=[position]).status, 200, "status")
        equal(stage.store.seen[-1][0], "/documents/orders/o-1?offset=7", "what the store was asked")
        equal(stage.call("GET", "/v1/orders/o-1", headers=[position, WAIT]).status, 200, "status")
        check(stage.store.seen[-1][0].startswith("/documents/orders/o-1?offset=7&wait="), stage.store.seen[-1][0])
        for wrong, status in (("orders/7", 400), (f"orders/{(PARTITION + 1) % 6}/7", 412), (f"carts/{PARTITION}/7", 412)):
            check_problem(stage.call("GET", "/v1/orders/o-1", headers=[("Weir-Position", wrong)]), status, "Weir-Position")
