"""The material of a judgement: records as they lie in the five topics, and the positions they name."""
from dataclasses import dataclass, field


@dataclass(frozen=True, order=True)
class Position:
    """topic/partition/offset, the name of one command."""

    topic: str
    partition: int
    offset: int

    def __str__(self):
        return f"{self.topic}/{self.partition}/{self.offset}"

    @staticmethod
    def parse(text):
        """None when the text is no position."""
        parts = (text or "").rsplit("/", 2)
        if len(parts) != 3 or not parts[0]:
            return None
        if not all(p.isascii() and p.isdigit() for p in parts[1:]):
            return None
        return Position(parts[0], int(parts[1]), int(parts[2]))


@dataclass
class Record:
    """One committed record. key and value are bytes or None; the last header of a name wins."""

    topic: str
    partition: int
    offset: int
    key: bytes = None
    value: bytes = None
    headers: dict = field(default_factory=dict)
    timestamp_ms: int = 0

    @property
    def position(self):
        return Position(self.topic, self.partition, self.offset)

    def header(self, name):
        raw = self.headers.get(name)
        return None if raw is None else raw.decode("utf-8", "replace")

    @property
    def key_text(self):
        return None if self.key is None else self.key.decode("utf-8", "replace")


@dataclass(frozen=True)
class Names:
    """The topics of one collection and one service over it."""

    collection: str
    service: str = "store"
    prefix: str = ""

    @property
    def commands(self):
        return self.prefix + self.collection

    @property
    def changes(self):
        return f"{self.commands}.changes"

    @property
    def outcomes(self):
        return f"{self.commands}.{self.service}.outcomes"

    @property
    def retry(self):
        return f"{self.commands}.{self.service}.retry"

    @property
    def dlq(self):
        return f"{self.commands}.{self.service}.dlq"

    @property
    def all(self):
        return (self.commands, self.changes, self.outcomes, self.retry, self.dlq)

    @property
    def own(self):
        """What every service has, whatever its plugin does: its source, its retry topic and its dead letters."""
        return (self.commands, self.retry, self.dlq)


@dataclass
class History:
    """Everything committed in the topics of `names`, each list in (partition, offset) order."""

    names: Names
    partitions: int
    cluster: str = ""
    commands: list = field(default_factory=list)
    changes: list = field(default_factory=list)
    outcomes: list = field(default_factory=list)
    retry: list = field(default_factory=list)
    dlq: list = field(default_factory=list)
    partition_counts: dict = field(default_factory=dict)


def _murmur2(data):
    """Kafka's murmur2 (32 bit, seed 0x9747b28c), as its Java client computes it."""
    mask, m = 0xFFFFFFFF, 0x5BD1E995
    h = 0x9747B28C ^ len(data)
    whole = len(data) & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = h * m & mask ^ k
    if len(data) > whole:
        h = (h ^ int.from_bytes(data[whole:], "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


def partition_of(key, partitions):
    """Where the Java client would put this key."""
    return (_murmur2(key) & 0x7FFFFFFF) % partitions
