"""Tells a group's coordinator that members have left, as the end of their sessions would, so that a test need not wait for it."""
import socket
import struct

from confluent_kafka.admin import AdminClient

LEAVE_GROUP, CALL_S = 13, 10


def _text(value):
    raw = value.encode()
    return struct.pack(">h", len(raw)) + raw


def _exactly(stream, count):
    found = b""
    while len(found) < count:
        piece = stream.recv(count - len(found))
        if not piece:
            raise ConnectionError("the broker closed the connection")
        found += piece
    return found


def leave(host, port, group, member):
    """LeaveGroup version 0 of Kafka's protocol; the error code."""
    request = struct.pack(">hhi", LEAVE_GROUP, 0, 1) + _text("test") + _text(group) + _text(member)
    with socket.create_connection((host, port), CALL_S) as stream:
        stream.sendall(struct.pack(">i", len(request)) + request)
        answer = _exactly(stream, struct.unpack(">i", _exactly(stream, 4))[0])
    return struct.unpack(">h", answer[4:6])[0]


def bury(bootstrap, group, admin=None):
    """Takes all members out of a group whose processes are known to be dead; how many there were."""
    admin = admin or AdminClient({"bootstrap.servers": bootstrap})
    count = 0
    for found in admin.list_groups(group, CALL_S):
        for member in found.members:
            leave(found.broker.host, found.broker.port, group, member.id)
            count += 1
    return count
