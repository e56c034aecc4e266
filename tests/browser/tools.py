"""The browser that the tests drive: Debian's Chromium without a screen; Playwright and axe-core come from PyPI into the user's cache.
Ends the test with 77 (with WEIR_REQUIRE_KAFKA=1: with 1) where one of them can't be had."""
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "weir"
PACKAGES = ["playwright==1.65.2", "axe-playwright-python==0.1.8"]
BROWSERS = ["chromium-headless-shell", "chromium"]
SKIPPED = 77


def unavailable(reason):
    print(f"SKIPPED: the browser tests can't run: {reason}", file=sys.stderr)
    sys.exit(1 if os.environ.get("WEIR_REQUIRE_KAFKA") == "1" else SKIPPED)


def fetch(folder):
    with tempfile.TemporaryDirectory(dir=folder.parent) as fresh:
        target = Path(fresh) / "packages"
        argv = ["/usr/bin/python3", "-m", "pip", "install", "-q", "--no-compile", "--only-binary", ":all:", "--target", target, *PACKAGES]
        done = subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            unavailable(f"pip install ended with {done.returncode}: {done.stderr.strip()[-300:]}")
        target.rename(folder)


def packages():
    """The folder to import from, filled once for all tests."""
    folder = CACHE / ("browser-" + "-".join(PACKAGES).replace("==", "-"))
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{folder}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            fetch(folder)
    return folder


def browser_program():
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    return found or unavailable("Chromium is missing (deploy/install-deps --tests installs it)")


def axe_source():
    """axe-core, to be run inside a page."""
    return (packages() / "axe_playwright_python" / "axe.min.js").read_text()
