"""Many documents in one request: each is checked, written and told of as if it had come alone."""
import json
import signal

from access import bearer, line, stage_with as stage_with_keys
from outcomes import rejected, stored
from schemas import stage_with as stage_with_schema
from stage import PARTITIONS, Stage, StoreStage, check, check_problem, equal

PATH = "/v1/orders:batch"


def send(stage, documents, path=PATH, **more):
    body = documents if isinstance(documents, (str, bytes)) else json.dumps(documents)
    return stage.call("POST", path, body, **more)


def statuses(reply):
    return [result["status"] for result in reply.json["results"]]


def numbered(count):
    return [{"orderID": f"o-{i}", "n": i} for i in range(count)]


def case_all_accepted():
    texts = ['{ "orderID":"o-1",  "total":19.90 }', '{"n":1e2}', '{"orderID":"o-1","n":2}']
    with Stage(more="[collection goods]\nkey = id\naliases = /good").start() as stage:
        reply = send(stage, f" [{texts[0]} ,\n{texts[1]},{texts[2]}]\n")
        equal((reply.status, reply.headers["content-type"], statuses(reply)), (202, "application/json", [202] * 3), "status")
        bodies = [result["body"] for result in reply.json["results"]]
        equal([b["key"] for b in bodies], ["o-1", bodies[1]["request_id"], "o-1"], "keys")
        records = {f"orders/{r['partition']}/{r['offset']}": r for r in stage.records()}
        equal([records[b["position"]]["payload"] for b in bodies], texts, "values, byte for byte")
        equal([records[b["position"]]["headers"]["ce_id"] for b in bodies], [b["request_id"] for b in bodies], "ids")
        check(int(bodies[0]["position"].split("/")[2]) < int(bodies[2]["position"].split("/")[2]), "in order per key")
        equal(send(stage, [{"id": "g-1"}], "/good:batch?x=1").status, 202, "by an alias")
        equal([r["key"] for r in stage.records("goods")], ["g-1"], "the other topic")


def case_limits():
    with Stage().start() as stage:
        reply = send(stage, numbered(500))
        equal((reply.status, len(reply.json["results"])), (202, 500), "500 documents")
        equal(len(stage.records()), 500, "records")
        check_problem(send(stage, numbered(501)), 413, "500", "501")
        for body, part in (("[]", "at least one"), ("{}", "array"), ("7", "array"), ("[{},", "JSON"), ('[{"a":1,"a":2}]', "/0"), ("", "")):
            check_problem(send(stage, body), 400, part)
        check_problem(send(stage, "[{}]", content_type="text/plain"), 415)
        check_problem(stage.call("GET", PATH), 405)
        equal(stage.call("GET", PATH).headers["allow"], "POST", "Allow")
        for path in ("/v1/orders:", "/v1/orders:nosuch", "/v1/orders:adjust", "/v1/orders:batch/o-1", "/v1/orders/o-1:batch", "/v1/nosuch:batch"):
            check_problem(send(stage, "[{}]", path), 404)
        equal(len(stage.records()), 500, "nothing more was written")


def case_mixed():
    """207 only where documents differ; each problem says where in the batch it is."""
    with stage_with_schema({"properties": {"n": {"type": "integer"}}}).start() as stage:
        goods = "/v1/goods:batch"
        reply = send(stage, [{"id": "o-1"}, {"id": 7}, 5, {"id": "o-2", "n": "x"}, {"id": "o-3"}], goods)
        equal((reply.status, statuses(reply)), (207, [202, 400, 400, 422, 202]), "status")
        pointers = [[e["pointer"] for e in result["body"].get("errors", [])] for result in reply.json["results"]]
        equal(pointers, [[], ["/1/id"], ["/2"], ["/3/n"], []], "pointers into the batch")
        equal(sorted(r["key"] for r in stage.records("goods")), ["o-1", "o-3"], "records")
        reply = send(stage, [{"n": "x"}, {"n": []}], goods)
        check_problem(reply, 422, "results")
        equal(statuses(reply), [422, 422], "one status for all, and so no 207")


def case_repeats():
    """With an Idempotency-Key each document is known again by its place."""
    with Stage().start() as stage:

        def ids(documents, key):
            reply = send(stage, documents, headers=[("Idempotency-Key", key)])
            return [result["body"]["request_id"] for result in reply.json["results"]]

        documents = [{"n": 1}, {"n": 2}, {"orderID": "a"}]
        first = ids(documents, "k")
        equal((ids(documents, "k"), len(set(first))), (first, 3), "the same again, all different")
        check(not set(ids(documents, "k2")) & set(first), "another key, other requests")
        alone = stage.call("POST", "/v1/orders", '{"n":1}', [("Idempotency-Key", "k")]).json["request_id"]
        check(alone not in first, "a document that comes alone is another request")
        check("weir-fingerprint" in stage.records()[0]["headers"], "fingerprints")


def case_waits():
    with Stage().start() as stage:
        stage.store.outcomes = [stored()] * 3
        reply = send(stage, numbered(3), headers=[("Prefer", "wait=5")])
        equal((reply.status, statuses(reply)), (201, [201] * 3), "all stored")
        equal([r["body"]["version"] for r in reply.json["results"]], [1] * 3, "versions")
        stage.store.outcomes = [rejected("already-exists")] * 2
        check_problem(send(stage, numbered(2), headers=[("Prefer", "wait=5")]), 409, "results")


def case_stored():
    """On the store itself: a key that is taken stops its document only."""
    with StoreStage().start() as stage:
        documents = [*numbered(40), {"orderID": "o-7", "n": "again"}]
        reply = send(stage, documents, headers=[("Prefer", "wait=8")])
        equal((reply.status, statuses(reply)), (207, [201] * 40 + [409]), "status")
        listed = stage.call("GET", "/v1/orders").json["items"]
        equal(sorted(item["n"] for item in listed), list(range(40)), "documents")


def case_outages():
    """With a broker that is silent it is not known of any document, and the batch says so."""
    with Stage(["timeout = 2s"]).start() as stage:
        stage.broker.signal(signal.SIGSTOP)
        reply = send(stage, numbered(PARTITIONS * 2))
        check_problem(reply, 504, "results")
        check("not known" in reply.json["results"][0]["body"]["detail"], "what each is told")
        stage.broker.signal(signal.SIGCONT)


def case_scopes():
    keys = line("writer", "writer", "orders:create") + line("reader", "reader", "*:read")
    with stage_with_keys(keys).start() as stage:
        for key, path, status in (
            ("writer", PATH, 202),
            ("reader", PATH, 403),
            (None, PATH, 401),
            ("writer", "/v1/products:batch", 403),
            ("writer", "/v1/nosuch:batch", 403),
        ):
            equal((key, path, send(stage, "[{}]", path, headers=bearer(key)).status), (key, path, status), "status")
        equal(stage.records()[0]["headers"]["weir-principal"], "writer", "principal")
