#!/usr/bin/python3
"""The group's coordinator moves from one living broker to another, and a store to another address: the gateway finds it.

Nothing dies, so that no connection breaks which would make a client forget who the coordinator was.
"""
import json
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

from harness import ROOT, Failed, Stage, main, say, source, wait_for
from openload import OpenLoad
from reads import Http

OFFSETS, KEY = "__consumer_offsets", "o-0000001"
FOUND_WITHIN_S = 30


def move_coordinator(kafka, group):
    """Takes the group's partition of the offsets away from the broker that leads it; (before, after)."""
    leaders = kafka.leaders(OFFSETS)
    partition = source.coordinating_partition(group, len(leaders))
    others = [number for number in range(1, kafka.brokers + 1) if number != leaders[partition]]
    plan = Path(kafka.folder) / "plan.json"
    plan.write_text(json.dumps({"version": 1, "partitions": [{"topic": OFFSETS, "partition": partition, "replicas": others}]}))
    tool = [ROOT / "tests/kafka/tool", "reassign", "--bootstrap-server", kafka.bootstrap]
    subprocess.run([*tool, "--reassignment-json-file", plan, "--execute"], check=True, stdout=subprocess.DEVNULL)
    wait_for("another coordinator", 60, lambda: kafka.leaders(OFFSETS)[partition] in others)
    return leaders[partition], kafka.leaders(OFFSETS)[partition]


def is_read(weir):
    return Http(weir.url).get(f"/v1/orders/{KEY}")[0] == 200


def test():
    with Stage() as stage:
        kafka = stage.kafka("--brokers", "3")
        weir = stage.weir(kafka, sections={"kafka.consumer": ["session.timeout.ms = 6000"]})
        gateway, one, two = weir.start("gateway"), weir.instance("one").start(), weir.instance("two")
        gateway.wait_ready(), one.wait_ready()
        load = OpenLoad(weir.address["gateway"], weir.folder / "accepted.jsonl", 100).start()
        load.wait_accepted(50, 60)
        load.stop()
        wait_for("the document, where the store is", 60, lambda: is_read(weir), [gateway, one])
        before, after = move_coordinator(kafka, "store")
        say(f"the coordinator moved from broker {before} to {after}")
        if one.stop() != 0:
            raise Failed(f"it did not leave well\n{one.tail()}")
        two.start().wait_ready(60)
        wait_for("the document, where the store is now", FOUND_WITHIN_S, lambda: is_read(weir), [gateway, two])
        weir.stop()


if __name__ == "__main__":
    main(test)
