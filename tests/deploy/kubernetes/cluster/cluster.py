"""Kubernetes of one node for the tests: apiserver, controllers, scheduler, kubelet, containerd, kube-proxy and CoreDNS, in namespaces of
their own, with Debian's etcd, containerd, runc and network plugins."""
import contextlib
import ctypes
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "machine"))
import images  # noqa: E402
import keys  # noqa: E402
import settings  # noqa: E402
from machine import CLONE_NEWNET, SKIP, groups, make_group, need_root, need_tools, run, skip  # noqa: E402

NODE = "10.99.0.1"  # the node's address in its own network: what runs beside the pods listens there
UP_S = 300
COMMANDS = {"etcd": "etcd-server", "containerd": "containerd", "runc": "runc", "nft": "nftables", "/usr/lib/cni/bridge": "containernetworking-plugins"}


def need_programs():
    """The folder with Kubernetes' own programs."""
    need_root()
    try:
        need_tools(**COMMANDS)
    except RuntimeError as error:
        skip("Debian's packages are not to be had: %s" % error)
    found = subprocess.run([HERE.parent / "tools", "cluster"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    if found.returncode != 0:
        sys.exit(SKIP if found.returncode == SKIP else "Kubernetes could not be built")
    return pathlib.Path(found.stdout.strip())


class Cluster:
    """with Cluster(images) as cluster: … This process lives in the node's network from then on."""

    def __init__(self, archives):
        self.tools = need_programs()
        self.archives = archives
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-node.", dir="/var/tmp"))
        self.name = self.folder.name.lower().replace(".", "-").replace("_", "-")
        self.outer = self.pid = self.policies = None
        self.volumes = 0

    def __enter__(self):
        try:
            self.write_files()
            self.begin()
            self.enter_network()
            os.environ["KUBECONFIG"] = str(self.folder / "admin.kubeconfig")
            self.wait("the node is ready", UP_S, self.is_ready)
            self.apply(settings.CLASS)
            self.policies = subprocess.Popen([HERE / "policies", self.folder], stdin=subprocess.DEVNULL,
                                             stdout=open(self.folder / "log/policies", "wb"), stderr=subprocess.STDOUT)
            self.wait("the account of pods", UP_S, lambda: self.asks("get", "serviceaccount", "default"))
        except BaseException:
            self.__exit__()
            raise
        return self

    def write_files(self):
        for name in ("log", "cni", "containerd", "kubelet"):
            (self.folder / name).mkdir()
        keys.make(self.folder / "keys", NODE)
        words = {"folder": self.folder, "name": self.name, "node": NODE}
        for path, text in settings.FILES.items():
            (self.folder / path).write_text(text.format(**words))
        for user in keys.USERS:
            (self.folder / (user + ".kubeconfig")).write_text(settings.KUBECONFIG.format(user=user, **words))

    def begin(self):
        for group in groups(self.name):
            make_group(group)
        with open(self.folder / "log/init", "wb") as log:
            self.outer = subprocess.Popen(
                ["unshare", "--mount", "--propagation", "private", "--net", "--pid", "--mount-proc", "--fork", "--kill-child",
                 HERE / "init", self.folder, self.tools, NODE, images.make_pause(self.folder), *self.archives],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.wait("process 1", UP_S, self.find_first)

    def find_first(self):
        children = pathlib.Path("/proc/%d/task/%d/children" % (self.outer.pid, self.outer.pid)).read_text().split()
        self.pid = next((int(child) for child in children if pathlib.Path("/proc/%s/comm" % child).read_text() == "init\n"), None)
        return self.pid

    def enter_network(self):
        libc = ctypes.CDLL(None, use_errno=True)
        with open("/proc/%d/ns/net" % self.pid) as network:
            if libc.setns(network.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")

    def is_ready(self):
        nodes = self.asks("get", "nodes", "-o", "jsonpath={.items[*].status.conditions[?(@.type=='Ready')].status}")
        return nodes == "True"

    def wait(self, what, seconds, done):
        """The first true answer of done()."""
        deadline = time.monotonic() + seconds
        while True:
            answer = done()
            if answer:
                return answer
            if self.outer.poll() is not None or (self.policies and self.policies.poll() is not None):
                raise RuntimeError("the cluster has ended\n" + self.tails())
            if time.monotonic() > deadline:
                raise RuntimeError("%s: not within %d s" % (what, seconds))
            time.sleep(0.1)

    def tails(self):
        return "".join("%s: %s\n" % (log.name, line) for log in sorted((self.folder / "log").iterdir())
                       for line in log.read_text(errors="replace").splitlines()[-3:])

    def kubectl(self, *arguments, **options):
        return run(self.tools / "kubectl", *arguments, **options)

    def asks(self, *arguments):
        """What kubectl prints, nothing when it fails."""
        return subprocess.run([self.tools / "kubectl", *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True).stdout

    def get(self, *arguments):
        return json.loads(self.asks("get", *arguments, "-o", "json"))

    def apply(self, text):
        done = subprocess.run([self.tools / "kubectl", "apply", "-f", "-"], input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise RuntimeError("kubectl apply: %s\n%s" % (done.stdout, text))

    def helm(self, *arguments):
        return run(self.tools / "helm", *arguments)

    def tag(self, image, name):
        """A further name of a loaded image."""
        self.inside("ctr", "--address", self.folder / "containerd/socket", "--namespace", "k8s.io", "images", "tag", image, name)

    def inside(self, *command):
        return run("nsenter", "--target", str(self.pid), "--mount", "--net", "--pid", *command)

    def add_volume(self):
        """An empty disk that a claim may take; its folder."""
        self.volumes += 1
        path = self.folder / ("disk-%d" % self.volumes)
        path.mkdir()
        self.apply(settings.VOLUME.format(name=path.name, path=path))
        return path

    def __exit__(self, *unused):
        if self.policies:
            self.policies.kill()
            self.policies.wait()
        if self.outer and self.outer.poll() is None:
            os.killpg(self.outer.pid, signal.SIGKILL)  # takes process 1 along, and with it all of its namespace
            self.outer.wait()
        self.wait_gone()
        for group in groups(self.name):
            subprocess.run(["find", group, "-depth", "-type", "d", "-exec", "rmdir", "{}", "+"], stderr=subprocess.DEVNULL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def wait_gone(self):
        with contextlib.suppress(FileNotFoundError, TypeError):
            while pathlib.Path("/proc/%d" % self.pid).exists():
                time.sleep(0.05)
