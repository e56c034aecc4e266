"""Collections with a schema: what is refused with every place that breaks it, and schema files that stop the start."""
import json
import subprocess

from lifecycle import EX_CONFIG, ends_with
from stage import PARTITIONS, ROOT, Stage, check_problem, equal, find_program, request

SCHEMA = {
    "type": "object",
    "required": ["id", "name", "price"],
    "properties": {
        "id": {"type": "string", "maxLength": 40},
        "name": {"type": "string", "minLength": 1, "pattern": "^[^<>]*$"},
        "price": {"type": "number", "minimum": 0, "multipleOf": 0.01},
        "tags": {"type": "array", "uniqueItems": True, "items": {"enum": ["new", "sale"]}},
    },
    "additionalProperties": False,
}
GOOD = {"id": "a-1", "name": "Tea", "price": 19.99}


def stage_with(schema, *lines):
    stage = Stage(more="\n".join(["[collection goods]", "key = id", f"partitions = {PARTITIONS}", "schema = goods.json", *lines]))
    (stage.folder / "goods.json").write_text(schema if isinstance(schema, str) else json.dumps(schema))
    return stage


def case_good_documents():
    with stage_with(SCHEMA).start() as stage:
        equal(stage.call("POST", "/v1/goods", json.dumps(GOOD)).status, 202, "create")
        equal(stage.call("PUT", "/v1/goods/a-2", '{"name":"Tea","price":0,"tags":[]}').status, 202, "replace; the key is the path's")
        without_key = stage.call("POST", "/v1/goods", '{"name":"Tea","price":1e1}')
        equal(without_key.status, 202, "create; the key is the request's")
        equal(stage.call("PATCH", "/v1/goods/a-1", '{"name":7}', content_type="application/merge-patch+json").status, 202, "a merge is the store's to check")
        equal(stage.call("POST", "/v1/orders", '{"anything":[]}').status, 202, "another collection")
        values = {record["key"]: record["payload"] for record in stage.records("goods")}
        equal(values["a-2"], '{"name":"Tea","price":0,"tags":[]}', "bytes as they came")
        equal(values[without_key.json["key"]], '{"name":"Tea","price":1e1}', "bytes as they came")


def case_every_violation_is_told():
    document = {"id": "a-1", "name": "", "price": "1", "tags": ["new", "old", "new"], "a/b": 1}
    with stage_with(SCHEMA).start() as stage:
        for method, path in (("POST", "/v1/goods"), ("PUT", "/v1/goods/a-1")):
            problem = check_problem(stage.call(method, path, json.dumps(document)), 422, "schema", "goods", "5 places")
            equal(
                [(error["pointer"], error["detail"]) for error in problem["errors"]],
                [
                    ("/name", "has to have at least 1 character, and has 0"),
                    ("/price", "has to be a number, not a string"),
                    ("/tags/1", 'has to be one of "new", "sale"'),
                    ("/tags", "has to have no two items alike, and items 0 and 2 are"),
                    ("/a~1b", "is not allowed here"),
                ],
                "errors",
            )
        problem = check_problem(stage.call("POST", "/v1/goods", "{}"), 422, "2 places")
        equal({error["detail"] for error in problem["errors"]}, {"lacks the member name", "lacks the member price"}, "missing members")
        equal(stage.records("goods"), [], "records on the topic")


def case_many_violations_are_cut():
    with stage_with(SCHEMA).start() as stage:
        document = dict(GOOD, **{f"x-{i}": i for i in range(100)})
        problem = check_problem(stage.call("POST", "/v1/goods", json.dumps(document)), 422, "more than 32 places")
        equal(len(problem["errors"]), 32, "errors")


def case_hostile_documents():
    """Long strings, deep nesting and patterns that run away: an answer each, and the gateway lives."""
    schema = {"properties": {"text": {"pattern": "^(a+)+$"}, "more": {"$ref": "#"}}}
    deep = "{" + '"more":{' * 30 + "}" * 31
    with stage_with(schema).start() as stage, stage.client() as client:
        bodies = {
            '{"text":"%s"}' % ("a" * 20000): 202,
            '{"text":"%s!"}' % ("a" * 200): 422,
            '{"text":"%s!"}' % ("a" * 200000): 422,
            deep: 202,
        }
        for body, status in bodies.items():
            reply = client.send(request("POST", "/v1/goods", body)).reply()
            equal((body[:40], reply.status), (body[:40], status), "status")


def case_formats():
    schema = {"properties": {"mail": {"format": "email"}}}
    for lines, status in ((["schema.formats = yes"], 422), ([], 202)):
        with stage_with(schema, *lines).start() as stage:
            equal(stage.call("POST", "/v1/goods", '{"mail":"nobody"}').status, status, "status")


BROKEN = [
    ('{"type":"object",}', "goods.json: invalid JSON at byte 18"),
    ('{"properties":{"a":{"minimun":1}}}', 'goods.json: "/properties/a/minimun": the keyword minimun is not known here'),
    ('{"$ref":"https://example.org/other.json"}', 'goods.json: "/$ref": https://example.org/other.json leads to another document'),
    ('{"pattern":"("}', 'goods.json: "/pattern": is no regular expression'),
    ('{"$schema":"http://json-schema.org/draft-04/schema#"}', 'goods.json: "/$schema": only '),
]


def case_broken_schemas_stop_the_start():
    with stage_with(SCHEMA) as stage:
        for text, reason in BROKEN:
            (stage.folder / "goods.json").write_text(text)
            ends_with(stage, EX_CONFIG, "weir.conf:", reason.replace('"', '\\"'))  # as it is logged
            ends_with(stage, EX_CONFIG, "weir-gateway: ", "weir.conf:", reason, arguments=["--check-config"])
        (stage.folder / "goods.json").unlink()
        ends_with(stage, EX_CONFIG, "weir.conf:", "goods.json")


def case_shipped_configuration():
    """The example configuration, with the schemas of all its collections."""
    argv = [find_program("weir-gateway"), "--config", ROOT / "deploy" / "conf" / "weir.conf", "--check-config"]
    equal(subprocess.run(argv, timeout=20, check=False).returncode, 0, "exit code")
