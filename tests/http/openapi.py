"""/openapi.json: valid by its own specification, complete, and true: schemathesis derives requests from it, good and bad
ones, sends them to a real gateway with a real store, and compares what comes back with what the document says."""
import contextlib
import fcntl
import json
import os
import subprocess
import sys

from access import ALL, READER, bearer, line
from stage import Failed, PARTITIONS, Program, Stage, check, check_problem, equal, find_program, free_ports, murmur2_partition
from harness import ROOT, SKIPPED
from pathlib import Path

SCHEMATHESIS, VALIDATOR = "schemathesis==4.32.5", "openapi-spec-validator==0.9.0"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "weir"
KEYS = line("all", ALL, "*:*,dlq:*") + line("reader", READER, "products:read")
SCHEMAS = ROOT / "schemas"


def packages():
    """The folder with the packages from PyPI; fetched once and kept in the user's cache."""
    folder = CACHE / "-".join(["python", SCHEMATHESIS, VALIDATOR, "%d.%d" % sys.version_info[:2]]).replace("==", "-")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{folder}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.is_dir():
            return folder
        fresh = f"{folder}.{os.getpid()}"
        done = subprocess.run(
            [sys.executable, "-m", "pip", "install", "-q", "--no-warn-script-location", "--target", fresh, SCHEMATHESIS, VALIDATOR],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            print(f"SKIPPED: pip ended with {done.returncode}: {done.stderr.strip()[-300:]}", file=sys.stderr)
            sys.exit(1 if os.environ.get("WEIR_REQUIRE_KAFKA") == "1" else SKIPPED)
        os.rename(fresh, folder)
    return folder


def run_python(*arguments, seconds, cwd):
    """A module of those packages; its exit code and what it printed."""
    environment = {**os.environ, "PYTHONPATH": f"{packages()}:{Path(__file__).parent}", "SCHEMATHESIS_HOOKS": "schemathesis_formats", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-m", *map(str, arguments)], env=environment, cwd=cwd, timeout=seconds,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, done.stdout


@contextlib.contextmanager
def served(store_runs=True, aliases=True):
    """A gateway with keys and a store of its own: a collection with a schema, one with an index and without a schema."""
    store, management = free_ports(2)
    more = f"""store.listen = 127.0.0.1:{store}
management.listen = 127.0.0.1:{management}
"""
    orders = ["changes.view = NEW_AND_OLD_IMAGES", f"schema = {SCHEMAS}/orders.schema.json", "indexes = customerID", *(["aliases = /order"] if aliases else [])]
    gateway = ["auth = keys", "timeout = 3s", "feed = on", "dlq = on"]
    stage = Stage(gateway=gateway, orders=orders, more=more, topics=("orders", "products"))
    stage.store.url = f"http://127.0.0.1:{store}"
    stage._lines["gateway"].append(f"keys.file = {stage.folder}/keys")
    (stage.folder / "keys").write_text(KEYS)
    stage.write_conf()
    argv = [find_program("weir-consumer"), "--config", stage.conf, "--service", "store"]
    keeper = Program("store", argv, stage.folder, readyz=f"http://127.0.0.1:{management}")
    stage.programs.append(keeper)
    with stage.start():
        if store_runs:
            keeper.start()
            keeper.wait_ready()
        yield stage


def case_is_valid():
    """Also: it is for whoever has a key, has an ETag, and tells of the aliases and of what a key has to have."""
    with served(store_runs=False) as stage:
        check_problem(stage.call("GET", "/openapi.json"), 401)
        reply = stage.call("GET", "/openapi.json", headers=bearer(READER))
        equal(reply.status, 200, "status")
        same = [*bearer(READER), ("If-None-Match", reply.headers["etag"])]
        equal(stage.call("GET", "/openapi.json", headers=same).status, 304, "status when it is known")
        check_problem(stage.call("POST", "/openapi.json", "{}", headers=bearer(ALL)), 405, "GET, HEAD")
        paths = reply.json["paths"]
        for path in ("/v1/orders", "/order", "/v1/orders/{key}", "/order/{key}:adjust", "/v1/requests/{request}"):
            check(path in paths, f"{path} in {sorted(paths)}")
        equal(paths["/v1/products/{key}"]["delete"]["x-weir-scope"], "products:delete", "scope")
        required = reply.json["components"]["schemas"]["orders.create"]["required"]
        check("orderID" not in required and "total" in required, f"what a new order has to have: {required}")
        (stage.folder / "openapi.json").write_bytes(reply.body)
        code, text = run_python("openapi_spec_validator", stage.folder / "openapi.json", seconds=60, cwd=stage.folder)
        equal((code, text.strip().rsplit(": ", 1)[-1]), (0, "OK"), f"the validator's word {text}")


def fill(stage):
    """Three documents in each partition, so that there are positions to read behind."""
    missing = {partition: 3 for partition in range(PARTITIONS)}
    for number in range(1000):
        partition = murmur2_partition(f"seed-{number}")
        if missing[partition] > 0:
            missing[partition] -= 1
            for collection, body in (("orders", {"customerID": "c", "total": 1}), ("products", {})):
                reply = stage.call("PUT", f"/v1/{collection}/seed-{number}", json.dumps(body), headers=bearer(ALL))
                equal(reply.status, 202, "status")
    check(not any(missing.values()), "each partition has its documents")


def schemathesis(stage, *arguments, seconds):
    fill(stage)
    code, text = run_python(
        "schemathesis.cli", "--config-file", Path(__file__).with_name("schemathesis.toml"), "run",
        f"http://127.0.0.1:{stage.port}/openapi.json", "--header", f"Authorization: Bearer {ALL}", "--checks", "all",
        "--no-color", "--seed", "1", *arguments, seconds=seconds, cwd=stage.folder)
    check(code == 0, f"schemathesis ended with {code}\n{text}")
    return text


def case_is_true():
    """The short form of case_is_true_full."""
    with served(aliases=False) as stage:
        print(schemathesis(stage, "--max-examples", "1", "--phases", "fuzzing", seconds=250))


def case_is_true_full():
    with served() as stage:
        print(schemathesis(stage, "--max-examples", "50", seconds=1700))
