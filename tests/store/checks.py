#!/usr/bin/python3
"""What is wrong with the topics or the disk is found at the store's start: a line says what, where and what to do, and where
documents would be at risk there is no start.
"""
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

from confluent_kafka.admin import AdminClient, NewPartitions  # noqa: E402
from harness import Failed, Stage, main, wait_for  # noqa: E402

CHANGES, OUTCOMES, WEEK = "orders.changes", "orders.store.outcomes", 7 * 24 * 3600 * 1000
ALTER = "kafka-configs.sh --bootstrap-server"
# Topic, setting, value; what the line says of it; what it tells to do.
REFUSED = (
    (CHANGES, "cleanup.policy", "delete", "cleanup.policy is delete, should be compact", "--add-config cleanup.policy=compact"),
    (CHANGES, "min.compaction.lag.ms", "5", f"min.compaction.lag.ms is 5, should be at least {WEEK}", f"min.compaction.lag.ms={WEEK}"),
    (CHANGES, "delete.retention.ms", "5", f"delete.retention.ms is 5, should be at least {WEEK}", f"delete.retention.ms={WEEK}"),
    (OUTCOMES, "retention.ms", "5000", f"retention.ms is 5000, should be at least {WEEK}", f"retention.ms={WEEK}"),
)


class Checks:
    """A store whose start is looked at."""

    def __init__(self, stage):
        self.kafka = stage.kafka()
        self.weir = stage.weir(self.kafka, partitions=3)
        self.store = self.weir.program("store")
        self.conf = self.weir.conf.read_text()

    def told(self):
        return self.store.log.read_text().rpartition("--- start")[2]

    def refused(self, *wanted):
        """It ends with 78, and one line of the log has all that is wanted."""
        code = self.store.start().wait_ended(30)
        if code != 78 or not any(all(word in line for word in wanted) for line in self.told().splitlines()):
            raise Failed(f"exit {code}, not 78 with {wanted}\n{self.store.tail()}")

    def configured(self, **changed):
        """The configuration with other values of settings that it has."""
        lines = self.conf.splitlines()
        for name, value in changed.items():
            lines = [f"{name} = {value}" if line.startswith(f"{name} =") else line for line in lines]
        self.weir.conf.write_text("\n".join(lines))


def check_space(checks):
    """Nothing is opened on a full disk; it waits for room."""
    wanted = f"bytes free on the disk of {checks.weir.store_path}"
    checks.store.start(WEIR_SERVICE_STORE_STORE_FREE_MIN="1000000GiB")
    wait_for("it waits for room", 30, lambda: wanted in checks.told() and "store.free.min" in checks.told(), [checks.store])
    if checks.store.is_ready() or checks.weir.store_path.joinpath("CURRENT").exists():
        raise Failed("it began on a full disk")
    checks.store.stop()


def check_settings(checks):
    for topic, name, value, what, fix in REFUSED:
        were = checks.kafka.alter(topic, {name: value})
        checks.refused(f"topic {topic}: {what}, or data can be lost; {ALTER} {checks.kafka.bootstrap}", fix)
        checks.kafka.alter(topic, {name: were[name]})


def check_copies(checks):
    """Topics that have fewer copies than the configuration wants, and take records that fewer brokers have."""
    checks.configured(**{"replication.factor": 3, "min.insync.replicas": 2})
    checks.refused("topic.differs", f"topic={CHANGES} setting=replication.factor has=1", "3", "kafka-reassign-partitions.sh")
    told = f"topic={CHANGES} setting=min.insync.replicas has=1"
    if told not in checks.told():
        raise Failed(f"not told: {told}")
    checks.configured()


def check_harmless(checks):
    """What puts nothing at risk is told, and it starts."""
    checks.kafka.alter(CHANGES, {"message.timestamp.type": "CreateTime"})
    checks.store.start().wait_ready()
    if f"topic={CHANGES} setting=message.timestamp.type has=CreateTime" not in checks.told():
        raise Failed(f"not told\n{checks.store.tail()}")
    checks.store.stop()


def check_counts(checks):
    """All topics of a collection have its count of partitions."""
    checks.configured(partitions=4)
    checks.refused("[collection orders] partitions = 4, but", str(checks.weir.store_path), "was filled with 3", "never changes")
    checks.configured()
    admin = AdminClient({"bootstrap.servers": checks.kafka.bootstrap})
    admin.create_partitions([NewPartitions(CHANGES, 4)])[CHANGES].result(30)
    wait_for("the partition", 30, lambda: len(admin.list_topics(timeout=10).topics[CHANGES].partitions) == 4)
    checks.refused(f"topic {CHANGES}: partitions is 4, should be 3", "never changed")


def test():
    with Stage() as stage:
        checks = Checks(stage)
        for check in (check_space, check_settings, check_copies, check_harmless, check_counts):
            check(checks)


if __name__ == "__main__":
    main(test)
