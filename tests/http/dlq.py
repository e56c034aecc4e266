"""Dead letters over HTTP: told as weirctl tells them, taken back once, and only to whom that is granted."""
import json
import signal
import subprocess
import threading

from access import bearer, line
from stage import Stage, call, check, check_problem, equal, find_program, murmur2_partition, wait_for

DLQ, LETTERS = "/v1/dlq", "/v1/dlq/store/letters"
TOPIC, RETRY = "orders.store.dlq", "orders.store.retry"
BODY = b'{"orderID":"o-1", "total": 19.990}'


def put_letter(stage, key, offset, value=BODY, **more):
    """A letter as the consumer host writes it; `more` replaces header values, names with _ for -."""
    partition = murmur2_partition(key)
    headers = {
        "ce_id": f"r-{offset}", "ce_type": "weir.orders.create", "__dlq.errors.topic": "orders",
        "__dlq.errors.partition": str(partition), "__dlq.errors.offset": str(offset), "__dlq.errors.group": "store",
        "__dlq.errors.delivery.count": "1", "__dlq.errors.message": "/total: no number", "weir-disposition": "invalid",
        "weir-error-type": "schema", "weir-redrive-count": "0",
        **{name.replace("_", "-"): text for name, text in more.items()},
    }
    flat = [part for name, text in headers.items() for part in ("-H", name.encode() + b"=" + (text if isinstance(text, bytes) else text.encode()))]
    argv = ["kcat", "-b", stage.bootstrap, "-P", "-t", TOPIC, "-p", str(partition), "-k", key, "-D", "|", *flat]
    subprocess.run(argv, input=value, check=True, timeout=30)


def weirctl(stage, *arguments):
    """What `weirctl dlq … --json` prints."""
    argv = [find_program("weirctl"), "--config", stage.conf, "dlq", *arguments, "--service", "store", "--json"]
    return json.loads(subprocess.run([str(a) for a in argv], stdout=subprocess.PIPE, check=True, timeout=60).stdout)


def get(stage, path, **more):
    reply = stage.call("GET", path, **more)
    equal(reply.status, 200, f"status of {reply}")
    return reply.json


def redrive(stage, path=LETTERS, **body):
    reply = stage.call("POST", f"{path}:redrive", json.dumps(body))
    equal(reply.status, 200, f"status of {reply}")
    return reply.json


def path_of(letter):
    return f"{LETTERS}/{letter['letter'].replace('/', '~')}"


def keys_in(told):
    return sorted(letter["key"] for letter in told["letters"])


def returned(stage):
    return sorted((r["headers"]["weir-origin"], r["headers"]["weir-redrive-count"], r["payload"]) for r in stage.records(RETRY))


def check_filters(stage):
    """All but newer_than, which the dev broker can't look up."""
    for query, wanted in (
        ("disposition=expired", ["o-2"]),
        (f"reason=no%20number&source=orders/{murmur2_partition('o-1')}/1-1&open=true&limit=1000&error_type=schema&key=o-1", ["o-1"]),
        ("older_than=1h&collection=orders", []),
        ("collection=nosuch&cursor=orders.store.dlq~0~0", []),
    ):
        equal(keys_in(get(stage, f"{LETTERS}?{query}")), wanted, query)


def check_pages(stage):
    """By the cursor the same letters in the same order."""
    whole, first = get(stage, LETTERS), get(stage, f"{LETTERS}?limit=2")
    rest = get(stage, f"{LETTERS}?limit=2&cursor={first['next']}")
    equal((len(first["letters"]), first["more"]), (2, True), "a page")
    equal((first["letters"] + rest["letters"], rest["more"], "next" in rest), (whole["letters"], False, False), "all pages")
    return whole


def check_same_as_weirctl(stage, told):
    equal(told["letters"], weirctl(stage, "list")["letters"], "letters")
    stats = get(stage, DLQ)
    groups = [(one["topic"], one["disposition"], one["error_type"], one["open"], one["redriven"]) for one in stats["services"][0]["groups"]]
    equal(groups, [(TOPIC, "invalid", "schema", 3, 0), (TOPIC, "expired", "late", 1, 0)], "groups")
    equal((stats["services"][0]["service"], stats["open"], stats["redriven"]), ("store", 4, 0), "in all")
    evil = next(letter for letter in told["letters"] if letter["key"] == "evil\x1b")
    shown = get(stage, path_of(evil))
    equal(shown, weirctl(stage, "show", evil["letter"]), "one letter")
    equal(shown["value_hex"], b'\x1b[2J{"a": \xff\xfe</script>}'.hex(), "a body that is no UTF-8")
    equal(next(h for h in shown["headers"] if h["name"] == "x-evil"), {"name": "x-evil", "value": "\x1b[31m\"\r"}, "a hostile header")


def check_one_goes_back_once(stage):
    mine = path_of(get(stage, f"{LETTERS}?key=o-1")["letters"][0])
    change = [{"pointer": "/total", "value": 7.50}]
    told = redrive(stage, mine, dry_run=True, set=change)
    equal((told["sent"], [one["verdict"] for one in told["letters"]], returned(stage)), (1, ["sent"], []), "a dry run")
    body = '{"set": [{"pointer": "/total", "value": 7.50}]}'  # the number's text is kept
    reply = stage.call("POST", f"{mine}:redrive", body)
    equal((reply.status, reply.json["sent"]), (200, 1), f"{reply}")
    origin = f"orders/{murmur2_partition('o-1')}/1"
    equal(returned(stage), [(origin, "1", '{"orderID":"o-1", "total": 7.50}')], "what went back")
    patched = stage.records(RETRY)[0]["headers"]["weir-patched"]
    check(patched.startswith("pointer=/total at=") and patched.endswith(" by=anonymous"), patched)
    again = redrive(stage, mine)
    equal((again["sent"], again["already"], len(returned(stage))), (0, 1, 1), "once more")
    equal(keys_in(get(stage, f"{LETTERS}?open=true")), ["evil\x1b", "loop", "o-2"], "open ones")


def check_a_group_goes_back_once(stage):
    """By several clients at the same time."""
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(redrive(stage, filter={"source": "orders"}))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(sorted(told["sent"] for told in answers), [0, 2], "sent by one of them")
    equal({told["loop"] for told in answers}, {1}, "left")
    left = answers[0]["letters"]
    equal([(one["key"], one["verdict"]) for one in left], [("loop", "loop")], "what is left")
    check("as often as is allowed" in left[0]["why"], "and why")
    equal(len({origin for origin, _, _ in returned(stage)}), 3, "different ones")
    equal(len(returned(stage)), 3, "records")
    told = redrive(stage, redrives=5.0, set=[{"pointer": "/no/such/place", "value": 1}])
    equal((told["unpatchable"], told["already"]), (1, 3), "a change that can't be made")


def case_letters_and_the_way_back():
    with Stage(["dlq = on"]).start() as stage:
        put_letter(stage, "o-1", 1)
        put_letter(stage, "o-2", 2, weir_disposition="expired", weir_error_type="late")
        put_letter(stage, "evil\x1b", 3, value=b'\x1b[2J{"a": \xff\xfe</script>}', x_evil=b'\x1b[31m"\r')
        put_letter(stage, "loop", 4, weir_redrive_count="3")
        check_filters(stage)
        check_same_as_weirctl(stage, check_pages(stage))
        check_one_goes_back_once(stage)
        check_a_group_goes_back_once(stage)
        check_hostile(stage)


def check_hostile(stage):
    for path, status, *parts in (
        ("/v1/dlq/", 404), ("/v1/dlq/store", 404), ("/v1/dlq/store/letter", 404), ("/v1/dlq/store/letters/", 404),
        ("/v1/dlq//letters", 404), ("/v1/dlqs", 404), ("/v1/dlq:redrive", 404), ("/v1/dlq/store/letters:purge", 404),
        (f"{LETTERS}/{TOPIC}~0~0/x", 404), (f"/v1/dlq/{'s' * 80}/letters", 404), (f"{LETTERS}/{'x' * 400}", 404),
        ("/v1/dlq/nosuch/letters", 404, "no service nosuch"), (f"{LETTERS}/{TOPIC}~0~99", 404, "no letter"),
        (f"{LETTERS}/{TOPIC}~99~0", 404, "no letter"), (f"{LETTERS}/orders~0~0", 404, "no letter"),
        (f"{LETTERS}/{TOPIC}%2F0%2F0", 400, "topic~partition~offset"), (f"{LETTERS}/{TOPIC}~0", 400), (f"{LETTERS}/a~b~c", 400),
        (f"{LETTERS}/{TOPIC}~-1~0", 400), (f"{LETTERS}/{TOPIC}~0~99999999999999999999", 400), (f"{LETTERS}/%00", 400),
        (f"{LETTERS}?limit=0", 400, "limit"), (f"{LETTERS}?limit=1001", 400, "limit"), (f"{LETTERS}?cursor=x", 400, "cursor"),
        (f"{LETTERS}?cursor=orders~0~0", 400, "cursor"), (f"{LETTERS}?nosuch=1", 400, "nosuch"), (f"{LETTERS}?source=a/b", 400, "source"),
        (f"{LETTERS}?newer_than=5", 400, "newer_than"), (f"{LETTERS}?open=maybe", 400, "open"), (f"{LETTERS}?key={'k' * 3000}", 400, "key"),
        (f"{DLQ}?limit=1", 400, "limit"), (f"{LETTERS}/{TOPIC}~0~0?key=x", 400, "key"),
    ):
        check_problem(stage.call("GET", path), status, *parts)
    for body, status, pointer in (
        ("", 400, ""), ("[]", 400, ""), ("{", 400, ""), ('{"rate":1,"rate":2}', 400, "/rate"), ('{"rate":0}', 422, "/rate"), ('{"rate":"9"}', 422, "/rate"),
        ('{"rate":1e999}', 400, "/rate"), ('{"redrives":null}', 422, "/redrives"), ('{"rate":1.5}', 422, "/rate"), ('{"if_unchanged":"never"}', 422, "/if_unchanged"),
        ('{"dry_run":1}', 422, "/dry_run"), ('{"nosuch":1}', 422, "/nosuch"), ('{"limit":1}', 422, "/limit"), ('{"filter":[]}', 422, "/filter"),
        ('{"filter":{"nosuch":""}}', 422, "/filter"), ('{"filter":{"key":1}}', 422, "/filter"), ('{"filter":{"open":true}}', 422, "/filter"),
        ('{"filter":{"older_than":"soon"}}', 422, "/filter"), ('{"filter":{"key":"\\u0007"}}', 422, "/filter"), ('{"set":{}}', 422, "/set"),
        ('{"set":[1]}', 422, "/set"), ('{"set":[{"pointer":"x","value":1}]}', 422, "/set"), ('{"set":[{"pointer":"/x"}]}', 422, "/set"),
        ('{"set":[{"pointer":"","value":1,"nosuch":1}]}', 422, "/set"),
        ('{"set":[{"pointer":"/a\\n","value":1}]}', 422, "/set"), ('{"set":[' + ",".join(['{"pointer":"","value":1}'] * 65) + "]}", 422, "/set"),
    ):
        problem = check_problem(stage.call("POST", f"{LETTERS}:redrive", body), status)
        equal(problem["errors"][0]["pointer"], pointer, body)
    check_problem(stage.call("POST", f"{LETTERS}/{TOPIC}~0~0:redrive", '{"filter":{}}'), 422, "filter")
    check_problem(stage.call("POST", f"{LETTERS}/{TOPIC}~0~77:redrive", "{}"), 404, "no letter")
    check_problem(stage.call("POST", f"{LETTERS}:redrive?dry_run=true", "{}"), 400, "body")
    check_problem(stage.call("POST", f"{LETTERS}:redrive", "a=b", content_type="application/x-www-form-urlencoded"), 415, "application/json")
    for method, path, allow in (("POST", DLQ, "GET"), ("DELETE", LETTERS, "GET"), ("GET", f"{LETTERS}:redrive", "POST"), ("PUT", f"{LETTERS}/{TOPIC}~0~0", "GET")):
        reply = stage.call(method, path)
        check_problem(reply, 405)
        equal(reply.headers["allow"], allow, f"{method} {path}")
    equal(len(returned(stage)), 3, "nothing of it has moved a letter")


def case_scopes_and_the_switch():
    paths = (DLQ, LETTERS, f"{LETTERS}/{TOPIC}~0~0", "/v1/dlq/nosuch/letters", "/v1/dlq/store/nosuch")
    with Stage().start() as stage:
        for path in paths:
            check_problem(stage.call("GET", path), 404)
        check("/v1/dlq" not in stage.call("GET", "/openapi.json").json["paths"], "nothing is told of it")
    keys = {"all": "*:*", "reader": "dlq:read", "ops": "dlq:*", "redriver": "dlq:redrive"}
    stage = Stage(["dlq = on", "auth = keys"])
    (stage.folder / "keys").write_text("".join(line(name, name, scopes) for name, scopes in keys.items()))
    stage._lines["gateway"].append(f"keys.file = {stage.folder}/keys")
    stage.write_conf()
    with stage.start():
        rows = [("GET", path, None, {None: 401, "nosuch": 401, "all": 403, "reader": status, "ops": status, "redriver": 403})
                for path, status in zip(paths[:4], (200, 200, 404, 404))]
        rows.append(("GET", paths[4], None, {None: 401, "all": 403, "reader": 404, "redriver": 404}))
        for path, status in ((f"{LETTERS}:redrive", 200), (f"{LETTERS}/{TOPIC}~0~0:redrive", 404)):
            rows.append(("POST", path, '{"dry_run":true}', {None: 401, "all": 403, "reader": 403, "ops": status, "redriver": status}))
        for method, path, body, wanted in rows:
            told = {key: stage.call(method, path, body, headers=bearer(key)).status for key in wanted}
            equal(told, wanted, f"{method} {path}")
        sessions = {key: get(stage, "/portal/session", headers=bearer(key))["dlq"] for key in keys}
        equal(sessions, {"all": [], "reader": ["read"], "ops": ["read", "redrive"], "redriver": ["redrive"]}, "what the portal is told")
        described = get(stage, "/openapi.json", headers=bearer("all"))["paths"]["/v1/dlq/{service}/letters:redrive"]["post"]
        equal(described["x-weir-scope"], "dlq:redrive", "the scope that is told")


def case_a_broker_that_stands():
    """Nobody waits for longer than the timeout or in a queue without end, other requests go on, and SIGTERM ends it."""
    with Stage(["dlq = on", "timeout = 2s", "drain.delay = 0s"]).start() as stage:
        get(stage, DLQ)
        stage.broker.signal(signal.SIGSTOP)
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(call(stage.port, "GET", LETTERS))) for _ in range(24)]
        for thread in threads:
            thread.start()
        equal(stage.call("GET", "/v1/orders/o-1").status, 404, "a read of a document meanwhile")
        for thread in threads:
            thread.join()
        equal(len(answers), 24, "answers")
        check(all(reply.status in (503, 504) for reply in answers), f"{answers}")
        full = [reply for reply in answers if reply.status == 503 and "too many" in reply.json["detail"]]
        check(0 < len(full) <= 8 and all(reply.headers.get("retry-after") for reply in full), f"{len(full)} found the queue full")
        stage.broker.signal(signal.SIGCONT)
        wait_for("an answer again", 20, lambda: stage.call("GET", DLQ).status == 200)
        stage.broker.signal(signal.SIGSTOP)
        with stage.client() as client:
            client.send(f"GET {LETTERS} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            check(client.socket.fileno() >= 0, "it was sent")
            equal(stage.call("GET", "/portal/").status, 200, "others are served")
            stage.gateway.signal(signal.SIGTERM)
            check(client.reply().status in (503, 504), "it is told that it was not done")

