"""The broker goes away under load and comes back: the scenario of broker_kill and of the gateway's mutant."""
from harness import say, wait_for
from load import Load, Workload

ENOUGH = 1000
REFUSED = 100


def broker_outage(kafka, weir, log, kill_gateway=None):
    """Posts from 64 connections, kills the broker, waits for refusals, restarts it, posts on. Returns the counts as
    (before, during, after). kill_gateway(load) is called in the middle of the outage."""
    load = Load(weir.url, Workload(), log).start()
    load.wait("2xx before", 60, lambda c: c["2xx"] >= 2 * ENOUGH)
    kafka.broker("kill")
    before = dict(load.counts)
    say(f"broker killed after {before}")
    if kill_gateway:
        kill_gateway(load)
    else:
        load.wait("refusals", 60, lambda c: c["503"] >= REFUSED)
    kafka.broker("start")
    during = dict(load.counts)
    say(f"broker restarted after {during}")
    load.wait("2xx after", 120, lambda c: c["2xx"] >= during.get("2xx", 0) + 2 * ENOUGH)
    load.raise_limit(0)
    load.wait_idle(60)
    # What was accepted but not acknowledged when the broker died may still be on its way.
    after = load.stop()
    say(f"stopped after {after}")
    return before, during, after


def restart_gateway(weir):
    """kill -9 for the gateway, and a new one in its place."""
    gateway = weir.program("gateway")

    def act(load):
        told = load.counts["2xx"] + load.counts["504"] + load.counts["503"]
        wait_for("answers in the outage", 60, lambda: load.counts["2xx"] + load.counts["504"] + load.counts["503"] > told)
        gateway.kill()
        gateway.start()

    return act
