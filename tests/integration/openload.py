"""Orders at a constant rate, whatever becomes of them: the C program of load/, its counts over time."""
import subprocess
import threading
import time
from collections import deque

from harness import BUILD, Failed, wait_for

NAMES = ("sent", "2xx", "503", "504", "other", "none", "missed")
END_S = 60


class OpenLoad:
    """Runs loadgen against a gateway; `history` holds (monotonic seconds, accepted so far)."""

    def __init__(self, address, log, rate, connections=64, stem="o"):
        program = BUILD / "tests" / "loadgen"
        self.argv = [str(a) for a in (program, address, log, rate, connections, stem)]
        self.counts, self.history, self.ended = dict.fromkeys(NAMES, 0), deque(), False
        self.process, self.thread = None, threading.Thread(target=self._read, daemon=True)

    def start(self):
        self.process = subprocess.Popen(self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.thread.start()
        return self

    def _read(self):
        for line in self.process.stdout:
            when, *numbers = line.split()
            self.counts = dict(zip(NAMES, map(int, numbers)))
            if when != "end":
                self.history.append((int(when) / 1000, self.counts["2xx"]))
        self.ended = True

    def check_alive(self):
        if self.ended and self.process.poll() is not None:
            raise Failed(f"the load ended with {self.process.returncode}")

    def set_rate(self, rate):
        self._tell(f"rate {rate}")

    def retry(self):
        """From now on what is refused (503) is sent again."""
        self._tell("retry")

    def _tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def wait_accepted(self, more, seconds):
        """Waits until `more` orders are accepted after this call."""
        goal = self.counts["2xx"] + more
        wait_for(f"{more} more orders accepted", seconds, lambda: self.counts["2xx"] >= goal, [self])

    def stop(self):
        """Ends it once the answers are in; the counts, without those of nothing."""
        self.process.stdin.close()
        try:
            code = self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Failed(f"the load did not end: {self.counts}") from None
        self.thread.join(END_S)
        if code != 0:
            raise Failed(f"the load ended with {code}")
        return {name: count for name, count in self.counts.items() if count}


def rate_between(history, since, until):
    """Mean per second of a growing count between two moments; None where the history does not reach."""
    history = list(history)  # in one go: it is written by another thread
    before = [point for point in history if point[0] <= since]
    after = [point for point in history if point[0] <= until]
    if not before or not after or until <= since or time.monotonic() < until:
        return None
    return (after[-1][1] - before[-1][1]) / (until - since)
