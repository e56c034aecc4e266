"""The APIs of metrics that a cluster's autoscalers ask, from what its pods say at /metrics: external.metrics.k8s.io, the sum of a metric over the
pods of a component, and metrics.k8s.io, the processor time of each."""
import base64
import contextlib
import http.client
import http.server
import json
import ssl
import threading
import time
import urllib.parse

from cluster import NODE

PORT = 6444
EXTERNAL, RESOURCE = "external.metrics.k8s.io", "metrics.k8s.io"
VERSION = "v1beta1"
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: metrics, namespace: kube-system}
spec: {ports: [{name: https, port: 443, targetPort: %(port)d}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: metrics, namespace: kube-system, labels: {kubernetes.io/service-name: metrics}}
addressType: IPv4
ports: [{name: https, port: %(port)d}]
endpoints: [{addresses: ["%(node)s"], conditions: {ready: true}}]
"""
API = """\
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: %(version)s.%(group)s}
spec:
  group: %(group)s
  version: %(version)s
  service: {name: metrics, namespace: kube-system}
  caBundle: %(authority)s
  groupPriorityMinimum: 100
  versionPriority: 100
"""


def sum_of(text, name):
    samples = [line.rsplit(" ", 1) for line in text.splitlines() if line[:1] != "#"]
    return sum(float(value) for which, value in samples if which.split("{")[0] == name)


def ask(address):
    connection = http.client.HTTPConnection(address, 8081, timeout=3)
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def measure(pods, name, component):
    addresses = [pod["status"]["podIP"] for pod in pods.of(component) if pod["status"].get("podIP")]
    total = 0
    for address in addresses:
        try:
            total += sum_of(ask(address), name)
        except (OSError, http.client.HTTPException):
            continue  # it begins or ends
    return total


class Processor:
    """Processor time of pods between two looks, in thousandths of a core; none at the first."""

    def __init__(self):
        self.seen = {}

    def look(self, pod):
        now, seconds = time.monotonic(), sum_of(ask(pod["status"]["podIP"]), "process_cpu_seconds_total")
        name = pod["metadata"]["name"]
        before = self.seen.get(name)
        self.seen[name] = now, seconds
        return before and round(1000 * (seconds - before[1]) / (now - before[0]))


def moment():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


class Handler(http.server.BaseHTTPRequestHandler):
    pods = processor = None

    def do_GET(self):
        path, _, query = self.path.partition("?")
        parts = path.strip("/").split("/")
        if len(parts) == 3 and parts[1] in (EXTERNAL, RESOURCE):
            self.answer({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "/".join(parts[1:]), "resources": []})
        elif len(parts) == 6 and parts[3] == "namespaces":
            labels = dict(part.split("=") for part in dict(urllib.parse.parse_qsl(query))["labelSelector"].split(","))
            kind, items = ("ExternalMetricValueList", [self.external(parts[5], labels)]) if parts[1] == EXTERNAL else ("PodMetricsList", self.usage(labels))
            self.answer({"kind": kind, "apiVersion": "/".join(parts[1:3]), "metadata": {}, "items": items})
        else:
            self.send_error(404)

    def external(self, name, labels):
        value = measure(self.pods, name, labels["job"].removeprefix("weir-"))
        return {"metricName": name, "metricLabels": labels, "timestamp": moment(), "value": str(int(value))}

    def usage(self, labels):
        items = []
        for pod in self.pods.of(labels["app.kubernetes.io/component"]):
            with contextlib.suppress(OSError, http.client.HTTPException, KeyError):  # it begins or ends
                used = self.processor.look(pod)
                if used is not None:
                    containers = [{"name": one["name"], "usage": {"cpu": "%dm" % used, "memory": "1Mi"}} for one in pod["spec"]["containers"]]
                    items.append({"metadata": {"name": pod["metadata"]["name"], "namespace": pod["metadata"]["namespace"],
                                               "labels": pod["metadata"]["labels"]},
                                  "timestamp": moment(), "window": "2s", "containers": containers})
        return items

    def answer(self, body):
        text = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        with contextlib.suppress(OSError):  # who asked has gone
            self.end_headers()
            self.wfile.write(text)

    def log_message(self, *unused):
        pass


def serve(pods):
    """Serves them until this process ends, and tells the cluster where."""
    folder = pods.cluster.folder / "keys"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "metrics.crt", folder / "metrics.key")
    server = http.server.ThreadingHTTPServer((NODE, PORT), type("OfPods", (Handler,), {"pods": pods, "processor": Processor()}))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    authority = base64.b64encode((folder / "ca.crt").read_bytes()).decode()
    pods.cluster.apply(SERVICE % {"port": PORT, "node": NODE})
    for group in (EXTERNAL, RESOURCE):
        pods.cluster.apply(API % {"group": group, "version": VERSION, "authority": authority})
        pods.cluster.wait("the API " + group, 60, lambda group=group: pods.cluster.asks("get", "--raw", "/apis/%s/%s" % (group, VERSION)))
