"""A deployment whose service `echo` runs the test plugin tests/contract/plugins/echo.c over `orders`, on real Kafka."""
import json
import re
import sys
import urllib.error
import urllib.request
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

import confluent_kafka as ck  # noqa: E402
from harness import BUILD, ROOT, Failed, Program, Stage, find_program, free_ports, main, newest_librdkafka, say, surroundings, wait_for  # noqa: E402, F401
from history import partition_of  # noqa: E402
import source  # noqa: E402

PARTITIONS = 3
SOURCE, TARGET, LETTERS, RETRIES = "orders", "orders.changes", "orders.echo.dlq", "orders.echo.retry"


class Echo:
    """Instances of the service `echo`, each a Program with its own management address."""

    def __init__(self, stage, kafka, echo=(), consumer=(), more=None, session_ms=6000, plugin="echo"):
        self.stage, self.kafka = stage, kafka
        self.gate = stage.folder / "gate"
        sections = {
            "service echo": [
                f"plugin = {BUILD}/tests/plugins/{plugin}.so",
                "topics = orders",
                f"state.dir = {stage.folder}",
                *([f"echo.topic = {TARGET}", f"echo.gate = {self.gate}"] if plugin == "echo" else []),
                "retry.backoff = 50ms",
                "retry.backoff.max = 500ms",
                *echo,
            ],
            "kafka.consumer": [f"session.timeout.ms = {session_ms}", *consumer],
            **(more or {}),
        }
        self.weir = stage.weir(kafka, sections=sections, partitions=PARTITIONS)

    def instance(self, name="one", binary="weir-consumer", *arguments):
        if name not in self.weir.programs:
            port = free_ports(1)[0]
            argv = [find_program(binary), "--config", self.weir.conf, "--service", "echo", "--instance", name, *arguments]
            program = Program(f"echo-{name}", argv, self.weir.folder, surroundings(), f"http://127.0.0.1:{port}")
            program.environment["WEIR_SERVICE_ECHO_MANAGEMENT_LISTEN"] = f"127.0.0.1:{port}"
            self.weir.programs[name] = program
        return self.weir.programs[name]

    def lag(self):
        """Records not finished; None while a killed instance's transaction keeps the offsets unstable."""
        try:
            return source.lag(self.kafka.bootstrap, "echo", SOURCE)
        except ck.KafkaException:
            return None

    def settle(self, seconds=60, alive=()):
        wait_for("all records handled", seconds, lambda: self.lag() == 0, alive)

    def read(self, *topics):
        """Committed records by topic, in (partition, offset) order."""
        return source.read(self.kafka.bootstrap, {t: PARTITIONS for t in topics}, allow_trimmed=True)


def put(kafka, records, topic=SOURCE, transaction=None, **headers):
    """Writes (key, value) pairs in order, if named in a transaction of that id, and waits for the acknowledgements."""
    settings = {"bootstrap.servers": kafka.bootstrap, "partitioner": "murmur2_random", "batch.size": 200000}
    settings["enable.idempotence"] = True  # also in order where a broker that has just begun refuses the first of them
    producer = ck.Producer({**settings, **({"transactional.id": transaction} if transaction else {})})
    failed = []
    if transaction:
        producer.init_transactions(30)
        producer.begin_transaction()
    for key, value in records:
        producer.produce(
            topic, key=key, value=value, headers=list(headers.items()), on_delivery=lambda e, _: e and failed.append(e)
        )
        producer.poll(0)
    if producer.flush(60) or failed:
        raise Failed(f"{len(failed)} records were not written: {failed[:1]}")
    if transaction:
        producer.commit_transaction(30)


def keys_on(partition, count, word="k"):
    """Keys that begin with `word` and live on that partition."""
    found, i = [], 0
    while len(found) < count:
        key = f"{word}-{i}"
        if partition_of(key.encode(), PARTITIONS) == partition:
            found.append(key)
        i += 1
    return found


def readiness(program):
    try:
        return json.load(urllib.request.urlopen(f"{program.readyz}/readyz", timeout=5))
    except urllib.error.HTTPError as answer:
        return json.load(answer)


def executions(program):
    """{executions: how many records ended after so many}."""
    text = urllib.request.urlopen(f"{program.readyz}/metrics", timeout=5).read().decode()
    found = re.findall(r'^weir_record_executions_total\{executions="(\d+)\+?"\} (\d+)', text, re.M)
    return {int(n): int(count) for n, count in found if count != "0"}


def by_key(records):
    found = {}
    for record in records:
        found.setdefault(record.key_text, []).append(record.value)
    return found


def check_keys(echo, wanted, letters=0):
    """Each record of the source once in the target or once as a letter, each key in the order of acceptance."""
    wait_for(
        f"{wanted} records and {letters} letters",
        60,
        lambda: [len(found) for found in echo.read(TARGET, LETTERS).values()] == [wanted, letters],
    )
    found = echo.read(SOURCE, TARGET, LETTERS)
    dead = {(r.header("__dlq.errors.partition"), r.header("__dlq.errors.offset")) for r in found[LETTERS]}
    alive = [r for r in found[SOURCE] if (str(r.partition), str(r.offset)) not in dead]
    if by_key(alive) != by_key(found[TARGET]):
        raise Failed(f"not each key in its order: {by_key(alive)} became {by_key(found[TARGET])}")


def check_same(echo, wanted):
    """Each record of the source once in the target, each partition in the order of acceptance."""
    found = echo.read(SOURCE, TARGET)
    for partition in range(PARTITIONS):
        came = [(r.key, r.value) for r in found[SOURCE] if r.partition == partition]
        went = [(r.key, r.value) for r in found[TARGET] if r.partition == partition]
        if came != went:
            extra, missing = len(went) - len(set(went)), len(set(came) - set(went))
            raise Failed(
                f"partition {partition}: {len(came)} records came, {len(went)} went; {extra} double, {missing} missing"
            )
    if len(found[TARGET]) != wanted:
        raise Failed(f"{len(found[TARGET])} records instead of {wanted}")
