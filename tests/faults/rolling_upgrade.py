#!/usr/bin/python3
"""A rolling upgrade of plain processes: two gateways behind the HAProxy of deploy/conf and two stores, one after the other ended
and started with another version (of librdkafka: the newest of Debian's sources), and back, under 500 orders a second. No request
may fail: a 503, which says that nothing was written, is sent again. Then the judge.
"""
import contextlib
import json
import re
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True
TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / folder) for folder in ("integration", "deploy/machine")]

import debian
from harness import Failed, ROOT, Program, Stage, free_ports, main, newest_librdkafka, say, surroundings, wait_for
from openload import OpenLoad
from progress import Progress

RATE, CONNECTIONS, READY_S, REST_S = 500, 64, 60, 3
FINE = {"sent", "2xx", "503", "missed"}
SECTIONS = {"kafka.consumer": ["session.timeout.ms = 6000"], "gateway": ["access.log = off"]}


def second_gateway(weir):
    """Beside the first one, by the same configuration."""
    listen, management = (f"127.0.0.1:{port}" for port in free_ports(2))
    own = {"WEIR_GATEWAY_LISTEN": listen, "WEIR_GATEWAY_MANAGEMENT_LISTEN": management}
    argv = weir.program("gateway").argv
    weir.programs["gateway-two"] = Program("gateway-two", argv, weir.folder, {**surroundings(), **own}, f"http://{management}")
    return listen, management


def proxy_text(address, gateways):
    """The example of deploy/conf, without TLS."""
    changes = [
        (r"bind :8443 ssl .*", f"bind {address}"),
        (r"default-server .*", "default-server check inter 1s fall 1 rise 1"),
        *((rf"server gateway-{number} .*", f"server gateway-{number} {listen} port {management.rsplit(':', 1)[1]}")
          for number, (listen, management) in enumerate(gateways, 1)),
    ]
    text = (ROOT / "deploy/conf/haproxy.cfg").read_text()
    for old, new in changes:
        text, count = re.subn(old, new, text)
        if count != 1:
            raise Failed(f"haproxy.cfg has {count} lines of {old}")
    return text


@contextlib.contextmanager
def proxy(weir, gateways):
    """HAProxy before the gateways; its address."""
    address = f"127.0.0.1:{free_ports(1)[0]}"
    config = weir.folder / "haproxy.cfg"
    config.write_text(proxy_text(address, gateways))
    binary, environment = debian.haproxy()
    with open(weir.folder / "haproxy.log", "w", encoding="ascii") as log:
        process = subprocess.Popen([binary, "-db", "-f", config], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield address
    finally:
        process.terminate()
        process.wait(READY_S)


def upgrade(programs, load, version):
    """Each to the librdkafka of this folder, or of this machine without one."""
    for program in programs:
        code = program.stop()
        if code != 0:
            raise Failed(f"{program.name} ended with {code}\n{program.tail()}")
        program.start(**({"LD_LIBRARY_PATH": version} if version else {})).wait_ready(READY_S)
        runs = program.library("librdkafka")
        if not runs.startswith(version or "/usr/lib/"):
            raise Failed(f"{program.name} runs {runs}, not what it was started with")
        load.wait_accepted(REST_S * RATE, READY_S)
        say(f"  {program.name} runs {runs}: {load.counts}")


def test():
    with Stage() as stage:
        kafka = stage.kafka()
        weir = stage.weir(kafka, sections=SECTIONS)
        gateways = [tuple(weir.address[name] for name in ("gateway", "gateway-management")), second_gateway(weir)]
        programs = [weir.program("gateway"), weir.programs["gateway-two"], weir.instance("one"), weir.instance("two")]
        for program in programs:
            program.start()
        for program in programs:
            program.wait_ready(READY_S)
        log = weir.folder / "accepted.jsonl"
        with proxy(weir, gateways) as address, Progress(kafka) as progress:
            load = OpenLoad(address, log, RATE, CONNECTIONS).start()
            load.retry()
            load.wait_accepted(REST_S * RATE, READY_S)
            for version in (newest_librdkafka(), None):
                upgrade(programs, load, version)
            answers = load.stop()
            wait_for("lag 0", 120, lambda: progress.lag == 0, programs)
        say(json.dumps({"fault": "rolling_upgrade", "answers": answers}))
        if set(answers) - FINE or answers["2xx"] != answers["sent"] - answers.get("503", 0):
            raise Failed(f"requests failed: {answers}")
        code, judged = weir.judge(log, settle=120)
        say(f"judge: exit {code}, {json.dumps(judged)}")
        if code != 0 or judged["commands"] != answers["2xx"]:
            raise Failed("the judge found the invariant violated")
        weir.stop()


main(test)
