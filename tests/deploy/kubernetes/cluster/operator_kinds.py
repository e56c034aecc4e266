"""The kinds of the Prometheus operator that the chart has, as definitions for an API server: made of the strict schemas that they are checked
with elsewhere, so that the server refuses what the operator's own definitions would. The operator itself is not there."""
import json
import pathlib
import tarfile

SCHEMAS = pathlib.Path(__file__).resolve().parents[1] / "schemas.tar.xz"
GROUP, VERSION = "monitoring.coreos.com", "v1"
KINDS = ("ServiceMonitor", "PrometheusRule")


def structural(schema):
    """As definitions want it: what is not named is unknown there without being forbidden."""
    if isinstance(schema, list):
        return [structural(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "oneOf" in schema:
        return {"x-kubernetes-int-or-string": True}
    return {name: structural(part) for name, part in schema.items() if not (name == "additionalProperties" and part is False)}


def definition(kind, schema):
    plural = kind.lower() + "s"
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "%s.%s" % (plural, GROUP)},
        "spec": {"group": GROUP, "scope": "Namespaced", "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
                 "versions": [{"name": VERSION, "served": True, "storage": True, "schema": {"openAPIV3Schema": structural(schema)}}]},
    }


def definitions():
    with tarfile.open(SCHEMAS) as archive:
        return [definition(kind, json.load(archive.extractfile("%s-%s-%s.json" % (kind.lower(), GROUP, VERSION)))) for kind in KINDS]
