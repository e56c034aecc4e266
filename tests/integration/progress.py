"""What a group has committed over time, its lag, the age of its last commit: seen from Kafka, also while brokers are away."""
import threading
import time
from collections import deque

import confluent_kafka as ck
from source import consumer, describe

PAUSE_S, CALL_S = 0.2, 2


class Progress:
    """Looks five times a second in threads of its own; `history` holds (monotonic seconds, records done so far)."""

    def __init__(self, kafka, group="store", topic="orders"):
        # Not the stable offsets: those would wait for the transaction that a kill leaves open.
        self.handles = [consumer(kafka.bootstrap, "read_uncommitted", group) for _ in range(2)]
        count = describe(kafka.bootstrap, [topic])[1][topic]
        self.partitions = [ck.TopicPartition(topic, p) for p in range(count)]
        self.ends, self.done = [0] * count, [0] * count
        self.history, self.changed, self.ending = deque(), None, False
        # The ends of one dead leader must not keep the other look waiting.
        looks = zip((self._look_at_commits, self._look_at_ends), self.handles)
        self.threads = [threading.Thread(target=self._run, args=look, daemon=True) for look in looks]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ending = True
        for thread in self.threads:
            thread.join(30)
        for handle in self.handles:
            handle.close()

    @property
    def lag(self):
        return sum(max(0, end - done) for end, done in zip(self.ends, self.done))

    @property
    def commit_age_s(self):
        """Seconds since a commit was seen, rounded up by one look; infinite before the first."""
        return float("inf") if self.changed is None else time.monotonic() - self.changed

    def _run(self, look, handle):
        while not self.ending:
            try:
                look(handle)
            except ck.KafkaException:
                pass  # looked again soon
            time.sleep(PAUSE_S)

    def _look_at_commits(self, handle):
        since = time.monotonic()
        done = [max(0, tp.offset) for tp in handle.committed(self.partitions, CALL_S)]
        if done != self.done:
            self.changed = since
        self.done = done
        self.history.append((since, sum(done)))

    def _look_at_ends(self, handle):
        for place in self.partitions:
            self.ends[place.partition] = handle.get_watermark_offsets(place, CALL_S)[1]
