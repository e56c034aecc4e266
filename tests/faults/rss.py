"""Resident memory of processes over time."""
import threading
import time

PAUSE_S, MIB = 2, 1024.0
FLOOR_S = 60  # a backlog takes memory for a moment: what counts is what is not given back within this


def resident_mib(pid):
    """VmRSS of a process, or None when it is gone."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as lines:
            return next(int(line.split()[1]) / MIB for line in lines if line.startswith("VmRSS:"))
    except (OSError, StopIteration):
        return None


def slope(points):
    """Least squares: MiB a minute of (seconds, MiB) points."""
    count = len(points)
    if count < 2:
        return 0.0
    mean_x, mean_y = sum(x for x, _ in points) / count, sum(y for _, y in points) / count
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return 60 * sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


def floors(points):
    """The lowest of each FLOOR_S seconds of (seconds, value) points."""
    found = {}
    for when, value in points:
        window = int(when // FLOOR_S)
        found[window] = min(found.get(window, (when, value)), (when, value), key=lambda point: point[1])
    return [found[window] for window in sorted(found)]


class Memory:
    """Samples programs in a thread of its own; a restart begins a new series."""

    def __init__(self):
        self.programs, self.series, self.ending = [], {}, False
        self.thread = threading.Thread(target=self._run, daemon=True)

    def watch(self, program):
        self.programs.append(program)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending = True
        self.thread.join(2 * PAUSE_S + 1)

    def _run(self):
        while not self.ending:
            for program in list(self.programs):
                pid = program.process.pid if program.running else None
                mib = resident_mib(pid) if pid else None
                if mib is not None:
                    self.series.setdefault((program.name, pid), []).append((time.monotonic(), mib))
            time.sleep(PAUSE_S)

    def floors(self, since):
        """{program: [(monotonic seconds, MiB)]}: its floors from that second on, of its process that lived longest then."""
        found = {}
        for (name, _pid), points in self.series.items():
            found[name] = max(found.get(name, []), floors([point for point in points if point[0] >= since]), key=len)
        return found

    def report(self):
        """{program: highest MiB seen}"""
        return {name: round(max(m for (n, _), points in self.series.items() if n == name for _, m in points), 1)
                for name in {name for name, _ in self.series}}
