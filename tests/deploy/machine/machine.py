"""A company server for the tests: a Debian 12 tree, booted by a systemd of its own in namespaces of its own."""
import contextlib
import ctypes
import fcntl
import glob
import hashlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
SKIP = 77
CLONE_NEWNET = 0x40000000
BOOT_S, STOP_S = 60, 60
WITH_US = ("setpriv", "--pdeathsig", "KILL")  # nothing outlives a test that is killed itself
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache"))) / "weir"
# A server with what operators have on it, the libraries of Debian that the product links, and what the backports need beyond those.
PACKAGES = ("systemd", "systemd-sysv", "dbus", "libnss-systemd", "procps", "curl", "ca-certificates", "jq", "kcat", "libcjson1", "librdkafka1", "librocksdb7.8",
            "libmicrohttpd12", "libesmtp6", "libjansson4", "libinih1", "libpcre2-8-0", "libssl3", "libcurl4", "libidn2-0",
            "libsystemd0")


def skip(why):
    print("skipped: " + why)
    sys.exit(SKIP)


def need_root():
    if os.getuid() != 0:
        skip("a booted machine needs root")


def run(*command, **options):
    """A command on the host, its output in what is raised when it fails."""
    result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if result.returncode != 0:
        raise RuntimeError("%s: exit %d\n%s" % (" ".join(map(str, command)), result.returncode, result.stdout))
    return result.stdout


def need_tools(**packages):
    """command=package of Debian: what the full form uses beyond deploy/install-deps."""
    missing = [package for command, package in packages.items() if shutil.which(command) is None]
    if missing:
        run("apt-get", "install", "-y", "--no-install-recommends", *missing, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})


def fresh_tree():
    """The tree that machines are copied from: made once, kept outside of the sources."""
    key = hashlib.sha256(" ".join(PACKAGES).encode()).hexdigest()[:12]
    tree = CACHE / ("machine-" + key)
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "machine.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not tree.exists():
            unfinished = tree.with_suffix(".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            try:
                need_tools(mmdebstrap="mmdebstrap")
                run("mmdebstrap", "--quiet", "--variant=apt", "--include=" + ",".join(PACKAGES), "bookworm", unfinished)
            except (OSError, RuntimeError) as error:
                skip("Debian's packages are not to be had: %s" % error)
            unfinished.rename(tree)
    return tree


def groups(name):
    """The control groups of a machine, one in each hierarchy that is mounted here."""
    root = "/sys/fs/cgroup"
    if os.path.exists(root + "/cgroup.controllers"):
        return [os.path.join(root, name)]
    return [os.path.join(folder, name) for folder in sorted(glob.glob(root + "/*")) if not os.path.islink(folder)]


def make_group(group):
    os.makedirs(group, exist_ok=True)
    for file in ("cpuset.cpus", "cpuset.mems"):  # of the old hierarchy: empty until somebody copies them
        with contextlib.suppress(OSError):
            with open(os.path.join(os.path.dirname(group), file)) as here, open(os.path.join(group, file), "w") as there:
                there.write(here.read())


class Machine:
    """with Machine(): … booted inside, gone afterwards. `tree` may be filled before boot()."""

    def __init__(self):
        need_root()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-machine.", dir="/var/tmp"))
        self.tree = self.folder / "tree"
        self.name = self.folder.name.replace(".", "-").replace("_", "0")  # a host's name ends with neither
        self.outer = self.pid = None

    def __enter__(self):
        run("cp", "-a", "--reflink=auto", fresh_tree(), self.tree)
        (self.tree / "etc/hostname").write_text(self.name + "\n")
        return self

    def boot(self):
        for group in groups(self.name):
            make_group(group)
        join = "".join("echo $$ >%s/cgroup.procs; " % group for group in groups(self.name))
        self.outer = subprocess.Popen(
            [*WITH_US, "bash", "-c", join + 'exec unshare --mount --propagation private --uts --ipc --net --pid --cgroup --fork '
             '--kill-child "$@"', "bash", HERE / "init", self.tree, self.name],
            stdin=subprocess.DEVNULL, stdout=open(self.folder / "boot.log", "wb"), stderr=subprocess.STDOUT, start_new_session=True)
        self.wait("systemd as process 1", BOOT_S, self.find_systemd)
        self.wait("booted", BOOT_S, lambda: self.ask("systemctl", "is-system-running") in ("running", "degraded"))

    def find_systemd(self):
        if self.outer.poll() is not None:
            raise RuntimeError("the machine did not boot: " + (self.folder / "boot.log").read_text())
        children = pathlib.Path("/proc/%d/task/%d/children" % (self.outer.pid, self.outer.pid)).read_text().split()
        self.pid = next((int(child) for child in children
                         if pathlib.Path("/proc/%s/comm" % child).read_text() == "systemd\n"), None)
        return self.pid

    def wait(self, what, seconds, done):
        deadline = time.monotonic() + seconds
        while not done():
            if time.monotonic() > deadline:
                raise RuntimeError("%s: not within %d s" % (what, seconds))
            time.sleep(0.05)

    def command(self, *command):
        return ("nsenter", "-t", str(self.pid), "-m", "-u", "-i", "-n", "-p", "-C", "--root", "--wd", "env", "-i",
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8") + command

    def run(self, *command):
        """A command on the machine; its output, an error when it fails."""
        return run(*self.command(*command))

    def ask(self, *command):
        """A command whose exit status does not matter: the first line it prints."""
        said = subprocess.run(self.command(*command), stdin=subprocess.DEVNULL, capture_output=True, text=True).stdout
        return said.split("\n")[0]

    def property(self, unit, name):
        return self.ask("systemctl", "show", "--value", "--property=" + name, unit)

    def enter_network(self):
        """From here on this process and its children live in the machine's network."""
        libc = ctypes.CDLL(None, use_errno=True)
        with open("/proc/%d/ns/net" % self.pid) as network:
            if libc.setns(network.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")

    def __exit__(self, *unused):
        if self.pid:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.ask("systemctl", "poweroff")
                self.outer.wait(STOP_S)
        if self.outer and self.outer.poll() is None:
            os.killpg(self.outer.pid, signal.SIGKILL)
            self.outer.wait()
        for group in groups(self.name):
            subprocess.run(["find", group, "-depth", "-type", "d", "-exec", "rmdir", "{}", "+"], stderr=subprocess.DEVNULL)
        shutil.rmtree(self.folder, ignore_errors=True)
