"""A gateway on the dev broker, a store of the test's own, and HTTP by hand: every byte that is sent is the test's."""
import atexit
import http.server
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

from harness import BUILD, ROOT, SKIPPED, Failed, Program, find_program, free_ports, wait_for  # noqa: E402

ANSWER_S = 20
PARTITIONS = 6
MURMUR2_SEED = 0x9747B28C


class Reply:
    """One HTTP answer."""

    def __init__(self, head, body):
        first, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(first.split(" ", 2)[1])
        self.headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            self.headers.setdefault(name.strip().lower(), value.strip())
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.headers} {self.body[:300]!r}"


class Client:
    """One connection; reads one answer at a time."""

    def __init__(self, port, timeout_s=ANSWER_S, room=None):
        self.socket = socket.socket()
        if room:  # bytes that the kernel takes for a client that does not read
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        self.socket.settimeout(timeout_s)
        self.socket.connect(("127.0.0.1", port))
        self.buffer = b""

    def send(self, data):
        self.socket.sendall(data)
        return self

    def _until(self, mark):
        while mark not in self.buffer:
            data = self.socket.recv(1 << 16)
            if not data:
                raise ConnectionError(f"closed; so far {self.buffer!r}")
            self.buffer += data
        found, self.buffer = self.buffer.split(mark, 1)
        return found

    def reply(self, head_only=False):
        head = self._until(b"\r\n\r\n")
        answer = Reply(head, b"")
        wanted = 0 if head_only or answer.status in (100, 304) else int(answer.headers.get("content-length", 0))
        while len(self.buffer) < wanted:
            data = self.socket.recv(1 << 16)
            if not data:
                raise ConnectionError("closed within a body")
            self.buffer += data
        answer.body, self.buffer = self.buffer[:wanted], self.buffer[wanted:]
        return answer

    def is_closed(self, seconds=5):
        """Whether the server closes within that time, saying nothing more."""
        self.socket.settimeout(seconds)
        try:
            return self.socket.recv(1) == b""
        except ConnectionError:
            return True
        except socket.timeout:
            return False

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def request(method, path, body=None, headers=(), content_type="application/json"):
    """The bytes of a well-formed request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: gateway"]
    if body is not None:
        body = body if isinstance(body, bytes) else body.encode()
        lines.append(f"Content-Length: {len(body)}")
        if content_type:
            lines.append(f"Content-Type: {content_type}")
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


def call(port, *arguments, **more):
    """One request on its own connection."""
    with Client(port) as client:
        return client.send(request(*arguments, **more)).reply(head_only=arguments[0] == "HEAD")


def murmur2_partition(key, count=PARTITIONS):
    """Kafka's own partitioner, written anew: what weir_topic_partition has to agree with."""
    data, mask = key.encode(), 0xFFFFFFFF
    h = (MURMUR2_SEED ^ len(data)) & mask
    m, whole = 0x5BD1E995, len(data) // 4 * 4
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = (h * m & mask) ^ k
    rest = data[whole:]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    h ^= h >> 15
    return (h & 0x7FFFFFFF) % count


class QuietServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *where):
        """A gateway that gives up asking, or ends, is no error of this server's."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(*where)


class Store:
    """Plays the store's read listener: documents by (collection, key), or a status for all."""

    def __init__(self):
        self.documents, self.status, self.seen, self.delay_s = {}, None, [], 0
        self.lists = None  # what answers /lists/…: from the path to the body, None for 503
        self.outcomes = []  # what it says of requests, one after the other: a dict, or a status
        self.told_always = 503  # and when there are none of them left
        self.answer = None  # what is asked before all else: from the path to (status, fields, body), None to go on
        store = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                store.seen.append((self.path, dict(self.headers)))
                time.sleep(store.delay_s)
                answer = store.answer(self.path) if store.answer else None
                if answer:
                    return self.send(*answer)
                if self.path.startswith("/requests/"):
                    return self.answer_request(store.outcomes.pop(0) if store.outcomes else store.told_always)
                if self.path.startswith("/lists/"):
                    body = store.lists(self.path)
                    self.send_response(200 if body else 503)
                    self.send_header("Content-Length", str(len(body or b"")))
                    self.end_headers()
                    return self.wfile.write(body or b"")
                found = store.documents.get(self.path.split("?")[0])
                status = store.status or (200 if found else 404)
                body = found["body"] if status == 200 else b""
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                if status == 404 and not store.status:
                    self.send_header("Weir-Version", "0")
                if status == 200:
                    for name in ("ETag", "Last-Modified", "Weir-Version"):
                        self.send_header(name, found[name])
                self.end_headers()
                self.wfile.write(body)

            def send(self, status, fields, body):
                self.send_response(status)
                for name, value in {**fields, "Content-Length": len(body)}.items():
                    self.send_header(name, str(value))
                self.end_headers()
                self.wfile.write(body)

            def answer_request(self, told):
                body = json.dumps(told).encode() if isinstance(told, dict) else b""
                self.send_response(200 if body else told)
                self.send_header("Content-Length", str(len(body)))
                if told == 404:
                    self.send_header("Weir-Outcome", "unknown")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = QuietServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def put(self, path, body, etag='"e-1"'):
        self.documents[path] = {
            "body": body,
            "ETag": etag,
            "Last-Modified": "Sat, 21 Nov 2026 06:40:20 GMT",
            "Weir-Version": "3",
        }

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Stage:
    """A folder with a configuration, and what was started in it. Everything ends with it."""

    def __init__(self, gateway=(), kafka=(), more="", broker=True, orders=(), topics=("orders",)):
        self.folder = Path(tempfile.mkdtemp(prefix="weir-http."))
        self.conf = self.folder / "weir.conf"
        self.port, self.management = free_ports(2)
        self.store = Store()
        self.programs = []
        self.bootstrap = f"127.0.0.1:{free_ports(1)[0]}"
        self._lines = {"gateway": list(gateway) + ([] if any("drain.delay" in line for line in gateway) else ["drain.delay = 0s"]), "kafka": list(kafka), "orders": list(orders)}
        self._more, self._topics = more, topics
        self.gateway = self.broker = None
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        atexit.register(self._end_all, keep=False)  # also when a start fails, before any `with`
        self.write_conf()
        if broker:
            self.start_broker()

    def write_conf(self):
        self.conf.write_text(
            "\n".join(
                [
                    "[kafka]",
                    f"bootstrap.servers = {self.bootstrap}",
                    *(["dev = true"] if "dev = false" not in self._lines["kafka"] else []),
                    *(line for line in self._lines["kafka"] if line != "dev = false"),
                    "[gateway]",
                    f"listen = 127.0.0.1:{self.port}",
                    f"management.listen = 127.0.0.1:{self.management}",
                    *([f"store.url = {self.store.url}"] if "dev = false" not in self._lines["kafka"] else []),
                    *self._lines["gateway"],
                    "[collection orders]",
                    "key = orderID",
                    f"partitions = {PARTITIONS}",
                    *self._lines["orders"],
                    "[collection products]",
                    "key = productID",
                    f"partitions = {PARTITIONS}",
                    "[service store]",
                    "plugin = store",
                    f"topics = {', '.join(self._topics)}",
                    f"state.dir = {self.folder}/store",
                    f"store.path = {self.folder}/store/db",
                    self._more,
                ]
            )
            + "\n"
        )
        self.conf.chmod(0o600)

    def start_broker(self):
        address = self.folder / "address"
        argv = [find_program("weir-devbroker"), "--config", self.conf, "--address-file", address]
        self.broker = Program("devbroker", argv, self.folder).start()
        self.programs.append(self.broker)
        wait_for("dev broker", 20, address.exists, [self.broker])
        self.bootstrap = address.read_text().strip()
        self.write_conf()

    def start(self, binary="weir-gateway", ready=True, **environment):
        argv = [find_program(binary), "--config", self.conf]
        self.gateway = Program("gateway", argv, self.folder, readyz=f"http://127.0.0.1:{self.management}")
        self.programs.append(self.gateway)
        self.gateway.start(**environment)
        if ready:
            self.gateway.wait_ready()
        else:
            wait_for("listening", 20, lambda: "gateway.listening" in self.log(), [self.gateway])
        return self

    def log(self):
        return self.gateway.log.read_text(errors="replace")

    def client(self, **more):
        return Client(self.port, **more)

    def call(self, *arguments, **more):
        return call(self.port, *arguments, **more)

    def readyz(self):
        return call(self.management, "GET", "/readyz")

    def records(self, topic="orders"):
        """Every record of the topic, by kcat: dicts with key, payload, partition, offset and headers (a dict)."""
        done = subprocess.run(
            ["kcat", "-b", self.bootstrap, "-C", "-t", topic, "-o", "beginning", "-e", "-q", "-J"],
            stdout=subprocess.PIPE,
            timeout=30,
            check=True,
        )
        found = [json.loads(line.decode(errors="replace")) for line in done.stdout.splitlines()]
        for record in found:
            flat = record.get("headers") or []
            record["headers"] = dict(zip(flat[::2], flat[1::2]))
        return found

    def __enter__(self):
        return self

    def _stop_gateway(self):
        """A gateway that lives at the end of a good case has to end well, too: sanitizers speak up at exit."""
        self.broker.signal(signal.SIGCONT) if self.broker and self.broker.running else None
        if self.gateway and self.gateway.running:
            equal(self.gateway.stop(20), 0, f"exit code at the end of the case\n{self.gateway.tail(40)}")

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self._stop_gateway()
            elif kind is not SystemExit:
                sys.stderr.write("".join(program.tail(40) for program in self.programs))
        finally:
            self._end_all(keep=kind is not None and os.environ.get("WEIR_KEEP"))

    def _end_all(self, keep):
        atexit.unregister(self._end_all)
        for program in self.programs:
            if program.running:
                program.process.send_signal(signal.SIGCONT)
                program.kill()
        self.store.close()
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)


class StoreStage(Stage):
    """The same with the store itself, which keeps orders and the collections of `topics` that `more` declares."""

    def __init__(self, gateway=(), more="", topics=(), orders=()):
        listen, management = (f"127.0.0.1:{port}" for port in free_ports(2))
        service = f"store.listen = {listen}\nmanagement.listen = {management}\n{more}"
        super().__init__(gateway, more=service, broker=False, orders=orders, topics=["orders", *topics])
        self.store.url, self._readyz = f"http://{listen}", f"http://{management}"
        self.start_broker()

    def start(self, *arguments, **more):
        argv = [find_program("weir-consumer"), "--config", self.conf, "--service", "store"]
        (self.folder / "store").mkdir()
        self.keeper = Program("store", argv, self.folder, readyz=self._readyz).start()
        self.programs.append(self.keeper)
        super().start(*arguments, **more)
        self.keeper.wait_ready()
        return self


class FaultyStage(Stage):
    """The same on faulty-broker.c; SIGUSR1 to `broker` mends it."""

    def __init__(self, fault, gateway=(), kafka=()):
        super().__init__(gateway, kafka, broker=False)
        self._fault = fault

    def start(self, *arguments, **more):
        address = self.folder / "address"
        topics = [f"{name}:{PARTITIONS}" for name in ("orders", "products")]
        program = BUILD / "tests" / "faulty-broker"
        self.broker = Program("broker", [program, self._fault, address, *topics], self.folder).start()
        self.programs.append(self.broker)
        wait_for("brokers", 20, address.exists, [self.broker])
        self.bootstrap = address.read_text().split(",")[0]  # the second need not be there
        self.write_conf()
        return super().start(*arguments, **more)


class LostCoordinatorStage(FaultyStage):
    """Brokers that make librdkafka's client unable to close once it has looked for stores."""

    def __init__(self, gateway=()):
        super().__init__("lost-coordinator", gateway, ["dev = false", "replication.factor = 1", "min.insync.replicas = 1"])

    def start(self, *arguments, **more):
        super().start(*arguments, **more)
        wait_for("the lost coordinator is tried", 60, lambda: re.search(r"gateway-owner#.*/2: Connect to", self.log()))
        return self

    def owner_clients(self):
        """How many clients have looked for the stores' coordinator by now."""
        return len(set(re.findall(r"weir-gateway-owner#producer-\d+", self.log())))


class Kafka:
    """One broker of real Kafka, by tests/kafka; the case is skipped (77) where it can't be had."""

    def __init__(self, folder, settings=()):
        self.folder, self.tools = str(folder), ROOT / "tests" / "kafka"
        lines = [part for line in settings for part in ("--set", line)]
        argv = [self.tools / "up", "--dir", self.folder, "--for", str(os.getpid()), *lines]
        done = subprocess.run([str(a) for a in argv], stdout=subprocess.PIPE, check=False)
        if done.returncode == SKIPPED:
            print("SKIPPED: Apache Kafka cannot be had here")
            sys.exit(SKIPPED)
        if done.returncode != 0:
            raise Failed(f"tests/kafka/up ended with {done.returncode}")
        lines = (line.split("=", 1) for line in (Path(folder) / "env").read_text().splitlines() if "=" in line)
        self.bootstrap = {name: value.strip("'") for name, value in lines}["KAFKA"]

    def broker(self, verb):
        """kill, stop, cont or start."""
        subprocess.run([self.tools / "broker", verb, self.folder, "1"], check=True, stdout=subprocess.DEVNULL)

    def tool(self, name, *arguments):
        """One of Kafka's own tools (tests/kafka/tool)."""
        argv = [self.tools / "tool", name, "--bootstrap-server", self.bootstrap, *arguments]
        done = subprocess.run([str(a) for a in argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, check=False)
        check(done.returncode == 0, f"{argv} ended with {done.returncode}: {done.stdout}")

    def member(self, url):
        """A member of the store's consumer group that advertises a URL, as stores do."""
        client_id = f"client.id=weir-consumer/store {url}"
        return subprocess.Popen(
            ["kcat", "-b", self.bootstrap, "-G", "store", "-X", client_id, "-X", "session.timeout.ms=6000", "orders"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def down(self):
        subprocess.run([self.tools / "down", self.folder], check=False, stdout=subprocess.DEVNULL)


class KafkaStage(Stage):
    """The same on real Kafka; `settings` are lines of the broker's own."""

    kafka = None

    def __init__(self, gateway=(), more="", settings=()):
        self.settings = settings
        super().__init__(gateway, ["dev = false", "replication.factor = 1", "min.insync.replicas = 1"], more, broker=False)

    def start(self, *arguments, **more):
        self.kafka = Kafka(self.folder / "kafka", self.settings)
        self.bootstrap = self.kafka.bootstrap
        self.write_conf()
        argv = [find_program("weirctl"), "--config", self.conf, "topics", "apply"]
        subprocess.run([str(a) for a in argv], check=True, stdout=subprocess.DEVNULL)
        return super().start(*arguments, **more)

    def _end_all(self, keep):
        if self.kafka:
            self.kafka.down()
        super()._end_all(keep)


def check(truth, what):
    if not truth:
        raise Failed(what)


def equal(got, wanted, what):
    check(got == wanted, f"{what}: got {got!r}, wanted {wanted!r}")


def check_problem(reply, status, *parts):
    """The answer is a problem of RFC 9457 with that status, and its detail holds the parts."""
    equal(reply.status, status, f"status of {reply}")
    equal(reply.headers.get("content-type"), "application/problem+json", "content type")
    problem = reply.json
    equal(problem["status"], status, "status in the body")
    for name in ("type", "title", "detail", "instance", "request_id"):
        check(problem.get(name), f"{name} in {problem}")
    equal(problem["request_id"], reply.headers.get("x-request-id"), "request id in body and header")
    for part in parts:
        check(part in problem["detail"], f"{part!r} in {problem['detail']!r}")
    return problem
