"""/portal/: its files, what they allow a browser, who may load them; /portal/session."""
import hashlib
import re
from html.parser import HTMLParser

from lifecycle import EX_CONFIG, ends_with
from stage import ROOT, Stage, check, check_problem, equal, request
from tls import KEY, TlsStage

FILES = ROOT / "gateway" / "portal"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def files():
    return [file for file in FILES.iterdir() if file.suffix in TYPES]


def path_of(file):
    return "/portal/" if file.name == "index.html" else f"/portal/{file.name}"


def case_files():
    """Every file as it lies in the tree, with its type and what a browser may do with it."""
    with Stage().start() as stage:
        check(len(files()) > 3, "there are files")
        for file in files():
            reply = stage.call("GET", path_of(file))
            equal((reply.status, reply.body), (200, file.read_bytes()), file.name)
            equal(reply.headers.get("content-type"), TYPES[file.suffix], file.name)
            equal(reply.headers.get("x-content-type-options"), "nosniff", file.name)
            equal(reply.headers.get("referrer-policy"), "no-referrer", file.name)
            head = stage.call("HEAD", path_of(file))
            equal((head.status, head.headers.get("content-length")), (200, str(len(reply.body))), f"HEAD {file.name}")
            check_policy(reply.headers.get("content-security-policy", ""))


def check_policy(policy):
    allowed = dict(part.strip().partition(" ")[::2] for part in policy.split(";"))
    equal(allowed.get("default-src"), "'none'", "what is not named")
    for name in ("base-uri", "form-action", "frame-ancestors"):
        equal(allowed.get(name), "'none'", name)
    sources = {name: value for name, value in allowed.items() if name.endswith("-src") and name != "default-src"}
    equal(set(sources.values()), {"'self'"}, f"sources in {policy}")


def case_not_modified():
    with Stage().start() as stage:
        reply = stage.call("GET", "/portal/")
        tag = reply.headers["etag"]
        check(hashlib.sha256(reply.body).hexdigest().startswith(tag.strip('"')), "a tag of the content")
        equal(reply.headers.get("cache-control"), "no-cache", "kept, and asked for again")
        again = stage.call("GET", "/portal/", headers=[("If-None-Match", tag)])
        equal((again.status, again.body, again.headers.get("etag")), (304, b"", tag), "the same tag")
        equal(stage.call("GET", "/portal/", headers=[("If-None-Match", '"other"')]).status, 200, "another tag")


def case_redirect():
    for line, prefix in ((None, ""), ("base.path = /staging", "/staging")):
        with Stage([line] if line else []).start() as stage:
            reply = stage.call("GET", f"{prefix}/portal?x=1")
            equal((reply.status, reply.headers.get("location")), (308, f"{prefix}/portal/"), "without its slash")
            equal(stage.call("GET", f"{prefix}/portal/?x=1").status, 200, "with a query")


def case_nothing_else():
    """No path leads out of the table, and nothing but GET and HEAD is for it."""
    with Stage().start() as stage:
        for path in ("/portal/nosuch.js", "/portal/README.md", "/portal/portal.cmake", "/portal//", "/portal/app.js/", "/portal/%61pp.js",
                     "/portal/..%2fportal.c", "/portal/x/../app.js%20", "/portalx", "/portal/" + "a" * 300, "/v1/portal/app.js"):
            reply = stage.call("GET", path)
            check(reply.status in (400, 404), f"{path}: {reply}")
            check_problem(reply, reply.status)
        for path in ("/portal/../app.js", "/portal/%2e%2e/%2e%2e/etc/passwd"):
            check_problem(stage.call("GET", path), 400, "dot segment")
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            reply = stage.call(method, "/portal/", body=None)
            check_problem(reply, 405)
            equal(reply.headers.get("allow"), "GET, HEAD", method)


def case_off():
    with Stage(["portal = off"]).start() as stage:
        for path in ("/portal", "/portal/", "/portal/session"):
            check_problem(stage.call("GET", path), 404, "nothing at this path")


def case_no_alias_over_it():
    for alias in ("/portal", "/portal/x"):
        with Stage(more=f"[collection goods]\nkey = id\naliases = {alias}", broker=False) as stage:
            ends_with(stage, EX_CONFIG, "weir.conf:", "/portal")


def bearer(key):
    return [("Authorization", f"Bearer {key}")]


def add_keys(stage):
    """clerk may place and read orders; ops everything; shipping nothing with orders."""
    lines = {"clerk": "orders:create,orders:read", "ops": "*:*", "shipping": "parcels:*"}
    file = stage.folder / "keys"
    file.write_text("".join(f"{name} {hashlib.sha256(name.encode()).hexdigest()} {scopes}\n" for name, scopes in lines.items()))
    stage._lines["gateway"] += ["auth = keys", f"keys.file = {file}"]
    stage.write_conf()
    return stage


def case_session():
    """Whoever is known is told what there is and what of it is for him; nobody else is told anything."""
    with Stage(orders=["indexes = customerID, address.city"]) as stage:
        add_keys(stage).start()
        equal(stage.call("GET", "/portal/").status, 200, "the page is for everybody")
        equal(stage.call("GET", "/portal/session").json, {"principal": None}, "to nobody")
        check_problem(stage.call("GET", "/portal/session", headers=bearer("nosuch")), 401)
        told = {name: stage.call("GET", "/portal/session", headers=bearer(name)).json for name in ("clerk", "ops", "shipping")}
        equal({name: session["principal"] for name, session in told.items()}, {name: name for name in told}, "who asks")
        orders = {name: next(c for c in session["collections"] if c["name"] == "orders") for name, session in told.items()}
        equal(orders["clerk"], {"name": "orders", "key": "orderID", "stored": True, "indexes": ["customerID", "address.city"],
                                "may": ["create", "read"]}, "the clerk's orders")
        equal(sorted(orders["ops"]["may"]), ["adjust", "create", "delete", "merge", "read", "replace"], "all scopes")
        equal(orders["shipping"]["may"], [], "no scope")
        equal(told["ops"]["feed"], False, "the change feed, which is off")
        check(not next(c for c in told["ops"]["collections"] if c["name"] == "products")["stored"], "no store keeps products")


def case_session_without_keys():
    with Stage(["feed = on"]).start() as stage:
        session = stage.call("GET", "/portal/session").json
        equal(session["principal"], "anonymous", "who asks")
        equal(session["feed"], True, "the change feed")
        check(all("create" in c["may"] and "read" in c["may"] for c in session["collections"]), f"{session}")


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.inline, self.outside = [], []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.inline += [f"{tag} {name}" for name in attributes if name == "style" or name.startswith("on")]
        if tag == "style" or (tag == "script" and "src" not in attributes):
            self.inline.append(tag)
        self.outside += [value for name, value in attributes.items() if name in ("src", "href") and "//" in (value or "")]


def case_no_inline_no_outside():
    """What the policy would refuse is not in the files, and they name no other server."""
    for file in files():
        text = file.read_text()
        if file.suffix == ".html":
            tags = Tags()
            tags.feed(text)
            equal((tags.inline, tags.outside), ([], []), file.name)
        addresses = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+[\w./-]*", text)) - {"http://www.w3.org/2000/svg"}
        equal(addresses, set(), f"addresses in {file.name}")


def case_session_of_a_certificate():
    """Over TLS a client's certificate signs in by itself; a key beside it counts alone."""
    with TlsStage("shop dns=shop.example.org orders:create\n") as stage:
        stage.ca.sign("shop", names="DNS:shop.example.org")
        stage.start()

        def ask(name, headers=()):
            with stage.secure(name) as client:
                return client.send(request("GET", "/portal/session", headers=headers)).reply().json["principal"]

        equal(ask("shop"), "shop", "by certificate")
        equal(ask(None), None, "without one")
        equal(ask("shop", bearer(KEY)), "key", "by key")
