#!/usr/bin/python3 -B
"""schemas.py SWAGGER.json CRD.yaml... > schemas.tar.xz: the JSON Schemas, strict, of the kinds that the chart makes: of Kubernetes
from the OpenAPI file in its Go module (k8s.io/kubernetes, api/openapi-spec), of the Prometheus operator from its CRDs
(github.com/prometheus-operator/prometheus-operator, example/prometheus-operator-crd)."""
import io
import json
import sys
import tarfile

import yaml

KINDS = {"ConfigMap", "Deployment", "HorizontalPodAutoscaler", "Ingress", "Job", "NetworkPolicy", "Pod", "PodDisruptionBudget", "Secret",
         "Service", "StatefulSet"}
GROUPS = {"", "apps", "autoscaling/v2", "batch", "networking.k8s.io", "policy"}
SPECIAL = {
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {"oneOf": [{"type": "string"}, {"type": "number"}]},
}


def strict(schema, definitions, stack=()):
    """The schema without references and comments; nothing but what it names is allowed."""
    if isinstance(schema, list):
        return [strict(part, definitions, stack) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if isinstance(schema.get("$ref"), str):
        name = schema["$ref"].rsplit("/", 1)[1]
        if name in SPECIAL or name in stack:
            return SPECIAL.get(name, {})
        return strict(definitions[name], definitions, stack + (name,))
    if schema.get("x-kubernetes-int-or-string"):
        return {"oneOf": [{"type": "string"}, {"type": "integer"}]}
    result = {key: ({name: strict(part, definitions, stack) for name, part in value.items()} if key == "properties"
                    else strict(value, definitions, stack))
              for key, value in schema.items() if not key.startswith("x-") and key not in ("description", "format", "default")}
    if "properties" in result:
        result.setdefault("additionalProperties", False)
    return result


def of_kubernetes(path):
    definitions = json.load(open(path))["definitions"]
    for name, schema in definitions.items():
        for kind in schema.get("x-kubernetes-group-version-kind", []):
            version = "/".join(part for part in (kind["group"], kind["version"]) if part)
            if kind["kind"] in KINDS and (kind["group"] in GROUPS or version in GROUPS) and "beta" not in version:
                yield kind["kind"], version, strict(schema, definitions, (name,))


def of_resources(paths):
    for path in paths:
        resource = yaml.safe_load(open(path))["spec"]
        version = resource["versions"][0]
        schema = strict(version["schema"]["openAPIV3Schema"], {})
        schema["properties"]["metadata"] = {"type": "object"}
        yield resource["names"]["kind"], resource["group"] + "/" + version["name"], schema


with tarfile.open(fileobj=sys.stdout.buffer, mode="w|xz") as archive:
    for kind, version, schema in sorted([*of_kubernetes(sys.argv[1]), *of_resources(sys.argv[2:])], key=lambda row: row[:2]):
        text = json.dumps(schema, separators=(",", ":"), sort_keys=True).encode()
        group, _, number = version.rpartition("/")
        member = tarfile.TarInfo("%s-%s-%s.json" % (kind.lower(), group or number, number))
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text))
