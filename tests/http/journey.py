"""What became of a document's commands, as the store tells it, and of the mails, as the notifier does."""
import contextlib
import json
import select
import signal
import threading
from urllib.parse import parse_qs, urlsplit

from access import ALL, WRITER, bearer, line, stage_with
from stage import Stage, check, check_problem, equal, murmur2_partition, request, wait_for

BODY = b'{"collection":"orders","key":"o-1","document":null,"requests":[],"more":false}'
PATH = "/v1/orders/o-1:journey"


def case_store_is_asked():
    with Stage().start() as stage:
        stage.store.put("/journeys/orders/o-1", BODY)
        reply = stage.call("GET", PATH)
        equal((reply.status, reply.body), (200, BODY), "the store's word")
        equal(reply.headers["content-type"], "application/json", "Content-Type")
        tag = reply.headers["etag"]
        reply = stage.call("HEAD", PATH)
        equal((reply.status, reply.body, reply.headers["etag"]), (200, b"", tag), "HEAD")
        for method, given, status in (("GET", tag, 304), ("HEAD", tag, 304), ("GET", '"another"', 200)):
            reply = stage.call(method, PATH, headers=[("If-None-Match", given)])
            equal((reply.status, reply.headers["etag"], reply.headers["content-length"]), (status, tag, str(len(BODY))), f"{method} of who has {given}")
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


def mail(recipient, request="r-0"):
    return {"event": "e", "request": request, "subscription": "s-1", "recipient": recipient, "status": "sent", "reply": f"250 {recipient}", "ts_ms": 7}


def case_mails_are_told():
    """Of each request that made a change, as the notifier has them on record."""
    with Stage(more=NOTIFIER) as stage:
        stage._lines["gateway"].append(f"notifier.url = {stage.store.url}")
        stage.write_conf()
        stage.start()
        stage.store.put("/journeys/orders/o-1", told("stored", "rejected", "stored"))
        mails = [mail("ada@example.org", name) for name in ("r-0", "r-2", "r-9")]
        stage.store.put(DELIVERIES, json.dumps({"deliveries": mails}).encode())
        journey = stage.call("GET", PATH).json
        wanted = {"ts_ms": 7, "status": "sent", "subscription": "s-1", "reply": "250 ada@example.org", "recipient": "ada@example.org"}
        equal([one.get("mails") for one in journey["requests"]], [[wanted], None, [wanted]], "mails")
        asked = [path for path, _ in stage.store.seen if path.startswith(DELIVERIES)]
        equal(asked, [f"{DELIVERIES}?request=r-0%20r-2"], "what the notifier was asked")
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


class Sources:
    """A store and a notifier, both of the test's own: what they say is marked, and who knows it already is held until there is news."""

    def __init__(self, stage):
        self.bodies = {"journeys": told("stored"), "deliveries": b'{"deliveries":[]}'}
        self.marks = {"journeys": 1, "deliveries": 1}
        self.away = set()  # what another instance owns now
        self.waits = {"journeys": 0, "deliveries": 0}  # how many questions have come to wait so far
        self.ended = []  # those that did so in vain
        self.changed = threading.Condition()
        stage.store.answer = self.answer

    def change(self, name, body=None):
        """There is news, or without a body may be."""
        with self.changed:
            self.bodies[name] = body or self.bodies[name]
            self.marks[name] += 1
            self.changed.notify_all()

    def leave(self, name):
        with self.changed:
            self.away.add(name)
            self.changed.notify_all()

    def come_back(self, name):
        """As another instance, whose marks are others."""
        with self.changed:
            self.away.remove(name)
            self.marks[name] += 1

    def is_known(self, name, query):
        return query.get("mark") == [f"m-{self.marks[name]}"] and name not in self.away

    def answer(self, path):
        name, query = path.split("/")[1], parse_qs(urlsplit(path).query)
        with self.changed:
            if self.is_known(name, query):
                self.waits[name] += 1
                self.changed.wait_for(lambda: not self.is_known(name, query), int(query["wait"][0]) / 1000)
            if name in self.away:
                return 503, {}, b""
            if self.is_known(name, query):
                self.ended.append(name)
                return 304, {}, b""
            return 200, {"Weir-Mark": f"m-{self.marks[name]}"}, self.bodies[name]

    @contextlib.contextmanager
    def asked_for_news(self, stage):
        """What is done within leads to a question of news at both."""
        before = dict(self.waits)
        yield
        wait_for("both are asked for news", 5, lambda: all(self.waits[name] > before[name] for name in before), [stage.gateway])


def mailed_stage(*gateway):
    stage = Stage(list(gateway), more=NOTIFIER)
    stage._lines["gateway"].append(f"notifier.url = {stage.store.url}")
    stage.write_conf()
    return stage.start()


def suspended(stage):
    return stage.gateway.metric("weir_gateway_suspended_requests")


def await_another(stage, sources, client, tag, seconds=8):
    """Sends the question of who has a journey, and sees that it waits, at both sources."""
    with sources.asked_for_news(stage):
        client.send(request("GET", PATH, headers=[("If-None-Match", tag), ("Prefer", f"wait={seconds}")]))
    equal((suspended(stage), select.select([client.socket], [], [], 0)[0]), (1, []), "it is suspended")


def check_told(reply, tag, requests, mails):
    """A journey that is not that of the tag. Answers its own."""
    equal((reply.status, reply.headers.get("preference-applied")), (200, "wait=8"), f"{reply}")
    check(reply.headers["etag"] != tag, "an ETag of its own")
    journey = reply.json["requests"]
    equal((len(journey), len(journey[0]["mails"])), (requests, mails), "requests and mails of the newest one")
    return reply.headers["etag"]


SENT = json.dumps({"deliveries": [mail("ada@example.org")]}).encode()


def case_news_is_awaited():
    """Who has a journey is told of another one when it is there: by the store, by the notifier; not of what only may be news."""
    with mailed_stage() as stage, stage.client() as client:
        sources = Sources(stage)
        tag = stage.call("GET", PATH).headers["etag"]
        await_another(stage, sources, client, tag)
        sources.change("deliveries", SENT)
        tag = check_told(client.reply(), tag, 1, 1)
        await_another(stage, sources, client, tag)
        sources.change("journeys", told("stored", "rejected"))
        tag = check_told(client.reply(), tag, 2, 1)
        wait_for("nothing is asked any more", 5, lambda: suspended(stage) == 0)
        equal(stage.call("GET", PATH, headers=[("If-None-Match", '"another"'), ("Prefer", "wait=8")]).status, 200, "who has another one already")
        reply = stage.call("GET", PATH, headers=[("If-None-Match", tag)])
        equal((reply.status, "preference-applied" in reply.headers), (304, False), "who does not wait")
        await_another(stage, sources, client, tag)
        with sources.asked_for_news(stage):
            sources.change("deliveries")
        sources.change("journeys", told("stored"))
        check_told(client.reply(), tag, 1, 1)


def case_owners_that_move_are_found_within_the_wait():
    with mailed_stage() as stage, stage.client() as client:
        sources = Sources(stage)
        tag = stage.call("GET", PATH).headers["etag"]
        await_another(stage, sources, client, tag)
        for name in ("journeys", "deliveries"):
            retried = stage.gateway.metric("weir_gateway_store_retries_total")
            sources.leave(name)
            wait_for(f"the owner of {name} is looked for", 5, lambda: stage.gateway.metric("weir_gateway_store_retries_total") > retried)
            with sources.asked_for_news(stage):
                sources.come_back(name)
        sources.change("deliveries", SENT)
        tag = check_told(client.reply(), tag, 1, 1)
        await_another(stage, sources, client, tag, seconds=3)
        sources.leave("journeys")
        check_problem(client.reply(), 503)


def case_a_wait_without_news():
    """304 when it is over or the gateway ends; nobody is told whose client has gone."""
    with mailed_stage("drain.delay = 0s") as stage:
        sources = Sources(stage)
        first = stage.call("GET", PATH)
        tag = first.headers["etag"]
        with stage.client() as client:
            await_another(stage, sources, client, tag, seconds=3)
            reply = client.reply()
            said = (reply.status, reply.headers["etag"], reply.headers["preference-applied"], reply.headers["content-length"])
            equal(said, (304, tag, "wait=3", str(len(first.body))), "after the wait")
            check("journeys" in sources.ended, "the store had the word")
        with stage.client() as gone:
            await_another(stage, sources, gone, tag)
        sources.change("deliveries", SENT)
        wait_for("the question of the client that left is over", 5, lambda: suspended(stage) == 0)
        tag = stage.call("GET", PATH).headers["etag"]
        with stage.client() as client:
            await_another(stage, sources, client, tag)
            ended = len(sources.ended)
            stage.gateway.signal(signal.SIGTERM)
            reply = client.reply()
            equal((reply.status, reply.headers["connection"].lower(), len(sources.ended)), (304, "close", ended), "when the gateway ends")
        equal(stage.gateway.wait_ended(10), 0, "exit code")
