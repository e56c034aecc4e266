"""Dead letters put on a topic as the host writes them, `weirctl dlq` run over them, and what came to the retry topic."""
import json
import signal
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

import confluent_kafka as ck  # noqa: E402
from harness import Failed, Stage, find_program, main, say, wait_for  # noqa: E402, F401
from history import partition_of  # noqa: E402
import source  # noqa: E402

PARTITIONS = 3
BODY = b'{"orderID":"o-1", "total": 19.990, "customer":{"email":"ada@exmaple.com"}}'


class Case:
    """A deployment of its own on a shared cluster: every topic begins with its prefix."""

    def __init__(self, stage, kafka, name):
        self.kafka, self.prefix = kafka, f"{name}."
        self.weir = stage.weir(kafka, sections={"kafka": [f"topic.prefix = {self.prefix}"]}, partitions=PARTITIONS)
        self.source, self.letters = self.topic("orders"), self.topic("orders.store.dlq")
        self.retry, self.changes = self.topic("orders.store.retry"), self.topic("orders.changes")
        self.producer = ck.Producer({"bootstrap.servers": kafka.bootstrap, "acks": "all", "batch.size": 200000})

    def topic(self, name):
        return self.prefix + name

    def put(self, topic, partition, key, value, headers):
        self.producer.produce(topic, partition=partition, key=key, value=value, headers=headers)
        self.producer.poll(0)

    def flush(self):
        if self.producer.flush(60):
            raise Failed("records were not written")

    def letter(self, key, offset, value=BODY, partition=None, operation="create", without=(), **more):
        """One letter; `more` replaces header values, names with _ for - (dots as in the names of KIP-1191: dlq_…)."""
        at = partition_of(key.encode(), PARTITIONS) if partition is None else partition
        headers = {
            "ce_id": f"r-{offset}",
            "ce_type": f"weir.orders.{operation}",
            "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "__dlq.errors.topic": self.source,
            "__dlq.errors.partition": str(at),
            "__dlq.errors.offset": str(offset),
            "__dlq.errors.group": "store",
            "__dlq.errors.delivery.count": "1",
            "__dlq.errors.message": "/total: no number",
            "weir-disposition": "invalid",
            "weir-error-type": "schema",
            "weir-original-timestamp": "1700000000000",
            "weir-redrive-count": "0",
        }
        headers.update({name.replace("_", "-"): value for name, value in more.items()})
        self.put(self.letters, at, key, value, [(n, v) for n, v in headers.items() if n not in without])

    def letters_of(self, count, keys=40):
        """Many letters in order, of keys on all partitions."""
        for i in range(count):
            self.letter(f"k-{i % keys}", i, value=b'{"n":%d}' % i)
        self.flush()

    def argv(self, *arguments):
        return [str(a) for a in (find_program("weirctl"), "--config", self.weir.conf, "dlq", *arguments)]

    def call(self, *arguments, exits=0):
        """What weirctl dlq … prints, and what it says on stderr."""
        done = subprocess.run(self.argv(*arguments), stdin=subprocess.DEVNULL, capture_output=True, timeout=90, check=False)
        out, told = done.stdout.decode(), done.stderr.decode()
        if done.returncode != exits:
            raise Failed(f"dlq {' '.join(map(str, arguments))}: exit {done.returncode} instead of {exits}\n{out}{told}")
        return out, told

    def run(self, *arguments, exits=0):
        """Both as one text."""
        return "".join(self.call(*arguments, exits=exits))

    def ask(self, verb, *arguments, exits=0):
        """The JSON answer of a command for the service `store`."""
        out, told = self.call(verb, "--service", "store", "--json", *arguments, exits=exits)
        if told:
            say(f"  {told.strip()}")
        return json.loads(out)

    def redrive(self, *arguments, exits=0):
        return self.ask("redrive", "--rate", "1000000", *arguments, exits=exits)

    def begin(self, *arguments):
        """A redrive in the background."""
        return subprocess.Popen(
            self.argv("redrive", "--service", "store", *arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def read(self, topic):
        return source.read(self.kafka.bootstrap, {topic: PARTITIONS}, allow_trimmed=True)[topic]

    def written(self):
        """Records of the retry topic, committed or not, and transaction markers."""
        return sum(high for _, high in source.ends(self.kafka.bootstrap, {self.retry: PARTITIONS}).values())

    def returned(self):
        """Committed records of the retry topic."""
        return self.read(self.retry)


def equal(what, wanted, got):
    if wanted != got:
        raise Failed(f"{what}: {got!r} instead of {wanted!r}")


def check_each_once(case, wanted):
    """Each origin and redrive count once, each partition in the order of the origins, each on its key's partition."""
    found = case.returned()
    names = [(r.header("weir-origin"), r.header("weir-redrive-count")) for r in found]
    equal("records in the retry topic", wanted, len(names))
    equal("different ones", wanted, len(set(names)))
    for partition in range(PARTITIONS):
        mine = [r for r in found if r.partition == partition]
        offsets = [int(r.header("weir-origin").rsplit("/", 1)[1]) for r in mine]
        equal(f"order of partition {partition}", sorted(offsets), offsets)
        if any(partition_of(r.key, PARTITIONS) != partition for r in mine):
            raise Failed("a record is not on the partition of its key")


__all__ = ["BODY", "Case", "Failed", "PARTITIONS", "Stage", "check_each_once", "ck", "equal", "main", "partition_of", "say", "signal", "wait_for"]
