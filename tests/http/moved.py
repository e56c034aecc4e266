"""Requests letter by letter, as clients of a cloud's functions, tables and queues send them; names of keys, tables and topics from the
environment."""
import json
import os
import re
from hashlib import md5

from stage import PARTITIONS, StoreStage, check, check_problem, equal

COLLECTION = f"[collection lambda-apigateway]\nkey = id\npartitions = {PARTITIONS}\n"
FORM, HELLO = "application/x-www-form-urlencoded", "Hello from SQS!"
WAIT = [("Prefer", "wait=8")]
DISPATCH = "/staging/dynamodbmanager"
ITEM = {"id": "1234ABCD", "name": "Rob"}
KEY = '"tableName":"lambda-apigateway","payload":{"Key":{"id":"1234ABCD"}}'
UPDATE = ('{"operation":"update","tableName":"lambda-apigateway","payload":{"Key":{"id":"1234ABCD"},'
          '"AttributeUpdates":{"name":{"Value":"Bob"}}}}')
# body of a POST to the dispatch → what its answer holds; None: nothing of that name is in it
OPERATIONS = [
    ('{"operation":"create","tableName":"lambda-apigateway","payload":{"Item":{"id":"1234ABCD","name":"Rob"}}}', {}),
    (f'{{"operation":"read",{KEY}}}', {"Item": ITEM}),
    (UPDATE, {}),
    (f'{{"operation":"read",{KEY}}}', {"Item": {"id": "1234ABCD", "name": "Bob"}}),
    ('{"operation":"list","tableName":"lambda-apigateway","payload":{}}', {"Items": [{"id": "1234ABCD", "name": "Bob"}], "Count": 1}),
    (f'{{"operation":"delete",{KEY}}}', {}),
    (f'{{"operation":"read",{KEY}}}', {"Item": None}),
]
PRODUCT = '{"productID":"p-1","name":"Pen","price":34.00}'
# method, path, body → status, and the answer's body, where it is to be looked at
PRODUCTS = [
    ("POST", "/staging/product", PRODUCT, 201, None),
    ("GET", "/staging/product", None, 200, {"items": [json.loads(PRODUCT)]}),
    ("GET", "/staging/product/p-1", None, 200, json.loads(PRODUCT)),
    ("PUT", "/staging/product/p-1", '{"name":"Ink"}', 200, None),
    ("GET", "/staging/product/p-1", None, 200, {"productID": "p-1", "name": "Ink"}),
    ("DELETE", "/staging/product/p-1", None, 204, None),
    ("GET", "/staging/product/p-1", None, 404, None),
]


def post(stage, body):
    return stage.call("POST", DISPATCH, body)


def check_operations(stage):
    for body, wanted in OPERATIONS:
        reply = post(stage, body)
        equal((reply.status, reply.json["ResponseMetadata"]["HTTPStatusCode"]), (200, 200), body)
        equal({name: reply.json.get(name) for name in wanted}, wanted, body)
    values = '{"somekey1":"somevalue1","somekey2":"somevalue2"}'
    equal(post(stage, f'{{"operation":"echo","payload":{values}}}').json, json.loads(values), "echo")
    equal(post(stage, '{"operation":"ping"}').json, "pong", "ping")
    check_problem(post(stage, '{"operation":"explode","tableName":"lambda-apigateway","payload":{}}'), 400, 'Unrecognized operation "explode"')


def check_products(stage):
    for method, path, body, status, wanted in PRODUCTS:
        reply = stage.call(method, path, body, headers=WAIT)
        equal((method, path, reply.status), (method, path, status), f"{reply}")
        if wanted is not None:
            equal({name: reply.json.get(name) for name in wanted}, wanted, f"{method} {path}")


def check_texts(stage):
    reply = stage.call("POST", "/staging/v1/orders", HELLO, headers=WAIT, content_type="text/plain")
    equal(reply.status, 201, f"a text as an order: {reply}")
    reply = stage.call("POST", "/staging/v1/orders", "Action=SendMessage&MessageBody=Hello%20from%20SQS%21", content_type=FORM)
    equal(reply.status, 200, f"the queue's form: {reply}")
    tags = dict(re.findall(rb"<(\w+)>([^<>]+)</\1>", reply.body))
    equal(tags[b"MD5OfMessageBody"].decode(), md5(HELLO.encode()).hexdigest(), "MD5OfMessageBody")
    equal(tags[b"MessageId"].decode(), reply.headers["x-request-id"], "MessageId")
    equal([record["payload"] for record in stage.records()], [HELLO, HELLO], "orders, byte for byte")


def case_requests_as_they_are_sent():
    os.environ["WEIR_COLLECTION_PRODUCTS_ALIASES"] = "/product"
    with StoreStage(["base.path = /staging"], more=COLLECTION, topics=["products", "lambda-apigateway"], orders=["body = opaque"]).start() as stage:
        check_operations(stage)
        check_products(stage)
        check_texts(stage)


NAMES = {
    "WEIR_KAFKA_TOPIC_PREFIX": "prod.",
    "WEIR_COLLECTION_PRODUCTS_KEY": "sku",
    "WEIR_COLLECTION_PRODUCTS_TABLES": "products-prod",
    "WEIR_COLLECTION_PRODUCTS_ALIASES": "/item",
    "WEIR_COLLECTION_PRODUCTS_INDEXES": "color",
}


def case_names_from_the_environment():
    """The configuration stays as it is; the running programs take key, table, path, index and topics from the environment."""
    os.environ.update(NAMES)
    with StoreStage(topics=["products"]).start() as stage:
        pen = {"sku": "p-1", "color": "blue"}
        reply = stage.call("POST", "/item", json.dumps(pen), headers=WAIT)
        equal((reply.status, reply.headers["weir-position"].split("/")[0]), (201, "prod.products"), f"{reply}")
        equal(stage.call("GET", "/v1/products/p-1").json, pen, "by its key")
        equal(stage.call("GET", "/v1/products?color=blue").json["items"], [pen], "by its index")
        read = {"operation": "read", "tableName": "products-prod", "payload": {"Key": {"sku": "p-1"}}}
        equal(stage.call("POST", "/dynamodbmanager", json.dumps(read)).json["Item"], pen, "by the table's name")
        made = stage.call("POST", "/item", '{"color":"red"}', headers=WAIT)
        check(made.json["key"] in stage.call("GET", "/v1/products?color=red").json["items"][0]["sku"], "a made key stands in sku")
        check_problem(stage.call("PUT", "/item/p-1", '{"sku":"p-2"}'), 422, "sku")
        equal([record["key"] for record in stage.records("prod.products") if record["key"] == "p-1"], ["p-1"], "commands of p-1")
        equal(sorted(record["key"] for record in stage.records("prod.products.changes")), sorted(["p-1", made.json["key"]]), "changes")
