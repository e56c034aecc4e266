#!/usr/bin/python3
"""Backups, and documents whose change log is not theirs any more, on real Kafka; `recovery.py CASE` runs one."""
import json
import shutil
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

import confluent_kafka as ck  # noqa: E402
from confluent_kafka.admin import AdminClient  # noqa: E402
from harness import Failed, Http, Stage, find_program, main, newest_librdkafka, source, surroundings, wait_for  # noqa: E402
from history import partition_of  # noqa: E402

PARTITIONS = 3
CHANGES, OUTCOMES = "orders.changes", "orders.store.outcomes"


class Scene:
    """A store without a gateway: commands are put on its topic."""

    def __init__(self, stage, *settings, kafka=()):
        self.kafka = stage.kafka(*kafka)
        sections = {"kafka.consumer": ["session.timeout.ms = 6000"], "service store": list(settings)}
        self.weir = stage.weir(self.kafka, partitions=PARTITIONS, sections=sections)
        self.store = self.weir.program("store")
        self.backups = stage.folder / "backups"
        self.documents = {}

    def kafka_put(self, key, word):
        """One command that is not noted; without a word it deletes."""
        producer = ck.Producer({"bootstrap.servers": self.kafka.bootstrap, "partitioner": "murmur2_random", "acks": "all"})
        producer.produce("orders", key=key, value=json.dumps({"orderID": key, "word": word}) if word else None)
        if producer.flush(30):
            raise Failed("the command was not written")

    def put(self, first, count, word):
        """Replaces documents number `first` and on; each tenth is deleted."""
        producer = ck.Producer({"bootstrap.servers": self.kafka.bootstrap, "partitioner": "murmur2_random", "acks": "all"})
        for i in range(first, first + count):
            key, text = f"o-{i}", json.dumps({"orderID": f"o-{i}", "word": word, "total": i})
            gone = i % 10 == 0 and word != "first"
            self.documents[key] = None if gone else text
            producer.produce("orders", key=key, value=None if gone else text)
        if producer.flush(30):
            raise Failed("commands were not written")

    def settle(self):
        wait_for("all commands handled", 60, self.is_settled, [self.store])

    def is_settled(self):
        try:
            return source.lag(self.kafka.bootstrap, "store", "orders") == 0
        except ck.KafkaException:
            return False

    def start(self):
        self.store.start().wait_ready()
        self.settle()

    def ctl(self, wanted, *arguments):
        """weirctl; its answer, after its exit status was as wanted."""
        argv = [find_program("weirctl"), "--config", self.weir.conf, *arguments]
        done = subprocess.run(argv, env={**surroundings()}, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != wanted:
            raise Failed(f"weirctl {' '.join(map(str, arguments))}: exit {done.returncode}, not {wanted}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def backup(self):
        return json.loads(self.ctl(0, "backup", "--to", self.backups, "--json"))

    def verify(self, wanted=0, *arguments):
        """The documents that were compared."""
        told = json.loads(self.ctl(wanted, "verify", "--json", *arguments).splitlines()[-1])
        return sum(part["documents"] for part in told["partitions"])

    def check_documents(self):
        """Each document as it was put last."""
        http = Http(f"http://{self.weir.address['store']}", timeout_s=5)
        for key, text in self.documents.items():
            status, _, body = http.get(f"/documents/orders/{key}")
            if (status, body.decode() if status == 200 else None) != ((404, None) if text is None else (200, text)):
                raise Failed(f"{key}: {status} {body}")
        http.close()

    def leave(self, count):
        """Makes documents and stops the store."""
        self.put(0, count, "first")
        self.start()
        self.store.stop()

    def republish(self):
        """Writes the documents to the log, from which the store then goes on."""
        self.ctl(0, "store", "republish", "--yes")
        self.start()
        self.check_documents()
        if self.verify() != self.alive():
            raise Failed("not all documents were republished")

    def alive(self):
        return sum(text is not None for text in self.documents.values())


def test_a_backup_takes_what_is_new_and_is_caught_up():
    with Stage() as stage:
        scene = Scene(stage)
        scene.put(0, 600, "first")
        scene.start()
        first = scene.backup()
        scene.put(300, 100, "second")
        scene.settle()
        if scene.verify() != scene.alive() or (scene.weir.store_path.parent / "db.snapshot").exists():
            raise Failed("not all documents were compared, or the snapshot was left")
        second = scene.backup()
        if not 0 < second["copied_bytes"] < second["bytes"] or first["copied_bytes"] != first["bytes"]:
            raise Failed(f"copied {first} and {second}")
        if scene.verify(0, "--from", first["path"]) != 600 or scene.verify(0, "--from", scene.backups) != scene.alive():
            raise Failed("a backup holds other documents")
        scene.put(500, 100, "third")
        scene.settle()
        scene.ctl(78, "restore", "--from", first["path"], "--yes")  # it runs
        scene.store.stop()
        told = scene.ctl(64, "restore", "--from", first["path"])
        if "say --yes" not in told:
            raise Failed(told)
        shutil.rmtree(scene.weir.store_path)
        scene.ctl(0, "restore", "--from", scene.backups)
        scene.start()
        if scene.store.metric("weir_store_events_restored_total") > 150:
            raise Failed("the backup was not used: all events were restored")
        scene.check_documents()
        if scene.verify() != scene.alive():
            raise Failed("not all documents were compared")
        third = json.loads(scene.ctl(0, "backup", "--to", scene.backups, "--keep", "1", "--json"))
        if [str(path) for path in scene.backups.iterdir()] != [third["path"]]:
            raise Failed(f"kept: {list(scene.backups.iterdir())}")


def certify(folder):
    """A certificate of the store's that is good for both sides, and the CA that has signed it."""
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    (folder / "ext").write_text("extendedKeyUsage=serverAuth,clientAuth\nsubjectAltName=DNS:store-1.example.org\n")
    for argv in (["req", "-x509", *kind, "-keyout", "ca.key", "-subj", "/CN=ca", "-days", "2", "-out", "ca.pem"],
                 ["req", *kind, "-keyout", "store.key", "-subj", "/CN=store-1.example.org", "-out", "store.csr"],
                 ["x509", "-req", "-in", "store.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-extfile", "ext", "-days", "2", "-out", "store.pem"]):
        subprocess.run(["openssl", *argv], cwd=folder, check=True, capture_output=True)
    return [f"tls.certificate = {folder}/store.pem", f"tls.key = {folder}/store.key", f"tls.client.ca = {folder}/ca.pem"]


def test_a_backup_of_a_store_that_asks_for_certificates():
    with Stage() as stage:
        scene = Scene(stage, *certify(stage.folder))
        scene.put(0, 60, "first")
        scene.start()
        backup = scene.backup()
        if scene.verify() != scene.alive() or scene.verify(0, "--from", backup["path"]) != scene.alive():
            raise Failed("not all documents were compared")
        (stage.folder / "store.pem").write_bytes((stage.folder / "ca.pem").read_bytes())
        told = scene.ctl(69, "backup", "--to", scene.backups)
        if "asking the store" not in told:
            raise Failed(told)


def renew(scene):
    """Deletes what the store has written and makes the topics again, empty."""
    admin = AdminClient({"bootstrap.servers": scene.kafka.bootstrap})
    for topic, deleted in admin.delete_topics([CHANGES, OUTCOMES]).items():
        deleted.result(30)
        wait_for("the topic is gone", 30, lambda t=topic: t not in admin.list_topics(timeout=10).topics)
    scene.weir.run("weirctl", "topics", "apply")


def fill(scene, count, event=False):
    """Records of other keys, beyond what the documents stand for; with `event` each makes a document."""
    producer = ck.Producer({"bootstrap.servers": scene.kafka.bootstrap, "partitioner": "murmur2_random", "acks": "all"})
    for i in range(count):
        change = {"op": "c", "collection": "orders", "key": f"x-{i}", "version": 1, "request": f"r-{i}", "ts_ms": 1, "after": {"orderID": f"x-{i}"}}
        value = json.dumps(change, separators=(",", ":")) if event else None
        producer.produce(CHANGES, key=f"x-{i}", value=value, headers=[("ce_id", f"r-{i}")])
    if producer.flush(30):
        raise Failed("records were not written")


def refuse(scene, what):
    """Starts the store, which has to stand still and to say why and what can be done; stops it."""

    def refused():
        scene.store.is_ready()
        told = scene.store.log.read_text().rpartition("--- start")[2]
        return told.count(what) >= PARTITIONS and "weirctl store republish" in told and "weirctl store reset" in told

    scene.store.start()
    wait_for("it says what happened", 30, refused, [scene.store])
    scene.ctl(78, "store", "republish", "--yes")  # it runs
    scene.store.stop()


def test_documents_outlive_their_change_log():
    with Stage() as stage:
        scene = Scene(stage)
        scene.put(0, 200, "first")
        scene.put(100, 50, "second")
        scene.put(100, 50, "second")  # deletes what is gone: outcomes
        scene.start()
        scene.store.stop()
        renew(scene)
        refuse(scene, "the topic ends at")
        scene.verify(1)
        told = scene.ctl(64, "store", "republish")
        if "nothing was written" not in told or len(source.read(scene.kafka.bootstrap, {CHANGES: PARTITIONS})[CHANGES]) > 0:
            raise Failed(told)
        scene.republish()
        scene.store.stop()
        told = scene.ctl(0, "store", "republish", "--yes")
        if told.count(", 0 changes written") != PARTITIONS:
            raise Failed(f"written twice: {told}")
        if "say --yes" not in scene.ctl(64, "store", "reset"):
            raise Failed("it does not say what would be removed")
        scene.ctl(0, "store", "reset", "--yes")
        scene.start()
        scene.check_documents()


def test_a_longer_topic_of_the_same_name_is_noticed_on_the_newest_librdkafka():
    with Stage() as stage:
        scene = Scene(stage)
        scene.store.environment["LD_LIBRARY_PATH"] = newest_librdkafka()
        scene.leave(50)
        renew(scene)
        fill(scene, 1000)
        refuse(scene, "was deleted and made again")


def test_a_longer_topic_of_the_same_name_is_noticed_by_what_it_holds():
    with Stage() as stage:
        scene = Scene(stage)
        scene.leave(200)
        renew(scene)
        fill(scene, 1000)
        refuse(scene, "has another record at offset")
        scene.republish()
        scene.store.stop()
        renew(scene)
        fill(scene, 2000, event=True)
        refuse(scene, "has another record at offset")
        scene.ctl(0, "store", "reset", "--yes")
        scene.start()
        scene.documents = {**dict.fromkeys(scene.documents), **{f"x-{i}": json.dumps({"orderID": f"x-{i}"}, separators=(",", ":")) for i in range(2000)}}
        scene.check_documents()
        if scene.verify() != 2000:
            raise Failed("the documents are not those of the log")


def test_another_cluster_is_noticed():
    with Stage() as stage:
        scene = Scene(stage)
        scene.leave(100)
        conf, other = scene.weir.conf.read_text(), stage.kafka()
        scene.weir.conf.write_text(conf.replace(scene.kafka.bootstrap, other.bootstrap))
        scene.kafka = other
        scene.weir.run("weirctl", "topics", "apply")
        fill(scene, 1000)
        refuse(scene, "holds documents of Kafka cluster")
        if "weirctl group from-origin" not in scene.ctl(0, "store", "republish", "--yes"):
            raise Failed("it does not say that the group has no offsets there")
        scene.ctl(0, "group", "from-origin", "--service", "store", "--yes")
        scene.start()
        scene.check_documents()
        scene.store.stop()
        scene.ctl(0, "store", "reset", "--yes")
        scene.start()
        scene.check_documents()


def test_a_last_change_that_was_compacted_is_no_reason():
    with Stage() as stage:
        scene = Scene(stage, kafka=("--set", "log.cleaner.backoff.ms=100"))
        scene.put(0, 200, "first")
        scene.start()
        gone = {partition_of(key.encode(), PARTITIONS): key for key in scene.documents}
        for key in gone.values():
            scene.kafka_put(key, None)
            scene.documents[key] = None
        scene.settle()
        scene.store.stop()
        lags = {"min.compaction.lag.ms": "0", "delete.retention.ms": "0"}
        were = scene.kafka.alter(CHANGES, {**lags, "segment.ms": "100", "min.cleanable.dirty.ratio": "0.001"})
        producer = ck.Producer({"bootstrap.servers": scene.kafka.bootstrap})

        def compacted():
            for partition in range(PARTITIONS):  # the last segment is never compacted
                producer.produce(CHANGES, key="behind", value=None, partition=partition)
            producer.flush(30)
            return not {r.key_text for r in source.read(scene.kafka.bootstrap, {CHANGES: PARTITIONS})[CHANGES]} & set(gone.values())

        wait_for("the last change of each partition is compacted away", 60, compacted)
        scene.kafka.alter(CHANGES, {name: were[name] for name in lags})
        scene.start()
        scene.check_documents()
        if scene.verify() != scene.alive():
            raise Failed("not all documents were compared")


def positions(address):
    """{partition: state} of an instance; {} without an answer."""
    try:
        http = Http(address, timeout_s=3)
        body = json.loads(http.get("/positions")[2])
        http.close()
        return {part["partition"]: part["state"] for part in body["partitions"]}
    except (OSError, ValueError):
        return {}


def test_a_standby_answers_who_asks_for_one_and_takes_over():
    with Stage() as stage:
        scene = Scene(stage, "store.standby = true")
        scene.put(0, 300, "first")
        gateway, stores = scene.weir.program("gateway").start(), [scene.weir.instance(name).start(WEIR_LOG_LEVEL="info") for name in ("one", "two")]
        for program in (gateway, *stores):
            program.wait_ready()
        wait_for("all commands handled", 60, scene.is_settled, stores)
        reads = {program: program.environment["WEIR_SERVICE_STORE_STORE_ADVERTISE"] for program in stores}

        def whole(program):
            states = positions(reads[program])
            followed = program.log.read_text().count("store.standby topic")
            return set(states.values()) == {"serving", "standby"} and followed >= list(states.values()).count("standby")

        for program in stores:
            wait_for("each serves some and follows the rest", 30, lambda p=program: whole(p), stores)
        owner, other = stores
        partition = next(p for p, state in positions(reads[owner]).items() if state == "serving")
        key = next(key for key in scene.documents if partition_of(key.encode(), PARTITIONS) == partition)

        def read(**headers):
            http = Http(scene.weir.url, timeout_s=30)
            status, told, body = http.get(f"/v1/orders/{key}", headers=[(name.replace("_", "-"), value) for name, value in headers.items()])
            http.close()
            return status, {name.lower(): value for name, value in told.items()}, body.decode()

        status, told, _ = read(Prefer="standby")
        if status != 200 or "weir-standby" in told:
            raise Failed("the owner is there, a standby was asked")
        owner.kill()
        end = source.ends(scene.kafka.bootstrap, {"orders": PARTITIONS})["orders", partition][1]
        scene.kafka_put(key, "newer")
        status, told, body = read(Prefer="standby")
        if (status, told.get("weir-standby"), body) != (200, "two", scene.documents[key]) or not told["weir-position"].startswith(f"orders/{partition}/"):
            raise Failed(f"{status} {told} {body}")
        newer = f"orders/{partition}/{end}"
        status, told, body = read(Prefer="standby, wait=20", Weir_Position=newer)
        if (status, body) != (200, json.dumps({"orderID": key, "word": "newer"})):
            raise Failed(f"older than was asked for: {status} {told} {body}")
        taken = other.log.read_text().rpartition("assignment.taken")[2]
        if f"topic={CHANGES} partition={partition} from=0 " in taken:
            raise Failed(f"read from the beginning again\n{other.tail()}")


def test_a_full_disk_waits_and_goes_on():
    with Stage() as stage:
        scene = Scene(stage, "store.memory = 8MiB", "store.free.min = 32MiB", "batch.max = 100")
        folder = scene.weir.store_path.parent
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "none", folder], stderr=subprocess.DEVNULL).returncode != 0:
            print("SKIPPED: this user may not mount a small disk")
            sys.exit(77)
        try:
            scene.put(0, 200, "first")
            scene.start()
            filler = folder / "filler"
            filler.write_bytes(bytes(40 << 20))
            scene.put(100, 200, "second")
            wait_for("it waits", 30, lambda: not scene.store.is_ready() and b"disk-full" in scene.store.detail, [scene.store])
            if scene.is_settled():
                raise Failed("handled on a full disk")
            scene.store.stop()
            scene.store.start()
            wait_for("a start waits, too", 30, lambda: "store.waiting" in scene.store.log.read_text(), [scene.store])
            filler.unlink()
            scene.store.wait_ready()
            scene.settle()
            scene.check_documents()
            if scene.verify() != scene.alive():
                raise Failed("not all documents were compared")
            scene.store.stop()
        finally:
            if scene.store.running:
                scene.store.kill()
            subprocess.run(["umount", folder], check=True)


def test_a_damaged_instance_ends_and_another_goes_on():
    with Stage() as stage:
        scene = Scene(stage)
        scene.put(0, 600, "first")
        one, two = (scene.weir.instance(name) for name in ("one", "two"))
        one.start().wait_ready()
        wait_for("all commands handled", 60, scene.is_settled, [one])
        one.stop()
        one.start().wait_ready()  # its log has become tables
        one.stop()
        for table in Path(one.environment["WEIR_SERVICE_STORE_STORE_PATH"]).glob("*.sst"):
            with open(table, "r+b") as file:
                file.write(b"Z" * (table.stat().st_size // 2))
        one.start()
        scene.put(0, 600, "second")
        code = one.wait_ended(60)
        if code != 74 or "weirctl store reset" not in one.log.read_text():
            raise Failed(f"exit {code}\n{one.tail()}")
        one.start()
        if one.wait_ended(30) != 74:
            raise Failed("a damaged folder was opened again")
        two.start().wait_ready(60)
        wait_for("the other goes on", 60, scene.is_settled, [two])


if __name__ == "__main__":
    case = globals().get("test_" + (sys.argv[1] if len(sys.argv) > 1 else ""))
    if case is None:
        sys.exit(f"{sys.argv[0]}: no case named {sys.argv[1:]}")
    main(case)
