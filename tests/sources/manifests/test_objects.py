"""Which documents count, under which names, and what is refused."""

import pytest

from tests.sources.manifests.applied import WEB, Applied, refused


def pod(name, namespace=""):
    place = f", namespace: {namespace}" if namespace else ""
    return f"---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}{place}}}\n"


def test_other_kinds_are_passed_over():
    """Config maps, custom resources, other people's Services and values files are no concern."""
    applied = Applied(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: y}\n"
        "---\napiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: hello}\n"
        "---\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n"
        "---\nreplicaCount: 3\nimage: {tag: latest}\n",
    )

    assert Applied("").objects == applied.objects


def test_default_namespace():
    """An object that names no namespace stands in the default one, which can be chosen."""
    assert {"default", "kube-system"} == Applied(pod("a")).namespaces()
    assert {"default", "kube-system", "dev"} == Applied(pod("a"), namespace="dev").namespaces()


def test_every_namespace_mentioned_exists():
    """A namespace is there when it is defined, and when any object stands in it."""
    applied = Applied(
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: empty}\n"
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: config}\n",
        pod("a", "shop"),
    )

    assert {"default", "kube-system", "empty", "config", "shop"} == applied.namespaces()


def test_defined_twice():
    """Two objects of one name are refused with both places: neither file may be edited in vain."""
    message = refused(f"# one\n{WEB}", f"# two\n---{WEB}")

    expected = (
        "2.yaml:3: Service shop/web: is defined a second time, first at 1.yaml:3; "
        "remove one of them"
    )
    assert expected == message


def test_namespace_defined_twice():
    """A Namespace may be defined in every file that uses it."""
    text = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"

    assert {"default", "kube-system", "shop"} == Applied(text, text).namespaces()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "metadata: {name: web}\nspec: {}",
            "1.yaml:1: this object has no `kind`; write for example `kind: Service`",
        ),
        (
            "kind: Service\nmetadata: {name: web}",
            "1.yaml:1: Service web: has no `apiVersion`",
        ),
        (
            "apiVersion: v1\nkind: Service",
            "1.yaml:1: Service without a name: object missing required field `metadata`",
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata:\n  name: Web",
            (
                "1.yaml:4: Pod Web, metadata.name: must be DNS labels of lower case letters, "
                "digits and `-`, joined by dots"
            ),
        ),
        (
            "apiVersion: v1\nkind: Service\nmetadata:\n  name: web.front",
            (
                "1.yaml:4: Service default/web.front, metadata.name: must be a DNS label: at most "
                "63 lower case letters, digits and `-`"
            ),
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\n  namespace: a_b",
            (
                "1.yaml:5: Pod web, metadata.namespace: must be a DNS label: at most 63 lower case "
                "letters, digits and `-`"
            ),
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\n  labels:\n    version: 1.0",
            "1.yaml:6: Pod web, metadata.labels[...]: expected `str`, got `float`",
        ),
    ],
)
def test_refusals(text, message):
    """What the API server would refuse is refused, with line, object and field."""
    assert message == refused(text)
