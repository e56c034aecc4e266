"""TLS: which versions, whose certificates, renewal while connections are open, and that everything else works as without."""
import hashlib
import re
import signal
import socket
import ssl
import subprocess
import threading
import time
from urllib.parse import urlsplit

from lifecycle import EX_CONFIG, ends_with
from stage import Client, Failed, Stage, StoreStage, check, equal, request, wait_for

KEY = "a-key"


class Authority:
    """A CA in a folder, and what it signs."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self._openssl("req", "-x509", *self._new_key(name), "-subj", f"/CN={name}", "-days", "2", "-out", self.certificate)

    @property
    def certificate(self):
        return self.folder / f"{self.name}.pem"

    def _openssl(self, *arguments):
        done = subprocess.run(["openssl", *map(str, arguments)], cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        check(done.returncode == 0, f"openssl {arguments}: {done.stdout.decode()}")

    def _new_key(self, name):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", self.folder / f"{name}.key"]

    def sign(self, name, subject=None, names="", usage="clientAuth", days=2):
        """NAME.pem and NAME.key; names: "DNS:a,URI:b"; days < 0: it has expired."""
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"extendedKeyUsage={usage}\n" + (f"subjectAltName={names}\n" if names else ""))
        self._openssl("req", *self._new_key(name), "-subj", subject or f"/CN={name}", "-out", f"{name}.csr")
        signed = ["-CA", self.certificate, "-CAkey", self.folder / f"{self.name}.key", "-extfile", extensions]
        self._openssl("x509", "-req", "-in", f"{name}.csr", *signed, "-days", days, "-out", f"{name}.pem")
        return name


class TlsStage(Stage):
    """A gateway behind TLS, its own CA, and keys.file with `lines`."""

    def __init__(self, lines="", gateway=(), clients=True):
        super().__init__(gateway)
        self.ca = Authority(self.folder, "ca")
        self.ca.sign("server", names="DNS:localhost,IP:127.0.0.1", usage="serverAuth")
        (self.folder / "keys").write_text(f"key {hashlib.sha256(KEY.encode()).hexdigest()} *:*\n" + lines)
        self._lines["gateway"] += ["auth = keys", f"keys.file = {self.folder}/keys"]
        self._lines["gateway"] += [f"tls.certificate = {self.folder}/server.pem", f"tls.key = {self.folder}/server.key"]
        self._lines["gateway"] += [f"tls.client.ca = {self.ca.certificate}"] * clients
        self.write_conf()

    def context(self, name=None, version=None):
        context = ssl.create_default_context(cafile=self.ca.certificate)
        if version:
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = context.maximum_version = version
        if name:
            context.load_cert_chain(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        return context

    def secure(self, name=None, version=None, **more):
        client = Client(self.port, **more)
        client.socket = self.context(name, version).wrap_socket(client.socket, server_hostname="localhost")
        return client

    def status(self, name=None, method="POST", path="/v1/orders", key=None, version=None):
        """Of one request, or "refused" where there is no connection for it."""
        headers = [("Authorization", f"Bearer {key}")] if key else []
        try:
            with self.secure(name, version) as client:
                return client.send(request(method, path, "{}" if method == "POST" else None, headers=headers)).reply().status
        except (ssl.SSLError, ConnectionError):  # with TLS 1.3 a client learns of it when it reads
            return "refused"

    def reload(self, event):
        before = self.log().count(event)
        self.gateway.signal(signal.SIGHUP)
        wait_for(event, 10, lambda: self.log().count(event) > before)


def case_versions():
    with TlsStage().start() as stage:
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with stage.secure(version=version) as client:
                equal(client.socket.version(), version.name.replace("_", "."), "version")
            equal(stage.status(key=KEY, version=version), 202, f"{version}")
        for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            try:
                stage.secure(version=version).close()
                raise Failed(f"{version} is spoken")
            except ssl.SSLError as error:  # of the server's making, not of our own library's
                check(isinstance(error, (ssl.SSLZeroReturnError, ssl.SSLEOFError)), f"{version}: {error}")
        with stage.client() as client:
            client.send(request("POST", "/v1/orders", "{}", headers=[("Authorization", f"Bearer {KEY}")]))
            check(client.is_closed(), "plain HTTP is answered")
        equal(len(stage.records()), 2, "records on the topic")
        check("keys-in-clear" not in stage.log(), "a warning that is not true")
        check(stage.gateway.metric("weir_gateway_certificate_expires_seconds") > time.time(), "the certificate's end")


def case_names_and_scopes():
    """A certificate's name is worth what its line says; whoever is not known, or not to be trusted, gets nowhere."""
    lines = """shop dns=Shop.example.org orders:create
till cn=till-1 orders:read
robot uri=spiffe://example.org/robot orders:*
mailer email=mailer@example.org products:create
first dns=two.example.org orders:create
second cn=two orders:read
"""
    with TlsStage(lines).start() as stage:
        other = Authority(stage.folder, "other")
        sign = stage.ca.sign
        rows = [
            (sign("shop", names="DNS:SHOP.example.org"), None, {"POST": 202, "GET": 403}),
            (sign("till", "/O=Shop/CN=till-1"), None, {"POST": 403, "GET": 200}),
            (sign("robot", names="URI:spiffe://example.org/robot"), None, {"POST": 202, "GET": 200}),
            (sign("mailer", names="email:mailer@example.org"), None, {"POST": 403, "GET": 403}),
            (sign("two", names="DNS:two.example.org"), None, {"POST": 202, "GET": 403}),
            (sign("unknown", "/CN=shop.example.org", "DNS:shop.example.org.evil"), None, {"POST": 401, "GET": 401}),
            (sign("spaced", "/CN=till-1 x"), None, {"POST": 401, "GET": 401}),
            ("till", KEY, {"POST": 202, "GET": 200}),  # a key that is shown counts alone
            ("till", "wrong", {"POST": 401, "GET": 401}),
            (None, None, {"POST": 401, "GET": 401}),
            (None, KEY, {"POST": 202, "GET": 200}),
            (other.sign("stranger", names="DNS:shop.example.org"), None, {"POST": "refused", "GET": "refused"}),
            (sign("server2", names="DNS:shop.example.org", usage="serverAuth"), None, {"POST": "refused"}),
            (sign("old", names="DNS:shop.example.org", days=-1), KEY, {"POST": "refused"}),
        ]
        stage.store.put("/documents/orders/o-1", b"{}")
        paths = {"POST": "/v1/orders", "GET": "/v1/orders/o-1"}
        for name, key, wanted in rows:
            for method, status in wanted.items():
                for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)[: 1 + (status == "refused")]:
                    got = stage.status(name, method, paths[method], key, version)
                    equal((name, key, method, got), (name, key, method, status), "status")
        for reason in ("issuer is unknown", "expired", "intended purpose"):
            check(re.search(f"tls.certificate-refused .*{reason}", stage.log()), f"no word of a certificate that is {reason}")
        principals = [record["headers"]["weir-principal"] for record in stage.records()]
        equal(set(principals), {"shop", "robot", "first", "key"}, "principals")


def case_certificate_required():
    with TlsStage("till cn=till orders:create\n", ["tls.client.required = on"]).start() as stage:
        equal(stage.status(stage.ca.sign("till")), 202, "with a certificate")
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            equal(stage.status(key=KEY, version=version), "refused", "with a key alone")


def serial(client):
    return client.socket.getpeercert()["serialNumber"]


def case_renewal():
    """SIGHUP: new handshakes see the new certificate and CA, an open connection goes on; broken files change nothing."""
    with TlsStage("till cn=till orders:create\n").start() as stage:
        post = request("POST", "/v1/orders", "{}")
        old = stage.secure(stage.ca.sign("till"))
        equal(old.send(post).reply().status, 202, "before")
        before = serial(old)
        stage.ca.sign("server", names="DNS:localhost", usage="serverAuth")
        stage.reload("gateway.tls-reloaded")
        with stage.secure("till") as client:
            check(serial(client) != before, "the renewed certificate is not served")
            equal(client.send(post).reply().status, 202, "a new connection")
        equal(old.send(post).reply().status, 202, "the old connection")
        good = (stage.folder / "server.key").read_bytes()
        stage.ca.sign("misfit", usage="serverAuth")
        for text, reason in [(b"-----BEGIN", "tls.key = "), ((stage.folder / "misfit.key").read_bytes(), "do not match")]:
            (stage.folder / "server.key").write_bytes(text)
            stage.reload("gateway.tls-not-reloaded")
            told = [line for line in stage.log().splitlines() if "tls-not-reloaded" in line][-1]
            check(reason in told, f"{reason} in {told}")
            equal(stage.status("till"), 202, "after a broken key")
        (stage.folder / "server.key").write_bytes(good)
        fresh = Authority(stage.folder, "fresh")
        trusted = stage.ca.certificate.read_bytes()
        stage.ca.certificate.write_bytes(fresh.certificate.read_bytes())
        stage.reload("gateway.tls-reloaded")
        (stage.folder / "server-ca.pem").write_bytes(trusted)
        stage.context = lambda name=None, version=None, make=stage.context: make_with(stage, make, name)
        equal((stage.status("till"), stage.status(fresh.sign("new", "/CN=till"))), ("refused", 202), "after the CA was changed")
        equal(old.send(post).reply().status, 202, "the old connection at the end")
        old.close()


def make_with(stage, make, name):
    context = make(name)
    context.load_verify_locations(stage.folder / "server-ca.pem")
    return context


def case_bad_files():
    with TlsStage() as stage:
        stage.ca.sign("misfit", usage="serverAuth")
        good = {name: (stage.folder / name).read_bytes() for name in ("server.pem", "server.key", "ca.pem")}
        rows = [
            ("server.pem", None, "tls.certificate: "),
            ("server.pem", b"", "tls.certificate = "),
            ("server.pem", good["server.key"], "tls.certificate = "),
            ("server.key", None, "tls.key: "),
            ("server.key", good["server.pem"], "tls.key = "),
            ("server.key", (stage.folder / "misfit.key").read_bytes(), "tls.certificate = ", "tls.key = ", "do not match"),
            ("ca.pem", b"nothing", "tls.client.ca = "),
        ]
        for name, text, *parts in rows:
            (stage.folder / name).write_bytes(text) if text is not None else (stage.folder / name).unlink()
            ends_with(stage, EX_CONFIG, *parts, str(stage.folder / name))
            (stage.folder / name).write_bytes(good[name])
        ends_with(stage, 0, arguments=["--check-config"])
    with TlsStage("till cn=till *:*\n", clients=False) as stage:
        ends_with(stage, EX_CONFIG, "keys:2: ", "tls.client.ca")
    rows = [
        ("tls.certificate = x", "tls.key"),
        ("tls.key = x", "tls.certificate"),
        ("tls.client.ca = x\ntls.key = y\ntls.certificate = z", "auth = keys"),
        ("tls.client.required = on", "tls.client.ca"),
    ]
    for line, part in rows:
        with Stage([line], broker=False) as stage:
            ends_with(stage, EX_CONFIG, "weir.conf:", part)


def case_bodies_and_pipelines():
    """Bodies larger than every buffer, requests that share a record, waits and answers, on many connections at once."""
    headers = [("Authorization", f"Bearer {KEY}")]
    with TlsStage().start() as stage, stage.secure() as client:
        body = b'{"n":"' + b"x" * 200_000 + b'"}'
        equal(client.send(request("POST", "/v1/orders", body, headers=headers)).reply().status, 202, "a large body")
        head = request("POST", "/v1/orders", None, headers=[*headers, ("Transfer-Encoding", "chunked"), ("Content-Type", "application/json")])
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(body[at : at + 7000]), body[at : at + 7000]) for at in range(0, len(body), 7000))
        equal(client.send(head + chunks + b"0\r\n\r\n").reply().status, 202, "a large body in chunks")
        client.send(b"".join(request("PUT", f"/v1/orders/p-{number}", "{}", headers=headers) for number in range(20)))
        equal([client.reply().status for _ in range(20)], [202] * 20, "twenty in one record")
        expect = request("POST", "/v1/orders", b"{}", headers=[*headers, ("Expect", "100-continue")])
        equal([client.send(expect[:-2]).reply().status, client.send(b"{}").reply().status], [100, 202], "100-continue")
        statuses = []

        def load(thread):
            with stage.secure() as own:
                statuses.extend(own.send(request("PUT", f"/v1/orders/t{thread}-{number}", "{}", headers=headers)).reply().status for number in range(20))

        threads = [threading.Thread(target=load, args=(thread,)) for thread in range(70)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        equal((len(statuses), set(statuses)), (1400, {202}), "answers on 70 connections")
        equal(len({record["key"] for record in stage.records()}), 1423, "keys on the topic")


def case_stores_by_tls():
    """A store behind TLS that wants to see a certificate: read by the gateway that has one and believes the store's, by no other."""
    mine = ["store.tls.certificate = {0}/gateway.pem", "store.tls.key = {0}/gateway.key"]
    rows = [(["store.tls.ca = {0}/ca.pem", *mine], 200), (["store.tls.ca = {0}/ca.pem"], 503), (["store.tls.ca = {0}/other.pem", *mine], 503)]
    with Stage() as stage:
        ca, other = Authority(stage.folder, "ca"), Authority(stage.folder, "other")
        ca.sign("gateway")
        ca.sign("store", names="DNS:localhost", usage="serverAuth")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=ca.certificate)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(stage.folder / "store.pem", stage.folder / "store.key")
        stage.store.server.socket = context.wrap_socket(stage.store.server.socket, server_side=True)
        stage.store.url = stage.store.url.replace("http://127.0.0.1", "https://localhost")
        stage.store.put("/documents/orders/o-1", b"{}")
        for lines, status in rows:
            stage._lines["gateway"] = ["read.wait = 100ms", *(line.format(stage.folder) for line in lines)]
            stage.write_conf()
            stage.start()
            equal((lines, stage.call("GET", "/v1/orders/o-1").status), (lines, status), "status")
            equal(stage.gateway.stop(), 0, "exit code")
        other.sign("misfit")
        broken = [("store.tls.key = {0}/misfit.key", "store.tls.key = "), ("store.tls.key = {0}/store.pem", "store.tls.key = ")]
        for line, part in broken:
            stage._lines["gateway"] = [line.format(stage.folder) for line in (mine[0], line)]
            stage.write_conf()
            ends_with(stage, EX_CONFIG, part)
        stage._lines["gateway"] = ["store.tls.ca = /nonexistent"]
        stage.write_conf()
        ends_with(stage, EX_CONFIG, "store.tls.ca = /nonexistent")


def read_positions(stage, name=None):
    """What the store's own listener answers to who shows that certificate: its serial number and the status; or "refused"."""
    context = ssl.create_default_context(cafile=stage.folder / "ca.pem")
    if name:
        context.load_cert_chain(stage.folder / f"{name}.pem", stage.folder / f"{name}.key")
    try:
        with Client(urlsplit(stage.store.url).port) as client:
            client.socket = context.wrap_socket(client.socket, server_hostname="localhost")
            return client.socket.getpeercert()["serialNumber"], client.send(request("GET", "/positions")).reply().status
    except (ssl.SSLError, ConnectionError):
        return "refused"


def reload_store(stage, event):
    before = stage.keeper.log.read_text().count(event)
    stage.keeper.signal(signal.SIGHUP)
    wait_for(event, 10, lambda: stage.keeper.log.read_text().count(event) > before)


def case_the_store_speaks_tls():
    """The store's own listener with certificates on both sides: who is answered, and renewal by SIGHUP while it runs."""
    stage = StoreStage()
    ca, other = Authority(stage.folder, "ca"), Authority(stage.folder, "other")
    ca.sign("gateway")
    other.sign("stranger")
    ca.sign("store", names="DNS:localhost,IP:127.0.0.1", usage="serverAuth,clientAuth")
    files = {"certificate": "store.pem", "key": "store.key", "client.ca": "ca.pem"}
    stage._more += "".join(f"tls.{name} = {stage.folder}/{file}\n" for name, file in files.items())
    files = {"ca": "ca.pem", "certificate": "gateway.pem", "key": "gateway.key"}
    stage._lines["gateway"] += [f"store.tls.{name} = {stage.folder}/{file}" for name, file in files.items()]
    stage.store.url = stage.store.url.replace("http:", "https:")
    stage.write_conf()
    with stage.start():
        equal(stage.call("PUT", "/v1/orders/o-1", "{}", headers=[("Prefer", "wait=8")]).status, 201, "a command that is waited for")
        equal(stage.call("GET", "/v1/orders/o-1").status, 200, "a document, by the gateway")
        before, status = read_positions(stage, "gateway")
        equal(status, 200, "with the gateway's certificate")
        equal([read_positions(stage, name) for name in (None, "stranger")], ["refused"] * 2, "with no certificate, and with another CA's")
        with Client(urlsplit(stage.store.url).port) as plain:
            check(plain.send(request("GET", "/positions")).is_closed(), "plain HTTP is answered")
        ca.sign("store", names="DNS:localhost,IP:127.0.0.1", usage="serverAuth,clientAuth")
        reload_store(stage, "tls.reloaded")
        after, status = read_positions(stage, "gateway")
        check(status == 200 and after != before, f"the renewed certificate: {status}, {before} and {after}")
        (stage.folder / "store.key").write_bytes(b"nothing")
        reload_store(stage, "tls.not-reloaded")
        equal(read_positions(stage, "gateway"), (after, 200), "with a broken key")
        equal(stage.call("GET", "/v1/orders/o-1").status, 200, "a document at the end")
        check(stage.keeper.metric("weir_listener_certificate_expires_seconds") > time.time(), "the certificate's end")
        equal(stage.keeper.stop(), 0, "exit code of the store")
        equal(stage.keeper.start().wait_ended(20), EX_CONFIG, "exit code of a store with a broken key")
        check("[service store]: tls.key = " in stage.keeper.log.read_text(), "why it ended")


def case_suspended_at_the_end():
    """Requests that wait at SIGTERM get a true answer over TLS, too."""
    headers = [("Authorization", f"Bearer {KEY}")]
    with TlsStage(gateway=["timeout = 60s", "drain.timeout = 1s"]).start() as stage:
        equal(stage.status(key=KEY), 202, "status before")
        stage.broker.signal(signal.SIGSTOP)
        clients = [stage.secure() for _ in range(100)]
        for number, client in enumerate(clients):
            client.send(request("PUT", f"/v1/orders/o-{number}", "{}", headers=headers))
        wait_for("all suspended", 30, lambda: stage.gateway.metric("weir_gateway_suspended_requests") == 100)
        stage.gateway.signal(signal.SIGTERM)
        for client in clients:
            check(client.reply().status in (503, 504), "an answer")
            client.close()
        equal(stage.gateway.wait_ended(20), 0, "exit code")


def case_slow_handshake():
    """A handshake that never ends, or drips, has the header's time."""
    with TlsStage(gateway=["header.timeout = 1s"]).start() as stage:
        with stage.client() as client:
            check(client.is_closed(6), "a silent connection stays open")
        hello = ssl.MemoryBIO()
        client_side = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), hello, server_hostname="localhost")
        try:
            client_side.do_handshake()
        except ssl.SSLWantReadError:
            pass
        with stage.client() as client:
            started = time.monotonic()
            client.socket.settimeout(0.05)
            for byte in hello.read():
                try:
                    client.socket.sendall(bytes([byte]))
                    if client.socket.recv(1) == b"":
                        break
                except socket.timeout:
                    continue
                except ConnectionError:
                    break
            check(time.monotonic() - started < 5, "a dripping handshake stays open")
        equal(stage.status(key=KEY), 202, "a good client afterwards")
