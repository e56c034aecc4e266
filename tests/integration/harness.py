"""Starts and stops the real pieces for a test: Kafka, topics, gateway, services; waits on events with deadlines.

    with Stage() as stage:                  # a temporary folder, removed at the end unless the test failed
        kafka = stage.kafka()               # real Kafka; the test is skipped (77) where it cannot be had
        weir = stage.weir(kafka)            # writes weir.conf, creates the topics
        weir.start("gateway"), weir.start("store")
"""
import fcntl
import json
import os
import random
import signal
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("WEIR_BUILD") or ROOT / "build" / "dev")
JUDGE = ROOT / "tests" / "judge"
sys.path.insert(0, str(JUDGE))

from confluent_kafka.admin import AdminClient, ConfigResource  # noqa: E402
import source  # noqa: E402  (the judge's reader of topics and offsets)
from reads import Http  # noqa: E402

SKIPPED = 77
START_S, STOP_S, POLL_S = 30, 30, 0.02
PORT_LOCKS = open(Path(tempfile.gettempdir()) / f"weir-ports.{os.getuid()}", "a")  # its locks last as long as this process
PORTS_TAKEN = set()


class Failed(Exception):
    """The test has failed; the text says what and where."""


def say(text):
    """One line of the test's own report."""
    print(text, flush=True)


def wait_for(what, seconds, probe, alive=()):
    """The first true answer of probe(); Failed after `seconds` or as soon as one of `alive` has ended."""
    deadline = time.monotonic() + seconds
    while True:
        answer = probe()
        if answer:
            return answer
        for program in alive:
            program.check_alive()
        if time.monotonic() > deadline:
            raise Failed(f"{what}: not within {seconds} s")
        time.sleep(POLL_S)


def ports_of_tests():
    """Below those that the system gives to whoever connects or names none, so that none is taken before its server listens."""
    first_of_system = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    return range(10000, first_of_system) if first_of_system > 12000 else range(10000, 30000)


def take_port(port):
    """Keeps the port from other tests while this process lives; False when one of them has it or somebody listens there."""
    if port in PORTS_TAKEN:
        return False
    try:
        fcntl.lockf(PORT_LOCKS, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)  # one byte of the file for each port
        with socket.socket() as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind(("127.0.0.1", port))
    except OSError:
        return False
    PORTS_TAKEN.add(port)
    return True


def free_ports(count):
    """Ports of 127.0.0.1 that nobody listens on, all different."""
    ports = ports_of_tests()
    found = []
    for port in random.sample(ports, len(ports)):
        if take_port(port):
            found.append(port)
        if len(found) == count:
            return found
    raise Failed(f"there are no {count} free ports")


def find_program(name):
    """The built program of that name."""
    path = BUILD / "bin" / name
    if not os.access(path, os.X_OK):
        raise Failed(f"{path} is not built")
    return path


class Program:
    """One process with its log; started again under the same name after a kill."""

    def __init__(self, name, argv, folder, environment=(), readyz=None):
        self.name, self.argv, self.folder, self.readyz = name, [str(a) for a in argv], folder, readyz
        self.environment, self.process, self.starts, self.reads = dict(environment), None, 0, None
        self.log = Path(folder) / f"{name}.log"

    def start(self, **environment):
        """Starts it; does not wait. `environment` is for this start only."""
        self.starts += 1
        with open(self.log, "ab") as log:
            log.write(f"--- start {self.starts} {environment or ''}\n".encode())
            log.flush()
            self.process = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={**os.environ, **self.environment, **environment},
                start_new_session=True,
            )
        return self

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    def check_alive(self):
        if self.process is not None and self.process.poll() is not None:
            raise Failed(f"{self.name} ended with {self.process.returncode}\n{self.tail()}")

    def is_ready(self):
        try:
            http = Http(self.readyz, timeout_s=3)
            status, _, self.detail = http.get("/readyz")
            http.close()
            return status == 200
        except (OSError, ValueError):
            return False

    def wait_ready(self, seconds=START_S):
        try:
            wait_for(f"{self.name} ready", seconds, self.is_ready, [self])
        except Failed as error:
            raise Failed(f"{error}\n{self.tail()}") from None
        return self

    def metric(self, name):
        """Sum of a metric over its labels, or the one whose labels are named as they are printed; or None."""
        http = Http(self.readyz, timeout_s=5)
        text = http.get("/metrics")[2].decode()
        http.close()
        samples = [line.rsplit(" ", 1) for line in text.splitlines() if line[:1] != "#"]
        values = [float(value) for which, value in samples if name in (which, which.split("{")[0])]
        return sum(values) if values else None

    def library(self, name):
        """The path of a shared library that the running process has loaded, its links followed; None without it."""
        lines = Path(f"/proc/{self.process.pid}/maps").read_text().splitlines()
        return next((line.split()[-1] for line in lines if f"/{name}.so" in line), None)

    def sanitizer_reports(self):
        """Lines of its log in which a sanitizer found something."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return [line for line in text.splitlines() if "Sanitizer" in line or ": runtime error: " in line]

    def signal(self, number):
        """Sends it; a SIGSTOP is waited for, since threads go on for a moment."""
        self.process.send_signal(number)
        if number == signal.SIGSTOP:
            os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WNOWAIT)

    def kill(self):
        """kill -9, and waits until it is gone."""
        if self.running:
            self.process.kill()
        self.process.wait(STOP_S)

    def wait_ended(self, seconds):
        """Its exit code, negative for a signal; Failed when it lives on."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name} did not end within {seconds} s\n{self.tail()}") from None

    def stop(self, seconds=STOP_S):
        """SIGTERM; its exit code."""
        if self.running:
            self.process.terminate()
        return self.wait_ended(seconds)

    def tail(self, lines=15):
        if not self.log.exists():
            return ""
        return "".join(f"  {self.name}| {line}" for line in self.log.read_text(errors="replace").splitlines(True)[-lines:])


def _variables(path):
    """A file of NAME='value' lines."""
    pairs = (line.split("=", 1) for line in Path(path).read_text().splitlines() if "=" in line)
    return {name: value.strip("'\"") for name, value in pairs}


class Kafka:
    """A cluster of tests/kafka/up; ends with this process."""

    def __init__(self, folder, *arguments):
        self.folder = folder
        up = subprocess.run(
            [ROOT / "tests/kafka/up", "--dir", folder, "--for", str(os.getpid()), *arguments],
            stdout=subprocess.PIPE,
            check=False,
        )
        if up.returncode == SKIPPED:
            say("SKIPPED: Apache Kafka cannot be had here")
            sys.exit(SKIPPED)
        if up.returncode != 0:
            raise Failed(f"tests/kafka/up ended with {up.returncode}")
        self.variables = _variables(Path(folder) / "env")
        self.bootstrap, self.brokers = self.variables["KAFKA"], int(self.variables["BROKERS"])

    def broker(self, verb, number=1):
        """kill, term, stop, cont or start."""
        subprocess.run([ROOT / "tests/kafka/broker", verb, self.folder, str(number)], check=True, stdout=sys.stderr)

    def leaders(self, topic):
        """{partition: number of the broker that leads it}."""
        return source.leaders(self.bootstrap, topic)

    def coordinator(self, name, topic="__consumer_offsets"):
        """The broker that coordinates a group, or a transactional.id with topic="__transaction_state"."""
        leaders = self.leaders(topic)
        return leaders[source.coordinating_partition(name, len(leaders))]

    def address(self, number):
        """Where clients reach a broker."""
        return self.variables[f"KAFKA_BROKER_{number}"]

    def alter(self, topic, changed):
        """Changes settings of a topic; all that it had of its own before."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic)

        def now():
            told = next(iter(admin.describe_configs([resource]).values())).result(30)
            return {name: entry.value for name, entry in told.items() if not entry.is_default}

        were = now()
        wanted = ConfigResource(ConfigResource.Type.TOPIC, topic, set_config={**were, **changed})
        next(iter(admin.alter_configs([wanted]).values())).result(30)
        wait_for(f"settings {changed}", 30, lambda: changed.items() <= now().items())
        return were

    def is_in_sync(self):
        """Whether every replica of every partition is in sync."""
        return source.is_in_sync(self.bootstrap)

    def spread_leaders(self):
        """Gives each broker its share of leaders again."""
        tool = [ROOT / "tests/kafka/tool", "elect", "--bootstrap-server", self.bootstrap]
        # Ends with 1 when a partition has its preferred leader already, or gets it while it is asked.
        subprocess.run([*tool, "--election-type", "preferred", "--all-topic-partitions"], check=False, stdout=sys.stderr)

    def ports(self, number):
        """All ports that a broker listens on."""
        text = (Path(self.folder) / f"broker-{number}" / "server.properties").read_text()
        line = next(line for line in text.splitlines() if line.startswith("listeners="))
        return [int(one.rsplit(":", 1)[1]) for one in line.split(",")]

    def down(self):
        subprocess.run([ROOT / "tests/kafka/down", self.folder], check=False, stdout=sys.stderr)


def surroundings():
    """What Weir's programs need of the environment; WEIR_LIBRDKAFKA=DIR makes them run with the librdkafka there."""
    found = {
        "WEIR_PLUGIN_PATH": os.environ.get("WEIR_PLUGIN_PATH", str(BUILD / "plugins")),
        # Debian's libraries are not built for the thread sanitizer: what they do among themselves it can't judge.
        "TSAN_OPTIONS": os.environ.get("TSAN_OPTIONS", "ignore_noninstrumented_modules=1"),
    }
    if os.environ.get("WEIR_LIBRDKAFKA"):
        found["LD_LIBRARY_PATH"] = os.environ["WEIR_LIBRDKAFKA"]
    return found


def newest_librdkafka():
    """A folder with the newest librdkafka of Debian's sources; the test is skipped (77) where it cannot be had."""
    done = subprocess.run([ROOT / "tests/support/newest", "librdkafka"], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode == SKIPPED:
        say("SKIPPED: the newest librdkafka cannot be had here")
        sys.exit(SKIPPED)
    if done.returncode != 0:
        raise Failed(f"tests/support/newest ended with {done.returncode}")
    return done.stdout.strip()


class Weir:
    """One deployment: a configuration file and the programs that run by it."""

    def __init__(self, folder, kafka, more="", sections=None, partitions=6, collections=("orders",)):
        self.folder, self.kafka, self.programs, self.collections = Path(folder), kafka, {}, collections
        self.folder.mkdir(parents=True, exist_ok=True)
        ports = free_ports(5)
        self.address = {
            name: f"127.0.0.1:{port}"
            for name, port in zip(("gateway", "gateway-management", "store", "store-management", "notifier-management"), ports)
        }
        self.conf = self.folder / "weir.conf"
        self.store_path = self.folder / "store" / "db"
        self.conf.write_text(self._conf(partitions, sections or {}) + more)
        self.run("weirctl", "topics", "apply")

    def _conf(self, partitions, more):
        """`more` adds lines to sections: {"kafka": "…", "gateway": "…", "store": "…"}."""
        sections = {
            "log": ["level = notice"],
            "kafka": [
                f"bootstrap.servers = {self.kafka.bootstrap}",
                f"replication.factor = {self.kafka.brokers}",
                f"min.insync.replicas = {2 if self.kafka.brokers > 1 else 1}",
            ],
            "gateway": [
                f"listen = {self.address['gateway']}",
                f"management.listen = {self.address['gateway-management']}",
            ],
            "collection orders": ["key = orderID", f"partitions = {partitions}"],
            "service store": [
                "plugin = store",
                "topics = " + ", ".join(self.collections),
                f"management.listen = {self.address['store-management']}",
                f"state.dir = {self.folder}/store",
                f"store.path = {self.store_path}",
                f"store.listen = {self.address['store']}",
                f"store.advertise = http://{self.address['store']}",
            ],
        }
        for name, lines in more.items():
            sections.setdefault(name, []).extend(lines)
        self.store_path.parent.mkdir(parents=True, exist_ok=True)
        return "".join(f"[{name}]\n" + "\n".join(lines) + "\n\n" for name, lines in sections.items())

    def run(self, program, *arguments, timeout=60):
        """Runs weirctl or another program to its end."""
        argv = [find_program(program), "--config", self.conf, *arguments]
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout, check=False)
        if done.returncode != 0:
            raise Failed(f"{program} {' '.join(arguments)}: exit {done.returncode}\n{done.stdout.decode(errors='replace')}")
        return done.stdout.decode()

    def program(self, name, binary=None):
        """The Program for the gateway or a service, made at the first call."""
        if name not in self.programs:
            binary = find_program(binary or ("weir-gateway" if name == "gateway" else "weir-consumer"))
            service = [] if name == "gateway" else ["--service", name]
            argv = [binary, "--config", self.conf, *service]
            readyz = f"http://{self.address[f'{name}-management']}"
            self.programs[name] = Program(name, argv, self.folder, surroundings(), readyz)
        return self.programs[name]

    def instance(self, name, binary="weir-consumer", service="store"):
        """One of several instances of the store, with a folder, documents and addresses of its own."""
        full = f"{service}-{name}"
        if full not in self.programs:
            folder, ports = self.folder / full, free_ports(2)
            folder.mkdir()
            argv = [find_program(binary), "--config", self.conf, "--service", service, "--instance", name]
            own = {
                "MANAGEMENT_LISTEN": f"127.0.0.1:{ports[0]}",
                "STATE_DIR": folder,
                "STORE_PATH": folder / "db",
                "STORE_LISTEN": f"127.0.0.1:{ports[1]}",
                "STORE_ADVERTISE": f"http://127.0.0.1:{ports[1]}",
            }
            environment = {f"WEIR_SERVICE_{service.upper()}_{key}": str(value) for key, value in own.items()}
            self.programs[full] = Program(
                full, argv, self.folder, {**surroundings(), **environment}, f"http://127.0.0.1:{ports[0]}"
            )
            self.programs[full].reads = own["STORE_ADVERTISE"]
        return self.programs[full]

    def start(self, name, binary=None, **environment):
        return self.program(name, binary).start(**environment)

    @property
    def url(self):
        return f"http://{self.address['gateway']}"

    def wipe_store(self):
        """Removes the store's documents, as a lost disk would."""
        shutil.rmtree(self.store_path.parent)
        self.store_path.parent.mkdir()

    def judge_service(self, name, settle=60, attempts=3):
        """Judges the retry topic and the dead letters of any service; (exit code, counts)."""
        topics = ["--kafka", self.kafka.bootstrap, "--settle", settle, "--service", name]
        return self._judge([*topics, "--retries-only", "--attempts", attempts])

    def judge(self, log=None, store=False, settle=60):
        """Runs the judge, with each document read through the gateway, and if asked from the store, or the instance given, too;
        (exit code, counts)."""
        argv = ["--kafka", self.kafka.bootstrap, "--settle", settle, "--gateway", self.url]
        reads = getattr(store, "reads", None) or f"http://{self.address['store']}"
        argv += ["--store", reads] if store else []
        argv += ["--log", log] if log else []
        return self._judge(argv)

    @staticmethod
    def _judge(argv):
        done = subprocess.run([str(a) for a in (JUDGE / "judge", *argv)], stdout=subprocess.PIPE, check=False)
        out = done.stdout.decode().strip()
        return done.returncode, json.loads(out) if out else {}

    def stop(self):
        """SIGTERM to all that run; Failed when one does not end cleanly, or a sanitizer has found something."""
        bad = [f"{p.name} ended with {code}" for p in self.programs.values() if p.running and (code := p.stop()) != 0]
        bad += [f"{p.name}: {line}" for p in self.programs.values() for line in p.sanitizer_reports()]
        if bad:
            raise Failed("; ".join(bad))


class Stage:
    """A temporary folder and all that was started in it; everything ends with it, by pid."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="weir-test."))
        self.clusters, self.deployments = [], []

    def kafka(self, *arguments):
        self.clusters.append(Kafka(str(self.folder / f"kafka-{len(self.clusters)}"), *arguments))
        return self.clusters[-1]

    def weir(self, kafka, **more):
        self.deployments.append(Weir(self.folder / f"weir-{len(self.deployments)}", kafka, **more))
        return self.deployments[-1]

    def __enter__(self):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        return self

    def __exit__(self, kind, error, _trace):
        for deployment in self.deployments:
            for program in deployment.programs.values():
                if kind not in (None, SystemExit):
                    sys.stderr.write(program.tail(30))
                if program.running:
                    program.kill()
        for cluster in self.clusters:
            cluster.down()
        if kind is None or os.environ.get("WEIR_KEEP") is None:
            shutil.rmtree(self.folder, ignore_errors=True)
        else:
            say(f"kept: {self.folder}")


def main(test):
    """Runs a test function; its exit code: 0, 1 with the reason, or 77."""
    try:
        test()
    except Failed as error:
        print(f"FAILED: {error}", file=sys.stderr)
        sys.exit(1)
    say("ok")
