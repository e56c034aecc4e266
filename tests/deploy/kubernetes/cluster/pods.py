"""The chart on a cluster, with a real Kafka and a mail server beside the node: what the tests of pods have in common."""
import contextlib
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

    def __init__(self, cluster, kafka, values):
        self.cluster, self.kafka, self.maildir = cluster, kafka, str(cluster.folder / "mail")
        self.values = []
        base = VALUES.format(image=IMAGE, kafka=kafka, port=kafka.rsplit(":")[1], node=NODE, smtp_port=SMTP_PORT)
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
        self.helm(verb, CHART, *self.values, *sets, "--wait", "--timeout", "%ds" % seconds)

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

    def tell_story(self):
        if not story.check(self):
            sys.exit("the story went wrong")


@contextlib.contextmanager
def stage(volumes, values=ALL_MAILS):
    """A cluster with the image and empty disks, Kafka and the mail server; the release is not installed. `values`: beside VALUES."""
    with Cluster([archive()]) as cluster:
        name = "weir:" + version()
        for other in ("docker.io/library/" + name, IMAGE + ":first", IMAGE + ":second"):  # the first is what the kubelet takes it for
            cluster.tag(name, other)
        for _ in range(volumes):
            cluster.add_volume()
        kafka = Kafka(str(cluster.folder / "kafka"), "--address", NODE)
        pods = Pods(cluster, kafka.bootstrap, values)
        pods.start_mail()
        try:
            yield pods
        finally:
            pods.stop_mail()
            kafka.down()


def version():
    return next(line.split()[1] for line in (CHART / "Chart.yaml").read_text().splitlines() if line.startswith("appVersion"))
