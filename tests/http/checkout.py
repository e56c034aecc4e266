"""An order made of a cart: one order of one version, whoever asks and how often; nothing of a cart is lost on the way."""
import signal
import threading

from access import bearer, line
from stage import PARTITIONS, Stage, StoreStage, check, check_problem, equal

CARTS = f"[collection carts]\nkey = cartID\npartitions = {PARTITIONS}\n"
CART = (
    '{"cartID":"c-1", "customerID":"ada","email":"ada@example.org","note":"mine","items":[ {"sku":"pen","quantity":3,"unitPrice":0.10},'
    '{"sku":"ink","quantity":1,"unitPrice":19.9} ]}'
)
WAIT = [("Prefer", "wait=8")]
PATH = "/v1/carts/c-1:checkout"


def shop():
    return StoreStage(more=CARTS, topics=["carts"])


def put(stage, text=CART, key="c-1"):
    reply = stage.call("PUT", f"/v1/carts/{key}", text, headers=WAIT)
    check(reply.status in (200, 201), f"the cart: {reply}")
    return reply


def checkout(stage, path=PATH, headers=()):
    return stage.call("POST", path, headers=headers)


def case_a_cart_becomes_an_order():
    with shop().start() as stage:
        put(stage)
        reply = checkout(stage, headers=WAIT)
        equal((reply.status, reply.json["status"], reply.json["version"]), (201, "stored", 1), "status")
        order = stage.call("GET", f"/v1/orders/{reply.json['key']}")
        wanted = (
            f'{{"orderID":"{reply.json["key"]}","customerID":"ada","email":"ada@example.org","status":"CREATED","total":20.20,'
            '"items":[ {"sku":"pen","quantity":3,"unitPrice":0.10},{"sku":"ink","quantity":1,"unitPrice":19.9} ]}'
        )
        equal(order.body.strip().decode(), wanted, "the order, its members as they stood in the cart")
        cart = stage.call("GET", "/v1/carts/c-1").json
        equal((cart["items"], cart["order"], cart["note"]), ([], order.json, "mine"), "the cart")
        again = checkout(stage, headers=WAIT)
        equal((again.status, again.json["key"], again.json["request_id"]), (201, reply.json["key"], reply.json["request_id"]), "once more")
        accepted = checkout(stage)
        equal((accepted.status, accepted.json["key"]), (202, reply.json["key"]), "without waiting")
        check(accepted.headers["location"].startswith(f"/v1/requests/{reply.json['request_id']}?at=orders/"), "where its outcome is")
        equal([r["key"] for r in stage.records("orders.changes")], [reply.json["key"]], "orders")


def case_the_next_items_are_another_order():
    with shop().start() as stage:
        put(stage)
        first = checkout(stage, headers=WAIT).json["key"]
        stage.call("PATCH", "/v1/carts/c-1", '{"items":[{"sku":"ink","quantity":2,"unitPrice":1}]}', headers=WAIT, content_type="application/merge-patch+json")
        second = checkout(stage, headers=WAIT).json["key"]
        check(first != second, "two carts' contents made one order")
        equal(stage.call("GET", f"/v1/orders/{second}").json["total"], 2, "the second one's total")
        equal(stage.call("GET", "/v1/carts/c-1").json["order"]["orderID"], second, "the order in the cart")


def case_two_calls_at_once_make_one_order():
    with shop().start() as stage:
        put(stage)
        replies = []
        threads = [threading.Thread(target=lambda: replies.append(checkout(stage, headers=WAIT))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        made = {r.json["key"] for r in replies if r.status == 201}
        equal((len(replies), len(made)), (8, 1), f"orders of {replies}")
        # Who has read the cart before and comes behind is told so; nothing else may happen.
        equal({r.status for r in replies} - {201, 409}, set(), "other answers")
        equal([r["key"] for r in stage.records("orders.changes")], list(made), "orders")


def case_what_makes_no_order():
    with shop().start() as stage:
        check_problem(checkout(stage), 404)
        check_problem(checkout(stage, "/v1/orders/o-1:checkout"), 404)
        check_problem(stage.call("GET", PATH), 405)
        put(stage, '{"items":[]}')
        check_problem(checkout(stage), 409, "empty")
        for item, pointer in (
            ('{"sku":"pen","quantity":1}', "/items/0/unitPrice"),
            ('{"sku":"pen","quantity":1,"unitPrice":1e2}', "/items/0/unitPrice"),
            ('{"sku":"pen","quantity":1,"unitPrice":-1}', "/items/0/unitPrice"),
            ('{"sku":"pen","quantity":0,"unitPrice":1}', "/items/0/quantity"),
            ('{"sku":"pen","quantity":1.5,"unitPrice":1}', "/items/0/quantity"),
            ('{"quantity":1,"unitPrice":1}', "/items/0/sku"),
            ("7", "/items/0"),
            ('{"sku":"pen","quantity":1000000,"unitPrice":999999999999.999999}', "/items/0"),
        ):
            put(stage, f'{{"items":[{item}]}}')
            problem = checkout(stage)
            equal((problem.status, problem.json["errors"][0]["pointer"]), (422, pointer), item)
        old = put(stage).headers["etag"]
        put(stage)
        check_problem(checkout(stage, headers=[("If-Match", old)]), 412)
        equal(len(stage.records("orders")), 0, "nothing was ordered")
        equal(len(stage.call("GET", "/v1/carts/c-1").json["items"]), 2, "the cart is as it was")


def case_a_gateway_that_dies_on_the_way_loses_nothing():
    """Between the cart's command and the order's: the order stands in the cart, and the next call makes it."""
    with shop().start() as stage:
        put(stage)
        stage.gateway.stop(20)
        stage.gateway.start(WEIR_CRASH_AT="before-send:2").wait_ready()
        try:
            check(False, f"an answer: {checkout(stage)}")
        except OSError:
            equal(stage.gateway.wait_ended(20), -signal.SIGKILL, "its end")
        equal(stage.records("orders"), [], "orders of the gateway that died")
        stage.gateway.start().wait_ready()
        order = stage.call("GET", "/v1/carts/c-1").json["order"]["orderID"]
        reply = checkout(stage, headers=WAIT)
        equal((reply.status, reply.json["key"]), (201, order), "the next call")
        equal([r["key"] for r in stage.records("orders")], [order], "orders")


def case_keys_need_its_scope():
    with shop() as stage:
        keys = {"clerk": "carts:replace,carts:checkout", "reader": "*:read", "seller": "orders:*"}
        (stage.folder / "keys").write_text("".join(line(name, name * 8, scopes) for name, scopes in keys.items()))
        stage._lines["gateway"] += ["auth = keys", f"keys.file = {stage.folder}/keys"]
        stage.write_conf()
        stage.start()
        equal(stage.call("PUT", "/v1/carts/c-1", CART, headers=WAIT + bearer("clerk" * 8)).status, 201, "the cart")
        for name in ("reader", "seller"):
            check_problem(checkout(stage, headers=bearer(name * 8)), 403)
        check_problem(checkout(stage), 401)
        equal(checkout(stage, headers=bearer("clerk" * 8)).status, 202, "who may check out need not be one who may order")


def case_it_is_for_shops_only():
    with Stage(more=CARTS).start() as stage:
        check_problem(checkout(stage), 404)
        check("/v1/carts/{key}:checkout" not in stage.call("GET", "/openapi.json").json["paths"], "it is told of")
    with shop().start() as stage:
        operation = stage.call("GET", "/openapi.json").json["paths"]["/v1/carts/{key}:checkout"]["post"]
        equal(operation["operationId"], "carts.checkout", "its description")
        check("/v1/orders/{key}:checkout" not in stage.call("GET", "/openapi.json").json["paths"], "orders have none")
