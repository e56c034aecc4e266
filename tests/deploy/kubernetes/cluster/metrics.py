"""The API external.metrics.k8s.io of a cluster, from what its pods say at /metrics: the sum of a metric over the pods of a component."""
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
GROUP = "external.metrics.k8s.io/v1beta1"
OBJECTS = """\
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
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1beta1.external.metrics.k8s.io}
spec:
  group: external.metrics.k8s.io
  version: v1beta1
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


class Handler(http.server.BaseHTTPRequestHandler):
    pods = None

    def do_GET(self):
        path, _, query = self.path.partition("?")
        parts = path.strip("/").split("/")
        if path == "/apis/" + GROUP:
            self.answer({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": GROUP, "resources": []})
        elif len(parts) == 6 and parts[3] == "namespaces":
            self.answer(self.values(parts[5], dict(urllib.parse.parse_qsl(query))))
        else:
            self.send_error(404)

    def values(self, name, query):
        labels = dict(part.split("=") for part in query["labelSelector"].split(","))
        value = measure(self.pods, name, labels["service"])
        item = {"metricName": name, "metricLabels": labels, "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "value": str(int(value))}
        return {"kind": "ExternalMetricValueList", "apiVersion": GROUP, "metadata": {}, "items": [item]}

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
    """Serves it until this process ends, and tells the cluster where."""
    folder = pods.cluster.folder / "keys"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "metrics.crt", folder / "metrics.key")
    server = http.server.ThreadingHTTPServer((NODE, PORT), type("OfPods", (Handler,), {"pods": pods}))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    authority = base64.b64encode((folder / "ca.crt").read_bytes()).decode()
    pods.cluster.apply(OBJECTS % {"port": PORT, "node": NODE, "authority": authority})
    pods.cluster.wait("the API of metrics", 60, lambda: pods.cluster.asks("get", "--raw", "/apis/" + GROUP))
