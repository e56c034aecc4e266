"""How far a consumer group is behind and when it last committed, seen from Kafka alone."""
import threading
import time
from dataclasses import dataclass

import harness
import confluent_kafka as ck
from source import CALL_S, consumer, describe, patiently


@dataclass(frozen=True)
class Sample:
    """Ends and committed offsets of all partitions; `ends` were read before `done`, both after `since`."""

    since: float
    ends: tuple
    done: tuple

    @property
    def lag(self):
        return sum(max(0, end - done) for end, done in zip(self.ends, self.done))


class Watch:
    """Samples a group on a topic in a thread of its own, some 50 times a second."""

    def __init__(self, kafka, group="store", topic="orders"):
        self.bootstrap, self.topic = kafka.bootstrap, topic
        # Not the stable offsets: those would wait for the transaction that a kill leaves open.
        self.handle = consumer(self.bootstrap, "read_uncommitted", group)
        self.partitions = [ck.TopicPartition(topic, p) for p in range(describe(self.bootstrap, [topic])[1][topic])]
        self.last, self.changed_after, self.ending = None, None, False
        self.lock, self.thread = threading.Lock(), threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.last = self.sample()
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending = True
        self.thread.join(2 * CALL_S)
        self.handle.close()

    def sample(self):
        """One look, now. Ends first, so that its lag is never more than the truth."""
        with self.lock:
            since = time.monotonic()
            ends = tuple(patiently(self.handle.get_watermark_offsets, p)[1] for p in self.partitions)
            done = tuple(max(0, tp.offset) for tp in patiently(self.handle.committed, self.partitions))
            return Sample(since, ends, done)

    def open_records(self, topic):
        """Records of the topic that lie in a transaction without an end (with all that was written behind them)."""
        stable = consumer(self.bootstrap, "read_committed")
        with self.lock:
            places = [ck.TopicPartition(topic, p.partition) for p in self.partitions]
            high = sum(patiently(self.handle.get_watermark_offsets, place)[1] for place in places)
            low = sum(patiently(stable.get_watermark_offsets, place)[1] for place in places)
        stable.close()
        return high - low

    def _run(self):
        while not self.ending:
            try:
                new = self.sample()
            except ck.KafkaException:
                continue
            if new.done != self.last.done:
                # It committed after the look before began: an age counted from there is never too young.
                self.changed_after = self.last.since
            self.last = new
            time.sleep(0.005)

    @property
    def commit_age_s(self):
        """Seconds since the last commit, rounded up by one look; infinite before the first."""
        return float("inf") if self.changed_after is None else time.monotonic() - self.changed_after

    def wait_commit(self, seconds, alive=()):
        """Waits for a commit that is made after this call."""
        before = self.sample().done
        harness.wait_for("a commit of the store", seconds, lambda: self.last.done != before, alive)

    def wait_settled(self, seconds, alive=()):
        """Waits for lag 0."""
        harness.wait_for("lag 0", seconds, lambda: self.sample().lag == 0, alive)
