"""What the benchmarks share: a broker and programs of their own, CPU and memory of a process, one JSON line a result."""
import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("WEIR_BUILD", ROOT / "build" / "release"))
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    """User and system time of all threads of a process."""
    with open("/proc/%d/stat" % pid) as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def busy_seconds():
    """Time that all cores together were busy: what others used meanwhile makes a run doubtful."""
    with open("/proc/stat") as stat:
        fields = [int(field) for field in stat.readline().split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / TICKS


def memory_mib(pid, field="VmHWM"):
    with open("/proc/%d/status" % pid) as status:
        for line in status:
            if line.startswith(field):
                return round(int(line.split()[1]) / 1024, 1)
    return None


def report(**values):
    print(json.dumps(values), flush=True)


def wait_for(what, done, seconds=60, every=0.02):
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise SystemExit("%s: not within %d s" % (what, seconds))
        time.sleep(every)


@contextlib.contextmanager
def kafka():
    """A real broker; yields (bootstrap servers, folder of the jars, pid)."""
    up = subprocess.run([ROOT / "tests/kafka/up", "--for", str(os.getpid())], stdin=subprocess.DEVNULL,
                        stdout=subprocess.PIPE, text=True)
    if up.returncode != 0:
        raise SystemExit(up.returncode)
    with open(up.stdout.strip()) as env:
        values = dict(line.strip().removeprefix("export ").split("=", 1) for line in env if "=" in line)
    values = {name: value.strip("'\"") for name, value in values.items()}
    try:
        yield values["KAFKA"], values["KAFKA_LIBS"], int(values["KAFKA_PIDS"].split()[0])
    finally:
        subprocess.run([ROOT / "tests/kafka/down", values["KAFKA_DIR"]], stdin=subprocess.DEVNULL)


@contextlib.contextmanager
def program(name, command, environment=None):
    """A running program with its output in a log file that is shown if it fails; yields the process."""
    with tempfile.NamedTemporaryFile(prefix="weir-bench-%s." % name, suffix=".log") as log:
        process = subprocess.Popen([str(word) for word in command], env=dict(os.environ, **(environment or {})),
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            yield process
        finally:
            early = process.poll()
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if early is not None:
                print("%s ended early (%d):\n%s" % (name, early, pathlib.Path(log.name).read_text()[-2000:]), flush=True)


def listening(port, host="127.0.0.1"):
    import socket
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0


def ready(port):
    import urllib.error
    import urllib.request
    try:
        return urllib.request.urlopen("http://127.0.0.1:%d/readyz" % port, timeout=2).status == 200
    except (OSError, urllib.error.URLError):
        return False


def free_ports(count):
    import socket
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def wrk(url, connections, seconds, script="post.lua", arguments=()):
    """One closed-loop run of wrk; its figures as a dict (figures.lua prints them)."""
    run = subprocess.run(["wrk", "-t1", "-c%d" % connections, "-d%ds" % seconds, "--timeout", "10s", "-s",
                          HERE / script, url, "--", *map(str, arguments)], capture_output=True, text=True)
    found = re.search(r"^WRK (\{.*\})$", run.stdout, re.M)
    if not found:
        raise SystemExit("wrk said: %s%s" % (run.stdout[-500:], run.stderr[-500:]))
    return json.loads(found.group(1))
