"""Manifests as text to what a cluster would hold, for the tests of this folder."""

from ipaddress import ip_network
from typing import Any

import pytest

from skydns_py.errors import SettingsError
from skydns_py.sources.kubernetes import schema
from skydns_py.sources.manifests.cluster import build
from skydns_py.sources.manifests.documents import File, parse
from skydns_py.sources.manifests.settings import ManifestSettings

WEB = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http}]
"""

WEB_PODS = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 2
  template:
    metadata: {labels: {app: web, tier: front}}
    spec:
      containers: [{name: web, ports: [{name: http, containerPort: 8080}]}]
"""


class Applied:
    """What a cluster holds after some manifests, to be asked by name."""

    def __init__(self, *texts: str, **settings: Any) -> None:
        documents = [
            document
            for number, text in enumerate(texts, start=1)
            for document in parse(File(f"{number}.yaml", text))
        ]
        self.objects = build(documents, ManifestSettings(**settings))

    def service(self, name: str, namespace: str = "shop") -> schema.Service:
        (found,) = [
            each
            for each in self.objects.values()
            if isinstance(each, schema.Service) and (each.namespace, each.name) == (namespace, name)
        ]
        return found

    def slices(self, service: str, namespace: str = "shop") -> list[schema.EndpointSlice]:
        return [
            each
            for each in self.objects.values()
            if isinstance(each, schema.EndpointSlice)
            and (each.namespace, each.service) == (namespace, service)
        ]

    def endpoints(self, service: str, namespace: str = "shop") -> list[schema.Endpoint]:
        return [
            endpoint for found in self.slices(service, namespace) for endpoint in found.endpoints
        ]

    def pods(self) -> dict[str, str]:
        return {
            each.name: each.ip for each in self.objects.values() if isinstance(each, schema.Pod)
        }

    def namespaces(self) -> set[str]:
        return {key.name for key in self.objects if key.kind == "Namespace"}


def refused(*texts: str, **settings: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        Applied(*texts, **settings)
    return str(caught.value)


def small_range(text: str) -> Any:
    return ip_network(text)
