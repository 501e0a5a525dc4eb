"""What people try first: the example shop, the manual page, a chart as Helm renders it."""

import re
from pathlib import Path

import pytest

from skydns_py.sources.kubernetes import schema
from skydns_py.sources.manifests.settings import ManifestSettings
from skydns_py.sources.manifests.source import read
from tests.sources.manifests.applied import Applied

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "deploy" / "examples"
MANUAL = (ROOT / "skydns_py" / "sources" / "manifests" / "README.md").read_text()


def test_examples_are_a_shop():
    """The example folder holds the Services that its own manual tells of, each with endpoints."""
    objects = read(str(EXAMPLES), settings=ManifestSettings()).values()

    services = {each.name for each in objects if isinstance(each, schema.Service)}
    served = {each.service for each in objects if isinstance(each, schema.EndpointSlice)}
    expected = {"web", "web-dual", "db", "search", "ledger", "mainframe", "kubernetes"}
    assert expected == services
    assert expected - {"search", "kubernetes"} == served


def test_examples_answer_as_their_manual_says():
    """The addresses in the table of the examples' manual are the addresses there are."""
    applied = Applied(*(path.read_text() for path in sorted(EXAMPLES.glob("*.yaml"))))
    manual = (EXAMPLES / "README.md").read_text()
    rows = dict(re.findall(r"^\| `([\w.-]+)` \| ([0-9a-f.:, ]+) \|$", manual, re.MULTILINE))

    actual = {
        "web.shop": applied.service("web").cluster_ips,
        "web-dual.shop": applied.service("web-dual").cluster_ips,
        "db-0.db.shop": (applied.pods()["db-0"],),
        "ledger.billing": applied.service("ledger", "billing").cluster_ips,
        "north.mainframe.billing": applied.endpoints("mainframe", "billing")[0].addresses,
    }
    assert {name: tuple(row.split(", ")) for name, row in rows.items()} == actual


def test_manual_has_its_sections():
    """The manual page has the sections of a manual page, in their order."""
    expected = ["Name", "Description", "Syntax", "Examples", "Bugs", "See Also"]

    assert expected == re.findall(r"^## (.+)$", MANUAL, re.MULTILINE)


@pytest.mark.parametrize(
    "text", re.findall(r"^```yaml\n(.*?)^```$", MANUAL, re.MULTILINE | re.DOTALL)
)
def test_yaml_of_the_manual(text):
    """The manifests in the manual page can be used as they stand."""
    applied = Applied(text)

    assert ["north"] == [each.hostname for each in applied.endpoints("mainframe", "billing")]


def test_settings_of_the_manual():
    """The table of settings names each setting there is, and its default."""
    for name in ManifestSettings.__struct_fields__:
        default = getattr(ManifestSettings(), name)
        row = next(line for line in MANUAL.splitlines() if f"`{name}`" in line and line[0] == "|")
        assert ("no" if default is False else str(default)) in row


RENDERED = """\
---
# Source: shop/templates/serviceaccount.yaml
apiVersion: v1
kind: ServiceAccount
metadata:
  name: shop
automountServiceAccountToken: true
---
# Source: shop/templates/disabled.yaml
---
# Source: shop/templates/service.yaml
apiVersion: v1
kind: Service
metadata:
  name: shop
  labels:
    helm.sh/chart: shop-0.1.0
    app.kubernetes.io/version: "1.16.0"
  annotations:
spec:
  type: ClusterIP
  clusterIP:
  ports:
    - port: 80
      targetPort: http
      protocol: TCP
      name: http
  selector:
    app.kubernetes.io/name: shop
---
# Source: shop/templates/deployment.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop
spec:
  replicas: 2
  selector:
    matchLabels:
      app.kubernetes.io/name: shop
  template:
    metadata:
      labels: &labels
        app.kubernetes.io/name: shop
    spec:
      containers:
        - name: shop
          args: ["--from", 2026-01-01]
          ports:
            - name: http
              containerPort: 8080
              protocol: TCP
      volumes:
---
# Source: shop/templates/tests/test-connection.yaml
apiVersion: v1
kind: Pod
metadata:
  name: "shop-test-connection"
  annotations:
    "helm.sh/hook": test
spec:
  containers:
    - name: wget
      command: ['wget']
  restartPolicy: Never
"""


def test_rendered_chart():
    """What Helm renders is read as it is: comments, empty documents, nulls and other kinds."""
    applied = Applied(RENDERED, namespace="shop")

    assert 2 == len(applied.endpoints("shop"))
    assert 1 == len(applied.service("shop").cluster_ips)
    assert {"default", "kube-system", "shop"} == applied.namespaces()


def test_helm_tests_are_pods():
    """The pod of a chart's test is a pod like any other, found by its address alone."""
    pods = Applied(RENDERED, namespace="shop").pods()

    assert "shop-test-connection" in pods
