"""A network of the test's own, in which ports can be cut off."""
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from harness import ROOT, SKIPPED, say

INSIDE = "WEIR_OWN_NETWORK"
RULES = """table inet weir {{
  chain input {{
    type filter hook input priority 0;
    tcp dport {{ {ports} }} drop
    tcp sport {{ {ports} }} drop
  }}
}}"""


def in_own_network():
    """Goes on inside a network namespace with nothing but loopback; ends with 77 where that is not allowed."""
    if os.environ.get(INSIDE) == "1":
        return
    subprocess.run([ROOT / "tests/kafka/fetch"], stdout=subprocess.DEVNULL, check=False)
    if subprocess.run(["unshare", "-n", "nft", "list", "tables"], stderr=subprocess.DEVNULL, check=False).returncode != 0:
        say("SKIPPED: no network namespace, or no nft, can be had here")
        sys.exit(SKIPPED)
    os.environ[INSIDE] = "1"
    inner = ["sh", "-c", 'ip link set lo up && exec "$@"', "sh", sys.executable, *sys.argv]
    os.execvp("unshare", ["unshare", "-n", *inner])


def _nft(text):
    subprocess.run(["nft", "-f", "-"], input=text.encode(), check=True)


@contextmanager
def cut_off(ports):
    """No segment reaches these ports, nor comes from them, inside the block."""
    _nft(RULES.format(ports=", ".join(map(str, ports))))
    try:
        yield
    finally:
        _nft("delete table inet weir")
