#!/usr/bin/python3
"""The ledger: who got a mail gets it once, across restarts, kills, other instances, retries and dead letters."""

import json
import sys
import tempfile

from mail_subscriptions import Subscribed, recipients, subscription
from scripted import CLOSE, Server
from support import Failed, cases_of, check, equal, event, main, parse, record, records, run


def told(result):
    """The ledger's log: recipient to what became of their mails, in order."""
    found = {}
    for text in result.totals["log"]:
        value = json.loads(text)
        found.setdefault(value["recipient"], []).append(value["status"])
    return found


def restored(result):
    """The log as another instance reads it."""
    lines = []
    for offset, text in enumerate(result.totals["log"]):
        value = json.loads(text)
        key = "%s:%s/%s" % (value["event"], value["subscription"], value["recipient"])
        lines.append(record(offset, topic="orders.changes.notifier.notifications", key=key, raw=text, ledger=1))
    return lines


def message_ids(server):
    return [parse(mail.content)["Message-ID"] for mail in server.mails]


def case_restart():
    server = Server()
    with tempfile.TemporaryDirectory() as folder:
        for turn in (1, 2):
            result = run(server.address, records(20), ledger_path=folder)
            equal(result.verdicts(), ["done"] * 20, "verdicts")
            equal((len(server.mails), server.sessions), (20, 1), "mails and sessions after turn %d" % turn)
            equal(len(result.totals["log"]), 20 if turn == 1 else 0, "records of turn %d" % turn)


def case_kill():
    """Killed when a mail was written and not yet answered: that one comes again, no other, by the same Message-ID."""
    server, processes = Server(extensions=[]), []

    def kill(session, _):
        if session.counts["."] == 7 and processes:
            processes.pop().kill()
            return CLOSE
        return None

    server.replies["."] = kill
    with tempfile.TemporaryDirectory() as folder:
        try:
            run(server.address, records(12), started=processes.append, ledger_path=folder)
            check(False, "the driver was not killed")
        except Failed as ended:
            check("-9" in str(ended), "ended with %s", ended)
        written = len(server.mails)
        result = run(server.address, records(12), ledger_path=folder)
        equal(result.verdicts(), ["done"] * 12, "verdicts")
        equal(len(set(message_ids(server))), 12, "different mails")
        check(len(server.mails) <= 13, "%d mails, %d at the kill", len(server.mails), written)
        equal(len(told(result)["team@example.org"]), 12, "records, those of before the kill too")


def case_another_instance():
    server = Server()
    first = run(server.address, records(20))
    equal(told(first), {"team@example.org": ["sent"] * 20}, "log")
    result = run(server.address, restored(first) + records(20))
    equal(result.verdicts(), ["done"] * 20, "verdicts")
    equal((len(server.mails), server.sessions), (20, 1), "mails and sessions")


def case_sent_stays_sent():
    """Another instance that did not know may have been refused since."""
    server = Server()
    first = run(server.address, records(1))
    late = restored(first)
    refused = dict(late[0], offset=1, value=late[0]["value"].replace('"sent"', '"failed"').replace("250 ", "550 "))
    result = run(server.address, late + [refused] + records(1))
    equal((result.verdicts(), len(server.mails)), (["done"], 1), "verdict and mails")


def case_records():
    """What is told of each mail."""
    def answer(session, recipient):
        for name, reply in (("no", "550 5.1.1 no such user"), ("later", "451 4.7.1 come again")):
            if name in recipient:
                return reply
        return None

    server = Server({"RCPT": answer})
    one = event("o-1", request="r-1")
    result = run(server.address, [record(3, one)], to="a@example.org, no@example.org, later@example.org")
    equal(told(result), {"a@example.org": ["sent"], "no@example.org": ["failed"], "later@example.org": ["deferred"]}, "log")
    values = {json.loads(text)["recipient"]: json.loads(text) for text in result.totals["log"]}
    sent, failed = values["a@example.org"], values["no@example.org"]
    equal((sent["collection"], sent["key"], sent["request"], sent["subscription"]), ("orders", "o-1", "r-1", ""), "event")
    equal("<%s>" % sent["message_id"], message_ids(server)[0], "Message-ID")
    check(sent["reply"].startswith("250 "), "reply %r", sent["reply"])
    equal(failed["reply"], "550 5.1.1 no such user", "reply")
    check(abs(sent["ts_ms"] - failed["ts_ms"]) < 60000 and sent["ts_ms"] > 1700000000000, "times")


def case_unknown():
    """No answer to the mail's end: on record, and sent again."""
    lost = []

    def lose_first(session, _):
        lost.append(session)
        return CLOSE if len(lost) == 1 else None

    server = Server({".": lose_first})
    result = run(server.address, records(1), rounds=2)
    equal((result.verdicts(1), result.verdicts(2)), (["wait"], ["done"]), "verdicts")
    equal(told(result), {"team@example.org": ["unknown", "sent"]}, "log")
    equal(result.totals["unknown"], 1, "counted")
    equal(len(set(message_ids(server))), 1, "Message-IDs")


def case_fan_out():
    """An event with more subscribers than one transaction takes: each gets its mail once, and who was refused for now alone is
    tried again, when all others have had theirs."""
    refused = set()

    def refuse_once(session, recipient):
        if "a7@" not in recipient or recipient in refused:
            return "550 5.1.1 gone" if "a9@" in recipient else None
        refused.add(recipient)
        return "450 4.2.0 later"

    server = Server({"RCPT": refuse_once})
    lines = [subscription("s-%d" % i, endpoint="a%d@example.org" % i) for i in range(250)] + [record(1, event("o-1"))]
    result = Subscribed().run(server, lines, 2, smtp_batch=40, smtp_sessions=4)
    equal((result.verdicts(1), result.verdicts(2)), (["retry"], ["reject"]), "verdicts")
    check("550 5.1.1 gone" in result.lines[-1]["text"], "reason %r", result.lines[-1]["text"])
    equal(recipients(server), sorted("a%d@example.org" % i for i in range(250) if i != 9), "recipients")
    statuses = told(result)
    equal(statuses.pop("a7@example.org"), ["deferred", "sent"], "the one that was refused for now")
    equal(statuses.pop("a9@example.org"), ["failed", "failed"], "the one that is gone")
    equal(set(map(tuple, statuses.values())), {("sent",)}, "all others")


def case_dead_letter_comes_back():
    """Who got the mail does not get it again when the event is redriven; who was refused does."""
    gone = [True]
    server = Server({"RCPT": lambda session, recipient: "550 5.1.1 gone" if gone[0] and "no@" in recipient else None})
    with tempfile.TemporaryDirectory() as folder:
        common = {"ledger_path": folder, "to": "a@example.org, no@example.org"}
        equal(run(server.address, [record(5, event("o-1"))], **common).verdicts(), ["reject"], "verdict")
        gone[0] = False
        back = record(77, event("o-1"), topic="orders.changes.notifier.retry",
                      headers={"weir-origin": "orders.changes/0/5", "weir-redrive-count": "1"})
        equal(run(server.address, [back], **common).verdicts(), ["done"], "verdict of the redriven one")
    equal(recipients(server), ["a@example.org", "no@example.org"], "recipients")


def case_topic_made_anew():
    """The positions of a topic that was made anew name other events."""
    server = Server()
    with tempfile.TemporaryDirectory() as folder:
        for at in (1795243220123, 1795243220124):
            equal(run(server.address, [record(5, event("o-1", ts_ms=at))], ledger_path=folder).verdicts(), ["done"], "verdict")
    equal(len(server.mails), 2, "mails")


def case_one_process_a_folder():
    said = []

    def answer(session, _):
        if not said:
            said.append("")
            try:
                run(server.address, records(1), ledger_path=folder)
            except Failed as refused:
                said.append(str(refused))

    server = Server({".": answer})
    with tempfile.TemporaryDirectory() as folder:
        run(server.address, records(1), ledger_path=folder, smtp_timeout="25s")
    check("another process has this folder open" in said[-1], "said %r", said)


if __name__ == "__main__":
    sys.exit(main(cases_of(globals()), sys.argv))
