"""Which path leads where: collections by name and alias, behind a stage's prefix; what OPTIONS tells."""
from lifecycle import EX_CONFIG, ends_with
from stage import PARTITIONS, Stage, check_problem, equal

GOODS = f"[collection goods]\nkey = id\npartitions = {PARTITIONS}\naliases = /good, /api/goods"


def keys(stage, topic):
    return {record["key"] for record in stage.records(topic)}


def case_aliases():
    with Stage(more=GOODS).start() as stage:
        equal(stage.call("POST", "/good", '{"id":"a"}').status, 202, "create by the short alias")
        equal(stage.call("PUT", "/api/goods/b", "{}").status, 202, "replace by the long alias")
        equal(stage.call("PUT", "/good/c?x=1", "{}").status, 202, "with a query")
        equal(stage.call("POST", "/v1/goods", '{"id":"d"}').status, 202, "create by name")
        for path in ("/goods", "/goodx/a", "/api", "/api/good/a", "/good/a/b", "/GOOD/a", "/v1/good/a", "/good/"):
            check_problem(stage.call("PUT", path, "{}"), 404)
        equal(keys(stage, "goods"), {"a", "b", "c", "d"}, "keys on the topic")
        equal(stage.records("orders"), [], "records of another collection")


def case_idempotency_across_aliases():
    """One collection, one request: by whatever path it came."""
    with Stage(more=GOODS).start() as stage:
        headers = [("Idempotency-Key", "k-1")]
        replies = [stage.call("PUT", path, "{}", headers=headers) for path in ("/good/a", "/v1/goods/a", "/api/goods/%61")]
        equal(len({reply.json["request_id"] for reply in replies}), 1, "request ids")


def case_base_path():
    with Stage(["base.path = /staging"], more=GOODS).start() as stage:
        equal(stage.call("PUT", "/staging/v1/orders/o-1", "{}").status, 202, "by name")
        equal(stage.call("PUT", "/staging/good/a", "{}").status, 202, "by alias")
        for path in ("/v1/orders/o-2", "/good/b", "/stagingv1/orders/o-2", "/staging", "/staging/staging/v1/orders/o-2"):
            check_problem(stage.call("PUT", path, "{}"), 404)
        equal(keys(stage, "orders"), {"o-1"}, "keys on the topic")
        stage.store.put("/documents/orders/o-1", b"{}")
        equal(stage.call("GET", "/staging/v1/orders/o-1").status, 200, "a read")


def case_options():
    with Stage(more=GOODS).start() as stage:
        rows = {"/v1/goods": "GET, HEAD, POST, OPTIONS", "/good/a": "GET, HEAD, PUT, PATCH, DELETE, OPTIONS"}
        for path, allow in rows.items():
            reply = stage.call("OPTIONS", path)
            equal((reply.status, reply.headers.get("allow"), reply.body), (204, allow, b""), path)
            for method in allow.split(", "):
                if method not in ("GET", "HEAD", "OPTIONS"):
                    reply = stage.call(method, path, content_type="text/nothing", body=None if method == "DELETE" else "x")
                    equal(reply.status, 202 if method == "DELETE" else 415, f"{method} is for {path}")
        equal(stage.call("OPTIONS", "/good/a").headers.get("accept-patch"), "application/merge-patch+json", "Accept-Patch")
        check_problem(stage.call("OPTIONS", "/v1/nosuch"), 404)


def case_bad_paths_in_the_configuration():
    rows = [
        ([], "aliases = product", "/product"),
        ([], "aliases = /product/", "/product/"),
        ([], "aliases = /v1/x", "/v1"),
        ([], "aliases = /a%20b", "no path"),
        ([], "aliases = /a, /a/b", "taken"),
        ([], "aliases = /x, /x", "taken"),
        (["base.path = staging"], "", "base.path"),
        (["base.path = /a/../b"], "", "base.path"),
    ]
    for gateway, line, *parts in rows:
        with Stage(gateway, more=f"[collection goods]\nkey = id\n{line}", broker=False) as stage:
            ends_with(stage, EX_CONFIG, "weir.conf:", *parts)
