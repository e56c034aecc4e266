"""The change feed: long polls and server-sent events over real changes of a real store."""
import contextlib
import json
import signal
import subprocess
import time

from stage import Client, KafkaStage, Program, Stage, check, check_problem, equal, find_program, free_ports, request, wait_for

CHANGES = "/v1/orders:changes"
SSE = ("Accept", "text/event-stream")
WAIT = [("Prefer", "wait=10")]


@contextlib.contextmanager
def fed(*gateway, view="NEW_AND_OLD_IMAGES"):
    """A gateway with a feed, and a store of its own."""
    store, management = free_ports(2)
    stage = Stage(gateway=["feed = on", "feed.heartbeat = 1s", "timeout = 5s", *gateway], orders=[f"changes.view = {view}"],
                  more=f"store.listen = 127.0.0.1:{store}\nmanagement.listen = 127.0.0.1:{management}\n")
    stage.store.url = f"http://127.0.0.1:{store}"
    stage.write_conf()
    argv = [find_program("weir-consumer"), "--config", stage.conf, "--service", "store"]
    keeper = Program("store", argv, stage.folder, readyz=f"http://127.0.0.1:{management}")
    stage.programs.append(keeper)
    with stage.start():
        keeper.start()
        keeper.wait_ready()
        yield stage


def put(stage, key, **document):
    equal(stage.call("PUT", f"/v1/orders/{key}", json.dumps(document), headers=WAIT).status // 100, 2, f"PUT of {key}")


def poll(stage, query=""):
    reply = stage.call("GET", CHANGES + query)
    equal(reply.status, 200, f"status of {reply}")
    return reply.json["changes"], reply.json["next"]


class Stream(Client):
    """Events of a stream, one by one, as dicts of their fields."""

    def __init__(self, stage, query="", last=None, timeout_s=20, **more):
        super().__init__(stage.port, timeout_s, **more)
        self.send(request("GET", CHANGES + query, headers=[SSE, *([("Last-Event-ID", last)] if last else [])]))
        head = self._until(b"\r\n\r\n").decode()
        check(" 200 " in head and "text/event-stream" in head, head)
        self.text, self.last = b"", last

    def _chunk(self):
        size = int(self._until(b"\r\n"), 16)
        while len(self.buffer) < size + 2:
            data = self.socket.recv(1 << 16)
            if not data:
                raise ConnectionError("closed within a chunk")
            self.buffer += data
        self.text += self.buffer[:size]
        self.buffer = self.buffer[size + 2 :]
        return size > 0

    def block(self):
        """The fields of the next block; None at the end of the stream."""
        while b"\n\n" not in self.text:
            if not self._chunk():
                return None
        text, self.text = self.text.split(b"\n\n", 1)
        fields = {}
        for line in text.decode().split("\n"):
            name, _, value = line.partition(": ")
            fields[name] = fields[name] + "\n" + value if name in fields else value
        self.last = fields.get("id", self.last)
        return fields

    def event(self):
        """The next block that is an event; signs of life are passed over for a minute."""
        deadline = time.monotonic() + 60
        while (fields := self.block()) is not None and "event" not in fields:
            check(time.monotonic() < deadline, "signs of life and no event")
        return fields

    def change(self):
        fields = self.event()
        check(fields is not None and fields["event"] == "change", f"a change, not {fields}")
        return json.loads(fields["data"])


def case_polls():
    with fed() as stage:
        equal(poll(stage)[0], [], "changes before there are any")
        put(stage, "o-1", total=1)
        put(stage, "o-1", total=2)
        put(stage, "o-2", total=3)
        wait_for("three changes", 20, lambda: len(poll(stage, "?since=earliest")[0]) == 3)
        changes, place = poll(stage, "?since=earliest")
        equal([(c["key"], c["op"], c["version"]) for c in changes if c["key"] == "o-1"], [("o-1", "c", 1), ("o-1", "u", 2)], "o-1")
        equal(poll(stage, f"?since={place}")[0], [], "changes behind the last one")
        one_by_one, at = [], "earliest"
        for _ in range(3):
            found, at = poll(stage, f"?since={at}&limit=1")
            one_by_one += found
        equal((one_by_one, at), (changes, place), "the same one by one")
        with stage.client() as waiting:
            waiting.send(request("GET", f"{CHANGES}?since={place}&wait=4"))
            put(stage, "o-3", total=4)
            woken = waiting.reply()
        equal([c["key"] for c in woken.json["changes"]], ["o-3"], "what woke the poll")
        views = {view: poll(stage, f"?since=earliest&view={view}")[0] for view in ("KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES")}
        shown = {view: {name for c in found for name in ("before", "after") if name in c} for view, found in views.items()}
        wanted = {"KEYS_ONLY": set(), "NEW_IMAGE": {"after"}, "OLD_IMAGE": {"before"}, "NEW_AND_OLD_IMAGES": {"before", "after"}}
        equal(shown, wanted, "what the views show")
        check_hostile(stage, place)


def check_hostile(stage, place):
    other = poll_products(stage)
    for token in ("", "x", "%00"[1:], "!!!!", place[:-1], place + "A", place[:-4] + "AAAA", "A" * 6000, other, "%E2%82%AC"):
        check_problem(stage.call("GET", f"{CHANGES}?since={token}"), 400, "since", "earliest")
    check_problem(stage.call("GET", CHANGES, headers=[SSE, ("Last-Event-ID", "junk")]), 400, "Last-Event-ID")
    for query in ("limit=0", "limit=1001", "limit=x", "wait=-1", "wait=x", "view=ALL", "view="):
        check_problem(stage.call("GET", f"{CHANGES}?{query}"), 400, query.split("=")[0])
    check_problem(stage.call("POST", CHANGES, "{}"), 405)


def poll_products(stage):
    return stage.call("GET", "/v1/products:changes").json["next"]


def case_is_there_where_it_is_switched_on():
    with Stage().start() as stage:
        check_problem(stage.call("GET", CHANGES), 404)
    with Stage(gateway=["feed = on"]).start() as stage:
        check_problem(stage.call("GET", f"{CHANGES}?view=OLD_IMAGE"), 400, "changes.view", "NEW_AND_OLD_IMAGES")


def case_streams():
    """One after the other in the order of a key; a stream goes on where the last one ended; a sign of life; the end."""
    with fed("drain.delay = 0s") as stage:
        first = Stream(stage)
        place = first.block()["id"]
        for total in range(3):
            put(stage, "o-1", total=total)
        equal([first.change()["after"]["total"] for _ in range(3)], [0, 1, 2], "totals in order")
        again = Stream(stage, last=place)
        equal(again.change()["version"], 1, "the version behind the first id")
        third = Stream(stage, last=again.last)
        equal(third.change()["version"], 2, "the version behind the second id")
        check("event" not in first.block(), "a sign of life, no event")
        many = [Stream(stage) for _ in range(50)]
        for stream in many:
            stream.block()
        put(stage, "o-2", total=7)
        equal({stream.change()["key"] for stream in many}, {"o-2"}, "what all were told")
        first.change()
        began = time.monotonic()
        stage.gateway.signal(signal.SIGTERM)
        end = first.event()
        equal((end["event"], json.loads(end["data"])["status"]), ("end", 503), "the last event")
        equal(first.block(), None, "what comes behind the end")
        equal(stage.gateway.wait_ended(20), 0, "exit status")
        check(time.monotonic() - began < 12, "streams do not hold up the end")


def case_reads_on_for_who_is_slow():
    """The ring holds 64 KiB: a client that does not read for a while falls out of it and misses nothing, and so for who comes back."""
    with fed("feed.buffer = 64KiB", view="NEW_IMAGE") as stage:
        slow = Stream(stage, room=4096)
        begin = slow.block()["id"]
        pad = "x" * 30000
        for number in range(120):
            equal(stage.call("PUT", "/v1/orders/o-1", json.dumps({"n": number, "pad": pad})).status, 202, "status")
        wait_for("the last change", 60, lambda: any(c.get("version") == 120 for c in poll_from_end(stage)))
        streams = {"slow": slow, "come back": Stream(stage, last=begin)}
        for name, stream in streams.items():
            seen = [stream.change()["after"]["n"] for _ in range(120)]
            equal(seen, list(range(120)), f"all changes, once each and in order, of who is {name}")
        put(stage, "o-2", total=1)
        equal([stream.change()["key"] for stream in streams.values()], ["o-2"] * 2, "what comes when they have caught up")


def poll_from_end(stage):
    """What the topic holds of late: the last answers of a walk through all of it."""
    at, last = "earliest", []
    while True:
        found, at = poll(stage, f"?since={at}&limit=1000&view=KEYS_ONLY")
        if not found:
            return last
        last = found


def case_outlives_an_outage():
    with fed() as stage:
        stream = Stream(stage, timeout_s=60)
        stream.block()
        stage.broker.signal(signal.SIGSTOP)
        check("event" not in stream.block() and "event" not in stream.block(), "signs of life while the broker stands still")
        stage.broker.signal(signal.SIGCONT)
        put(stage, "o-1", total=1)
        equal(stream.change()["key"], "o-1", "what came after the outage")


def write_changes(stage, first, last):
    """Events as a store writes them, on partition 0: version n at offset n - 1."""
    event = '{"op":"u","collection":"orders","key":"o-1","version":%d,"request":"r","ts_ms":1,"after":{}}'
    text = "\n".join(event % number for number in range(first, last + 1))
    subprocess.run(["kcat", "-b", stage.bootstrap, "-P", "-t", "orders.changes", "-p", "0", "-k", "o-1"], input=text.encode(), check=True, timeout=60)


def cut_log(stage, offset):
    """What is before it is no longer in partition 0, as after an operator's or a retention's work."""
    part = {"topic": "orders.changes", "partition": 0, "offset": offset}
    (stage.folder / "cut.json").write_text(json.dumps({"version": 1, "partitions": [part]}))
    stage.kafka.tool("configs", "--alter", "--topic", "orders.changes", "--add-config", "cleanup.policy=[compact,delete]")
    stage.kafka.tool("delete-records", "--offset-json-file", stage.folder / "cut.json")


def check_gone(stream):
    fields = stream.event()
    while fields["event"] == "change":
        fields = stream.event()
    told = json.loads(fields["data"])
    check((fields["event"], told["status"]) == ("end", 410) and "since=latest" in told["detail"], f"the end: {fields}")


def case_kafka_place_that_is_gone():
    """The log no longer has what a token names: 410, also of the gateway's own place; whoever is at the end goes on."""
    with KafkaStage(gateway=["feed = on", "feed.heartbeat = 1s", "timeout = 5s"]).start() as stage:
        write_changes(stage, 1, 3)
        wait_for("three changes", 30, lambda: len(poll(stage, "?since=earliest")[0]) == 3)
        place = poll(stage, "?since=earliest&limit=1")[1]
        live = Stream(stage)
        live.block()
        cut_log(stage, 3)
        check_problem(stage.call("GET", f"{CHANGES}?since={place}"), 410, "older", "since=latest")
        check_gone(Stream(stage, last=place))
        write_changes(stage, 4, 4)
        equal(live.change()["version"], 4, "who was at the end")
        equal([change["version"] for change in poll(stage, "?since=earliest")[0]], [4], "from the beginning that is left")
        stage.gateway.signal(signal.SIGSTOP)
        write_changes(stage, 5, 5)  # which answers the fetch that waits
        write_changes(stage, 6, 7)
        cut_log(stage, 7)
        stage.gateway.signal(signal.SIGCONT)
        check_gone(live)
        fresh = Stream(stage, timeout_s=60)
        fresh.block()
        write_changes(stage, 8, 8)
        equal(fresh.change()["version"], 8, "who has begun anew")
