#!/usr/bin/python3
"""weirctl's line of progress: it moves on a terminal, within its width, and goes; what is no terminal gets nothing. A server that takes
its time for each request makes it last long enough."""
import fcntl
import http.server
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from pathlib import Path

WEIRCTL = Path(os.environ["WEIR_BUILD"]) / "bin" / "weirctl"
REQUESTS, EACH_S, WAIT_S = 50, 0.08, 60
AWAY = "\r\x1b[K"
LINE = re.compile(r"sending \[(#* *)\] +(\d+)%  (\d+) requests(?:, (\d+)/s)?")


class Slow(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        time.sleep(EACH_S)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Sending:
    """weirctl with a terminal of so many columns for its errors, or a file."""

    def __init__(self, folder, port, columns=None):
        self.told, self.columns, self.file = [], columns, Path(folder) / "errors"
        terminal, theirs = pty.openpty() if columns else (None, os.open(self.file, os.O_CREAT | os.O_WRONLY))
        if columns:
            fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        argv = [WEIRCTL, "--config", Path(folder) / "weir.conf", "send", "/v1/orders", "--count", str(REQUESTS)]
        self.process = subprocess.Popen([*argv, "--url", f"http://127.0.0.1:{port}"], stdout=subprocess.PIPE, stderr=theirs, text=True)
        os.close(theirs)
        self.reader = threading.Thread(target=self.read, args=(terminal,))
        self.reader.start()

    def read(self, terminal):
        try:
            while terminal is not None and (part := os.read(terminal, 4096)):
                self.told.append(part.decode())
        except OSError:
            os.close(terminal)  # EIO: nobody has the other end any more

    def ended(self):
        """What was written where errors go."""
        output, _ = self.process.communicate(timeout=WAIT_S)
        self.reader.join()
        check("the answers", f"200 OK: {REQUESTS}", output.splitlines()[0])
        check("exit", 0, self.process.returncode)
        return "".join(self.told) if self.columns else self.file.read_text()


def check(what, wanted, found):
    if wanted != found:
        sys.exit(f"FAILED: {what}: {found!r} instead of {wanted!r}")


def lines_of(sending):
    told = sending.ended()
    before, *lines, last = told.split(AWAY)
    check("before and behind the lines", ("", ""), (before, last))
    check("lines that are too wide", [], [line for line in lines if len(line) >= sending.columns])
    return lines


def check_moves(sending):
    shown = [LINE.fullmatch(line) or sys.exit(f"FAILED: not a line of progress: {line!r}") for line in lines_of(sending)]
    done = [int(one[3]) for one in shown]
    check("counts, each once and in order", sorted(set(done)), done)
    check("it moves", True, len(done) > 1)
    check("shares", [count * 100 // REQUESTS for count in done], [int(one[2]) for one in shown])
    check("bars", [len(one[1]) * int(one[2]) // 100 for one in shown], [one[1].count("#") for one in shown])
    check("there is a rate", True, int(shown[-1][4]) in range(1, int(1 / EACH_S) + 1))


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory(prefix="weir-test.") as folder:
        (Path(folder) / "weir.conf").write_text("[kafka]\nbootstrap.servers = 127.0.0.1:1\ndev = true\n[collection orders]\nkey = orderID\n")
        wide, narrow, file = (Sending(folder, server.server_port, columns) for columns in (72, 22, None))
        check_moves(wide)
        check("without room for a bar", [], [line for line in lines_of(narrow) if not re.match(r"sending +\d+%  \d+ req", line)])
        check("what is no terminal", "", file.ended())
    print("ok")


main()
