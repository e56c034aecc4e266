"""Two booted machines with Weir's packages that share their consumer groups, a secure Kafka of three brokers and the company's
proxy before their gateways."""
import concurrent.futures
import contextlib
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

import debian
import network
import repository
from authority import Authority
from machine import SKIP, Machine, fresh_tree, run

ROOT = pathlib.Path(__file__).resolve().parents[3]
PACKAGES = ("weir-common", "weir-gateway", "weir-consumer", "weir-plugin-store", "weir-plugin-notifier", "weirctl")
UNITS = ("weir-gateway.service", "weir-consumer@store.service", "weir-consumer@notifier.service")
# The principal of each program, and the file in which its unit finds its environment.
PRINCIPALS = {"gateway": "weir-gateway", "store": "weir-consumer-store", "notifier": "weir-consumer-notifier", "weirctl": "weirctl"}
ACTIVE_S = 240
PROXY = network.HOME + ":8080"

CONFIG = """\
[kafka]
bootstrap.servers = {kafka}
security.protocol = ssl
ssl.ca.location = /etc/weir/tls/ca.pem
ssl.key.pem = @credential:kafka.key

[gateway]
listen = 0.0.0.0:8080
management.listen = 0.0.0.0:8081
auth = keys
keys.file = /etc/weir/keys
tls.certificate = /etc/weir/tls/listener.pem
tls.key = /etc/weir/tls/listener.key
tls.client.ca = /etc/weir/tls/ca.pem
store.peer.secret = @credential:peer.secret

[collection orders]
key = orderID
partitions = 6

[service store]
plugin = store
topics = orders
store.path = /var/lib/weir/store/db
store.free.min = 64MiB
store.peer.secret = @credential:peer.secret

[service notifier]
plugin = notifier
topics = orders.changes
notifier.smtp = 127.0.0.1:2525
notifier.from = orders@example.com
notifier.to = team@example.com
notifier.hostname = demo.example.com
"""


def write(path, text, mode=0o644, group=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    os.chown(path, 0, group)


class Server:
    """One of the two machines, as its operator sees it."""

    def __init__(self, machine, number):
        self.machine, self.number = machine, number
        self.address = network.attach(machine, number)

    def install(self, version, *options):
        """The packages in this version, as from the company's repository."""
        wanted = ["%s=%s" % (name, version) for name in PACKAGES]
        return self.machine.run("apt-get", "-qq", "-y", "-o", "Dpkg::Options::=--force-confold", "-o", "Dpkg::Use-Pty=0", "install",
                                *options, *wanted)

    def put_certificate(self, name, files, credential=None):
        """NAME.pem in /etc/weir/tls, its key where the unit takes it from, or beside it."""
        certificate, key = files
        group = int(self.machine.ask("getent", "group", "weir").split(":")[2])
        write(self.machine.tree / "etc/weir/tls" / (name + ".pem"), certificate.read_text())
        if credential:
            write(self.machine.tree / "etc/credstore" / credential, key.read_text(), 0o400)
        else:
            write(self.machine.tree / "etc/weir/tls" / (name + ".key"), key.read_text(), 0o640, group)

    def put_principal(self, name, files):
        """What makes a program one of Kafka's principals."""
        unit = PRINCIPALS[name]
        self.put_certificate(name, files, unit.replace("weir-consumer-", "weir-consumer.") + ".kafka.key")
        environment = "WEIR_KAFKA_SSL_CERTIFICATE_LOCATION=/etc/weir/tls/%s.pem\n" % name
        if name == "weirctl":
            environment += "WEIR_KAFKA_SSL_KEY_PEM_FILE=/etc/credstore/weirctl.kafka.key\n"
        if name == "store":
            environment += "WEIR_SERVICE_STORE_STORE_LISTEN=%s:8090\n" % self.address
        write(self.machine.tree / "etc/default" / unit, environment)

    def configure(self, pair):
        etc = self.machine.tree / "etc"
        write(etc / "weir/weir.conf", CONFIG.format(kafka=pair.kafka))
        write(etc / "weir/keys", "proxy cn=proxy *:*\n")
        write(etc / "weir/tls/ca.pem", pair.authority.certificate.read_text())
        write(etc / "credstore/weir.peer.secret", "a secret of this test\n", 0o400)
        self.put_certificate("listener", pair.issue_listener())
        for name in PRINCIPALS:
            self.put_principal(name, pair.authority.issue(name))

    def weirctl(self, *arguments):
        """As an operator: weirctl's own certificate comes from /etc/default/weirctl."""
        return self.machine.run("bash", "-euc", 'set -a; . /etc/default/weirctl; exec weirctl "$@"', "weirctl", *arguments)

    def start(self):
        self.machine.run("systemctl", "enable", "--now", "weir.target", *UNITS)
        self.wait_active()

    def processes(self):
        """{unit: (state, process)}."""
        shown = self.machine.run("systemctl", "show", "--property=Id,ActiveState,MainPID", *UNITS)
        units = [dict(line.split("=", 1) for line in unit.splitlines()) for unit in shown.strip().split("\n\n")]
        return {unit["Id"]: (unit["ActiveState"], unit["MainPID"]) for unit in units}

    def wait_active(self, before=None):
        """Until all units run, those of `before` as other processes."""
        def done():
            return all(state == "active" and (before or {}).get(unit) != (state, process) for unit, (state, process) in self.processes().items())
        self.machine.wait("the units of machine %d" % self.number, ACTIVE_S, done)

    def ready(self, unit):
        """What /readyz of a unit says, or nothing."""
        return json.loads(self.page(unit, "/readyz") or "{}")

    def wait_ready(self, *units):
        for unit in units:
            self.machine.wait("%s of machine %d" % (unit, self.number), ACTIVE_S, lambda unit=unit: self.ready(unit).get("ready"))

    def restart(self, *units):
        before = self.processes()
        self.machine.run("systemctl", "restart", "--no-block", *units)
        self.wait_active({unit: before[unit] for unit in units})

    def page(self, unit, path):
        """What a unit's management listener says, or ""."""
        name = unit.removeprefix("weir-consumer@").removesuffix(".service")
        where = ("http://127.0.0.1:8081",) if unit == UNITS[0] else ("--unix-socket", "/run/weir/%s/%s.sock" % (name, name), "http://x")
        asked = subprocess.run(self.machine.command("curl", "-s", "-m", "10", *where[:-1], where[-1] + path), stdin=subprocess.DEVNULL,
                               capture_output=True, text=True)
        return asked.stdout

    def metric(self, unit, name):
        """The sum of a unit's metric over its labels."""
        found = re.findall(r"^%s(?:{.*})? (\S+)$" % name, self.page(unit, "/metrics"), re.M)
        return sum(map(float, found))

    def version(self, unit):
        """That of the program that runs."""
        return (re.search(r'^weir_build_info\{version="([^"]*)"', self.page(unit, "/metrics"), re.M) or ("", ""))[1]


class Pair:
    """What stands; `servers` are the two machines."""

    # What deploy/demo's story wants to know.
    gateway, smtp = PROXY, "127.0.0.1:2525"

    def __init__(self, folder, values):
        self.folder, self.kafka = folder, values["KAFKA_MTLS"]
        self.kafka_folder, self.clients = folder / "kafka", pathlib.Path(values["KAFKA_CLIENTS"])
        self.maildir = str(folder / "mail")
        self.authority = Authority(folder / "authority", self.kafka_folder / "certs/ca.pem", self.kafka_folder / "certs/ca.key")
        self.servers = []

    def alive(self):
        """deploy/demo's question; systemd looks after it here."""

    def issue_listener(self, seconds=86400):
        return self.authority.issue("listener", "DNS:gateway.example.com", seconds)

    def allow(self):
        """The plan of ACLs, run as an administrator would, but that lines which differ in their topic become one: each is a JVM."""
        plan = self.servers[0].weirctl("acl", "plan", "--command-config", self.clients / "admin-mtls.properties")
        lines = [shlex.split(line) for line in plan.splitlines() if line.startswith("kafka-acls.sh ")]
        merged = {}
        for words in lines:
            at = words.index("--topic") if "--topic" in words else len(words)
            merged.setdefault(tuple(words[1:at] + words[at + 2:]), []).extend(words[at:at + 2])
        with concurrent.futures.ThreadPoolExecutor(4) as at_once:
            list(at_once.map(lambda line: run(ROOT / "tests/kafka/tool", "acls", *line[0], *line[1]), merged.items()))
        return len(lines)


def proxy_config(pair):
    """The example of deploy/conf, with this network's names; to the test itself it speaks plain HTTP."""
    folder = pair.folder / "haproxy"
    folder.mkdir()
    certificate, key = pair.authority.issue("proxy")
    (folder / "proxy.pem").write_text(certificate.read_text() + key.read_text())
    text = (ROOT / "deploy/conf/haproxy.cfg").read_text()
    changes = {"bind :8443 ssl crt /etc/haproxy/weir.pem": "bind " + PROXY, "/etc/haproxy": str(folder),
               "/etc/weir/tls/ca.pem": str(pair.authority.certificate),
               **{"gateway-%d.example.com:8080" % server.number: server.address + ":8080" for server in pair.servers}}
    for old, new in changes.items():
        if old not in text:
            raise RuntimeError("haproxy.cfg has no " + old)
        text = text.replace(old, new)
    (folder / "haproxy.cfg").write_text("global\n    stats socket %s/stats\n" % folder + text)
    return folder / "haproxy.cfg"


def start_kafka(folder):
    subprocess.run([ROOT / "tests/kafka/up", "--brokers", "3", "--secure", "--address", network.HOME, "--dir", folder,
                    "--for", str(os.getpid())], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    lines = (folder / "env").read_text().splitlines()
    return {name: value.strip("'") for name, value in (line.split("=", 1) for line in lines)}


@contextlib.contextmanager
def booted(offered, count=2):
    """`count` machines on the network that know the repository `offered`."""
    with contextlib.ExitStack() as stack:
        servers = []
        for number in range(1, count + 1):
            machine = stack.enter_context(Machine())
            repository.offer(machine, offered)
            machine.boot()
            servers.append(Server(machine, number))
        yield servers


@contextlib.contextmanager
def pair_of_machines():
    """All of it, configured, allowed and running the first version."""
    if subprocess.run([ROOT / "tests/kafka/fetch"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL).returncode == SKIP:
        sys.exit(SKIP)
    haproxy, environment = debian.haproxy()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-pair.", dir="/var/tmp"))
    try:
        repository.make(folder / "repository")
        fresh_tree()  # from here on nobody outside can be asked
        network.enter_new()
        with booted(folder / "repository") as servers, contextlib.ExitStack() as stack:
            stack.callback(subprocess.run, [ROOT / "tests/kafka/down", folder / "kafka"], stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            pair = Pair(folder, start_kafka(folder / "kafka"))
            pair.servers = servers
            os.environ["KCAT_CONFIG"] = str(pair.clients / "admin-mtls.conf")
            for server in servers:
                server.machine.run("apt-get", "-qq", "update")
                server.install(repository.FIRST, "--no-install-recommends")
                server.configure(pair)
                stack.enter_context(network.program_of(server.machine, sys.executable, ROOT / "deploy/mail-sink", "--listen", pair.smtp,
                                                       "--maildir", pair.maildir))
            print("      %d lines of kafka-acls.sh" % pair.allow(), flush=True)
            servers[0].weirctl("topics", "apply")
            stack.enter_context(network.program(haproxy, "-db", "-f", proxy_config(pair), env=environment,
                                                stdout=open(folder / "haproxy.log", "w"), stderr=subprocess.STDOUT))
            for server in servers:
                server.start()
            yield pair
    finally:
        shutil.rmtree(folder, ignore_errors=True)
