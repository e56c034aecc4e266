"""How fast a consumer group comes to the end of what waits on `orders`."""
import time

from confluent_kafka import Consumer, TopicPartition

import measure

PARTITIONS = 6


def committed(consumer):
    positions = consumer.committed([TopicPartition("orders", p) for p in range(PARTITIONS)], timeout=10)
    return sum(max(0, position.offset) for position in positions)


def cpu_of(pids):
    return sum(measure.cpu_seconds(pid) for pid in pids)


def drain(name, group, kafka, kafka_pid, count, pids, done_before=0, bench="store", **more):
    """Watches a group to the end of a backlog of `count` behind what was done before; `more` is told beside its figures, functions are
    asked then."""
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": group, "enable.auto.commit": False,
                         "isolation.level": "read_uncommitted"})
    busy, broker = measure.busy_seconds(), measure.cpu_seconds(kafka_pid)
    first, deadline = None, time.monotonic() + 600
    while (done := committed(consumer) - done_before) < count:
        if first is None and done > 0:
            first = (time.monotonic(), done, cpu_of(pids))
        if time.monotonic() > deadline:
            raise SystemExit("drained only %d of %d" % (done, count))
        time.sleep(0.01)
    now, cpu = time.monotonic(), cpu_of(pids)
    begin, before, cpu_before = first or (now - 1e-9, 0, 0.0)
    consumer.close()
    measure.report(bench=bench, name=name, messages=count, messages_per_s=round((count - before) / (now - begin)),
                   cpu_us_per_message=round((cpu - cpu_before) / max(1, count - before) * 1e6, 1),
                   cpu_us_per_message_with_start=round(cpu / count * 1e6, 1),
                   broker_cpu_us_per_message=round((measure.cpu_seconds(kafka_pid) - broker) / count * 1e6, 1),
                   busy_cpu_s=round(measure.busy_seconds() - busy, 1),
                   rss_peak_mib=round(sum(measure.memory_mib(pid) for pid in pids), 1),
                   **{key: value() if callable(value) else value for key, value in more.items()})
