#!/usr/bin/python3
"""The shop's whole story on a secure Kafka: each program is a principal of its own that may do what `weirctl acl plan` says for
deploy/conf/shop.conf, and nothing else."""
import shlex
import subprocess
import sys
from pathlib import Path

import story
from harness import ROOT, Failed, Stage, main, say

# Of each the nearest things that it has no need of.
NOT_READ = {
    "gateway": ("orders", "orders.changes", "subscriptions.changes", "products.store.dlq"),
    "inventory": ("orders", "products", "carts.changes", "subscriptions.changes", "orders.store.dlq"),
    "notifier": ("orders", "subscriptions", "carts.changes", "subscriptions.store.outcomes"),
}
NOT_WRITTEN = {
    "gateway": ("orders.changes", "subscriptions.changes", "products.store.retry"),
    "inventory": ("orders.changes", "products.changes", "orders.store.outcomes", "subscriptions", "carts"),
    "notifier": ("orders", "products", "subscriptions.changes", "orders.changes.inventory.retry"),
    "store": ("orders", "subscriptions", "orders.changes.inventory.retry"),
}


class SecureShop(story.Shop):
    def __init__(self, kafka):
        super().__init__()
        self.kafka = kafka
        self.clients = Path(kafka.variables["KAFKA_CLIENTS"])

    def kafka_of(self, program):
        lines = (self.clients / f"{program}-mtls.conf").read_text().splitlines() if program in (*story.SERVICES, "gateway", "weirctl") else []
        found = dict(line.split("=", 1) for line in lines)
        return {"REPLICATION_FACTOR": 1, "MIN_INSYNC_REPLICAS": 1, **{name.upper().replace(".", "_"): value for name, value in found.items()}}

    def start_kafka(self):
        self.allow()
        self.weirctl("topics", "apply")

    def allow(self):
        """What the plan says, run by an administrator; lines that differ in their topic at once, for a call takes a second."""
        plan = self.weirctl("acl", "plan", "--command-config", self.clients / "admin-mtls.properties")
        lines = [line.partition(" --topic ") for line in plan.splitlines() if line.startswith("kafka-acls.sh ")]
        topics = {before: [topic for other, _, topic in lines if other == before and topic] for before, _, _ in lines}
        for before, names in topics.items():
            tool(*shlex.split(before)[1:], *shlex.split("".join(" --topic " + name for name in names)))
        say(f"{len(lines)} lines of kafka-acls.sh allow the programs what they need")

    def kcat(self, principal, *arguments):
        """What an operation of somebody comes to."""
        argv = ["kcat", "-F", self.clients / f"{principal}-mtls.conf", *arguments]
        done = subprocess.run(argv, input=b"k:v\n", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False)
        return done.returncode, done.stdout.decode(errors="replace")


def tool(*arguments):
    subprocess.run([ROOT / "tests/kafka/tool", "acls", *arguments], stdout=subprocess.DEVNULL, check=True)


def refused(what, ended):
    code, told = ended
    if code == 0 or "authorization failed" not in told:
        raise Failed(f"{what}: exit {code}, {told}")


def step_nothing_else(shop):
    for who, topics in NOT_READ.items():
        for topic in topics:
            refused(f"{who} reads {topic}", shop.kcat(who, "-C", "-t", topic, "-p", "0", "-o", "beginning", "-e", "-q"))
    for who, topics in NOT_WRITTEN.items():
        for topic in topics:
            refused(f"{who} writes {topic}", shop.kcat(who, "-P", "-t", topic, "-K:", "-X", "message.timeout.ms=10000"))
    refused("inventory is in the store's group", shop.kcat("inventory", "-G", "store", "orders.changes"))


def rights():
    with Stage() as stage, SecureShop(stage.kafka("--secure")) as shop:
        story.tell(shop)
        step_nothing_else(shop)


if __name__ == "__main__":
    sys.exit(main(rights))
