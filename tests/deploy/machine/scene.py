"""What stands beside a booted machine: a real Kafka, a mail server, and the story that deploy/demo tells."""
import contextlib
import pathlib
import subprocess
import sys
import types

from machine import SKIP

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "deploy" / "demonstration"))
import story  # noqa: E402

CONFIG = """\
[kafka]
bootstrap.servers = {kafka}
replication.factor = 1
min.insync.replicas = 1

[gateway]
store.peer.secret = @credential:peer.secret

[collection orders]
key = orderID
partitions = 6
indexes = customerID

[collection customers]
key = customerID
partitions = 6
indexes = email

[collection subscriptions]
key = subscriptionID
partitions = 6
indexes = endpoint

[service store]
plugin = store
topics = orders, customers, subscriptions
store.path = /var/lib/weir/store/db
store.free.min = 64MiB
store.peer.secret = @credential:peer.secret

[service notifier]
plugin = notifier
topics = orders.changes
notifier.smtp = {smtp}
notifier.from = orders@example.com
notifier.to = team@example.com
notifier.hostname = demo.example.com
"""
UNITS = ("weir-gateway.service", "weir-consumer@store.service", "weir-consumer@notifier.service")


@contextlib.contextmanager
def servers(machine):
    """Kafka and the mail server in the machine's network; the caller's process moves there, too."""
    kafka = machine.folder / "kafka"
    maildir = machine.folder / "mail"
    if subprocess.run([ROOT / "tests/kafka/fetch"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL).returncode == SKIP:
        sys.exit(SKIP)
    machine.enter_network()
    mail = subprocess.Popen([sys.executable, "-B", ROOT / "deploy/mail-sink", "--listen", "127.0.0.1:2525", "--maildir", maildir],
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        subprocess.run([ROOT / "tests/kafka/up", "--dir", kafka], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        values = dict(line.removeprefix("export ").split("=", 1) for line in (kafka / "env").read_text().splitlines() if "=" in line)
        yield types.SimpleNamespace(kafka=values["KAFKA"].strip("'\""), gateway="127.0.0.1:8080", smtp="127.0.0.1:2525",
                                    maildir=str(maildir), alive=lambda: None)
    finally:
        subprocess.run([ROOT / "tests/kafka/down", kafka], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        mail.terminate()
        mail.wait()


def configure(machine, stack):
    """What an operator does after the installation: the configuration, the secret, the topics."""
    (machine.tree / "etc/weir").mkdir(exist_ok=True)
    (machine.tree / "etc/weir/weir.conf").write_text(CONFIG.format(kafka=stack.kafka, smtp=stack.smtp))
    store = machine.tree / "etc/credstore"
    store.mkdir(mode=0o700, exist_ok=True)
    (store / "weir.peer.secret").write_text("a secret of this test\n")
    (store / "weir.peer.secret").chmod(0o400)
    machine.run("weirctl", "topics", "apply")


def start(machine):
    machine.run("systemctl", "enable", "--now", *UNITS)
    for unit in UNITS:
        if machine.property(unit, "ActiveState") != "active":
            raise RuntimeError("%s is %s" % (unit, machine.property(unit, "ActiveState")))


def tell_story(stack):
    if not story.check(stack):
        raise RuntimeError("the story went wrong")
