"""What became of a document's commands, as the store tells it."""
from stage import Stage, check_problem, equal

BODY = b'{"collection":"orders","key":"o-1","document":null,"requests":[],"more":false}'
PATH = "/v1/orders/o-1:journey"


def case_store_is_asked():
    with Stage().start() as stage:
        stage.store.put("/journeys/orders/o-1", BODY)
        reply = stage.call("GET", PATH)
        equal((reply.status, reply.body), (200, BODY), "the store's word")
        equal((reply.headers["content-type"], "etag" in reply.headers), ("application/json", False), "headers")
        reply = stage.call("HEAD", PATH)
        equal((reply.status, reply.body), (200, b""), "HEAD")
        stage.store.put("/journeys/orders/a%2Fb%3Ajourney", BODY)
        equal(stage.call("GET", "/v1/orders/a%2Fb%3Ajourney:journey").status, 200, "a key of any characters")


def case_what_there_is_not():
    with Stage().start() as stage:
        check_problem(stage.call("GET", PATH), 404, "no such document")
        check_problem(stage.call("GET", "/v1/products/p-1:journey"), 404, "no store keeps")
        equal(stage.call("POST", PATH, "{}").headers["allow"], "GET, HEAD", "Allow")
        stage.store.status = 503
        check_problem(stage.call("GET", PATH), 503)
