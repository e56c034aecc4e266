#!/usr/bin/python3
"""Thousands of random commands, good, odd and broken, put on the topic itself: store and judge must agree on each.

random_commands.py [--seed N] [--commands N] [--keys N] [--crash [--wipe]] [--kills N [--wipe]]: the seed is printed, so that a
disagreement can be had again.
--crash: the store dies in its first transaction, in a later one, then between commit and apply, before it comes to
the end; --wipe: and loses its disk each time. --kills: in so many rounds, while commands arrive, the store is killed once where it
happens to be and once at a random crash point; with --wipe it is one of two, and every other time loses its disk in between.
"""
import argparse
import json
import random
import shutil
import signal
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

import confluent_kafka as ck
from harness import Failed, Stage, main, say, wait_for
from history import partition_of
from watch import Watch

SECTIONS = {"service store": ["batch.max = 100", "instance.static = true"], "kafka.consumer": ["session.timeout.ms = 6000"]}
POINTS = [f"{at}-{what}" for what in ("produce", "offsets", "commit", "apply", "handle") for at in ("before", "after")] + ["mid-produce"]
ROUND_S, SLICE = 90, 10
PARTITIONS, KEYS, COMMANDS = 6, 40, 4000
NUMBERS = ("0", "-0", "1", "19.99", "1.0", "1e2", "1E+2", "-12.50", "9223372036854775807", "0.1000", "123456789.123456789")
STRINGS = ('""', '"a"', '"\\u00e9"', '"é\U0001f600"', '"\\ud83d\\ude00"', '"\\"\\\\\\/\\n"', '"line\\u2028"', '"' + "x" * 300 + '"')
SPACES = ("", "", "", " ", "\n", "\t ", "\r\n")
NAMES = ("a", "b", "total", "note", "items", "\\u0062", "orderid", "é", "")
BROKEN = (
    b"",
    b"{",
    b"nonsense",
    b"[1,2]",
    b'"text"',
    b"{} {}",
    b'{"a":1,}',
    b'{"a":1,"a":2}',
    b'{"a":01}',
    b'{"a":"\x01"}',
    b'{"a":"\xff"}',
    b"\xef\xbb\xbf{}",
    b'{"a":"\\u0000"}',
    b'{"a":"\\ud800"}',
    b'{"a":NaN}',
    b'{"a":1e999}',
    b'{"a":9223372036854775808}',
    b'{"a":' + b"[" * 32 + b"]" * 32 + b"}",
)


class Commands:
    """Makes random commands; knows what ids it gave to which key."""

    def __init__(self, seed, keys):
        self.random, self.count = random.Random(seed), 0
        self.keys = [f"k-{i}" for i in range(keys - 3)] + ["ключ/ä b", 'quote"\\', "x" * 255]
        self.ids = {key: [] for key in self.keys}

    def space(self):
        return self.random.choice(SPACES)

    def value(self, depth=0):
        kind = self.random.random()
        if depth > 3 or kind < 0.4:
            return self.random.choice(NUMBERS)
        if kind < 0.6:
            return self.random.choice(STRINGS)
        if kind < 0.75:
            return self.random.choice(("true", "false", "null"))
        if kind < 0.85:
            return "[" + ",".join(self.space() + self.value(depth + 1) for _ in range(self.random.randrange(4))) + "]"
        return self.object([], depth + 1)

    def object(self, members, depth=0):
        """An object of the given members and random ones; no name twice."""
        names = self.random.sample([n for n in NAMES if n != "\\u0062" or "b" not in NAMES], self.random.randrange(5))
        members = members + [f'"{name}"{self.space()}:{self.space()}{self.value(depth)}' for name in names]
        self.random.shuffle(members)
        return "{" + ",".join(self.space() + m + self.space() for m in members) + self.space() + "}"

    def body(self, key, op):
        if self.random.random() < 0.08:
            return self.random.choice(BROKEN)
        members, luck = [], self.random.random()
        if luck < 0.6:
            members = [f'"orderID":{json.dumps(key, ensure_ascii=luck < 0.3)}']
        elif luck < 0.66:
            members = [f'"orderID":{self.random.choice(("1", "null", STRINGS[1], "[]"))}']
        return (self.space() + self.object(members) + self.space()).encode()

    def changes(self):
        """Of an adjust: mostly numbers, where documents mostly have some."""
        names = self.random.sample(("a", "b", "total", "note"), self.random.randrange(1, 3))
        members = [f'"{n}"{self.space()}:{self.random.choice(NUMBERS if self.random.random() < 0.9 else STRINGS)}' for n in names]
        return ("{" + ",".join(members) + "}").encode()

    def conditions(self, key):
        tags = self.ids[key][-3:] + ["*", "nobody"]
        found = []
        for name in ("weir-if-match", "weir-if-none-match"):
            if self.random.random() < 0.08:
                tag = self.random.choice(tags)
                forms = (f'"{tag}"', tag, f'W/"{tag}"', f'"x", "{tag}"')
                found.append((name, "*" if tag == "*" else self.random.choice(forms)))
        return found

    def next(self):
        """(partition, key bytes, value bytes or None, headers)"""
        self.count += 1
        key, luck = self.random.choice(self.keys), self.random.random()
        op = self.random.choice(("create", "replace", "replace", "merge", "merge", "adjust", "adjust", "delete"))
        value = self.changes() if op == "adjust" else None if op == "delete" else self.body(key, op)
        request = f"r-{self.count}"
        headers = [("ce_id", request), ("ce_type", f"weir.orders.{op}"), *self.conditions(key)]
        raw = key.encode()
        partition = partition_of(raw, PARTITIONS)
        if luck < 0.03:
            partition = (partition + 1) % PARTITIONS
        elif luck < 0.06:
            raw = self.random.choice((None, b"", b"\xff\xfe", b"x" * 256, b"a\nb", b"a\x7f"))
            partition = partition_of(raw or b"", PARTITIONS)
        elif luck < 0.09:
            headers = []
        elif luck < 0.11:
            headers[1] = ("ce_type", self.random.choice(("weir.orders.explode", "weir.carts.create", "", "create")))
        elif luck < 0.13 and op != "delete":
            value = None
        elif luck < 0.19 and self.ids[key]:
            # A repeat, now and then of another body; sometimes of one that became a dead letter.
            headers[0] = ("ce_id", self.random.choice(self.ids[key]))
        if self.random.random() < 0.2 and headers:
            headers.append(("weir-fingerprint", self.random.choice(("f00d", "beef"))))
        self.ids[key].append(request)
        return partition, raw, value, headers


class Feed:
    """Puts random commands on the topic; `count` says how many so far."""

    def __init__(self, kafka, seed, keys=KEYS):
        self.commands, self.failed = Commands(seed, keys), []
        # The topic takes small batches only.
        self.producer = ck.Producer({"bootstrap.servers": kafka.bootstrap, "enable.idempotence": True, "batch.size": 65536})

    @property
    def count(self):
        return self.commands.count

    def put(self, count):
        for _ in range(count):
            partition, key, value, headers = self.commands.next()
            self.producer.produce(
                "orders",
                partition=partition,
                key=key,
                value=value,
                headers=headers,
                on_delivery=lambda error, _m: error and self.failed.append(error),
            )
            self.producer.poll(0.1 if len(self.producer) > 50000 else 0)
        self.producer.flush(60)
        if self.failed:
            raise Failed(f"could not put the commands: {self.failed[0]}")


def die(store, point):
    code = store.wait_ended(60)
    if code != -signal.SIGKILL:
        raise Failed(f"{store.name} ended with {code} instead of {point}\n{store.tail()}")


def crash_early(weir, wipe):
    """Before it comes to the end of what is there; the store that goes on."""
    for point in ("before-commit:1", "before-commit:3", "before-apply:5"):
        die(weir.start("store", WEIR_CRASH_AT=point), point)
        if wipe:
            weir.wipe_store()
    return weir.start("store").wait_ready()


def feed_until_dead(feed, store, point):
    """It may own no partition for a while, and meet the point only with commands that come later."""


    def has_died():
        feed.put(SLICE)
        return not store.running

    wait_for(f"{store.name} at {point}", ROUND_S, has_died)
    die(store, point)


def kill_round(feed, store, luck, wipe):
    """Twice: where it happens to be, which is as late as its start took, and at a crash point."""
    store.kill()
    if wipe:
        shutil.rmtree(store.folder / store.name / "db", ignore_errors=True)
    point = f"{luck.choice(POINTS)}:{luck.randrange(1, 9)}"
    feed_until_dead(feed, store.start(WEIR_CRASH_AT=point), point)
    store.start()


def kill_often(weir, feed, count, kills, luck, wipe):
    """Commands keep coming while it dies; the store that owns all in the end."""
    stores = [weir.instance(name) for name in (("one", "two") if wipe else ("one",))]
    for store in stores:
        store.start().wait_ready()
    for number in range(kills):
        feed.put(max(0, (count - feed.count) // (kills - number) - SLICE))
        kill_round(feed, luck.choice(stores), luck, wipe and number % 2 == 0)
    feed.put(max(0, count - feed.count))
    say(f"{kills} rounds of kills, {feed.count} commands")
    for store in stores[1:]:
        store.stop()
    return stores[0].wait_ready(120)


def run(seed, count, keys, options):
    say(f"seed {seed}")
    with Stage() as stage:
        kafka, crash, kills = stage.kafka(), options.crash, options.kills
        weir = stage.weir(kafka, partitions=PARTITIONS, sections=SECTIONS if crash or kills else None)
        feed = Feed(kafka, seed, keys)
        weir.start("gateway").wait_ready()
        if kills:
            store = kill_often(weir, feed, count, kills, random.Random(seed), options.wipe)
        else:
            feed.put(count)
            store = crash_early(weir, options.wipe) if crash else weir.start("store").wait_ready()
        with Watch(kafka) as watch:
            watch.wait_settled(60 + count // 500, [store])
        code, counts = weir.judge(store=store)
        say(f"judge: exit {code}, {counts}")
        if code != 0:
            raise Failed(f"store and judge disagree (seed {seed})")
        kinds = ("changes", "dead_letters", "outcome_rejected", "outcome_unchanged", "letter_wrong-partition", "tombstones", "repeats")
        if counts["commands"] != feed.count or not all(counts.get(kind) for kind in kinds):
            raise Failed(f"the commands were not the mixture they were to be: {counts}")
        weir.stop()


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--commands", type=int, default=COMMANDS)
    parser.add_argument("--keys", type=int, default=KEYS)
    parser.add_argument("--crash", action="store_true")
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--wipe", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    options = arguments()
    main(lambda: run(options.seed, options.commands, options.keys, options))
