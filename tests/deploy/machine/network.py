"""A network of the test's own: a bridge, on which Kafka and the proxy stand beside the machines that are attached to it."""
import contextlib
import ctypes
import os
import subprocess

from machine import CLONE_NEWNET, WITH_US, run

HOME = "10.77.0.1"


def enter_new():
    """From here on this process and its children live in a network that nobody else is in; it is HOME there."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "lan", "type", "bridge")
    run("ip", "address", "add", HOME + "/24", "dev", "lan")
    run("ip", "link", "set", "lan", "up")


def attach(machine, number):
    """Plugs a booted machine in; its address."""
    address, port = "10.77.0.%d" % (10 + number), "port%d" % number
    inside = ("nsenter", "-t", str(machine.pid), "-n", "ip")
    run("ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", str(machine.pid))
    run("ip", "link", "set", port, "master", "lan", "up")
    run(*inside, "address", "add", address + "/24", "dev", "eth0")
    run(*inside, "link", "set", "eth0", "up")
    return address


@contextlib.contextmanager
def program(*command, **options):
    """A program beside the machines, ended with the block."""
    process = subprocess.Popen([*WITH_US, *map(str, command)], stdin=subprocess.DEVNULL, **options)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def program_of(machine, *command):
    """The same inside the machine's network, as something that its company runs there."""
    return program("nsenter", "-t", str(machine.pid), "-n", *command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
