"""JSON of every class that a parser may stumble over: what RFC 8259 allows is taken byte for byte, what it forbids is refused, and
where it leaves a choice the answer is ours, the same for a collection with a schema (which is parsed into values) and without."""
from stage import Stage, check, equal, request

TAKEN = [
    # structures and white space
    b"{}", b" {} ", b"\t{\r\n}\n", b'{"a":{}}', b'{"a":[]}', b'{"a":[[],{}]}', b'{"a" :\t1 ,\n"b" : 2}', b'{"a":null,"b":true,"c":false}',
    b'{"":0}', b'{"a":{"":""}}', b'{"a":[null]}', b'{"a":[1,null,"x",{}]}', b'{"a":' + b"[" * 31 + b"]" * 31 + b"}",
    b'{"a":[' + b"1," * 5000 + b"1]}", b'{"' + b"n" * 5000 + b'":1}',
    # numbers
    b'{"a":0}', b'{"a":-0}', b'{"a":-0.0}', b'{"a":0e1}', b'{"a":0e+1}', b'{"a":0E-1}', b'{"a":1e5}', b'{"a":1E+2}', b'{"a":1.5e-7}', b'{"a":-1}',
    b'{"a":123456789012345678}', b'{"a":9223372036854775807}', b'{"a":-9223372036854775808}', b'{"a":0.1}', b'{"a":19.99}',
    b'{"a":-0.00000000000000000000000000000000000000000000001}', b'{"a":123.456789012345678901234567890}', b'{"a":1e-400}',
    # strings
    b'{"a":""}', b'{"a":"\\"\\\\\\/\\b\\f\\n\\r\\t"}', b'{"a":"\\u0041\\u00e9\\u20AC\\uffff"}', b'{"a":"\\uD834\\uDD1E"}', b'{"a":"\\u0022\\u005c"}',
    b'{"a":"\xc3\xa9\xe2\x82\xac\xf0\x9d\x84\x9e"}', b'{"a":"\x7f"}', b'{"a":"\xe2\x80\xa8\xe2\x80\xa9"}', b'{"a":"\xef\xbf\xbe\xef\xbf\xbf"}',
    b'{"a":"\xf4\x8f\xbf\xbf"}', b'{"a":"/*"}', b'{"a":"\\u0001"}', b'{"\xc3\xa9":1}', b'{"\\u0061":1}', b'{"a":"' + b"x" * 20000 + b'"}',
]

REFUSED = [
    # nothing, or not all, or too much
    b"", b" ", b"\n", b"{", b"}", b"[", b"]", b"{}}", b"{}{}", b"{}#", b"{} x", b"{},", b",{}", b"{}\x00", b"\x00{}", b"{}\x0b", b"\x0c{}", b"{}\xc2\xa0",
    b"\xef\xbb\xbf{}", b"{}\xef\xbb\xbf", b"\xe2\x81\xa0{}", b"<a/>", b"\x1f\x8b\x08", b"{\x00}", b"{}/**/", b"//x\n{}", b"{}\n#x",
    # no object at all: a document is one
    b"null", b"true", b"1", b'"a"', b"[]", b"[{}]", b'["a"]', b"-0.1",
    # objects
    b"{a:1}", b"{'a':1}", b'{"a"}', b'{"a":}', b'{"a" 1}', b'{"a"::1}', b'{"a":1,}', b'{"a":1,,"b":2}', b'{,"a":1}', b'{"a":1 "b":2}', b'{"a":1;}', b"{1:1}",
    b"{null:1}", b"{[]:1}", b'{"a":1', b'{"a":', b'{"a', b'{"a":"b}', b'{"a":x', b'{"a":1}}', b'{"a":1]', b"{...}", b'{"a"=1}', b'{"a":1/**/}', b'{"a"\x00:1}',
    # arrays
    b'{"a":[1,]}', b'{"a":[,1]}', b'{"a":[,]}', b'{"a":[1,,2]}', b'{"a":[1 2]}', b'{"a":[1}', b'{"a":[}', b'{"a":[1:2]}', b'{"a":[1', b'{"a":[1]]}', b'{"a":[\x0c]}',
    # literals
    b'{"a":nul}', b'{"a":True}', b'{"a":NULL}', b'{"a":fals}', b'{"a":truex}', b'{"a":undefined}', b'{"a":NaN}', b'{"a":-NaN}', b'{"a":Infinity}', b'{"a":-Infinity}',
    b'{"a":nan}', b'{"a":inf}', b'{"a":x}', b'{"a":tru\xc3\xa9}',
    # numbers
    b'{"a":+1}', b'{"a":01}', b'{"a":-01}', b'{"a":00}', b'{"a":.1}', b'{"a":-.1}', b'{"a":1.}', b'{"a":1.e1}', b'{"a":1e}', b'{"a":1e+}', b'{"a":1e1.5}', b'{"a":1E}', b'{"a":1ee1}',
    b'{"a":-}', b'{"a":--1}', b'{"a":- 1}', b'{"a":1 000}', b'{"a":1_000}', b'{"a":0x1}', b'{"a":0b1}', b'{"a":0o1}', b'{"a":1.2.3}', b'{"a":1+2}', b'{"a":1f}', b'{"a":1,5}', b'{"a":-foo}',
    b'{"a":\xef\xbc\x91}', b'{"a":1\x00}', b'{"a":-2.}',
    # strings
    b'{"a":"\\"}', b'{"a":"\\x41"}', b'{"a":"\\a"}', b'{"a":"\\u"}', b'{"a":"\\u00"}', b'{"a":"\\u00g0"}', b'{"a":"\\U0041"}', b'{"a":"\\u 041"}', b'{"a":"\\\xc3\xa9"}', b'{"a":"\n"}', b'{"a":"\t"}',
    b'{"a":"\x00"}', b'{"a":"\x1f"}', b"{\"a\":'b'}", b'{"a":"b" "c"}', b'{"a":"\\', b'{"a":"\\u0000"}', b'{"\\u0000":1}', b'{"a":"\\\x00"}', b'{"a":"\\u\\u0041"}', b'{"a":`b`}',
    # bytes that are no UTF-8
    b'{"a":"\xff"}', b'{"a":"\xe9"}', b'{"a":"\xc3"}', b'{"a":"\xc0\xaf"}', b'{"a":"\xe0\x80\xaf"}', b'{"a":"\xed\xa0\x80"}', b'{"a":"\xf4\x90\x80\x80"}', b'{"a":"\xf8\x88\x80\x80\x80"}',
    b'{"a":"\x80"}', b'{"\xff":1}', b'\xff\xfe{\x00}\x00', b'{"a":\xff}', b'{"a":"\xf0\x9d\x84"}',
    # what RFC 8259 leaves open, and we don't take
    b'{"a":1,"a":1}', b'{"a":1,"\\u0061":2}', b'{"b":{"a":1,"a":2}}', b'{"a":"\\uD834"}', b'{"a":"\\uDD1E"}', b'{"a":"\\uDD1E\\uD834"}', b'{"a":"\\uD834x"}', b'{"a":"\\uD834\\u0041"}',
    b'{"a":1e400}', b'{"a":-1e99999}', b'{"a":9223372036854775808}', b'{"a":123123123123123123123123123}', b'{"a":0.' + b"1" * 10 + b"e999}",
    b'{"a":' + b"[" * 32 + b"]" * 32 + b"}", b'{"a":' + b"[" * 50000, b'{"a":' * 50000, b'{"a":' + b"[" * 50000 + b"]" * 50000 + b"}",
]


def answer(client, collection, body):
    return client.send(request("POST", f"/v1/{collection}", body)).reply()


def case_every_class():
    with Stage() as stage:
        (stage.folder / "any.json").write_text("{}")
        stage._lines["orders"].append(f"schema = {stage.folder}/any.json")
        stage.write_conf()
        stage.start()
        with stage.client() as client:
            for collection in ("orders", "products"):
                for body in TAKEN:
                    equal((body[:60], answer(client, collection, body).status), (body[:60], 202), collection)
                for body in REFUSED:
                    reply = answer(client, collection, body)
                    equal((body[:60], reply.status), (body[:60], 400), collection)
                    equal(reply.json["errors"][0]["detail"], reply.json["detail"], "the place is told")
        for topic in ("orders", "products"):
            equal(len(stage.records(topic)), len(TAKEN), f"records on {topic}")


def case_bytes_stay():
    """What stands on the topic is what was sent, to the last space."""
    with Stage().start() as stage:
        bodies = [body for body in TAKEN if b"\n" not in body and b"\r" not in body and b"\x7f" not in body]
        for number, body in enumerate(bodies):
            equal(stage.call("PUT", f"/v1/orders/o-{number}", body).status, 202, "status")
        found = {record["key"]: record["payload"].encode() for record in stage.records()}
        for number, body in enumerate(bodies):
            equal(found[f"o-{number}"], body, "the record")
