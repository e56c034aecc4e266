#!/usr/bin/python3 -B
"""metrics.py PAGE...: METRICS.md, its rows renewed by what running programs answer at /metrics."""
import pathlib
import re
import sys

HELP = re.compile(r"^# HELP (\S+) (.*)$", re.M)
TYPE = re.compile(r"^# TYPE (\S+) (\S+)$", re.M)
SAMPLE = re.compile(r"^([a-z0-9_]+)\{(.*)\} ", re.M)
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')
ROW = re.compile(r"^\| `(\S+)` \|.*$", re.M)
PAGE = pathlib.Path(__file__).resolve().parent / "METRICS.md"

INTRODUCTION = """# Metrics

What gateways and services answer at `/metrics`, in Prometheus' text format. Every service has those without `gateway`, and its
plugin's. This page is made of what running programs say: `metrics.py PAGE… > METRICS.md` renews it.

| metric | type | labels | meaning |
|---|---|---|---|"""


def values(pages):
    """Metric → label → the values that it has; a histogram's series are its own."""
    types = {name for page in pages for name, _ in TYPE.findall(page)}
    found = {}
    for name, text in (sample for page in pages for sample in SAMPLE.findall(page)):
        name = name if name in types else re.sub("_(bucket|sum|count)$", "", name)
        for label, value in LABEL.findall(text):
            found.setdefault(name, {}).setdefault(label, set()).add(value)
    return found


def rows(pages):
    """Metric → its line."""
    labels = values(pages)
    types = {name: kind for page in pages for name, kind in TYPE.findall(page)}
    helps = {name: text for page in pages for name, text in HELP.findall(page)}
    lines = {}
    for name, text in helps.items():
        shown = ", ".join("`%s`" % label for label in sorted(labels.get(name, {}).keys() - {"le"}))
        lines[name] = "| `%s` | %s | %s | %s |" % (name, types[name], shown or "–", text.rstrip(".").replace("|", "\\|"))
    return lines


def documented():
    return {match[1]: match[0] for match in ROW.finditer(PAGE.read_text())} if PAGE.exists() else {}


if __name__ == "__main__":
    lines = documented() | rows([pathlib.Path(path).read_text() for path in sys.argv[1:]])
    print("\n".join([INTRODUCTION] + [lines[name] for name in sorted(lines)]))
