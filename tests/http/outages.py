"""No broker, a paused broker, a producer beyond repair: 503 when certainly not written, 504 when unknown, and never a 2xx
without a record."""
import os
import signal
import threading
import time

from stage import FaultyStage, KafkaStage, Stage, check, check_problem, equal, request, wait_for


def post(stage, number=0):
    return stage.call("PUT", f"/v1/orders/o-{number}", "{}")


def refused_at_once(stage, *parts):
    started = time.monotonic()
    reply = post(stage)
    check_problem(reply, 503, "nothing was written", *parts)
    check(reply.headers.get("retry-after"), "Retry-After")
    check(time.monotonic() - started < 1, "answered at once")


def case_no_broker_at_start():
    """The gateway starts without a broker, is alive and not ready, refuses at once, and takes orders once one is there."""
    with Stage(broker=False).start(ready=False) as stage:
        refused_at_once(stage, "no Kafka broker")
        reply = stage.readyz()
        equal((reply.status, reply.json["ready"], reply.json["kafka"]), (503, False, "down"), "readiness")
        equal(stage.gateway.process.poll(), None, "the gateway lives")
        wait_for("a line on the wait", 15, lambda: "kafka.waiting" in stage.log())


def case_no_producer_id_yet():
    """A cluster that has just begun answers, and gives no producer ids: not ready, and 503 at once instead of a 504 later."""
    with FaultyStage("no-producer-id").start(ready=False) as stage:
        wait_for("a broker", 10, lambda: stage.readyz().json["kafka"] == "up")
        refused_at_once(stage, "producer id")
        reply = stage.readyz()
        equal((reply.status, reply.json["topics"]["orders"]), (503, "ok"), "readiness")
        check("producer id" in reply.json["producer"], f"the reason in {reply.json}")
        stage.broker.signal(signal.SIGUSR1)
        stage.gateway.wait_ready()
        equal((post(stage).status, stage.readyz().json["producer"]), (202, "ok"), "afterwards")


def case_broker_dies():
    with Stage().start() as stage:
        equal(post(stage).status, 202, "status before")
        stage.broker.kill()
        wait_for("not ready", 10, lambda: stage.readyz().status == 503)
        refused_at_once(stage)


def case_broker_paused():
    """A broker that takes the bytes and does not answer: 504 at the deadline, and the record is there once it goes on."""
    with Stage(["timeout = 2s"]).start() as stage:
        equal(post(stage, 1).status, 202, "status before")
        stage.broker.signal(signal.SIGSTOP)
        started = time.monotonic()
        check_problem(post(stage, 2), 504, "not known")
        check(1.5 < time.monotonic() - started < 4, "answered at the deadline")
        stage.broker.signal(signal.SIGCONT)
        wait_for("orders are taken again", 20, lambda: post(stage, 3).status == 202)
        keys = [record["key"] for record in stage.records()]
        check("o-1" in keys and "o-3" in keys, f"keys on the topic: {keys}")
        equal(keys.count("o-2"), 1, "the unknown one came through, once")


def case_answers_agree_with_the_topic():
    """Orders from 8 threads while the broker is paused twice: each 2xx has its record at its position, no 503 has one."""
    answers, lock, stop = [], threading.Lock(), threading.Event()

    def load(stage, thread):
        number = 0
        while not stop.is_set():
            reply = stage.call("PUT", f"/v1/orders/t{thread}-{number}", "{}")
            with lock:
                answers.append((f"t{thread}-{number}", reply.status, reply.headers.get("weir-position")))
            number += 1

    def count(status):
        with lock:
            return sum(1 for answer in answers if answer[1] == status)

    with Stage(["timeout = 1s"]).start() as stage:
        threads = [threading.Thread(target=load, args=(stage, thread)) for thread in range(8)]
        for thread in threads:
            thread.start()
        for round_number in range(1, 3):
            wait_for("orders taken", 20, lambda: count(202) >= 200 * round_number)
            stage.broker.signal(signal.SIGSTOP)
            wait_for("unknown ends", 20, lambda: count(504) >= 8 * round_number)
            stage.broker.signal(signal.SIGCONT)
        before = count(202)
        wait_for("orders taken again", 20, lambda: count(202) >= before + 100)
        stop.set()
        for thread in threads:
            thread.join()
        at = {f"orders/{record['partition']}/{record['offset']}": record["key"] for record in stage.records()}
        keys = set(at.values())
        for key, status, position in answers:
            if status == 202:
                equal(at.get(position), key, f"record at {position}")
            if status == 503:
                check(key not in keys, f"{key} was told 503 and is on the topic")
        equal({status for _, status, _ in answers} - {202, 503, 504}, set(), "other statuses")


def case_fatal_producer_is_renewed():
    """After a fatal error there is no 2xx from the old producer, and within 5 s orders are taken by a new one."""
    if "crash points" in os.environ.get("WEIR_WITHOUT", ""):
        return
    with Stage().start(WEIR_FATAL_AT="5") as stage:
        equal([post(stage, number).status for number in range(4)], [202] * 4, "statuses before")
        started = time.monotonic()
        first = post(stage, 4)
        check(first.status in (202, 503, 504), f"the record of the fatal error, which may have gone before it: {first}")
        wait_for("orders are taken again", 6, lambda: post(stage, 5).status == 202)
        check(time.monotonic() - started < 6, "renewed within 5 s")
        check("kafka.renewed" in stage.log(), "the log tells of it")
        equal(stage.gateway.metric("weir_gateway_producer_renewals_total"), 1, "renewals")
        keys = [record["key"] for record in stage.records()]
        check(first.status == 504 or ("o-4" in keys) == (first.status == 202), f"told {first.status}, on the topic: {'o-4' in keys}")


def case_full_queue():
    """A full queue is back-pressure: 503 at once, and what was queued is still delivered."""
    room, surplus = 1000, 50
    more = f"[kafka.producer]\nqueue.buffering.max.messages = {room}"
    with Stage(["timeout = 60s"], more=more).start() as stage:
        equal(post(stage).status, 202, "status before")
        stage.broker.signal(signal.SIGSTOP)
        clients = {f"q-{number}": stage.client(timeout_s=60) for number in range(room + surplus)}
        for key, client in clients.items():
            client.send(request("PUT", f"/v1/orders/{key}", "{}"))
        wait_for("refusals", 30, lambda: stage.gateway.metric("weir_gateway_refused_records_total") == surplus)
        stage.broker.signal(signal.SIGCONT)
        statuses = {key: client.reply().status for key, client in clients.items()}
        for client in clients.values():
            client.close()
        equal(sorted(set(statuses.values())), [202, 503], "statuses")
        equal(sum(1 for status in statuses.values() if status == 503), surplus, "refused")
        keys = {record["key"] for record in stage.records()}
        for key, status in statuses.items():
            equal(key in keys, status == 202, f"{key} was told {status}; on the topic")


def case_wrong_partition_count():
    """A topic that differs from the configuration takes no orders, and the readiness says why."""
    with Stage() as stage:
        text = stage.conf.read_text()
        stage.conf.write_text(text.replace("key = orderID\npartitions = 6", "key = orderID\npartitions = 5"))
        stage.start(ready=False)
        wait_for("products are taken", 20, lambda: stage.call("PUT", "/v1/products/p-1", "{}").status == 202)
        refused_at_once(stage, "6 partitions", "5")
        equal(stage.readyz().status, 503, "readiness")
        check("6 partitions" in stage.readyz().json["topics"]["orders"], "the detail names it")
        equal(stage.records(), [], "records on the topic")


def case_mutant_answers_first():
    """The build that answers before the acknowledgement does so: what the judge has to catch exists."""
    if "crash points" in os.environ.get("WEIR_WITHOUT", ""):
        return
    with Stage(["timeout = 2s"]).start("weir-gateway-mutant-ack-first") as stage:
        stage.broker.signal(signal.SIGSTOP)
        equal(post(stage).status, 202, "the mutant's status with a paused broker")


def case_kafka_killed_paused_and_back():
    """On real Kafka: killed, it is 503 at once, and back, orders are taken again; paused, it is 504 at the deadline, and
    back, the record of each 2xx stands at its position."""
    with KafkaStage(gateway=["timeout = 3s"]).start() as stage:
        taken = {}

        def take(number):
            reply = post(stage, number)
            if reply.status == 202:
                taken[reply.headers["weir-position"]] = f"o-{number}"
            return reply.status == 202

        for number in range(20):
            wait_for("an order: a broker that has just started takes its time", 60, lambda number=number: take(number))
        stage.kafka.broker("kill")
        wait_for("not ready", 10, lambda: stage.readyz().status == 503)
        refused_at_once(stage)
        stage.kafka.broker("start")
        wait_for("orders after the kill", 30, lambda: take(100))
        wait_for("ready", 10, lambda: stage.readyz().status == 200)
        stage.kafka.broker("stop")
        started = time.monotonic()
        check_problem(post(stage, 200), 504, "not known")
        check(2.5 < time.monotonic() - started < 6, "answered at the deadline")
        stage.kafka.broker("cont")
        wait_for("orders after the pause", 30, lambda: take(300))
        at = {f"orders/{record['partition']}/{record['offset']}": record["key"] for record in stage.records()}
        for position, key in taken.items():
            equal(at.get(position), key, f"record at {position}")
