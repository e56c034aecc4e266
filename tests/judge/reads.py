"""Every document as HTTP gives it, against the view of the change log."""
import socket
import threading
import time
from urllib.parse import quote, urlsplit

CONNECTIONS = 8
RETRIED = (502, 503, 504)


class Http:
    """One kept connection, GET only; small and fast, so that 20,000 reads take seconds."""

    def __init__(self, url, timeout_s=15):
        parts = urlsplit(url)
        self.address, self.base, self.timeout_s = (parts.hostname, parts.port or 80), parts.path.rstrip("/"), timeout_s
        self.host = parts.netloc
        self.socket, self.buffer = None, b""

    def get(self, path, headers=()):
        """(status, {header: value}, body); one new try when a kept connection turns out closed."""
        for fresh in (False, True):
            if self.socket is None or fresh:
                self._connect()
            try:
                return self._get(path, headers)
            except (ConnectionError, socket.timeout):
                self.close()
                if fresh:
                    raise
        raise AssertionError("not reached")

    def _connect(self):
        self.close()
        self.socket, self.buffer = socket.create_connection(self.address, self.timeout_s), b""

    def close(self):
        if self.socket is not None:
            self.socket.close()
            self.socket = None

    def _get(self, path, headers):
        lines = [f"GET {self.base}{path} HTTP/1.1", f"Host: {self.host}", *(f"{n}: {v}" for n, v in headers), "", ""]
        self.socket.sendall("\r\n".join(lines).encode())
        head = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        fields = {n.strip().lower(): v.strip() for n, _, v in (line.partition(":") for line in head[1:] if line)}
        if "chunked" in fields.get("transfer-encoding", ""):
            body = self._chunks()
        else:
            body = self._exactly(int(fields.get("content-length", "0")))
        if fields.get("connection", "").lower() == "close":
            self.close()
        return int(head[0].split(" ", 2)[1]), fields, body

    def _fill(self):
        data = self.socket.recv(1 << 16)
        if not data:
            raise ConnectionError("closed by the server")
        self.buffer += data

    def _until(self, mark):
        while mark not in self.buffer:
            self._fill()
        found, self.buffer = self.buffer.split(mark, 1)
        return found

    def _exactly(self, count):
        while len(self.buffer) < count:
            self._fill()
        found, self.buffer = self.buffer[:count], self.buffer[count:]
        return found

    def _chunks(self):
        body = b""
        while True:
            size = int(self._until(b"\r\n").split(b";")[0], 16)
            body += self._exactly(size)
            self._exactly(2)
            if size == 0:
                return body


def _differs(wanted, status, headers, body):
    """Why the answer is not the document, or None."""
    if wanted is None:
        return None if status == 404 else f"{status}, but it does not exist"
    text, tag = wanted
    if status != 200:
        return f"{status}, but it exists"
    if body.strip(b" \t\r\n") != text:
        return f"{body[:80]!r}, the change log says {text[:80]!r}"
    told = headers.get("etag", "").strip('"')
    return None if told == tag else f"ETag {told!r}, the last request was {tag!r}"


def _read_one(http, path, wanted, deadline, headers):
    """Reads until right or the deadline: the store applies a moment after the commit."""
    while True:
        try:
            status, fields, body = http.get(path, headers)
            why = _differs(wanted, status, fields, body)
        except (OSError, ValueError) as error:
            status, why = None, f"no answer: {error}"
        if why is None or time.monotonic() > deadline:
            return why
        time.sleep(0.2 if status in RETRIED or status is None else 0.05)


def judge_reads(url, route, keys, view, findings, label, settle_s=10, headers=()):
    """GET of every key equals `view` ({key: (bytes, tag)}): 200 with the same bytes and ETag, or 404."""
    keys, lock = list(keys), threading.Lock()
    deadline = time.monotonic() + settle_s

    def work(mine):
        http = Http(url)
        for key in mine:
            why = _read_one(http, route + quote(key, safe=""), view.get(key), deadline, headers)
            with lock:
                findings.counts[f"{label}_reads"] += 1
                if why is not None:
                    findings.add(f"{label}-differs", key, why)
        http.close()

    threads = [threading.Thread(target=work, args=(keys[i::CONNECTIONS],)) for i in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

