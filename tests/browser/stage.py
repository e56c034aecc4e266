"""The whole of Weir as deploy/demo starts it, and a browser on its portal that notices whatever should not happen."""
import contextlib
import hashlib
import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[2]
BUILD = os.environ.get("WEIR_BUILD") or str(ROOT / "build" / "dev")
sys.path.insert(0, str(ROOT / "deploy" / "demonstration"))

from stack import Failed, Stack, wait_until  # noqa: E402

import tools  # noqa: E402

sys.path.insert(0, str(tools.packages()))

from playwright.sync_api import sync_playwright  # noqa: E402

ACTION_MS = 20000
ARTIFACTS = Path(os.environ.get("WEIR_ARTIFACTS") or Path(BUILD) / "artifacts") / "browser"
DESK, PHONE = {"width": 1100, "height": 800}, {"width": 360, "height": 740}
SERIOUS = ("serious", "critical")
KEYS = {
    "clerk": "orders:create,orders:merge,*:read,subscriptions:*",
    "reader": "orders:read",
    "keeper": "dlq:*",
    "auditor": "dlq:read",
}


def check(truth, what):
    if not truth:
        raise Failed(what)


def equal(got, wanted, what):
    check(got == wanted, f"{what}: got {got!r}, wanted {wanted!r}")


class Shop(Stack):
    """The demonstration's stack with keys and a schema; on real Kafka also behind the prefix of a stage."""

    def __init__(self, real_kafka=False):
        super().__init__(str(ROOT), BUILD, real_kafka)
        self.prefix = "/staging" if real_kafka else ""
        keys = Path(self.folder) / "keys"
        keys.write_text("".join(f"{name} {hashlib.sha256(name.encode()).hexdigest()} {scopes}\n" for name, scopes in KEYS.items()) +
                        f"ops {hashlib.sha256(b'ops').hexdigest()} *:*,dlq:*\n")
        os.environ.update(
            WEIR_GATEWAY_AUTH="keys", WEIR_GATEWAY_KEYS_FILE=str(keys), WEIR_GATEWAY_BASE_PATH=self.prefix, WEIR_GATEWAY_DLQ="on",
            WEIR_COLLECTION_ORDERS_SCHEMA=str(ROOT / "schemas" / "orders.schema.json"))

    def start_weir(self):
        os.environ["WEIR_SUBSCRIPTIONS_URL"] = self.base  # where the links of mails lead
        super().start_weir()

    @property
    def base(self):
        return f"http://{self.gateway}{self.prefix}"

    def call(self, method, path, body=None, wait_s=9):
        """A request of the operator's, who waits for what becomes of a command; answers the parsed body."""
        request = urllib.request.Request(
            f"{self.base}{path}", json.dumps(body).encode() if body is not None else None,
            {"Authorization": "Bearer ops", "Content-Type": f"application/{'merge-patch+' if method == 'PATCH' else ''}json", "Prefer": f"wait={wait_s}"}, method=method)
        with urllib.request.urlopen(request, timeout=20) as reply:
            return json.loads(reply.read() or b"null")

    def told(self, *arguments):
        """The status of a request that is refused."""
        try:
            self.call(*arguments)
        except urllib.error.HTTPError as error:
            return error.code
        return None

    def mails(self):
        """The mails that have arrived, as text."""
        folder = Path(self.maildir) / "new"
        return [file.read_text(errors="replace") for file in sorted(folder.iterdir())] if folder.is_dir() else []


@contextlib.contextmanager
def shop(real_kafka=False):
    stack = Shop(real_kafka)
    try:
        stack.up()
        yield stack
    finally:
        stack.down(keep=bool(os.environ.get("WEIR_KEEP")))


class Visit:
    """A browser's tab on the portal. It fails on a console message, a script's error, a request to anywhere else, and an answer
    of 4xx or 5xx that is not in `expected`, a set of statuses."""

    def __init__(self, browser, stack, view=DESK, dark=False, expected=()):
        self.base = stack.base
        self.expected, self.faults = set(expected), []
        self.context = browser.new_context(viewport=view, color_scheme="dark" if dark else "light", locale="en-GB", timezone_id="UTC")
        self.context.set_default_timeout(ACTION_MS)
        self.page = self.context.new_page()
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.faults.append(f"a script failed: {error}"))
        self.page.on("request", lambda request: self._asked(request.url))
        self.page.on("response", self._answered)

    def _said(self, message):
        if message.type in ("error", "warning") and not message.text.startswith("Failed to load resource: the server responded"):
            self.faults.append(f"on the console: {message.text}")

    def _asked(self, url):
        if not url.startswith(self.base + "/"):
            self.faults.append(f"a request to {url}")

    def _answered(self, response):
        if response.status >= 400 and response.status not in self.expected:
            self.faults.append(f"{response.status} of {response.url}")

    def open(self, address="", key=None):
        self.page.goto(f"{self.base}/portal/{address}")
        if key is not None:
            self.sign_in(key)
        return self

    def sign_in(self, key):
        self.page.get_by_label("Access key").fill(key)
        self.page.get_by_role("button", name="Sign in").click()

    def heading(self, text):
        self.page.get_by_role("heading", name=text, level=1).wait_for()

    def sees(self, text, exact=False):
        """Waits until the text can be seen."""
        self.page.get_by_text(text, exact=exact).first.wait_for()

    def steps(self):
        """The titles of what is drawn of a journey."""
        return self.page.locator(".timeline li strong").all_inner_texts()

    def press(self, name):
        self.page.get_by_role("button", name=name).click()

    def picture(self, name):
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        path = ARTIFACTS / f"{name}.png"
        self.page.screenshot(path=path, full_page=True)
        return path

    def check_accessible(self, where):
        """axe-core finds nothing serious."""
        self.page.evaluate(tools.axe_source())
        found = self.page.evaluate("axe.run()")["violations"]
        bad = [f"{one['id']} at {one['nodes'][0]['target']}" for one in found if one["impact"] in SERIOUS]
        equal(bad, [], f"accessibility of {where}")

    def check_fits(self, where):
        """Nothing has to be moved sideways to be read."""
        wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        equal(wide, 0, f"pixels beyond the width of {where}")

    def close(self):
        self.context.close()
        equal(self.faults, [], "what the page should not have done")


@contextlib.contextmanager
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=tools.browser_program(), args=["--no-sandbox", "--disable-gpu"])
        try:
            yield browser
        finally:
            browser.close()
