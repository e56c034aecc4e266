#!/usr/bin/python3
"""Dead letters of a running store, taken back: a stray by its key's partition, a broken body once it is mended; stored and judged."""
import json
import subprocess

from letters import PARTITIONS, Failed, Stage, ck, equal, main, partition_of, say, wait_for
from harness import find_program
from reads import Http

BROKEN, STRAY = "broken-1", "stray-1"
MENDED = b'{"orderID":"broken-1","total":7.50}'
BODY = b'{"orderID":"stray-1", "total": 19.990}'


def put(kafka):
    """A body that ends too early, and a record on another partition than its key's: neither could come by the gateway."""
    producer = ck.Producer({"bootstrap.servers": kafka.bootstrap, "acks": "all"})
    producer.produce("orders", partition=partition_of(BROKEN.encode(), PARTITIONS), key=BROKEN, value=b'{"orderID":"broken-1",')
    producer.produce("orders", partition=(partition_of(STRAY.encode(), PARTITIONS) + 1) % PARTITIONS, key=STRAY, value=BODY)
    if producer.flush(30):
        raise Failed("the records were not written")


def dlq(weir, verb, *arguments):
    argv = [find_program("weirctl"), "--config", weir.conf, "dlq", verb, "--service", "store", "--json", *arguments]
    done = subprocess.run([str(a) for a in argv], capture_output=True, timeout=60, check=False)
    if done.returncode != 0:
        raise Failed(f"dlq {verb}: exit {done.returncode}\n{done.stdout.decode()}{done.stderr.decode()}")
    return json.loads(done.stdout)


def stored(weir, key):
    status, _, body = Http(weir.url).get(f"/v1/orders/{key}")
    return body if status == 200 else None


def test():
    with Stage() as stage:
        kafka = stage.kafka()
        weir = stage.weir(kafka, partitions=PARTITIONS)
        programs = [weir.start("gateway"), weir.start("store")]
        for program in programs:
            program.wait_ready()
        put(kafka)
        wait_for("two letters", 30, lambda: dlq(weir, "stats")["open"] == 2, programs)
        kinds = sorted((one["key"], one["disposition"]) for one in dlq(weir, "list")["letters"])
        equal("letters", [(BROKEN, "invalid"), (STRAY, "wrong-partition")], kinds)
        equal("not yet stored", (None, None), (stored(weir, BROKEN), stored(weir, STRAY)))
        equal("the mended one", 1, dlq(weir, "redrive", "--key", BROKEN, "--set", f"={MENDED.decode()}")["sent"])
        equal(BROKEN, MENDED, wait_for(f"{BROKEN} stored", 30, lambda: stored(weir, BROKEN), programs))
        code, counts = weir.judge()
        say(f"judge: exit {code}, {counts}")
        if code != 0 or (counts["dead_letters"], counts["changes"], counts["redrives"]) != (2, 1, 1):
            raise Failed("the judge found something else than two dead letters, one of them driven again and stored")
        equal("the stray", (1, 1), (lambda a: (a["sent"], a["already"]))(dlq(weir, "redrive")))
        equal(STRAY, BODY, wait_for(f"{STRAY} stored", 30, lambda: stored(weir, STRAY), programs))
        equal("again", (0, 2), (lambda a: (a["sent"], a["already"]))(dlq(weir, "redrive")))
        equal("open", 0, dlq(weir, "stats")["open"])
        weir.stop()


if __name__ == "__main__":
    main(test)
