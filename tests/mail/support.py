"""What the cases share: records, the driver, certificates, a mail sink, and how to fail."""

import contextlib
import email
import email.policy
import json
import os
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SKIP = 77
DEADLINE_S = 30


class Failed(Exception):
    pass


class Skipped(Exception):
    pass


def check(condition, what, *arguments):
    if not condition:
        raise Failed(what % arguments if arguments else what)


def equal(got, wanted, what):
    check(got == wanted, "%s: got %r, wanted %r", what, got, wanted)


def event(key="o-1", op="c", version=1, document=None, request=None, collection="orders", **more):
    value = {"op": op, "collection": collection, "key": key, "version": version,
             "request": request or "0190a5f0-0000-7000-8000-%012x" % (abs(hash((key, version, op))) % 2**48),
             "ts_ms": 1795243220123}
    if op != "d":
        value["after"] = {"orderID": key, "total": 19.99} if document is None else document
    value.update(more)
    return value


def record(offset=0, value=None, partition=0, key=None, headers=None, raw=None, **more):
    """One line for the driver. `value` is an event; `raw` is the value's text as it is."""
    text = raw if raw is not None else (json.dumps(value, ensure_ascii=False) if value is not None else None)
    if key is None and value is not None:
        key = value["key"]
    return {"offset": offset, "partition": partition, "key": key, "value": text,
            "headers": headers if headers is not None else ({"ce_id": value["request"]} if value else {}), **more}


def records(count, **more):
    return [record(i, event("o-%d" % i, **more)) for i in range(count)]


class Result:
    def __init__(self, lines):
        self.lines, self.totals = lines[:-1], lines[-1]

    def verdicts(self, round=1):
        return [line["verdict"] for line in self.lines if line["round"] == round]

    def only(self, round=1):
        found = [line for line in self.lines if line["round"] == round]
        equal(len(found), 1, "records of round %d" % round)
        return found[0]


def driver(arguments, lines=(), started=None, told=None):
    """`started` is called with the process, `told` with each line that it writes, as it comes."""
    command = [os.environ["NOTIFIER_DRIVER"]] + arguments
    out = []
    with tempfile.TemporaryFile("w+") as log:
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True) as process, guarded(process):
            if started:
                started(process)
            writer = threading.Thread(target=write_all, args=(process.stdin, lines))
            writer.start()
            for line in process.stdout:
                out.append(line)
                if told:
                    told(line)
            writer.join()
        log.seek(0)
        return subprocess.CompletedProcess(command, process.returncode, "".join(out), log.read())


def write_all(stream, lines):
    with contextlib.suppress(BrokenPipeError), stream:
        stream.write("".join(json.dumps(line) + "\n" for line in lines))


@contextlib.contextmanager
def guarded(process):
    """It is killed after a minute, or with what fails here."""
    guard = threading.Timer(60, process.kill)
    guard.start()
    try:
        yield
    except BaseException:
        process.kill()
        raise
    finally:
        guard.cancel()


def assignments(settings):
    return ["%s=%s" % (name.replace("_", ".").replace("timeout.ms", "timeout_ms"), value)
            for name, value in settings.items()]


COMMON = {"from": "weir@example.com", "hostname": "host.example.com", "smtp_timeout": "25s"}


def run(smtp, lines, rounds=1, flags=(), started=None, told=None, **settings):
    """Runs the plugin over records and answers the verdicts; `started` and `told` are driver's. Underscores in names of settings stand for dots."""
    return run_plugin({"smtp": smtp, "to": "team@example.org", **COMMON, **settings}, lines, rounds, flags, started, told)


def run_plugin(settings, lines, rounds=1, flags=(), started=None, told=None):
    arguments = [*flags, "--rounds", str(rounds), os.environ["NOTIFIER_PLUGIN"]]
    arguments += assignments(settings)
    done = driver(arguments, lines, started, told)
    check(done.returncode == 0, "the driver ended with %d: %s", done.returncode, done.stderr)
    return Result([json.loads(line) for line in done.stdout.splitlines()])


def refused(**settings):
    """The error with which the settings are refused."""
    settings = {"from": "weir@example.com", "to": "team@example.org", **settings}
    arguments = ["--check", os.environ["NOTIFIER_PLUGIN"]]
    arguments += assignments(settings)
    done = driver(arguments)
    check(done.returncode == 78, "settings %r were not refused: %d %s", settings, done.returncode, done.stderr)
    return done.stderr


def parse(content):
    """A message as Python reads it: an implementation that shares nothing with ours."""
    message = email.message_from_bytes(content, policy=email.policy.default)
    check(not message.defects, "defects in the message: %r", message.defects)
    for part in message.walk():
        check(not part.defects, "defects in a part: %r", part.defects)
    return message


def is_clean(content):
    """Every line ends in CRLF, no CR or LF elsewhere, printable ASCII, 998 bytes at most (RFC 5322, 2.1.1)."""
    check(content.endswith(b"\r\n"), "the message does not end in CRLF")
    for line in content[:-2].split(b"\r\n"):
        check(len(line) <= 998, "a line of %d bytes", len(line))
        check(all(32 <= byte < 127 or byte == 9 for byte in line), "a bare control or 8-bit byte in %r", line)


def wait_for(what, condition, seconds=DEADLINE_S):
    until = time.monotonic() + seconds
    while not condition():
        check(time.monotonic() < until, "%s did not come about in %d s", what, seconds)
        time.sleep(0.01)


class Child:
    """A program that is ended with the block."""

    def __init__(self, *command, **options):
        self.command, self.options = command, options

    def __enter__(self):
        self.process = subprocess.Popen(self.command, **self.options)
        return self.process

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Sink:
    """deploy/mail-sink on a port of its own."""

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.maildir = os.path.join(self.folder.name, "mail")
        place = os.path.join(self.folder.name, "address")
        self.child = Child(os.path.join(ROOT, "deploy", "mail-sink"), "--listen", "127.0.0.1:0", "--maildir",
                           self.maildir, "--address-file", place, stdout=subprocess.DEVNULL)
        self.child.__enter__()
        wait_for("the sink's address", lambda: os.path.exists(place))
        with open(place) as stream:
            self.address = stream.read().strip()
        return self

    def __exit__(self, *rest):
        self.child.__exit__(*rest)
        self.folder.cleanup()

    def contents(self):
        folder = os.path.join(self.maildir, "new")
        result = []
        for name in sorted(os.listdir(folder), key=lambda n: (n.split(".")[0:2], int(n.split("_")[1].split(".")[0]))):
            with open(os.path.join(folder, name), "rb") as stream:
                result.append(stream.read())
        return result


KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")


class Certificates:
    """An authority, a certificate of it for mail.example.net and 127.0.0.1, and one for another host."""

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.ca = self.path("ca.pem")
        self.openssl("req", "-x509", *KEY, "-nodes", "-keyout", self.path("ca.key"), "-out", self.ca,
                     "-days", "2", "-subj", "/CN=Test authority")
        self.good = self.issue("good", "DNS:localhost,IP:127.0.0.1")
        self.other = self.issue("other", "DNS:other.example.net")
        return self

    def __exit__(self, *_):
        self.folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def openssl(self, *arguments):
        subprocess.run(("openssl",) + arguments, check=True, capture_output=True)

    def self_signed(self):
        certificate, key = self.path("self.pem"), self.path("self.key")
        self.openssl("req", "-x509", *KEY, "-nodes", "-keyout", key, "-out", certificate, "-days", "2", "-subj",
                     "/CN=server", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
        return certificate, key

    def issue(self, name, alternatives, days=2):
        certificate, key, extensions = self.path(name + ".pem"), self.path(name + ".key"), self.path(name + ".ext")
        with open(extensions, "w") as stream:
            stream.write("subjectAltName=%s\n" % alternatives)
        self.openssl("req", *KEY, "-nodes", "-keyout", key, "-out", self.path(name + ".csr"), "-subj",
                     "/CN=server")
        self.openssl("x509", "-req", "-in", self.path(name + ".csr"), "-CA", self.ca, "-CAkey", self.path("ca.key"),
                     "-CAcreateserial", "-days", str(days), "-extfile", extensions, "-out", certificate)
        return certificate, key


def main(cases, arguments):
    if len(arguments) != 2 or arguments[1] not in cases:
        print("usage: %s CASE\ncases: %s" % (arguments[0], " ".join(sorted(cases))), file=sys.stderr)
        return 64
    try:
        cases[arguments[1]]()
    except Failed as reason:
        print("FAILED %s: %s" % (arguments[1], reason), file=sys.stderr)
        return 1
    except Skipped as reason:
        print("SKIPPED %s: %s" % (arguments[1], reason), file=sys.stderr)
        return SKIP
    return 0


def cases_of(names):
    return {name[len("case_"):]: thing for name, thing in names.items() if name.startswith("case_")}
