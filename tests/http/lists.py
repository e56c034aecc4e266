"""GET of a collection: every partition's rows merged, page by page, complete or 503."""
import json
import re
from urllib.parse import parse_qs, urlsplit

from stage import PARTITIONS, Stage, check_problem, equal

INDEXES = "indexes = customerID, total"


def stage_with(rows, **more):
    """A store whose partition p has `rows` number p, p + 6, …: (place, document); it serves them as stores do."""
    stage = Stage(orders=[INDEXES], **more).start()

    def answer(path):
        parts = urlsplit(path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        descending, partition = query.get("order") == "desc", int(parts.path.rsplit("/", 1)[1])
        after, limit = query.get("after"), int(query["limit"])
        own = sorted(rows[partition::PARTITIONS], reverse=descending)
        left = [r for r in own if after is None or (r[0].encode().hex() < after if descending else r[0].encode().hex() > after)]
        page = [f'{{"place":"{p.encode().hex()}","version":1,"request":"r","document":{d}}}' for p, d in left[:limit]]
        return f'{{"rows":[{",".join(page)}],"more":{json.dumps(len(left) > limit)}}}'.encode()

    stage.store.lists = answer
    return stage


def case_pages_of_a_value_with_spaces():
    """Forms, browsers and most libraries write a space as +; the next page's link says it again."""
    with stage_with(numbered(5)) as stage:
        reply = stage.call("GET", "/v1/orders?customerID=ada+b&limit=2")
        link = re.fullmatch(r'<(/v1/orders\?customerID=ada\+b&limit=2&cursor=[0-9a-f]+)>; rel="next"', reply.headers["link"])
        equal([item["orderID"] for item in stage.call("GET", link[1]).json["items"]], ["k-002", "k-003"], "the second page")
        asked = {parse_qs(urlsplit(path).query)["equal"][0] for path, _ in stage.store.seen}
        equal(asked, {'"ada b"'}, "what the store was asked for on both pages")


def numbered(count):
    return [(f"k-{i:03}", f'{{"orderID":"k-{i:03}","total":1.50}}') for i in range(count)]


def pages(stage, path):
    """The items of all pages, and how many pages there were."""
    found, count = [], 0
    while path:
        reply = stage.call("GET", path)
        equal((reply.status, reply.headers["content-type"]), (200, "application/json"), f"status of {path}")
        found += [item["orderID"] for item in reply.json["items"]]
        link = re.fullmatch(r'<(.*)>; rel="next"', reply.headers.get("link", ""))
        path, count = link and link[1], count + 1
    return found, count


def case_pages_follow_each_other():
    with stage_with(numbered(25)) as stage:
        keys = [f"k-{i:03}" for i in range(25)]
        equal(pages(stage, "/v1/orders"), (keys, 1), "all at once")
        equal(pages(stage, "/v1/orders?limit=4"), (keys, 7), "by fours")
        equal(pages(stage, "/v1/orders?order=desc&limit=10"), (keys[::-1], 3), "backwards")
        reply = stage.call("GET", "/v1/orders?limit=1")
        equal(reply.body, b'{"items":[{"orderID":"k-000","total":1.50}]}\n', "the documents' bytes")
        equal(stage.call("HEAD", "/v1/orders").status, 200, "HEAD")


def case_empty():
    with stage_with([]) as stage:
        reply = stage.call("GET", "/v1/orders?customerID=ada")
        equal((reply.status, reply.json, "link" in reply.headers), (200, {"items": []}, False), "an empty list")


def case_query_reaches_the_store():
    rows = {
        "customerID=ada%20b": {"index": "customerID", "equal": '"ada b"'},
        "customerID=ada+b%2Bc": {"index": "customerID", "equal": '"ada b+c"'},
        "customer%49D[prefix]=a+": {"index": "customerID", "prefix": "a "},
        "customerID=%22a%22": {"index": "customerID", "equal": '"a"'},
        "total=19.99": {"index": "total", "equal": "19.99"},
        "total=true": {"index": "total", "equal": "true"},
        "total=null": {"index": "total", "equal": '"null"'},
        "total[from]=1&total[below]=2": {"index": "total", "from": "1", "below": "2"},
        "customerID[prefix]=a": {"index": "customerID", "prefix": "a"},
    }
    with stage_with([]) as stage:
        for query, wanted in rows.items():
            equal(stage.call("GET", f"/v1/orders?{query}").status, 200, query)
            seen = {name: values[0] for name, values in parse_qs(urlsplit(stage.store.seen[-1][0]).query).items()}
            equal(seen, {**wanted, "limit": "100"}, query)


def case_refusals():
    queries = ["limit=0", "limit=1001", "limit=x", "order=up", "cursor=zz", "status=PAID", "total[over]=1", "total=1&customerID=a"]
    with stage_with([]) as stage:
        for query in queries:
            check_problem(stage.call("GET", f"/v1/orders?{query}"), 400)
        equal(stage.store.seen, [], "what the store was asked")
        check_problem(stage.call("GET", "/v1/products"), 404, "no store")


def case_never_partial():
    with stage_with(numbered(12), gateway=["read.wait = 1s"]) as stage:
        whole = stage.store.lists
        stage.store.lists = lambda path: None if "/lists/orders/3?" in path else whole(path)
        check_problem(stage.call("GET", "/v1/orders"), 503)
        tries = []
        stage.store.lists = lambda path: None if "/3?" in path and not tries and not tries.append(1) else whole(path)
        equal(len(stage.call("GET", "/v1/orders").json["items"]), 12, "after a store that was not ready")
