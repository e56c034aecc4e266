"""The dispatch of operations: a table proxy's requests, answered once they have ended."""
import json

from access import bearer, line, stage_with as stage_with_keys
from lifecycle import EX_CONFIG, ends_with
from lists import numbered, stage_with as stage_with_rows
from stage import PARTITIONS, Stage, StoreStage, check, check_problem, equal

TABLE = "lambda-apigateway"
COLLECTION = f"[collection {TABLE}]\nkey = id\npartitions = {PARTITIONS}\n"
ITEM = {"id": "1234ABCD", "name": "Rob"}
KEY = {"Key": {"id": "1234ABCD"}}
PATH = "/dynamodbmanager"


def send(stage, operation, payload=None, table=TABLE, path=PATH, **more):
    body = {"operation": operation, "tableName": table, "payload": payload}
    return stage.call("POST", path, json.dumps({k: v for k, v in body.items() if v is not None}), **more)


def told(stage, operation, payload=None, **more):
    """The 200 answer without its ResponseMetadata."""
    reply = send(stage, operation, payload, **more)
    equal(reply.status, 200, f"status of {operation}: {reply}")
    answer = reply.json
    metadata = answer.pop("ResponseMetadata")
    equal(metadata, {"RequestId": reply.headers["x-request-id"], "HTTPStatusCode": 200}, "ResponseMetadata")
    return answer


def case_a_moved_client():
    """The whole life of an item on the store itself, by the requests of a client that only changed its URL."""
    with StoreStage(["base.path = /staging"], more=COLLECTION, topics=[TABLE]).start() as stage:
        at = {"path": "/staging" + PATH}

        def item():
            return told(stage, "read", KEY, **at).get("Item")

        equal(told(stage, "create", {"Item": ITEM}, **at), {}, "create")
        equal(item(), ITEM, "read")
        equal(told(stage, "create", {"Item": {**ITEM, "name": "Bob"}}, **at), {}, "create again is an upsert")
        equal(item(), {**ITEM, "name": "Bob"}, "read after the upsert")
        update = {"UpdateExpression": "SET #n = :n, total=:t REMOVE gone", "ExpressionAttributeNames": {"#n": "name"}}
        told(stage, "update", {**KEY, **update, "ExpressionAttributeValues": {":n": "Eve", ":t": 19.99}}, **at)
        equal(item(), {**ITEM, "name": "Eve", "total": 19.99}, "read after an UpdateExpression")
        changes = {"total": {"Action": "DELETE"}, "tags": {"Action": "PUT", "Value": ["a"]}, "name": {"Value": "Al"}}
        told(stage, "update", {**KEY, "AttributeUpdates": changes}, **at)
        equal(item(), {"id": "1234ABCD", "name": "Al", "tags": ["a"]}, "read after AttributeUpdates")
        told(stage, "update", {"Key": {"id": "new"}, "UpdateExpression": "SET n = :n", "ExpressionAttributeValues": {":n": 1}}, **at)
        listed = told(stage, "list", **at)
        equal((listed["Count"], listed["ScannedCount"]), (2, 2), "an update makes an item, list counts it")
        equal(sorted(i["id"] for i in listed["Items"]), ["1234ABCD", "new"], "the items")
        equal(told(stage, "delete", KEY, **at), {}, "delete")
        equal(told(stage, "read", KEY, **at), {}, "read of a missing item has none")
        equal(told(stage, "delete", KEY, **at), {}, "delete of a missing item")
        reply = send(stage, "create", {"Item": ITEM}, **at, headers=[("Idempotency-Key", "k")])
        again = stage.call("PUT", f"/staging/v1/{TABLE}/1234ABCD", json.dumps(ITEM), headers=[("Idempotency-Key", "k")])
        equal(again.json["request_id"], reply.headers["x-request-id"], "one request, by dispatch or by PUT")


def case_without_a_table():
    values = {"somekey1": "somevalue1", "somekey2": "somevalue2"}
    with Stage(["dispatch.paths = /a/proxy, /b"]).start() as stage:
        equal(stage.call("POST", "/b", json.dumps({"operation": "echo", "payload": values})).json, values, "echo")
        raw = '{"payload": [1.50, "\\u00e9" ], "operation":"echo"}'
        equal(stage.call("POST", "/a/proxy?x=1", raw).body, b'[1.50, "\\u00e9" ]', "echo, byte for byte")
        equal(stage.call("POST", "/b", '{"operation":"echo"}').json, None, "echo of nothing")
        equal(stage.call("POST", "/b", '{"operation":"ping"}').json, "pong", "ping")
        for kind in (None, "application/x-www-form-urlencoded", "text/plain"):  # as curl -d sends it
            equal(stage.call("POST", "/b", '{"operation":"ping"}', content_type=kind).status, 200, f"type {kind}")
        foreign = {"headers": [("Origin", "http://elsewhere")], "content_type": "text/plain"}
        check_problem(stage.call("POST", "/b", '{"operation":"ping"}', **foreign), 415)
        check_problem(stage.call("GET", "/b"), 405)
        equal(stage.call("OPTIONS", "/b").headers["allow"], "POST, OPTIONS", "Allow")
        check_problem(stage.call("POST", "/b/c", "{}"), 404)
        check_problem(stage.call("POST", PATH, "{}"), 404)


def refused():
    update = {**KEY, "ExpressionAttributeValues": {":v": 1, ":o": {"a": 1}, ":z": None}}
    return [
        ("dump", None, 400, 'Unrecognized operation "dump"', "/operation"),
        ("Create", {"Item": ITEM}, 400, 'Unrecognized operation "Create"', "/operation"),
        (7, None, 400, "no string", "/operation"),
        (None, None, 400, "no operation", "/operation"),
        ("create", None, 400, "payload.Item", "/payload/Item"),
        ("create", [1], 400, "no object", "/payload"),
        ("create", {"Item": "x"}, 400, "payload.Item", "/payload/Item"),
        ("create", {"Item": {"name": "Rob"}}, 400, "key, id", "/payload/Item/id"),
        ("create", {"Item": {"id": 7}}, 400, "no string", "/payload/Item/id"),
        ("create", {"Item": {"id": ""}}, 400, "", "/payload/Item/id"),
        ("create", {"Item": {"id": ".."}}, 400, "dot segment", "/payload/Item/id"),
        ("create", {"Item": ITEM, "ConditionExpression": "x"}, 400, "payload.ConditionExpression", "/payload/ConditionExpression"),
        ("create", {"Item": ITEM, "ReturnValues": "ALL_OLD"}, 400, "ReturnValues", "/payload/ReturnValues"),
        ("read", {"Item": ITEM}, 400, "payload.Item", "/payload/Item"),
        ("read", {}, 400, "payload.Key", "/payload/Key"),
        ("read", {"Key": {"name": "Rob"}}, 400, "key, id", "/payload/Key/id"),
        ("read", {"Key": ITEM}, 400, "more than", "/payload/Key"),
        ("delete", None, 400, "payload.Key", "/payload/Key"),
        ("list", {"Limit": 0}, 400, "Limit", "/payload/Limit"),
        ("list", {"ExclusiveStartKey": "x"}, 400, "ExclusiveStartKey", "/payload/ExclusiveStartKey"),
        ("list", {"FilterExpression": "x"}, 400, "FilterExpression", "/payload/FilterExpression"),
        ("update", KEY, 400, "either", "/payload"),
        ("update", {**KEY, "AttributeUpdates": {}}, 400, "AttributeUpdates", "/payload/AttributeUpdates"),
        ("update", {**KEY, "AttributeUpdates": {"n": {"Action": "ADD", "Value": 1}}}, 400, "n:", "/payload/AttributeUpdates/n"),
        ("update", {**KEY, "AttributeUpdates": {"id": {"Value": "x"}}}, 400, "key, id", "/payload/AttributeUpdates"),
        *(
            ("update", {**update, "UpdateExpression": text}, 400, part, f"/payload/{holder}")
            for text, part, holder in (
                ("", "at its end", "UpdateExpression"),
                ("SET", "at its end", "UpdateExpression"),
                ("SET a :v", 'at ":v"', "UpdateExpression"),
                ("SET a = a + :v", 'at "a"', "UpdateExpression"),
                ("SET a.b = :v", 'at "."', "UpdateExpression"),
                ("SET a = :v,", "at its end", "UpdateExpression"),
                ("ADD a :v", 'at "ADD"', "UpdateExpression"),
                ("REMOVE a SET a = :v", "twice", "UpdateExpression"),
                ("SET id = :v", "key, id", "UpdateExpression"),
                ("SET a = :o", "object", "UpdateExpression"),
                ("SET a = :z", "null", "UpdateExpression"),
                ("SET a = :w", ":w", "ExpressionAttributeValues"),
                ("SET #a = :v", "#a", "ExpressionAttributeNames"),
                ("SET " + "a" * 300 + " = :v", "aaa", "UpdateExpression"),
            )
        ),
    ]


def case_refusals():
    """Each names what is wrong, in words and by a pointer; nothing is written."""
    with Stage(more=f"{COLLECTION}[service keeper]\nplugin = store\ntopics = {TABLE}\n").start() as stage:
        for operation, payload, status, part, pointer in refused():
            reply = send(stage, operation, payload)
            check_problem(reply, status, part)
            equal(reply.json["errors"][0]["pointer"], pointer, f"pointer of {reply}")
        for table, status in ((None, 400), ("nosuch-table", 404), ("products", 404)):
            reply = send(stage, "read", KEY, table=table)
            check_problem(reply, status, table or "tableName")
            equal(reply.json["errors"][0]["pointer"], "/tableName", "pointer")
        for body in ("", "{", "[]", '"ping"', '{"operation":"ping","operation":"ping"}', b'{"operation":"\xff"}'):
            check_problem(stage.call("POST", PATH, body), 400)
        equal(stage.records(TABLE), [], "records on the topic")
        equal(stage.store.seen, [], "what the store was asked")


def case_no_wrong_word():
    """Whatever the store says of the command is told; when it says nothing in time, only what Kafka has."""
    with Stage(["timeout = 3s", "read.wait = 500ms"]).start() as stage:
        item = {"Item": {"orderID": "o-1"}}
        stage.store.outcomes = [{"request": "r", "outcome": "dead-lettered", "error": "invalid"}]
        check_problem(send(stage, "create", item, table="orders"), 422)
        stage.store.outcomes = [503] * 100
        reply = send(stage, "create", item, table="orders")
        equal((reply.status, reply.json["status"]), (202, "accepted"), "accepted, and not yet stored")
        stage.store.status = 503
        check_problem(send(stage, "read", {"Key": {"orderID": "o-1"}}, table="orders"), 503)


def case_pages():
    with stage_with_rows(numbered(7)) as stage:
        seen, start, counts = [], None, []
        while True:
            payload = {"Limit": 3, **({"ExclusiveStartKey": start} if start else {})}
            page = told(stage, "list", payload, table="orders")
            equal(page["Count"], len(page["Items"]), "Count")
            seen += [item["orderID"] for item in page["Items"]]
            counts.append(page["Count"])
            start = page.get("LastEvaluatedKey")
            if not start:
                break
            equal(start, {"orderID": seen[-1]}, "LastEvaluatedKey")
        equal((seen, counts), ([f"k-{i:03}" for i in range(7)], [3, 3, 1]), "items, page by page")
        equal(told(stage, "list", {"Limit": 5000}, table="orders")["Count"], 7, "a limit beyond a page's")
        equal(told(stage, "list", {"Limit": 3.0}, table="orders")["Count"], 3, "3.0 is an integer")


def case_scopes():
    """The scopes of the methods that do the same; 401 and 403 tell nothing about what exists."""
    rows = [
        (None, "ping", None, "orders", 401),
        ("wrong", "ping", None, "orders", 401),
        ("creator", "ping", None, "orders", 200),
        ("creator", "create", {"Item": {"orderID": "o"}}, "orders", 403),  # it would replace as well
        ("writer", "create", {"Item": {"orderID": "o"}}, "orders", 200),
        ("writer", "delete", {"Key": {"orderID": "o"}}, "orders", 403),
        ("writer", "create", {"Item": {"orderID": "o"}}, "products", 403),
        ("writer", "create", {"Item": {"orderID": "o"}}, "nosuch", 403),
        ("reader", "read", {"Key": {"orderID": "o"}}, "orders", 200),
        ("reader", "read", {"Key": {"orderID": "o"}}, "nosuch", 404),
        ("reader", "update", {}, "orders", 403),
    ]
    keys = line("creator", "creator", "orders:create") + line("writer", "writer", "orders:replace") + line("reader", "reader", "*:read")
    with stage_with_keys(keys).start() as stage:
        stage.store.put("/documents/orders/o", b'{"orderID":"o"}')
        stage.store.outcomes = [{"request": "r", "outcome": "stored", "op": "c", "version": 1}]
        for key, operation, payload, table, status in rows:
            reply = send(stage, operation, payload, table=table, headers=bearer(key))
            equal((key, operation, table, reply.status), (key, operation, table, status), f"status of {reply}")
        unknown, forbidden = (
            send(stage, "create", {"Item": {}}, table=t, headers=bearer("writer")).json["detail"] for t in ("nosuch", "products")
        )
        equal(unknown, forbidden, "what 403 tells")


def case_names():
    """A table may have other names, from the environment as well."""
    with Stage(orders=["tables = Orders.Prod"]).start(WEIR_COLLECTION_PRODUCTS_TABLES="my_table") as stage:
        stage.store.put("/documents/orders/o", b'{"orderID":"o"}')
        equal(told(stage, "read", {"Key": {"orderID": "o"}}, table="Orders.Prod"), {"Item": {"orderID": "o"}}, "by its name")
        check_problem(send(stage, "read", {"Key": {"productID": "p"}}, table="my_table"), 404, "no store keeps the table products")
    rows = [
        ([], "tables = a/b", "a/b"),
        ([], "tables = products", "products"),
        ([], "tables = x, x", "x"),
        (["dispatch.paths = proxy"], "", "dispatch.paths"),
        (["dispatch.paths = /v1/x"], "", "/v1"),
        (["dispatch.paths = /x/y"], "aliases = /x", "alias of goods"),
    ]
    for gateway, text, *parts in rows:
        with Stage(gateway, more=f"[collection goods]\nkey = id\n{text}", broker=False) as stage:
            ends_with(stage, EX_CONFIG, "weir.conf:", *parts)


def case_subscriptions_stay_pending():
    """The gateway alone says what became of a subscription, whatever path it came by."""
    more = f"[collection subscriptions]\nkey = subscriptionID\npartitions = {PARTITIONS}\n[service s]\nplugin = store\ntopics = subscriptions\n"
    with Stage(more=more).start() as stage:
        item = {"subscriptionID": "s-1", "endpoint": "a@example.com", "collection": "orders"}
        stage.store.outcomes = [{"request": "r", "outcome": "stored", "op": "c", "version": 1}]
        told(stage, "create", {"Item": item}, table="subscriptions")
        equal(json.loads(stage.records("subscriptions")[0]["payload"])["status"], "PENDING", "status")
        check_problem(send(stage, "create", {"Item": {**item, "status": "CONFIRMED"}}, table="subscriptions"), 422, "status")
        update = {"Key": {"subscriptionID": "s-1"}, "AttributeUpdates": {"status": {"Value": "CONFIRMED"}}}
        check_problem(send(stage, "update", update, table="subscriptions"), 422, "status")
        check("CONFIRMED" not in str(stage.records("subscriptions")), "nothing was confirmed")
