"""Tells a group's coordinator that members have left, as the end of their sessions would, so that a test need not wait for it.

In Kafka's own protocol, version 0 of two requests, since no client leaves for another one.
"""
import socket
import struct

LEAVE_GROUP, DESCRIBE_GROUPS, CALL_S = 13, 15, 10


def _text(value):
    raw = value.encode()
    return struct.pack(">h", len(raw)) + raw


class _Answer:
    """Reads the fields of an answer one by one."""

    def __init__(self, data):
        self.data = data

    def take(self, count):
        found, self.data = self.data[:count], self.data[count:]
        return found

    def number(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def text(self):
        return self.take(self.number(">h")).decode()

    def bytes(self):
        return self.take(self.number(">i"))


def _exactly(stream, count):
    found = b""
    while len(found) < count:
        piece = stream.recv(count - len(found))
        if not piece:
            raise ConnectionError("the broker closed the connection")
        found += piece
    return found


def _ask(stream, kind, body):
    request = struct.pack(">hhi", kind, 0, 1) + _text("test") + body
    stream.sendall(struct.pack(">i", len(request)) + request)
    return _Answer(_exactly(stream, struct.unpack(">i", _exactly(stream, 4))[0])[4:])


def _members(answer):
    """The member ids of the one group that an answer to DescribeGroups tells of."""
    answer.number(">i"), answer.number(">h")
    for _ in ("group", "state", "protocol type", "protocol"):
        answer.text()
    found = []
    for _ in range(answer.number(">i")):
        found.append(answer.text())
        answer.text(), answer.text(), answer.bytes(), answer.bytes()
    return found


def bury(address, group):
    """Takes all members out of a group whose processes are known to be dead. `address` is its coordinator's, host:port."""
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), CALL_S) as stream:
        for member in _members(_ask(stream, DESCRIBE_GROUPS, struct.pack(">i", 1) + _text(group))):
            _ask(stream, LEAVE_GROUP, _text(group) + _text(member))
