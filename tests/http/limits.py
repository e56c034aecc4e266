"""Limits: how often a caller may ask, how many connections there are and from one address, how much waits for Kafka."""
import re
import signal
import socket

from access import ALL, WRITER, bearer, stage_with
from stage import Client, Stage, call, check, check_problem, equal, request, wait_for

POLICY = '"requests";q=3;w=3'


class ClientFrom(Client):
    """A connection from another address of this machine."""

    def __init__(self, port, address):
        super().__init__(port)
        self.socket.close()
        self.socket = socket.create_connection(("127.0.0.1", port), 20, source_address=(address, 0))


def flood(client, count, headers=()):
    """The answers to that many requests at once."""
    client.send(b"".join(request("PUT", f"/v1/orders/o-{number}", "{}", headers=headers) for number in range(count)))
    return [client.reply() for _ in range(count)]


def check_limited(replies):
    taken = [reply for reply in replies if reply.status == 202]
    refused = [reply for reply in replies if reply.status == 429]
    equal(len(taken) + len(refused), len(replies), f"only 202 and 429 in {[reply.status for reply in replies]}")
    check(len(taken) >= 3 and refused, f"{len(taken)} taken, {len(refused)} refused")
    for reply in replies:
        equal(reply.headers.get("ratelimit-policy"), POLICY, "RateLimit-Policy")
        state = re.fullmatch(r'"requests";r=(\d);t=([123])', reply.headers.get("ratelimit", ""))
        check(state, f"RateLimit in {reply}")
        check(reply.status == 202 or state.group(1) == "0", f"something remains in {reply}")
    for reply in refused:
        check_problem(reply, 429, "1 requests a second", "nothing was written")
        equal(reply.headers.get("retry-after"), "1", "Retry-After")


def case_rate_of_a_key():
    """Each key has its own; what was refused is not on the topic, and after a while the caller is served again."""
    with stage_with(gateway=["rate.limit = 1", "rate.burst = 3"]).start() as stage, stage.client() as client:
        replies = flood(client, 30, bearer(WRITER))
        check_limited(replies)
        equal(client.send(request("PUT", "/v1/orders/o-x", "{}", headers=bearer(ALL))).reply().status, 202, "another key")
        equal(len(stage.records()), 1 + sum(reply.status == 202 for reply in replies), "records on the topic")
        refused = stage.gateway.metric("weir_gateway_rate_limited_total")
        equal(refused, sum(reply.status == 429 for reply in replies), "the metric")
        check("ratelimit" not in stage.call("PUT", "/v1/orders/o-1", "{}").headers, "a limit is told to nobody in particular")
        again = request("PUT", "/v1/orders/o-1", "{}", headers=bearer(WRITER))
        wait_for("served again", 10, lambda: client.send(again).reply().status == 202)


def case_rate_of_an_address():
    with Stage(["rate.limit = 1", "rate.burst = 3"]).start() as stage:
        with ClientFrom(stage.port, "127.0.0.2") as client, ClientFrom(stage.port, "127.0.0.3") as other:
            check_limited(flood(client, 30))
            equal(flood(other, 1)[0].status, 202, "another address")


def case_no_rate():
    with Stage().start() as stage, stage.client() as client:
        replies = flood(client, 200)
        equal({reply.status for reply in replies}, {202}, "statuses")
        check("ratelimit" not in replies[0].headers, "no RateLimit")


def is_served(client):
    try:
        return client.send(request("PUT", "/v1/orders/o-1", "{}")).reply().status == 202
    except OSError:
        return False


def case_connections_of_an_address():
    with Stage(["connections.per.address = 4"]).start() as stage:
        clients = [ClientFrom(stage.port, "127.0.0.2") for _ in range(4)]
        check(all(is_served(client) for client in clients), "four are served")
        with ClientFrom(stage.port, "127.0.0.2") as surplus:
            check(not is_served(surplus), "the fifth is not")
        with ClientFrom(stage.port, "127.0.0.3") as other:
            check(is_served(other), "another address is")
        for client in clients:
            client.close()

        def room():
            with ClientFrom(stage.port, "127.0.0.2") as client:
                return is_served(client)

        wait_for("room again", 10, room)


def case_full_table_of_connections():
    """Nobody new is served, whoever is there is, and the management pages are."""
    with Stage(["connections = 16", "idle.timeout = 60s", "header.timeout = 60s"]).start() as stage:
        clients = []
        while len(clients) < 100 and stage.gateway.metric("weir_gateway_connections") < 16:
            clients.append(stage.client())
        wait_for("a full table", 10, lambda: stage.gateway.metric("weir_gateway_connections") == 16)
        clients += [stage.client(timeout_s=1) for _ in range(50)]
        check(not is_served(clients[-1]), "a surplus connection is served")
        equal(call(stage.management, "GET", "/livez").status, 200, "livez")
        check(sum(is_served(client) for client in clients[:16]) >= 8, "those that were there first")
        for client in clients:
            client.close()
        wait_for("served again", 10, lambda: stage.call("PUT", "/v1/orders/o-1", "{}").status == 202)


def case_queue_to_kafka():
    """What would have to wait behind too many others is refused at once; what waits is written all the same."""
    with Stage(["queue.max = 20", "timeout = 60s"]).start() as stage:
        stage.broker.signal(signal.SIGSTOP)
        clients = [stage.client() for _ in range(30)]
        for number, client in enumerate(clients):
            client.send(request("PUT", f"/v1/orders/o-{number}", "{}"))
        wait_for("ten refused", 10, lambda: stage.gateway.metric("weir_gateway_refused_records_total") == 10)
        stage.broker.signal(signal.SIGCONT)
        replies = {f"o-{number}": client.reply() for number, client in enumerate(clients)}
        for reply in replies.values():
            if reply.status != 202:
                check_problem(reply, 503, "20 commands wait", "nothing was written")
        taken = {key for key, reply in replies.items() if reply.status == 202}
        equal((len(taken), {record["key"] for record in stage.records()}), (20, taken), "what was taken, and what is on the topic")
        equal(stage.call("PUT", "/v1/orders/o-1", "{}").status, 202, "afterwards")
