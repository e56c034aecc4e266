"""Starts and stops what the demonstration needs, in one temporary folder: broker, gateway, store, notifier, mail sink."""
import http.client
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

CONFIG = """\
[kafka]
bootstrap.servers = {kafka}
{cluster}
[gateway]
listen = {gateway}
management.listen = {management}
feed = on
{urls}
[collection orders]
key = orderID
partitions = 6
indexes = customerID, status

[collection products]
key = productID
partitions = 2

[collection subscriptions]
key = subscriptionID
partitions = 2

[subscriptions]
url = http://{gateway}
key = {secret}

[service store]
plugin = store
topics = orders, products, subscriptions
management.listen = {store_management}
state.dir = {folder}/store
store.path = {folder}/store/db
store.listen = {store}
{free}
[service notifier]
plugin = notifier
topics = orders.changes, subscriptions.changes
management.listen = {notifier_management}
state.dir = {folder}/notifier
notifier.smtp = {smtp}
notifier.from = orders@example.com
notifier.to = team@example.com
notifier.hostname = demo.example.com
notifier.listen = {notifier}
"""
DEV = "dev = true\n"
# Who owns what is asked of Kafka, and the dev broker can't tell.
URLS = "store.url = http://{store}\nnotifier.url = http://{notifier}\n"
REAL = "replication.factor = 1\nmin.insync.replicas = 1\n"


class Failed(Exception):
    """Something could not be started or ended unasked; the text is for people."""


def free_address(wanted=0):
    """host:port on loopback: the wanted port if nobody has it, else a free one."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return "127.0.0.1:%d" % probe.getsockname()[1]
            except OSError:
                continue
    raise Failed("no free port on 127.0.0.1")


def wait_until(what, seconds, done, alive):
    """Calls done() until it answers something true; Failed after `seconds` or when alive() finds a dead program."""
    deadline = time.monotonic() + seconds
    while True:
        result = done()
        if result:
            return result
        alive()
        if time.monotonic() > deadline:
            raise Failed("%s: not within %d s" % (what, seconds))
        time.sleep(0.05)


class Stack:
    def __init__(self, root, build, real_kafka):
        self.root, self.build, self.real_kafka = root, build, real_kafka
        self.folder = tempfile.mkdtemp(prefix="weir-demo.")
        self.maildir = os.path.join(self.folder, "mail")
        self.config = os.path.join(self.folder, "weir.conf")
        self.processes = {}
        self.stopping = False

    def say(self, text):
        print(text, flush=True)

    def log_of(self, name):
        return os.path.join(self.folder, name + ".log")

    def start(self, name, *command):
        with open(self.log_of(name), "wb") as log:
            self.processes[name] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                                    cwd=self.folder, start_new_session=True)

    def ended(self):
        """Names of programs that ended although nobody asked them to, with how."""
        return ["%s has ended (exit %d)" % (name, process.returncode)
                for name, process in self.processes.items() if process.poll() is not None]

    def alive(self):
        ended = self.ended()
        if ended and not self.stopping:
            name = ended[0].split()[0]
            with open(self.log_of(name), errors="replace") as log:
                tail = "".join(log.readlines()[-5:])
            raise Failed("%s\n%s" % ("; ".join(ended), tail))

    def program(self, name):
        return os.path.join(self.build, "bin", name)

    def address_from(self, file):
        path = os.path.join(self.folder, file)
        def read():
            try:
                with open(path) as stream:
                    return stream.read().strip()
            except FileNotFoundError:
                return ""
        return wait_until(file, 20, read, self.alive)

    def ready(self, address):
        host, port = address.rsplit(":", 1)
        connection = http.client.HTTPConnection(host, int(port), timeout=2)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def up(self):
        self.start_mail_sink()
        self.write_config("127.0.0.1:1")
        if self.real_kafka:
            self.start_kafka()
        else:
            self.start_dev_broker()
        self.start_weir()

    def start_mail_sink(self):
        self.start("mail-sink", "/usr/bin/python3", "-B", os.path.join(self.root, "deploy", "mail-sink"), "--listen",
                   "127.0.0.1:0", "--maildir", self.maildir, "--address-file", os.path.join(self.folder, "smtp.address"))
        self.smtp = self.address_from("smtp.address")
        self.say("Mail sink    %s, mails lie in %s" % (self.smtp, self.maildir))

    def write_config(self, kafka):
        self.kafka = kafka
        if not hasattr(self, "gateway"):
            self.gateway, self.management = free_address(8080), free_address(8081)
            self.store, self.notifier = free_address(8090), free_address()
            self.store_management, self.notifier_management = free_address(), free_address()
            self.secret = secrets.token_hex(32)
        # The store's free-space floor guards production disks; a demonstration of 100 orders does not need 1 GiB.
        with open(self.config, "w") as config:
            os.chmod(self.config, 0o600)  # it holds the key of the links in mails
            config.write(CONFIG.format(
                kafka=kafka, cluster=REAL if self.real_kafka else DEV, gateway=self.gateway,
                management=self.management, folder=self.folder, store=self.store, smtp=self.smtp, secret=self.secret,
                store_management=self.store_management, notifier_management=self.notifier_management,
                notifier=self.notifier, urls="" if self.real_kafka else URLS.format(store=self.store, notifier=self.notifier),
                free="store.free.min = 64MiB\n"))

    def start_dev_broker(self):
        self.start("weir-devbroker", self.program("weir-devbroker"), "--config", self.config, "--address-file",
                   os.path.join(self.folder, "kafka.address"))
        self.write_config(self.address_from("kafka.address"))
        self.say("Dev broker   %s (keeps nothing on disk)" % self.kafka)

    def start_kafka(self):
        self.kafka_folder = os.path.join(self.folder, "kafka")
        self.say("Kafka        starting (the first time it is fetched from Maven Central)")
        if subprocess.run([os.path.join(self.root, "tests", "kafka", "up"), "--brokers", "1", "--dir", self.kafka_folder],
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL).returncode != 0:
            raise Failed("Apache Kafka did not start")
        with open(os.path.join(self.kafka_folder, "env")) as env:
            values = dict(line.strip().removeprefix("export ").split("=", 1) for line in env if "=" in line)
        self.write_config(values["KAFKA"].strip("'\""))
        self.say("Kafka        %s" % self.kafka)
        subprocess.run([self.program("weirctl"), "--config", self.config, "topics", "apply"], check=True,
                       stdout=subprocess.DEVNULL)

    def start_weir(self):
        self.start("gateway", self.program("weir-gateway"), "--config", self.config)
        for name in ("store", "notifier"):
            os.makedirs(os.path.join(self.folder, name), exist_ok=True)
            self.start(name, self.program("weir-consumer"), "--config", self.config, "--service", name)
        for name, address, text in (("gateway", self.management, "http://" + self.gateway),
                                    ("store", self.store_management, "http://" + self.store),
                                    ("notifier", self.notifier_management, "mails for each change")):
            wait_until(name + " ready", 30, lambda address=address: self.ready(address), self.alive)
            self.say("%-12s %s" % (name.capitalize(), text))

    def write_env(self, path):
        """Shell variables for scripts; written whole or not at all. KEY is empty: on loopback no key is asked for."""
        lines = ["GATEWAY=http://" + self.gateway, "MANAGEMENT=http://" + self.management,
                 "MANAGEMENT_STORE=http://" + self.store_management, "MANAGEMENT_NOTIFIER=http://" + self.notifier_management,
                 "KAFKA=" + self.kafka,
                 "MAILDIR='%s'" % self.maildir, "KEY=",
                 "WEIRCTL='%s'" % self.program("weirctl"), "WEIR_CONFIG='%s'" % self.config]
        lines += ["PID_%s=%d" % (name.upper().replace("-", "_"), process.pid) for name, process in self.processes.items()]
        with open(path + ".new", "w") as env:
            env.write("\n".join(lines) + "\n")
        os.rename(path + ".new", path)

    def down(self, keep):
        self.stopping = True
        for name in reversed(self.processes):
            process = self.processes[name]
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(25)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        if hasattr(self, "kafka_folder"):
            subprocess.run([os.path.join(self.root, "tests", "kafka", "down"), self.kafka_folder],
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if keep:
            self.say("Kept         %s" % self.folder)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)
