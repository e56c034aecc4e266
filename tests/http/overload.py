"""More than can be taken, and a million of everything; by the C program of tests/integration/load. Full form only: these take minutes,
and a machine that does much else besides makes them slow."""
import json
import os
import random
import re
import resource
import threading
import time
from pathlib import Path

from openload import OpenLoad
from stage import Client, FaultyStage, KafkaStage, Stage, call, check, equal, request, wait_for

MILLION, SECONDS, GAP_S, RSS_MIB, GROWTH_MIB = 1_000_000, 30, 1, 30, 2
MINUTES, LOG_BYTES = 10, 64 << 20
MOST = 1_000_000  # a second: more than there is


def answers(log):
    """By status, how many ms each took, in order."""
    took = {}
    for line in log.read_text().splitlines():
        answer = json.loads(line)
        took.setdefault(answer["status"], []).append(answer["us"] / 1000)
    return {status: sorted(times) for status, times in took.items()}


def quantile(times, share):
    return times[min(len(times) - 1, int(len(times) * share))]


def run_load(stage, rate, connections, seconds, log="load", each_s=None):
    """The counts, and the log's path; each_s is called every 100 ms."""
    path = stage.folder / log if log else Path("/dev/null")
    load = OpenLoad(f"127.0.0.1:{stage.port}", path, rate, connections).start()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(0.1)  # not a wait for anything: the load goes on for so long
        load.check_alive()
        if each_s:
            each_s(load)
    return load.stop(), path


def rss_mib(program):
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{program.process.pid}/status").read_text()).group(1)) / 1024


def is_instrumented(program):
    return any(program.library(name) for name in ("libasan", "libtsan"))


def case_what_kafka_takes_goes_on_at_its_pace_full():
    """A broker that answers after 20 ms, and four times the commands that 20 in flight let through: what is taken is about as fast
    as without the load, the rest is refused sooner than that, and no more wait than queue.max."""
    with FaultyStage("slow", ["queue.max = 20"]).start() as stage:
        counts, log = run_load(stage, 100, 64, 10, "calm")
        equal(set(counts) - {"sent"}, {"2xx"}, f"answers without load: {counts}")
        calm = answers(log)
        calm_ms, waiting = quantile(sum((times for status, times in calm.items() if status // 100 == 2), []), 0.99), []
        counts, log = run_load(stage, 4000, 256, 15, "load", lambda _: waiting.append(stage.gateway.metric("weir_gateway_queued_records")))
        took = answers(log)
        taken = sorted(sum((times for status, times in took.items() if status // 100 == 2), []))
        check(set(took) <= {202, 503}, f"statuses {set(took)}")
        p99_ms, refused_ms = quantile(taken, 0.99), quantile(took[503], 0.5)
        print(f"p99 {calm_ms:.1f} ms at 100/s; of {counts['sent']} at 4000/s {len(taken)} taken, p99 {p99_ms:.1f} ms, "
              f"{len(took[503])} refused, p50 {refused_ms:.1f} ms; waiting at most {max(waiting):.0f}")
        check(len(took[503]) > len(taken), "more was refused than taken")
        check(refused_ms < calm_ms, f"half of the refusals took more than {refused_ms} ms")
        check(p99_ms < 4 * calm_ms, f"p99 {p99_ms} ms, without load {calm_ms} ms")
        check(max(waiting) <= 40, f"{max(waiting)} waited for Kafka")  # a report that is on its way counts, too
        equal(stage.call("GET", "/openapi.json").status, 200, "afterwards")


def longest_gap(history):
    """Seconds between two answers, as near as the reports of the load tell."""
    gap, since, before = 0, history[0][0], history[0][1]
    for when, accepted in list(history)[1:]:
        gap = max(gap, when - since)
        if accepted > before:
            since, before = when, accepted
    return gap


def case_no_connection_is_forgotten_full():
    """Whatever the number of connections: each request is answered, there is no second without an answer, and memory stays."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 8192)), hard))
    with Stage().start() as stage:
        for connections in (1, 16, 64, 256, 1024, 2048):
            memory, loads = [], []

            def look(load):
                memory.append(rss_mib(stage.gateway))
                loads[:] = [load]

            counts, _ = run_load(stage, MOST, connections, SECONDS, None, look)
            gap = longest_gap(loads[0].history)
            third, last = memory[len(memory) // 3], memory[-1]
            print(f"{connections} connections: {counts['2xx'] / SECONDS:.0f} a second, longest gap {gap:.1f} s, {third:.1f} then {last:.1f} MiB")
            equal(set(counts) - {"sent", "missed"}, {"2xx"}, f"answers to {connections} connections: {counts}")
            equal(counts["2xx"], counts["sent"], "answers")
            check(gap <= GAP_S, f"{gap} s without an answer at {connections} connections")
            if connections == 256 and not is_instrumented(stage.gateway):
                check(last < RSS_MIB, f"{last} MiB at 256 connections")
                check(last < third + GROWTH_MIB, f"{third} MiB became {last} MiB")


def case_memory_stays_on_kafka_full():
    """Ten minutes of 256 connections on real Kafka, which keeps but the last of what is written, as this keeps but the end of the log."""
    with KafkaStage(settings=["log.retention.check.interval.ms=5000", "log.segment.delete.delay.ms=1000"]).start() as stage:
        stage.kafka.tool("configs", "--alter", "--topic", "orders", "--add-config", "retention.bytes=67108864,segment.bytes=16777216")
        began, memory = time.monotonic(), []

        def look(_):
            if time.monotonic() - began < len(memory) * 5:
                return
            memory.append(rss_mib(stage.gateway))
            if stage.gateway.log.stat().st_size > LOG_BYTES:
                os.truncate(stage.gateway.log, 0)

        counts, _ = run_load(stage, MOST, 256, MINUTES * 60, None, look)
        first, *others = [memory[min(minute * 12, len(memory) - 1)] for minute in (1, 5, MINUTES)]
        print(f"{counts['2xx'] / MINUTES / 60:.0f} a second; {first:.1f} MiB after a minute, then {', '.join(f'{mib:.1f}' for mib in others)}; "
              f"at most {max(memory):.1f}")
        equal(set(counts) - {"sent", "missed"}, {"2xx"}, f"answers: {counts}")
        equal(counts["2xx"], counts["sent"], "answers")
        if not is_instrumented(stage.gateway):
            check(max(memory) < RSS_MIB, f"{max(memory)} MiB at 256 connections")
            check(others[-1] < first + GROWTH_MIB, f"{first} MiB became {others[-1]} MiB")


BAD = [
    b"GET /v1/orders HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"POST /v1/orders HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
    b"GET /v1/orders/%00 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /v1/orders HTTP/1.1\r\nHost: a\r\nContent-Length: 900\r\nContent-Type: application/json\r\n\r\n{",
]
FORM, MERGE = "application/x-www-form-urlencoded", "application/merge-patch+json"
MIXED = [
    (("GET", "/v1/orders/o-1"), {}),
    (("HEAD", "/v1/orders/nosuch"), {}),
    (("GET", "/v1/orders?limit=3"), {}),
    (("GET", "/v1/requests/r?at=orders/0/0"), {}),
    (("GET", "/v1/orders:changes?since=latest"), {}),
    (("GET", "/v1/dlq"), {}),
    (("GET", "/portal/"), {}),
    (("OPTIONS", "/v1/orders"), {}),
    (("POST", "/v1/orders", "{"), {}),
    (("POST", "/v1/orders", '{"a":[1,{"b":null}]}'), {"headers": [("Idempotency-Key", "k")]}),
    (("POST", "/v1/orders", '{"orderID":"w"}'), {"headers": [("Prefer", "wait=1")]}),
    (("POST", "/v1/orders:batch", '[{"orderID":"b-1"},{"orderID":""},7]'), {}),
    (("POST", "/v1/orders/o-1:adjust", '{"total":1}'), {}),
    (("PATCH", "/v1/orders/o-1", '{"total":null}'), {"content_type": MERGE}),
    (("POST", "/dynamodbmanager", '{"operation":"create","tableName":"orders","payload":{"Item":{"orderID":"d"}}}'), {}),
    (("POST", "/dynamodbmanager", '{"operation":"read","tableName":"orders","payload":{"Key":{"orderID":"o-1"}}}'), {}),
    (("POST", "/v1/orders", "Action=SendMessage&MessageBody=%7B%7D"), {"content_type": FORM}),
    (("DELETE", "/v1/nosuch/x"), {}),
]


class Mixture(threading.Thread):
    """One client that asks for everything in turn, keeps its connection or leaves in the middle; `count` requests so far."""

    def __init__(self, stage, seed):
        super().__init__(daemon=True)
        self.stage, self.random, self.count, self.over, self.failure = stage, random.Random(seed), 0, False, None

    def run(self):
        try:
            while not self.over:
                self.one_connection()
        except Exception as error:  # told by the case
            self.failure = error

    def one_connection(self):
        with Client(self.stage.port) as client:
            for _ in range(self.random.randrange(1, 50)):
                arguments, more = self.random.choice(MIXED)
                client.send(request(*arguments, **more))
                self.count += 1
                if self.random.random() < 0.02:
                    return
                reply = client.reply(head_only=arguments[0] == "HEAD")
                check(reply.status in range(200, 600), f"{arguments}: {reply}")
                if reply.headers.get("connection", "").lower() == "close":
                    return
            client.send(self.random.choice(BAD))
            self.count += 1


def case_a_million_requests_full():
    """Orders as fast as they are taken, beside clients that ask for everything else; a sanitizer's build has nothing to say to it."""
    with Stage(["feed = on", "dlq = on", "read.wait = 200ms", "timeout = 5s", "access.log = off"], orders=["indexes = total"]).start() as stage:
        stage.store.put("/documents/orders/o-1", b'{"orderID":"o-1","total":1}')
        stage.store.lists = lambda path: b'{"rows":[],"more":false}'
        stage.store.told_always = {"request": "r", "outcome": "stored", "op": "c", "version": 1}
        mixtures = [Mixture(stage, seed) for seed in range(4)]
        for mixture in mixtures:
            mixture.start()
        load = OpenLoad(f"127.0.0.1:{stage.port}", "/dev/null", MOST, 64).start()
        wait_for("a million answers", 3000, lambda: load.counts["sent"] + sum(m.count for m in mixtures) >= MILLION, [load, stage.gateway])
        counts = load.stop()
        for mixture in mixtures:
            mixture.over = True
            mixture.join(60)
            check(mixture.failure is None and not mixture.is_alive(), f"a client of everything: {mixture.failure}")
        others = sum(mixture.count for mixture in mixtures)
        print(f"{counts['sent'] + others} requests: {counts} and {others} of all kinds")
        equal(counts.get("none", 0), 0, "orders without an answer")
        check(counts["sent"] + others >= MILLION, "a million")
        equal(call(stage.management, "GET", "/livez").status, 200, "livez")
        equal(stage.gateway.stop(60), 0, "exit code")
        equal(stage.gateway.sanitizer_reports(), [], "what a sanitizer says")
