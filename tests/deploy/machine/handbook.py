"""The commands of deploy/README.md. A mark before each block says who types them: `run` tests/deploy/booted on its machine, `run: WHO`
somebody else, `skip: REASON` nobody."""
import pathlib
import re

PAGE = pathlib.Path(__file__).resolve().parents[3] / "deploy/README.md"
BLOCK = re.compile(r"(?:<!-- ((?:run|skip)(?:: .+?)?) -->\n)?```sh\n(.*?)```", re.S)
ON_THE_MACHINE, WITH_KAFKA_TOOLS = "run", "run: with Kafka's tools"
CERTIFICATES, UPGRADE = "run: two_machines certificates", "run: two_machines upgrade"
MARKS = (ON_THE_MACHINE, WITH_KAFKA_TOOLS, CERTIFICATES, UPGRADE)


def blocks():
    """[(mark, commands)] of the whole page, in its order."""
    found = BLOCK.findall(PAGE.read_text())
    for mark, commands in found:
        if mark not in MARKS and not mark.startswith("skip: "):
            raise RuntimeError("deploy/README.md has commands that no test runs:\n" + commands)
    return found


def typed(commands):
    """As an operator types them, but that the first which fails ends it."""
    return ("bash", "-euo", "pipefail", "-c", commands)


def type_marked(machine, wanted):
    """All blocks of this mark, in the home of the machine's root."""
    for mark, commands in blocks():
        if mark == wanted:
            machine.run(*typed("cd /root\n" + commands))
