"""What became of a document's commands, as the store tells it, and of the mails, as the notifier does."""
import json

from access import ALL, WRITER, bearer, line, stage_with
from stage import Stage, check_problem, equal, murmur2_partition

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


NOTIFIER = "[service notifier]\nplugin = notifier\ntopics = orders.changes\nnotifier.from = shop@example.org\n"
DELIVERIES = f"/deliveries/orders.changes/{murmur2_partition('o-1')}"


def told(*outcomes):
    requests = [{"request": f"r-{n}", "executions": 1, "ended": {"outcome": outcome}} for n, outcome in enumerate(outcomes)]
    return json.dumps({"key": "o-1", "requests": requests}).encode()


def mail(recipient):
    return {"event": "e", "subscription": "s-1", "recipient": recipient, "status": "sent", "reply": f"250 {recipient}", "ts_ms": 7}


def case_mails_are_told():
    """Of each request that made a change, as the notifier has them on record."""
    with Stage(more=NOTIFIER) as stage:
        stage._lines["gateway"].append(f"notifier.url = {stage.store.url}")
        stage.write_conf()
        stage.start()
        stage.store.put("/journeys/orders/o-1", told("stored", "rejected", "stored"))
        stage.store.put(DELIVERIES, json.dumps({"deliveries": [mail("ada@example.org")]}).encode())
        journey = stage.call("GET", PATH).json
        wanted = {"ts_ms": 7, "status": "sent", "subscription": "s-1", "reply": "250 ada@example.org", "recipient": "ada@example.org"}
        equal([one.get("mails") for one in journey["requests"]], [[wanted], None, [wanted]], "mails")
        asked = [path for path, _ in stage.store.seen if path.startswith(DELIVERIES)]
        equal(asked, [f"{DELIVERIES}?request=r-0", f"{DELIVERIES}?request=r-2"], "what the notifier was asked")
        stage.store.put(DELIVERIES, b"no JSON")
        equal(stage.call("GET", PATH).json, json.loads(told("stored", "rejected", "stored")), "without a word of the notifier")


def case_addresses_are_hidden():
    """From a key that may not read subscriptions."""
    keys = line("orders", WRITER, "orders:read") + line("all", ALL, "*:*")
    stage = stage_with(keys)
    with stage:
        stage._more = NOTIFIER
        stage._lines["gateway"].append(f"notifier.url = {stage.store.url}")
        stage.write_conf()
        stage.start()
        stage.store.put("/journeys/orders/o-1", told("stored"))
        for address, hidden in (("ada@example.org", "a***@example.org"), ("@", "***@"), ("nobody", "***"), ("änne@example.org", "ä***@example.org")):
            stage.store.put(DELIVERIES, json.dumps({"deliveries": [mail(address)]}, ensure_ascii=False).encode())
            shown = [stage.call("GET", PATH, headers=bearer(key)).json["requests"][0]["mails"][0] for key in (WRITER, ALL)]
            equal([one["recipient"] for one in shown], [hidden, address], "recipient")
            equal(["reply" in one for one in shown], [False, True], "the server's reply")
