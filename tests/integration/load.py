"""A closed-loop HTTP client of many kept connections that writes down every answer, for the judge to hold Weir to.

One thread, one event loop, no HTTP library: some 10,000 requests a second, enough to keep a store behind.
"""
import asyncio
import hashlib
import json
import threading
from collections import Counter, deque
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from harness import Failed

METHODS = {"create": "POST", "replace": "PUT", "merge": "PATCH", "delete": "DELETE"}
PATIENCE_S = 30
# After a refusal or a failed connect: so that a broker's absence is not met with a storm.
BACKOFF_S = 0.05


@dataclass(frozen=True)
class Order:
    """One request. `key` is None when Weir is to make it; `body` is bytes or None."""

    op: str
    key: str = None
    body: bytes = None


class Workload:
    """Orders without end, or `creates` of them; every tenth is replaced, merged or deleted once it is accepted."""

    def __init__(self, creates=None, stem="o", follow_every=10, padding=150):
        self.creates, self.stem, self.follow_every = creates, stem, follow_every
        self.padding, self.made, self.follow_ups = "x" * padding, 0, deque()

    def next(self):
        """The next order, or None when there is nothing to send now."""
        if self.follow_ups:
            return self.follow_ups.popleft()
        if self.creates is not None and self.made >= self.creates:
            return None
        self.made += 1
        key = f"{self.stem}-{self.made:06d}"
        return Order("create", key, self._body(key, "create"))

    def accepted(self, order):
        """Told of every 2xx."""
        number = self.made if order.key is None else int(order.key.rsplit("-", 1)[1])
        if order.op != "create" or not self.follow_every or number % self.follow_every:
            return
        op = ("replace", "delete", "merge", "delete")[number // self.follow_every % 4]
        body = None if op == "delete" else self._body(order.key, op)
        self.follow_ups.append(Order(op, order.key, body))

    def _body(self, key, op):
        if op == "merge":
            return f'{{"status":"MERGED","note":null,"total":{len(key)}.50}}'.encode()
        number = int(key.rsplit("-", 1)[1])
        return (
            f'{{"orderID":"{key}","status":"{op.upper()}D","total":{number % 500}.90,'
            f'"items":[{{"sku":"S-{number % 97}", "quantity":{number % 7 + 1}}}],"note":"{self.padding}"}}'
        ).encode()


class _Connection(asyncio.Protocol):
    """Sends one order at a time and hands each answer to the load."""

    def __init__(self, load):
        self.load, self.transport, self.buffer = load, None, b""
        self.order, self.head, self.need, self.timer = None, None, 0, None

    def connection_made(self, transport):
        self.transport = transport
        self.go_on()

    def go_on(self):
        if self.order is None and self.transport is not None:
            self.order = self.load.take(self)
            if self.order is not None:
                self.timer = self.load.loop.call_later(PATIENCE_S, self.transport.abort)
                self.transport.write(self.load.request_text(self.order))

    def data_received(self, data):
        self.buffer += data
        while self.order is not None:
            if self.head is None:
                end = self.buffer.find(b"\r\n\r\n")
                if end < 0:
                    return
                self.head, self.buffer = _head(self.buffer[:end]), self.buffer[end + 4 :]
                self.need = int(self.head[1].get("content-length", "0"))
            if len(self.buffer) < self.need:
                return
            body, self.buffer = self.buffer[: self.need], self.buffer[self.need :]
            (status, fields), self.head = self.head, None
            self._answered(status, fields, body)

    def _answered(self, status, fields, body):
        order, self.order = self.order, None
        self.timer.cancel()
        self.load.record(order, status, fields, body)
        if fields.get("connection", "").lower() == "close":
            self.transport.close()
        elif status >= 500 or status == 429:
            self.load.loop.call_later(BACKOFF_S, self.go_on)
        else:
            self.go_on()

    def connection_lost(self, _error):
        self.transport = None
        if self in self.load.idle:
            self.load.idle.remove(self)
        if self.order is not None:
            self.timer.cancel()
            order, self.order = self.order, None
            self.load.record(order, None, {}, b"")
        self.load.reconnect(self)


def _head(text):
    lines = text.decode("latin-1").split("\r\n")
    fields = (line.partition(":") for line in lines[1:])
    return int(lines[0].split(" ", 2)[1]), {n.strip().lower(): v.strip() for n, _, v in fields}


class Load:
    """Runs a workload from `connections` connections in a thread of its own.

    Sends at most `limit` requests in all; raise_limit() lets it go on. counts[status] counts answers ("none" for a
    connection that ended without one); each goes to the log file as one line of JSON.
    """

    def __init__(self, url, workload, log_path, connections=64, collection="orders", limit=None):
        parts = urlsplit(url)
        self.address, self.host = (parts.hostname, parts.port), parts.netloc
        self.route, self.workload, self.limit = f"{parts.path.rstrip('/')}/v1/{collection}", workload, limit
        self.counts, self.sent, self.ending, self.error = Counter(), 0, False, None
        self.log = open(log_path, "a", encoding="utf-8")
        self.idle, self.connections, self.open = [], connections, 0
        self.loop, self.changed = asyncio.new_event_loop(), threading.Condition()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self.thread.start()
        return self

    def _run(self):
        try:
            self.loop.run_until_complete(self._main())
        except BaseException as error:  # told to whoever waits
            self.error = error
        with self.changed:
            self.ending = True
            self.changed.notify_all()

    async def _main(self):
        self.done = self.loop.create_future()
        self.open = self.connections
        for _ in range(self.connections):
            self.loop.create_task(self._connect())
        await self.done

    async def _connect(self):
        while not self.ending:
            try:
                await self.loop.create_connection(lambda: _Connection(self), *self.address)
                return
            except OSError:
                await asyncio.sleep(BACKOFF_S)
        self._gone()

    def reconnect(self, _connection):
        if self.ending:
            self._gone()
        else:
            self.loop.create_task(self._connect())

    def _gone(self):
        self.open -= 1
        if self.open == 0 and not self.done.done():
            self.done.set_result(None)

    def take(self, connection):
        """The next order for a connection; without one it is parked, or ended."""
        if self.ending:
            connection.transport.close()
            return None
        order = self.workload.next() if self.limit is None or self.sent < self.limit else None
        if order is None:
            self.idle.append(connection)
            if self.is_idle():
                with self.changed:
                    self.changed.notify_all()
            return None
        self.sent += 1
        return order

    def request_text(self, order):
        path = self.route if order.op == "create" else f"{self.route}/{quote(order.key, safe='')}"
        text = f"{METHODS[order.op]} {path} HTTP/1.1\r\nHost: {self.host}\r\n"
        if order.body is not None:
            kind = "application/merge-patch+json" if order.op == "merge" else "application/json"
            text += f"Content-Type: {kind}\r\nContent-Length: {len(order.body)}\r\n"
        return text.encode() + b"\r\n" + (order.body or b"")

    def record(self, order, status, fields, body):
        """Writes the answer down and counts it."""
        line = {
            "op": order.op,
            "key": order.key,
            "sha256": None if order.body is None else hashlib.sha256(order.body).hexdigest(),
            "status": status,
            "position": fields.get("weir-position"),
            "request": _request_id(fields, body),
        }
        self.log.write(json.dumps(line) + "\n")
        accepted = status is not None and 200 <= status < 300
        if accepted:
            self.workload.accepted(order)
            self._wake()
        with self.changed:
            self.counts["2xx" if accepted else str(status or "none")] += 1
            self.changed.notify_all()

    def _wake(self):
        if self.workload.follow_ups and self.idle:
            self.loop.call_soon(self.idle.pop().go_on)

    def raise_limit(self, limit):
        """Lets the load go on to `limit` requests (None: without end)."""
        self.loop.call_soon_threadsafe(self._raise, limit)

    def _raise(self, limit):
        self.limit = limit
        waiting, self.idle = self.idle, []
        for connection in waiting:
            connection.go_on()

    def wait(self, what, seconds, holds):
        """Waits until holds(counts) is true; Failed after `seconds` or when the load has failed."""
        with self.changed:
            if not self.changed.wait_for(lambda: holds(self.counts) or self.ending, seconds) or not holds(self.counts):
                raise Failed(f"load: {what}: not within {seconds} s, {dict(self.counts)} {self.error or ''}")

    def is_idle(self):
        """Whether nothing is in flight and nothing may be sent."""
        return bool(self.idle) and len(self.idle) == self.open

    def wait_idle(self, seconds):
        """Waits until the load is idle."""
        self.wait("idle", seconds, lambda _: self.is_idle())

    def stop(self, seconds=PATIENCE_S + 5):
        """Ends all connections once their answers are in; the counts."""
        self.loop.call_soon_threadsafe(self._end)
        self.thread.join(seconds)
        self.log.close()
        if self.thread.is_alive() or self.error:
            raise Failed(f"load: did not end: {self.error or self.counts}")
        return dict(self.counts)

    def _end(self):
        self.ending = True
        for connection in self.idle:
            if connection.transport is not None:
                connection.transport.close()
        if self.open == 0 and not self.done.done():
            self.done.set_result(None)


def _request_id(fields, body):
    location = fields.get("location", "")
    if "/requests/" in location:
        return location.split("/requests/", 1)[1].split("?")[0]
    try:
        told = json.loads(body).get("request_id")
    except (ValueError, AttributeError):
        told = None
    return told or fields.get("x-request-id")
