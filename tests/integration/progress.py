"""What a group has committed over time, its lag, the age of its last commit: seen from Kafka, also while brokers are away."""
import threading
import time
from collections import deque

import confluent_kafka as ck
from source import consumer, describe

PAUSE_S, CALL_S = 0.2, 2


class Progress:
    """Looks five times a second in a thread of its own; `history` holds (monotonic seconds, records done so far)."""

    def __init__(self, kafka, group="store", topic="orders"):
        # Not the stable offsets: those would wait for the transaction that a kill leaves open.
        self.handle = consumer(kafka.bootstrap, "read_uncommitted", group)
        count = describe(kafka.bootstrap, [topic])[1][topic]
        self.partitions = [ck.TopicPartition(topic, p) for p in range(count)]
        self.ends, self.done = [0] * count, [0] * count
        self.history, self.changed, self.ending = deque(), None, False
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending = True
        self.thread.join(30)
        self.handle.close()

    @property
    def lag(self):
        return sum(max(0, end - done) for end, done in zip(self.ends, self.done))

    @property
    def commit_age_s(self):
        """Seconds since a commit was seen, rounded up by one look; infinite before the first."""
        return float("inf") if self.changed is None else time.monotonic() - self.changed

    def _run(self):
        while not self.ending:
            self._look()
            time.sleep(PAUSE_S)

    def _look(self):
        since = time.monotonic()
        try:
            done = [max(0, tp.offset) for tp in self.handle.committed(self.partitions, CALL_S)]
        except ck.KafkaException:
            return
        if done != self.done:
            self.changed = since
        self.done = done
        self.history.append((since, sum(done)))
        for place in self.partitions:
            try:
                self.ends[place.partition] = self.handle.get_watermark_offsets(place, CALL_S)[1]
            except ck.KafkaException:
                continue
