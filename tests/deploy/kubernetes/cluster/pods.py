"""The chart on a cluster, with a real Kafka and a mail server beside the node: what the tests of pods have in common."""
import contextlib
import glob
import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[3]
sys.path[:0] = [str(HERE), str(ROOT / "tests/integration"), str(ROOT / "deploy/demonstration")]
import story  # noqa: E402
from cluster import NODE, Cluster  # noqa: E402
from harness import Failed, Kafka  # noqa: E402,F401

CHART = ROOT / "deploy/helm/weir"
SPACE, RELEASE = "orders", "weir"
SMTP_PORT = 2525
WAIT_S = 180
IMAGE = "localhost/weir"
VALUES = """\
image: {{repository: {image}, tag: first, pullPolicy: Never}}
kafka:
  bootstrapServers: {kafka}
  settings: {{replication.factor: 1, min.insync.replicas: 1}}
  ports: [{port}]
gateway: {{auth: none}}
services:
  store:
    plugin: store
    topics: orders
    storage: {{size: 1Gi}}
    settings: {{store.free.min: 64MiB}}
  notifier:
    plugin: notifier
    topics: orders.changes
    storage: {{size: 1Gi}}
    egressPorts: [{smtp_port}]
    secret: mail
    settings:
      notifier.smtp.ca: /etc/weir-service/ca.crt
      notifier.smtp: {node}:{smtp_port}
      notifier.from: orders@example.com
      notifier.hostname: pods.example.com
"""
ALL_MAILS = "services: {notifier: {settings: {notifier.to: team@example.com}}}"
NAMESPACE = """\
apiVersion: v1
kind: Namespace
metadata: {name: %s, labels: {pod-security.kubernetes.io/enforce: restricted}}
"""


def say(text):
    print(text, flush=True)


def ok(what):
    say("ok    " + what)


def expect(what, wanted, got):
    if wanted != got:
        sys.exit("FAIL  %s: expected %r, got %r" % (what, wanted, got))
    ok(what)


def archive():
    """The image of this tree, which the test `deploy.image` has built."""
    path = pathlib.Path(os.environ["WEIR_BUILD"]) / "container/weir.tar"
    if not path.exists():
        sys.exit("%s is not there: tests/run deploy image builds it" % path)
    return path


class Pods:
    """The release on the cluster."""

    def __init__(self, cluster, broker, values):
        self.cluster, self.broker, self.kafka, self.maildir = cluster, broker, broker.bootstrap, str(cluster.folder / "mail")
        self.values = []
        base = VALUES.format(image=IMAGE, kafka=self.kafka, port=self.kafka.rsplit(":")[1], node=NODE, smtp_port=SMTP_PORT)
        for number, text in enumerate((base, values)):
            path = cluster.folder / ("values-%d.yaml" % number)
            path.write_text(text)
            self.values += ["--values", path]
        cluster.apply(NAMESPACE % SPACE)
        self.kubectl("create", "secret", "generic", "mail", "--from-file", cluster.folder / "keys/ca.crt")

    def start_mail(self):
        keys = self.cluster.folder / "keys"
        self.mail = subprocess.Popen(["/usr/bin/python3", "-B", ROOT / "deploy/mail-sink", "--listen", "%s:%d" % (NODE, SMTP_PORT), "--maildir",
                                      self.maildir, "--certificate", keys / "mail.crt", "--key", keys / "mail.key"],
                                     stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def stop_mail(self):
        self.mail.terminate()
        self.mail.wait()

    def helm(self, verb, *arguments):
        return self.cluster.helm(verb, RELEASE, *arguments, "--namespace", SPACE)

    def install(self, *settings):
        self.deploy("install", WAIT_S, *settings)
        self.gateway = "%s:80" % self.get("service", "weir-gateway")["spec"]["clusterIP"]

    def deploy(self, verb, seconds, *settings):
        """install or upgrade with values NAME=VALUE; done when all pods are ready."""
        sets = [part for setting in settings for part in ("--set", setting)]
        try:
            self.helm(verb, CHART, *self.values, *sets, "--wait", "--timeout", "%ds" % seconds)
        except RuntimeError:
            say(self.kubectl("get", "pods") + self.kubectl("get", "events", "--field-selector", "type=Warning") +
                self.kubectl("logs", "--selector", "app.kubernetes.io/instance=" + RELEASE, "--prefix", "--tail=3"))
            raise

    def kubectl(self, *arguments):
        return self.cluster.kubectl("--namespace", SPACE, *arguments)

    def get(self, *arguments):
        return self.cluster.get("--namespace", SPACE, *arguments)

    def every(self, component):
        return self.get("pods", "--selector", "app.kubernetes.io/component=" + component)["items"]

    def of(self, component):
        """The pods of a component that are not about to go."""
        return [pod for pod in self.every(component) if "deletionTimestamp" not in pod["metadata"]]

    def identities(self, component):
        return {pod["metadata"]["uid"] for pod in self.of(component)}

    def process_of(self, pod, program=None):
        """The number of some process in the pod, or of the one of this name."""
        for path in glob.glob("/sys/fs/cgroup/pids/%s/kubepods/*/pod%s/*/cgroup.procs" % (self.cluster.name, pod["metadata"]["uid"])):
            for line in pathlib.Path(path).read_text().split():
                if program in (None, pathlib.Path("/proc/%s/comm" % line).read_text().strip()):
                    return line
        raise Failed("no process of " + pod["metadata"]["name"])

    def scale(self, component, replicas):
        """Done when there are as many, all of them ready."""
        name = "statefulset/%s-%s" % (RELEASE, component)
        self.kubectl("scale", name, "--replicas=%d" % replicas)
        self.kubectl("rollout", "status", name, "--timeout=%ds" % WAIT_S)
        self.cluster.wait("%d pods of %s" % (replicas, component), WAIT_S, lambda: len(self.every(component)) == replicas)

    def alive(self):
        """No pod had to be started twice."""
        for pod in self.get("pods")["items"]:
            for status in pod["status"].get("containerStatuses", []):
                if status["restartCount"]:
                    raise story.Failed("%s was started %d times" % (pod["metadata"]["name"], status["restartCount"] + 1))

    def judge(self, log, *options):
        """What became of each order that the load has had accepted."""
        verdict = subprocess.run([ROOT / "tests/judge/judge", "--kafka", self.kafka, "--log", log, "--settle", "120", *options],
                                 stdout=subprocess.PIPE, text=True)
        say("      " + verdict.stdout.strip())
        expect("the judge finds nothing", (0, {}), (verdict.returncode, json.loads(verdict.stdout or "{}").get("violations")))

    def mails(self):
        """The mails that came, as texts."""
        return [path.read_text(errors="replace") for path in pathlib.Path(self.maildir, "new").glob("*")]

    def tell_story(self):
        if not story.check(self):
            sys.exit("the story went wrong")


@contextlib.contextmanager
def stage(volumes, values=ALL_MAILS, kafka=(), images=()):
    """A cluster with the image and empty disks, Kafka and the mail server; the release is not installed. `values`: beside VALUES;
    `kafka`: more arguments of tests/kafka/up; `images`: archives of further images."""
    with Cluster([archive(), *images]) as cluster:
        name = "weir:" + version()
        for other in ("docker.io/library/" + name, IMAGE + ":first", IMAGE + ":second"):  # the first is what the kubelet takes it for
            cluster.tag(name, other)
        for _ in range(volumes):
            cluster.add_volume()
        broker = Kafka(str(cluster.folder / "kafka"), "--address", NODE, *kafka)
        pods = Pods(cluster, broker, values)
        pods.start_mail()
        try:
            yield pods
        finally:
            pods.stop_mail()
            broker.down()


def version():
    return next(line.split()[1] for line in (CHART / "Chart.yaml").read_text().splitlines() if line.startswith("appVersion"))
