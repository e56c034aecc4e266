"""GET and HEAD: through the store that owns the key."""
import threading
import time

from stage import PARTITIONS, KafkaStage, Stage, Store, call, check, check_problem, equal, murmur2_partition, request, wait_for

BODY = b'{"orderID":"o-1","total":19.99}'


def case_document():
    with Stage().start() as stage:
        stage.store.put("/documents/orders/o-1", BODY, '"e-7"')
        reply = stage.call("GET", "/v1/orders/o-1")
        equal(reply.status, 200, "status")
        equal(reply.body, BODY, "the document, byte for byte")
        equal(reply.headers["content-type"], "application/json", "content type")
        equal(reply.headers["etag"], '"e-7"', "ETag")
        equal(reply.headers["last-modified"], "Sat, 21 Nov 2026 06:40:20 GMT", "Last-Modified")
        check(reply.headers["x-request-id"], "X-Request-Id")


def case_head():
    with Stage().start() as stage, stage.client() as client:
        stage.store.put("/documents/orders/o-1", BODY)
        reply = client.send(request("HEAD", "/v1/orders/o-1")).reply(head_only=True)
        equal((reply.status, reply.headers["content-length"]), (200, str(len(BODY))), "status and length")
        equal(client.send(request("GET", "/v1/orders/o-1")).reply().body, BODY, "the next answer")


def case_not_modified():
    rows = [('"e-7"', 304), ('W/"e-7"', 304), ('"e-6", "e-7"', 304), ("*", 304), ('"e-6"', 200), ("e-7", 200), ('"a,"e-7"', 200), ("", 200)]
    with Stage().start() as stage:
        stage.store.put("/documents/orders/o-1", BODY, '"e-7"')
        for tag, status in rows:
            reply = stage.call("GET", "/v1/orders/o-1", headers=[("If-None-Match", tag)])
            equal((tag, reply.status), (tag, status), "status")
            equal(reply.headers["etag"], '"e-7"', "ETag")
            equal(reply.body, b"" if status == 304 else BODY, "body")
        with stage.client() as client:
            reply = client.send(request("GET", "/v1/orders/o-1", headers=[("If-None-Match", "*")])).reply()
            equal((reply.status, reply.headers.get("content-length")), (304, str(len(BODY))), "status and length of what is left out")
            equal(client.send(request("GET", "/v1/orders/o-1")).reply().body, BODY, "the next answer")


def case_missing():
    with Stage().start() as stage:
        check_problem(stage.call("GET", "/v1/orders/o-2"), 404, "no such document")
        check_problem(stage.call("GET", "/v1/products/p-1"), 404, "no store")


def case_key_is_escaped():
    """The key reaches the store as it is: escaped again, and never as a path of its own."""
    keys = {"a b": "a%20b", "a/../b": "a%2F%2E%2E%2Fb", "..": "%2E%2E", "é?#": "%C3%A9%3F%23", "o-1_~": "o-1_~"}
    with Stage().start() as stage:
        for key, escaped in keys.items():
            stage.store.put(f"/documents/orders/{escaped}", BODY)
            path = "/v1/orders/" + "".join(f"%{byte:02x}" for byte in key.encode())
            if key == "..":
                check_problem(stage.call("GET", path), 400)
            else:
                equal(stage.call("GET", path).status, 200, f"status of {key!r}, store saw {stage.store.seen[-1:]}")


def case_peer_secret():
    with Stage(["store.peer.secret = s3cret"]).start() as stage:
        stage.store.put("/documents/orders/o-1", BODY)
        equal(stage.call("GET", "/v1/orders/o-1").status, 200, "status")
        equal(stage.store.seen[-1][1].get("Weir-Peer"), "s3cret", "Weir-Peer")
        check("s3cret" not in stage.log(), "the secret is in the log")


def case_store_restoring():
    """A store that is not ready is asked again; then 503 with Retry-After."""
    with Stage(["read.wait = 1s"]).start() as stage:
        stage.store.put("/documents/orders/o-1", BODY)
        stage.store.status = 503
        started = time.monotonic()
        reply = stage.call("GET", "/v1/orders/o-1")
        check_problem(reply, 503, "not ready")
        check(reply.headers.get("retry-after"), "Retry-After")
        check(0.5 < time.monotonic() - started < 3, "answered within the wait")
        check(len(stage.store.seen) > 2, "asked more than twice")


def case_store_comes_back():
    with Stage(["read.wait = 8s"]).start() as stage:
        stage.store.put("/documents/orders/o-1", BODY)
        stage.store.status = 503
        with stage.client() as client:
            client.send(request("GET", "/v1/orders/o-1"))
            wait_for("two tries", 5, lambda: len(stage.store.seen) >= 2)
            stage.store.status = None
            equal(client.reply().status, 200, "status")


def case_store_down():
    with Stage(["read.wait = 500ms"]).start() as stage:
        stage.store.close()
        check_problem(stage.call("GET", "/v1/orders/o-1"), 503, "can't be reached")


def case_store_silent():
    """A store that takes the request and never answers: 504 at the request's own deadline."""
    with Stage(["timeout = 700ms"]).start() as stage:
        stage.store.put("/documents/orders/o-1", BODY)
        stage.store.delay_s = 5
        started = time.monotonic()
        check_problem(stage.call("GET", "/v1/orders/o-1"), 504)
        check(time.monotonic() - started < 3, "answered in time")


def case_store_slow():
    """read.wait is for stores that are away: one that answers late is waited for until the request's deadline."""
    with Stage(["read.wait = 200ms"]).start() as stage:
        stage.store.put("/documents/orders/o-1", BODY)
        stage.store.delay_s = 1
        equal(stage.call("GET", "/v1/orders/o-1").status, 200, "status")


def case_foreign_404():
    """A 404 that is not the store's own word on the document is no 404 for the client."""
    with Stage(["read.wait = 500ms"]).start() as stage:
        stage.store.put("/documents/orders/o-1", BODY)
        stage.store.status = 404
        check_problem(stage.call("GET", "/v1/orders/o-1"), 503, "answered 404")


def case_many_at_once():
    """Reads wait side by side: 200 of them at a store that takes 300 ms each end within a few seconds."""
    with Stage().start() as stage:
        stage.store.put("/documents/orders/o-1", BODY)
        stage.store.delay_s = 0.3
        statuses = []
        threads = [threading.Thread(target=lambda: statuses.append(stage.call("GET", "/v1/orders/o-1").status)) for _ in range(200)]
        started = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        equal(statuses, [200] * 200, "statuses")
        check(time.monotonic() - started < 8, "they waited for each other")


def case_kafka_owner_discovery():
    """On real Kafka each read goes to the member of the store's group that has the key's partition, also after the
    partition has moved; without any member it is 503."""
    with KafkaStage(gateway=["read.wait = 8s"]).start() as stage:
        stores, members = [Store(), Store()], []
        try:
            keys = [f"o-{i}" for i in range(40)]

            def all_read():
                return {stage.call("GET", f"/v1/orders/{key}").status for key in keys} == {200}

            for store in stores:
                for key in keys:
                    store.put(f"/documents/orders/{key}", BODY)
            members = [stage.kafka.member(stores[0].url)]
            wait_for("every document with one member", 60, all_read)
            wait_for("numbers of the client that asks, while it does not", 30, lambda: has_numbers(stage, "weir-gateway-owner"))
            members.append(stage.kafka.member(stores[1].url))
            wait_for("the second store is asked", 30, lambda: spread(stage, stores, keys))
            for store in stores:
                store.seen.clear()
            equal({stage.call("GET", f"/v1/orders/{key}").status for key in keys}, {200}, "statuses with two members")
            check_owners(stores)
            members.pop().terminate()
            stores[1].status = 503
            wait_for("every document after one left", 60, all_read)
            members.pop().terminate()
            stores[0].status = 503
            check_problem(stage.call("GET", "/v1/orders/o-1"), 503)
        finally:
            for member in members:
                member.kill()
            for store in stores:
                store.close()


def has_numbers(stage, client):
    """Whether a client's statistics are taken: what nobody takes piles up in librdkafka."""
    return f'weir_kafka_client_received_bytes{{client="{client}"}}' in call(stage.management, "GET", "/metrics").body.decode()


def spread(stage, stores, keys):
    """Makes the gateway look again, as a store does that lost the partition, until both stores are asked."""
    asked = sum(len(store.seen) for store in stores)
    stores[0].status = 503
    with stage.client() as client:
        client.send(request("GET", f"/v1/orders/{keys[0]}"))
        wait_for("a store is asked", 5, lambda: sum(len(store.seen) for store in stores) > asked)
        stores[0].status = None
        client.reply()
    for key in keys:
        stage.call("GET", f"/v1/orders/{key}")
    return bool(stores[1].seen)


def check_owners(stores):
    """No partition was read from both stores."""
    seen = [{murmur2_partition(path.rsplit("/", 1)[1]) for path, _ in store.seen} for store in stores]
    check(not seen[0] & seen[1] and len(seen[0] | seen[1]) == PARTITIONS, f"partitions by store: {seen}")


def case_kafka_that_comes_late():
    """A gateway whose broker comes long after it lives and after its first questions for the stores were given up finds them then."""
    with KafkaStage(gateway=["read.wait = 8s"]).start() as stage:
        store = Store()
        store.put("/documents/orders/o-1", BODY)
        stage.gateway.stop()
        stage.kafka.broker("kill")
        Stage.start(stage, ready=False)
        wait_for("the first questions are given up", 40, lambda: "no answer about" in stage.log())
        stage.kafka.broker("start")
        stage.gateway.wait_ready()
        member = stage.kafka.member(store.url)
        try:
            wait_for("the document", 30, lambda: stage.call("GET", "/v1/orders/o-1").status == 200)
        finally:
            member.kill()
            store.close()
