#!/usr/bin/python3
"""A shop's whole story by deploy/conf/shop.conf as it is shipped, on the dev broker: stock, carts, checkout, confirmation, shipping,
delivery, who gets which mail, leaving a list, out of stock and back, a dead letter that is driven again once its cause is mended."""
import collections
import email
import email.policy
import http.client
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import urllib.parse
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

from harness import ROOT, Failed, Program, find_program, free_ports, main, say, surroundings, wait_for  # noqa: E402

SERVICES, WAIT_S = ("store", "inventory", "notifier"), 30
CONF = ROOT / "deploy" / "conf"


class Shop:
    """The programs, by the shipped configuration; only addresses and folders are this test's own, from the environment."""

    def __init__(self):
        self.folder, self.programs = Path(tempfile.mkdtemp(prefix="weir-shop.")), []
        self.known = {}
        self.ports = dict(zip(("gateway", "gateway-management", "reads", *SERVICES), free_ports(6)))
        self.broker = "127.0.0.1:1"  # until it is there
        self.gateway = f"127.0.0.1:{self.ports['gateway']}"
        self.mails = self.folder / "mail"
        self.conf, self.key = CONF / "shop.conf", self.folder / "subscriptions.key"
        self.key.write_text(secrets.token_hex(32))

    def kafka_of(self, _program):
        """What a program needs to know of Kafka."""
        return {"DEV": "true", "BOOTSTRAP_SERVERS": self.broker}

    def environment(self, program):
        own = {
            **{f"KAFKA_{name}": value for name, value in self.kafka_of(program).items()},
            "GATEWAY_LISTEN": self.gateway,
            "GATEWAY_MANAGEMENT_LISTEN": f"127.0.0.1:{self.ports['gateway-management']}",
            "COLLECTION_PRODUCTS_TABLES": "shop-products",
            "SUBSCRIPTIONS_KEY_FILE": self.key,
            "SUBSCRIPTIONS_URL": f"http://{self.gateway}",
            "SERVICE_STORE_STORE_PATH": f"{self.folder}/store/db",
            "SERVICE_STORE_STORE_LISTEN": f"127.0.0.1:{self.ports['reads']}",
            "SERVICE_STORE_STORE_FREE_MIN": "64MiB",
            "SERVICE_NOTIFIER_NOTIFIER_TEMPLATES": CONF / "templates",
            "SERVICE_NOTIFIER_NOTIFIER_HOSTNAME": "shop.example.com",
        }
        for name in ("ORDERS", "PRODUCTS", "CUSTOMERS", "CARTS", "SUBSCRIPTIONS"):
            own[f"COLLECTION_{name}_PARTITIONS"] = 2 if name == "ORDERS" else 1  # the dev broker takes its time for each
        for service in SERVICES:
            own[f"SERVICE_{service.upper()}_STATE_DIR"] = self.folder / service
            own[f"SERVICE_{service.upper()}_MANAGEMENT_LISTEN"] = f"127.0.0.1:{self.ports[service]}"
        return {**surroundings(), **{f"WEIR_{name}": str(value) for name, value in own.items()}, **self.known}

    def start(self, name, argv, readyz=None):
        self.programs.append(Program(name, argv, self.folder, self.environment(name), readyz).start())
        return self.programs[-1]

    def address_from(self, name, argv):
        """Starts a program that writes where it listens into a file."""
        path = self.folder / f"{name}.address"
        program = self.start(name, [*argv, "--address-file", path])
        wait_for(name, WAIT_S, lambda: path.exists() and path.read_text().strip(), [program])
        return path.read_text().strip()

    def start_kafka(self):
        self.known["WEIR_GATEWAY_STORE_URL"] = f"http://127.0.0.1:{self.ports['reads']}"
        self.broker = self.address_from("devbroker", [find_program("weir-devbroker"), "--config", self.conf])

    def __enter__(self):
        sink = ["/usr/bin/python3", "-B", ROOT / "deploy" / "mail-sink", "--listen", "127.0.0.1:0", "--maildir", self.mails]
        self.known["WEIR_SERVICE_NOTIFIER_NOTIFIER_SMTP"] = self.address_from("mail-sink", sink)
        self.start_kafka()
        management = f"http://127.0.0.1:{self.ports['gateway-management']}"
        self.start("gateway", [find_program("weir-gateway"), "--config", self.conf], management)
        for name in SERVICES:
            (self.folder / name).mkdir()
            argv = [find_program("weir-consumer"), "--config", self.conf, "--service", name]
            self.start(name, argv, f"http://127.0.0.1:{self.ports[name]}")
        for program in self.services():
            program.wait_ready()
        return self

    def services(self):
        return [program for program in self.programs if program.readyz]

    def __exit__(self, kind, *_):
        if kind not in (None, SystemExit):
            sys.stderr.write("".join(program.tail(20) for program in self.programs))
        ends = {program.name: program.stop() for program in reversed(self.services()) if program.running}
        for program in self.programs:
            if program.running:
                program.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
        if kind is None and set(ends.values()) != {0}:
            raise Failed(f"they ended with {ends}")

    def weirctl(self, *arguments):
        argv = [find_program("weirctl"), "--config", self.conf, *arguments]
        environment = {**os.environ, **self.environment("weirctl")}
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment, timeout=60, check=False)
        if done.returncode != 0:
            raise Failed(f"weirctl {arguments}: exit {done.returncode}\n{done.stdout.decode()}")
        return done.stdout.decode()

    def ask(self, method, path, body=None, wait=True, kind=None):
        """(status, body as JSON, or as text)"""
        connection = http.client.HTTPConnection(self.gateway, timeout=30)
        kind = kind or ("application/merge-patch+json" if method == "PATCH" else "application/json")
        headers = {**({"Prefer": "wait=20"} if wait else {}), **({"Content-Type": kind} if body is not None else {})}
        connection.request(method, path, body if isinstance(body, (str, type(None))) else json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        is_json = "json" in (answer.getheader("Content-Type") or "")
        return answer.status, json.loads(text) if is_json and text else text

    def write(self, method, path, body):
        status, answer = self.ask(method, path, body)
        if status not in (200, 201):
            raise Failed(f"{method} {path}: {status} {answer}")
        return answer

    def read(self, path):
        return self.ask("GET", path, wait=False)[1]

    def received(self):
        """[(recipient, subject, message)] of all mails there are."""
        found = []
        for path in sorted((self.mails / "new").glob("*")):
            message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            found.append((message["To"].split("@")[0], message["Subject"], message))
        return found

    def wait_mail(self, to, subject):
        def find():
            return [message for name, title, message in self.received() if (name, title) == (to, subject)]

        try:
            return wait_for(f"{to}'s mail {subject!r}", WAIT_S, find, self.programs)[0]
        except Failed as error:
            raise Failed(f"{error}; there are {[mail[:2] for mail in self.received()]}") from None


def equal(what, wanted, found):
    if wanted != found:
        raise Failed(f"{what}: {found!r} instead of {wanted!r}")


def stock(shop, **wanted):
    for sku, count in wanted.items():
        wait_for(f"{count} of {sku}", WAIT_S, lambda sku=sku, count=count: shop.read(f"/product/{sku}")["stock"] == count, shop.programs)


def status(shop, order, wanted):
    return wait_for(f"{order} is {wanted}", WAIT_S, lambda: (found := shop.read(f"/v1/orders/{order}"))["status"] == wanted and found, shop.programs)


def checkout(shop, name, **items):
    """The order of a new cart."""
    prices = {"pen": 34.00, "ink": 9.90, "tape": 2.50}
    lines = [{"sku": sku, "quantity": count, "unitPrice": prices[sku]} for sku, count in items.items()]
    shop.write("PUT", f"/v1/carts/{name}", {"customerID": name, "email": f"{name}@example.org", "currency": "EUR", "items": lines})
    code, answer = shop.ask("POST", f"/v1/carts/{name}:checkout")
    equal(f"{name}'s checkout", 201, code)
    equal("once more", answer["key"], shop.ask("POST", f"/v1/carts/{name}:checkout")[1]["key"])
    equal(f"{name}'s cart", [], shop.read(f"/v1/carts/{name}")["items"])
    return answer["key"]


def path_of(link):
    url = urllib.parse.urlsplit(link)
    return f"{url.path}?{url.query}"


def subscribe(shop, name, confirms, **what):
    shop.write("POST", "/v1/subscriptions", {"subscriptionID": f"of-{name}", "endpoint": f"{name}@example.org", "collection": "products", **what})
    asking = shop.wait_mail(name, "Please confirm: mails about products")
    if not confirms:
        return
    link = next(word for word in asking.get_body(("plain",)).get_content().split() if word.startswith("http://"))
    code, page = shop.ask("POST", path_of(link))
    equal(f"confirmation of {name}, {page}", True, code in (200, 202))
    wait_for(f"{name} is confirmed", WAIT_S, lambda: shop.read(f"/v1/subscriptions/of-{name}")["status"] == "CONFIRMED", shop.programs)


def step_products(shop):
    shop.write("POST", "/product", {"productID": "pen", "name": "Fountain pen", "price": 34.00, "stock": 4})
    shop.write("PUT", "/product/ink", {"name": "Ink, blue-black", "price": 9.90, "stock": 1})
    shop.write("PUT", "/product/tape", {"name": "Tape", "price": 2.50})
    equal("products", ["ink", "pen", "tape"], sorted(one["productID"] for one in shop.read("/product")["items"]))
    asked = {"operation": "read", "tableName": "shop-products", "payload": {"Key": {"productID": "pen"}}}
    equal("by the table's name", 4, shop.ask("POST", "/dynamodbmanager", asked, wait=False)[1]["Item"]["stock"])


def step_subscriptions(shop):
    emptied = {"before.stock": [{"numeric": [">", 0]}], "after.stock": [{"numeric": ["<=", 0]}]}
    refilled = {"before.stock": [{"numeric": ["<=", 0]}], "after.stock": [{"numeric": [">", 0]}]}
    subscribe(shop, "grace", True, template="out-of-stock", filter=emptied)
    subscribe(shop, "henry", True, template="back-in-stock", filter={"key": ["ink"], **refilled})
    subscribe(shop, "mallory", False, template="out-of-stock", filter=emptied)


def step_confirmed(shop):
    order = checkout(shop, "ada", pen=2, ink=1)
    found = status(shop, order, "CONFIRMED")
    equal("its total", 77.9, found["total"])
    stock(shop, pen=2, ink=0)
    shop.wait_mail("ada", f"We have your order {order}")
    shop.wait_mail("ada", f"Your order {order} is confirmed")
    shop.wait_mail("grace", "Out of stock: Ink, blue-black")
    return order


def step_delivered(shop, order):
    for one, subject in (("SHIPPED", "is on its way"), ("DELIVERED", "has arrived")):
        shop.write("PATCH", f"/v1/orders/{order}", {"status": one})
        shop.wait_mail("ada", f"Your order {order} {subject}")


def step_rejected(shop):
    order = checkout(shop, "bob", pen=1, ink=1)
    equal("the reason", "out of stock: ink", status(shop, order, "REJECTED")["reason"])
    stock(shop, pen=2, ink=0)
    shop.wait_mail("bob", f"We have your order {order}")
    shop.wait_mail("bob", f"Your order {order} cannot be filled")


def step_back_in_stock(shop):
    """Grace has had enough of these mails, and hears no more when ink is gone again."""
    leave = shop.wait_mail("grace", "Out of stock: Ink, blue-black")["List-Unsubscribe"].strip("<>")
    code, page = shop.ask("POST", path_of(leave), "List-Unsubscribe=One-Click", kind="application/x-www-form-urlencoded")
    equal(f"leaving, {page}", True, code in (200, 202))
    wait_for("grace has left", WAIT_S, lambda: shop.read("/v1/subscriptions/of-grace")["status"] == "UNSUBSCRIBED", shop.programs)
    shop.write("POST", "/product/ink:adjust", {"stock": 2})
    shop.wait_mail("henry", "Back in stock: Ink, blue-black")
    order = checkout(shop, "carol", ink=2)
    shop.wait_mail("carol", f"Your order {order} is confirmed")
    stock(shop, ink=0)
    return order


def step_cancelled(shop, order):
    for _ in range(2):
        shop.write("PATCH", f"/v1/orders/{order}", {"status": "CANCELLED"})
    stock(shop, ink=2)
    wait_for("it holds nothing", WAIT_S, lambda: "reservation" not in shop.read(f"/v1/orders/{order}"), shop.programs)


def step_dead_letter(shop):
    """Nobody has counted the tape yet."""
    order = checkout(shop, "dora", tape=3)
    letters = wait_for("the letter", WAIT_S, lambda: json.loads(shop.weirctl("dlq", "list", "--service", "store", "--json"))["letters"])
    equal("letters", [("tape", "invalid")], [(one["key"], one["disposition"]) for one in letters])
    equal("the order meanwhile", "CREATED", shop.read(f"/v1/orders/{order}")["status"])
    shop.write("PATCH", "/product/tape", {"stock": 10})
    shop.weirctl("dlq", "redrive", "--service", "store", "--key", "tape")
    status(shop, order, "CONFIRMED")
    stock(shop, tape=7)
    shop.wait_mail("dora", f"Your order {order} is confirmed")


def step_right_people_only(shop):
    """Each mail was waited for above; what is more is one too many."""
    found = collections.Counter(name for name, _, _ in shop.received())
    wanted = {"ada": 4, "bob": 2, "carol": 2, "dora": 2, "grace": 2, "henry": 3, "mallory": 1}
    equal("mails", wanted, dict(found))


def tell(shop):
    step_products(shop)
    step_subscriptions(shop)
    order = step_confirmed(shop)
    say("ordered, confirmed")
    step_delivered(shop, order)
    step_rejected(shop)
    say("delivered, and another one rejected")
    order = step_back_in_stock(shop)
    step_cancelled(shop, order)
    say("back in stock, and cancelled")
    step_dead_letter(shop)
    step_right_people_only(shop)


def story():
    with Shop() as shop:
        tell(shop)


if __name__ == "__main__":
    sys.exit(main(story))
