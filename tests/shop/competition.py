#!/usr/bin/python3
"""Orders compete for fewer pieces on real Kafka while gateway, store and inventory are killed in turn: as many are confirmed as there
are pieces, no stock is lost, and when the confirmed ones are cancelled, twice each, all of it is back.

competition.py [--orders N] [--pieces N]
"""
import argparse
import collections
import http.client
import json
import sys
import threading
from pathlib import Path

sys.dont_write_bytecode = True
sys.path[:0] = [str(Path(__file__).resolve().parents[1] / folder) for folder in ("integration", "judge")]

from harness import ROOT, Failed, Stage, free_ports, main, say, wait_for  # noqa: E402
import source  # noqa: E402

PLENTY, LAST, CLIENTS, PARTITIONS, DECIDED_S = 10000, 32, 8, {"orders": 4, "products": 3}, 240
SOURCES = ("orders.changes", "orders.store.outcomes", "products.changes", "products.store.outcomes")
# Of two instances of inventory: the one that begins an order is often not the one that hears of its stock.
VICTIMS = ("inventory", "store", "inventory-b", "gateway")
ITEMS = [{"sku": "plenty", "quantity": 2}, {"sku": "scarce", "quantity": 1}]


def sections(folder, inventory):
    schemas = ROOT / "schemas"
    return {
        "kafka.consumer": ["session.timeout.ms = 6000"],
        "collection orders": [f"schema = {schemas}/orders.schema.json"],
        "collection products": ["key = productID", f"partitions = {PARTITIONS['products']}", f"schema = {schemas}/products.schema.json"],
        "service store": ["instance.static = true", "batch.max = 50"],
        "service inventory": [
            "plugin = inventory",
            "topics = " + ", ".join(SOURCES),
            f"state.dir = {folder}",
            f"management.listen = {inventory}",
            "instance.static = true",
            "batch.max = 50",
        ],
    }


def call(weir, method, path, body=None):
    """(status, body); (0, None) when nobody answers."""
    host, port = weir.address["gateway"].split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=20)
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    try:
        connection.request(method, path, None if body is None else json.dumps(body), {"Content-Type": kind} if body is not None else {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return 0, None
    finally:
        connection.close()


def insist(weir, method, path, body):
    """Until it is accepted; an order that was accepted without an answer is a repeat, which the store refuses."""
    wait_for(f"{method} {path} is accepted", 60, lambda: call(weir, method, path, body)[0] == 202)


def documents(kafka, collection):
    """{key: document} by the change log."""
    topic = f"{collection}.changes"
    found = {}
    for record in source.read(kafka.bootstrap, {topic: PARTITIONS[collection]})[topic]:
        found[record.key.decode()] = None if record.value is None else json.loads(record.value).get("after")
    return found


def stock(kafka):
    products = documents(kafka, "products")
    return {sku: products[sku]["stock"] for sku in ("plenty", "scarce")}


class Killer(threading.Thread):
    """Kills one program after the other, starts it again and waits until it is ready, until it is told to stop."""

    def __init__(self, weir, victims):
        super().__init__(daemon=True)
        self.weir, self.victims, self.ending, self.kills, self.error = weir, victims, threading.Event(), collections.Counter(), None

    def run(self):
        try:
            while not self.ending.is_set() or len(self.kills) < len(self.victims):
                victim = self.victims[sum(self.kills.values()) % len(self.victims)]
                self.weir.program(victim).kill()
                self.weir.start(victim).wait_ready(60)
                self.kills[victim] += 1
        except Failed as error:
            self.error = error

    def end(self):
        self.ending.set()
        self.join()
        if self.error:
            raise self.error
        say(f"  killed {dict(self.kills)}")


def send(weir, requests):
    """All of them, by several clients."""
    errors = []

    def client(mine):
        try:
            for request in mine:
                insist(weir, *request)
        except Failed as error:
            errors.append(error)

    threads = [threading.Thread(target=client, args=(requests[i::CLIENTS],)) for i in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def orders(stem, count, items):
    return [
        ("POST", "/v1/orders", {"orderID": f"{stem}-{i:04d}", "customerID": "ada", "total": 1, "status": "CREATED", "items": items})
        for i in range(count)
    ]


def decided(kafka, stem, count):
    """{status: how many} once every order has one of its own."""
    statuses = [order["status"] for key, order in documents(kafka, "orders").items() if key.startswith(stem)]
    return None if len(statuses) < count or "CREATED" in statuses else collections.Counter(statuses)


def equal(what, wanted, found):
    if wanted != found:
        raise Failed(f"{what}: {found!r} instead of {wanted!r}")


def no_letters(kafka):
    topics = {f"{topic}.inventory.dlq": PARTITIONS[topic.split(".", maxsplit=1)[0]] for topic in SOURCES}
    topics.update({f"{topic}.store.dlq": count for topic, count in PARTITIONS.items()})
    equal("dead letters", {}, {topic: len(records) for topic, records in source.read(kafka.bootstrap, topics).items() if records})


def compete(weir, kafka, count, pieces):
    killer = Killer(weir, VICTIMS)
    killer.start()
    send(weir, orders("o", count, ITEMS))
    found = wait_for("every order is decided", DECIDED_S, lambda: decided(kafka, "o", count))
    killer.end()
    say(f"  {dict(found)}, stock {stock(kafka)}")
    equal("decisions", {"CONFIRMED": pieces, "REJECTED": count - pieces}, dict(found))
    equal("stock", {"plenty": PLENTY - 2 * pieces, "scarce": 0}, stock(kafka))


def give_back(weir, kafka, pieces):
    confirmed = [key for key, order in documents(kafka, "orders").items() if order["status"] == "CONFIRMED"]
    killer = Killer(weir, VICTIMS[:3])
    killer.start()
    send(weir, [("PATCH", f"/v1/orders/{key}", {"status": "CANCELLED"}) for key in confirmed * 2])
    whole = {"plenty": PLENTY, "scarce": pieces}
    wait_for("all stock is back", DECIDED_S, lambda: stock(kafka) == whole)
    killer.end()
    # What is still on its way is before these in every partition.
    send(weir, orders("last", LAST, ITEMS[:1]))
    wait_for("the last orders are decided", 60, lambda: decided(kafka, "last", LAST))
    equal("stock in the end", {"plenty": PLENTY - 2 * LAST, "scarce": pieces}, stock(kafka))
    holding = [key for key, order in documents(kafka, "orders").items() if key.startswith("o") and order.get("reservation")]
    equal("orders that hold stock though they were cancelled", [], holding)


def test(count, pieces):
    with Stage() as stage:
        kafka = stage.kafka()
        address = f"127.0.0.1:{free_ports(1)[0]}"
        weir = stage.weir(kafka, partitions=PARTITIONS["orders"], collections=PARTITIONS, sections=sections(stage.folder, address))
        weir.address["inventory-management"] = address
        weir.instance("b", service="inventory")
        for name in VICTIMS:
            weir.start(name)
        for name in VICTIMS:
            weir.program(name).wait_ready()
        insist(weir, "PUT", "/v1/products/plenty", {"name": "Plenty", "price": 1, "stock": PLENTY})
        insist(weir, "PUT", "/v1/products/scarce", {"name": "Scarce", "price": 1, "stock": pieces})
        wait_for("the products", 30, lambda: len(documents(kafka, "products")) == 2)
        compete(weir, kafka, count, pieces)
        give_back(weir, kafka, pieces)
        no_letters(kafka)
        weir.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--orders", type=int, default=500)
    parser.add_argument("--pieces", type=int, default=100)
    options = parser.parse_args()
    sys.exit(main(lambda: test(options.orders, options.pieces)))
