"""Start, refusal to start, readiness, shutdown, access log, metrics."""
import json
import re
import resource
import signal
import socket
import subprocess
import time

from stage import LostCoordinatorStage, Stage, call, check, check_problem, equal, find_program, request, wait_for

EX_USAGE, EX_CONFIG = 64, 78
SOON_S = 0.25
IDLE_S, ALONE_S = 1.5, 0.5
PATIENT = ["drain.delay = 8s", "drain.timeout = 40s"]  # of which a quarter may be delay


def ends_with(stage, code, *parts, arguments=()):
    argv = [find_program("weir-gateway"), "--config", stage.conf, *arguments]
    done = subprocess.run([str(a) for a in argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20, check=False)
    text = done.stdout.decode(errors="replace")
    equal(done.returncode, code, f"exit code; it said {text}")
    for part in parts:
        check(part in text, f"{part!r} in {text!r}")


def case_refuses_to_start_open():
    """Beyond this machine without credentials only when that is written out."""
    with Stage(broker=False) as stage:
        text = stage.conf.read_text()
        for address in ("0.0.0.0", "[::]"):
            stage.conf.write_text(text.replace(f"listen = 127.0.0.1:{stage.port}", f"listen = {address}:{stage.port}", 1))
            ends_with(stage, EX_CONFIG, "auth = none", "weir.conf:")
        stage.conf.write_text(stage.conf.read_text().replace("[gateway]", "[gateway]\nauth = none"))
        ends_with(stage, 0, arguments=["--check-config"])


def case_configuration_errors():
    rows = [
        ("boddy.max = 1KiB", "boddy.max", "body.max"),
        ("body.max = 5", "body.max", "64KiB"),
        ("timeout = 10", "timeout"),
        ("threads = 0", "threads", "1"),
    ]
    for line, *parts in rows:
        with Stage([line], broker=False) as stage:
            ends_with(stage, EX_CONFIG, "weir.conf:", *parts)
    with Stage(kafka=["dev = false"], gateway=["store.url = http://127.0.0.1:1"], broker=False) as stage:
        ends_with(stage, EX_CONFIG, "store.url", "weir.conf:")
    with Stage(broker=False) as stage:
        ends_with(stage, EX_USAGE, arguments=["--nosuch"])
        ends_with(stage, EX_USAGE, arguments=["surplus"])
        ends_with(stage, 0, "weir-gateway", arguments=["--version"])
        ends_with(stage, 0, "body.max", arguments=["--help"])


def case_port_in_use():
    with Stage(broker=False) as stage, socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", stage.port))
        taken.listen()
        argv = [find_program("weir-gateway"), "--config", stage.conf]
        done = subprocess.run([str(a) for a in argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20, check=False)
        check(done.returncode != 0 and str(stage.port) in done.stdout.decode(), f"{done}")


def case_management_pages():
    with Stage().start() as stage:
        equal(call(stage.management, "GET", "/livez").status, 200, "livez")
        ready = stage.readyz()
        equal((ready.status, ready.json["ready"], ready.json["kafka"]), (200, True, "up"), "readyz")
        equal(ready.json["topics"], {"orders": "ok", "products": "ok"}, "topics")
        equal(call(stage.management, "GET", "/v1/orders/o-1").status, 404, "nothing else is served there")
        check_problem(stage.call("GET", "/metrics"), 404)


def case_metrics():
    with Stage().start() as stage:
        for number in range(3):
            stage.call("PUT", f"/v1/orders/o-{number}", "{}")
        stage.call("PUT", "/v1/orders/o-1", "{")
        stage.call("GET", "/nosuch")

        def text():
            return call(stage.management, "GET", "/metrics").body.decode()

        def has(line):
            return re.search("^" + re.escape(line) + "$", text(), re.M)

        item = 'route="/v1/{collection}/{key}",method="PUT"'
        wait_for("three taken", 5, lambda: has("weir_gateway_requests_total{%s,status=\"202\"} 3" % item))
        check(has("weir_gateway_requests_total{%s,status=\"400\"} 1" % item), "one refused")
        check(has('weir_gateway_requests_total{route="-",method="-",status="404"} 1'), "one without a route")
        equal(stage.call("GET", "/v1/orders/o-1", headers=[("X-Long", "x" * 9000)]).status, 431, "libmicrohttpd's own answer")
        wait_for("that one", 5, lambda: has('weir_gateway_requests_total{route="-",method="-",status="0"} 1'))
        check(has('weir_gateway_deliveries_total{end="written"} 3'), "three written")
        check(has("weir_gateway_suspended_requests 0"), "none is suspended")
        check(re.search(r"^weir_gateway_request_duration_seconds_count\{.*PUT.*\} 4$", text(), re.M), "four measured")


def lines_of(stage, request_id):
    return [line for line in stage.log().splitlines() if "http.request" in line and request_id in line]


def case_access_log():
    with Stage().start() as stage:
        reply = stage.call("PUT", "/v1/orders/secret-key", '{"n":1}')
        wanted = reply.json["request_id"]
        wait_for("the line", 5, lambda: lines_of(stage, wanted))
        (line,) = lines_of(stage, wanted)
        for part in ("method=PUT", "route=/v1/{collection}/{key}", "status=202", f"bytes={len(reply.body)}", "duration_us=", "principal="):
            check(part in line, f"{part} in {line}")
        check("secret-key" not in line, "the key is nobody's business")
        missing = stage.call("FOO", "/v1/x%0Ahttp.request").headers["x-request-id"]
        wait_for("the line", 5, lambda: lines_of(stage, missing))
        check("method=- route=- status=404" in lines_of(stage, missing)[0], "a line without the client's words")


def read_logfmt(line):
    pairs = re.findall(r'([^ =]+)=("(?:[^"\\]|\\.)*"|[^ ]*)(?: |$)', line)
    equal(" ".join("%s=%s" % pair for pair in pairs), line, "nothing but pairs")
    return {name: json.loads(value) if value[:1] == '"' else value for name, value in pairs}


def case_log_is_read_by_programs():
    """Each line of the forms for collectors is one object, or nothing but pairs; a request's has the client's trace."""
    trace = "0af7651916cd43dd8448eb211c80319c"
    fields = [("traceparent", f"00-{trace}-b7ad6b7169203331-01"), ("X-Request-Id", 'x" level="ERROR'), ("User-Agent", "a=b")]
    for form, read, names in (("json", json.loads, ("http.route", "http.response.status_code", "user.name")),
                              ("logfmt", read_logfmt, ("route", "status", "principal"))):
        with Stage(more=f"[log]\nformat = {form}\nlevel = debug").start() as stage:
            wanted = stage.call("PUT", "/v1/orders/o-1", '{"n":1}', fields).json["request_id"]
            stage.call("GET", "/v1/x%22%20level=ERROR", None, fields)
            wait_for("the lines", 5, lambda: sum("http.request" in line for line in stage.log().splitlines()) == 2)
            lines = [read(line) for line in stage.log().splitlines() if not line.startswith("---")]
            check(all({"ts", "level", "event"} <= line.keys() for line in lines), "time, level and event of each line")
            equal([line for line in lines if line["level"] == "ERROR"], [], "lines of the level that a client made up")
            (line,) = [line for line in lines if line.get("request") == wanted]
            equal([str(line[name]) for name in names], ["/v1/{collection}/{key}", "202", "anonymous"], "what it tells")
            equal(line["trace_id"], trace, "the client's trace")


def case_access_log_off():
    with Stage(["access.log = off"]).start() as stage:
        stage.call("PUT", "/v1/orders/o-1", "{}")
        equal(stage.gateway.stop(), 0, "exit code")
        check("http.request" not in stage.log(), "no access line")


def case_stops_idle():
    """A connection that is kept is closed after drain.delay."""
    with Stage(["drain.delay = 100ms"]).start() as stage:
        with stage.client() as client:
            equal(client.send(request("PUT", "/v1/orders/o-1", "{}")).reply().status, 202, "status")
            equal(stage.gateway.stop(20), 0, "exit code")
            check(client.is_closed(), "the kept connection is closed")


def case_delays_its_end_for_load_balancers():
    """After SIGTERM /readyz says no, and whoever has not seen it yet is served, also on a connection that was idle for long: each
    answer closes its connection, and one after the last of them is served, too, until drain.delay is over."""
    with Stage(PATIENT).start() as stage, stage.client() as kept, stage.client() as unused:
        equal(kept.send(request("PUT", "/v1/orders/o-1", "{}")).reply().status, 202, "status before")
        idle_until = time.monotonic() + IDLE_S
        stage.gateway.signal(signal.SIGTERM)
        wait_for("not ready", 5, lambda: stage.readyz().status == 503)
        wait_for("idle for long", 5, lambda: time.monotonic() > idle_until)
        for number, client in enumerate([kept, unused, stage.client()], 2):
            reply = client.send(request("PUT", f"/v1/orders/o-{number}", "{}")).reply()
            equal((reply.status, reply.headers.get("connection")), (202, "close"), f"answer {number}")
            check(client.is_closed(), f"connection {number} is closed")
        alone_until = time.monotonic() + ALONE_S
        wait_for("no connection is open for a while", 5, lambda: time.monotonic() > alone_until)
        equal(stage.call("PUT", "/v1/orders/o-5", "{}").status, 202, "who comes when nobody was there")
        equal(stage.gateway.wait_ended(20), 0, "exit code")
        equal(sorted(record["key"] for record in stage.records()), [f"o-{number}" for number in range(1, 6)], "keys on the topic")


def case_stops_without_broker():
    with Stage(broker=False).start(ready=False) as stage:
        equal(stage.gateway.stop(10), 0, "exit code")


def refuses_connections(stage):
    try:
        stage.client().close()
        return False
    except ConnectionRefusedError:
        return True


def case_stop_answers_what_is_in_flight():
    """SIGTERM while a request waits for the broker: no new connection, no new command, and the one in flight gets its 202."""
    with Stage(["drain.delay = 0s"]).start() as stage, stage.client() as client, stage.client() as other:
        equal(other.send(request("PUT", "/v1/orders/o-0", "{}")).reply().status, 202, "status before")
        stage.broker.signal(signal.SIGSTOP)
        client.send(request("PUT", "/v1/orders/o-1", "{}"))
        wait_for("suspended", 5, lambda: stage.gateway.metric("weir_gateway_suspended_requests") == 1)
        stage.gateway.signal(signal.SIGTERM)
        wait_for("draining", 5, lambda: stage.readyz().json["draining"])
        reply = other.send(request("PUT", "/v1/orders/o-2", "{}")).reply()
        check_problem(reply, 503, "shutting down")
        wait_for("no new connection", 5, lambda: refuses_connections(stage))
        check(reply.headers.get("retry-after") and reply.headers.get("connection") == "close", f"{reply}")
        stage.broker.signal(signal.SIGCONT)
        equal(client.reply().status, 202, "the one in flight")
        equal(stage.gateway.wait_ended(10), 0, "exit code")
        keys = [record["key"] for record in stage.records()]
        equal(sorted(keys), ["o-0", "o-1"], "keys on the topic")


def case_kept_connections_are_told_before_they_are_closed():
    """Who asks again within a moment of the end, on a connection that is kept, is told so instead of finding it closed."""
    with Stage(["drain.delay = 0s"]).start() as stage, stage.client() as client:
        equal(client.send(request("PUT", "/v1/orders/o-1", "{}")).reply().status, 202, "status before")
        answered = time.monotonic()
        stage.gateway.signal(signal.SIGTERM)
        wait_for("draining", 5, lambda: "gateway.draining" in stage.log())
        client.send(request("PUT", "/v1/orders/o-2", "{}"))
        if time.monotonic() - answered < SOON_S:  # a machine that is too busy to be quick has shown nothing
            reply = client.reply()
            check_problem(reply, 503, "shutting down")
            equal(reply.headers.get("connection"), "close", "the connection")
        equal(stage.gateway.wait_ended(10), 0, "exit code")


def case_stop_with_5000_suspended():
    """5,000 requests wait for a paused broker at SIGTERM: each gets an answer that is true, and the exit is clean."""
    count = 5000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, count + 1000), hard))
    with Stage(["timeout = 60s", "drain.delay = 0s", "drain.timeout = 10s", "connections = 6000", "connections.per.address = 0"]).start() as stage:
        equal(stage.call("PUT", "/v1/orders/o-0", "{}").status, 202, "status before")
        stage.broker.signal(signal.SIGSTOP)
        clients = []
        for number in range(count):
            clients.append(stage.client())
            clients[-1].send(request("PUT", f"/v1/orders/o-{number}", "{}"))
        wait_for("all suspended", 30, lambda: stage.gateway.metric("weir_gateway_suspended_requests") == count)
        stage.gateway.signal(signal.SIGTERM)
        equal(stage.gateway.wait_ended(30), 0, "exit code")
        statuses = {}
        for client in clients:
            status = client.reply().status
            statuses[status] = statuses.get(status, 0) + 1
            client.close()
        equal(sum(statuses.get(status, 0) for status in (503, 504)), count, f"answers {statuses}")


def case_clients_that_leave():
    """Clients that go away while they wait leave nothing behind."""
    with Stage(["timeout = 2s"]).start() as stage:
        stage.broker.signal(signal.SIGSTOP)
        for number in range(200):
            with stage.client() as client:
                client.send(request("PUT", f"/v1/orders/o-{number}", "{}"))
        wait_for("none is suspended", 10, lambda: stage.gateway.metric("weir_gateway_suspended_requests") == 0)
        stage.broker.signal(signal.SIGCONT)
        wait_for("no connection", 10, lambda: stage.gateway.metric("weir_gateway_connections") == 0)
        wait_for("orders are taken", 20, lambda: stage.call("PUT", "/v1/orders/o-1", "{}").status == 202)
        equal(stage.gateway.stop(), 0, "exit code")


def case_stops_when_a_client_of_kafka_hangs():
    """A client of librdkafka that never closes is left behind: the exit is clean all the same, and in time."""
    with LostCoordinatorStage().start() as stage:
        equal(stage.gateway.stop(), 0, f"exit code; {stage.gateway.tail()}")
        check("gateway.draining" in stage.log(), "it was asked to")
        check("kafka.abandoned" in stage.log(), "a client did not close")


def case_looks_on_when_a_client_of_kafka_hangs():
    """The same when the question is given up: the stores are looked for by another client, and the exit is clean."""
    with LostCoordinatorStage(["read.wait = 100ms"]).start() as stage:
        wait_for("the question is given up", 60, lambda: "no answer about" in stage.log())

        def another_asks():
            check_problem(stage.call("GET", "/v1/orders/o-1"), 503, "no store is known")
            return stage.owner_clients() > 1

        wait_for("another client asks", 60, another_asks)
        equal(stage.gateway.stop(), 0, f"exit code; {stage.gateway.tail()}")


def case_stops_in_time_whatever_hangs():
    """No broker answers, a client hangs, and drain.timeout is shorter than either is waited for: the one in flight is told
    that nothing is known, then the process ends."""
    with LostCoordinatorStage(["drain.timeout = 2s", "timeout = 60s"]).start() as stage, stage.client() as client:
        stage.broker.signal(signal.SIGSTOP)
        client.send(request("PUT", "/v1/orders/o-1", "{}"))
        wait_for("suspended", 5, lambda: stage.gateway.metric("weir_gateway_suspended_requests") == 1)
        stage.gateway.signal(signal.SIGTERM)
        check_problem(client.reply(), 504, "not known")
        equal(stage.gateway.wait_ended(20), 0, f"exit code; {stage.gateway.tail()}")
