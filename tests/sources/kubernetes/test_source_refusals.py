"""What is said of a refusal, and what to do about it."""

import pytest
import yaml

from skydns_py.sources.kubernetes import resources
from skydns_py.sources.kubernetes.events import Refused
from skydns_py.sources.kubernetes.resources import ENDPOINTSLICES, NAMESPACES, PODS, SERVICES

HOST = "192.0.2.1"


@pytest.mark.parametrize(
    ("resource", "refused", "sentence"),
    [
        (
            SERVICES,
            Refused(401, "Unauthorized", "Unauthorized"),
            (
                "cannot watch services at 192.0.2.1: the API server does not know our credentials"
                " (Unauthorized); see that the token, the client certificate or the exec plugin"
                " in use is still valid there"
            ),
        ),
        (
            SERVICES,
            Refused(403, "Forbidden", "services is forbidden"),
            (
                "cannot watch services at 192.0.2.1: services is forbidden; let a ClusterRole that"
                " is bound to this account have the rule\n"
                '- apiGroups: [""]\n'
                '  resources: ["services"]\n'
                '  verbs: ["list", "watch"]'
            ),
        ),
        (
            ENDPOINTSLICES,
            Refused(404, "", "404 page not found"),
            (
                "cannot watch endpointslices at 192.0.2.1: the API server has no"
                " discovery.k8s.io/v1; Kubernetes 1.21 or newer is needed, or the option"
                " noendpoints"
            ),
        ),
        (
            PODS,
            Refused(404, "", "404 page not found"),
            (
                "cannot watch pods at 192.0.2.1: not found; see that this address is a Kubernetes"
                " API server's"
            ),
        ),
        (
            PODS,
            Refused(503, "", ""),
            "cannot watch pods at 192.0.2.1: HTTP 503: no reason given",
        ),
        (
            PODS,
            Refused(0, "", "an ERROR event that holds no Status"),
            ("cannot watch pods at 192.0.2.1: the watch says an ERROR event that holds no Status"),
        ),
    ],
)
def test_sentences(resource, refused, sentence):
    """A refusal says what was asked of whom, what was answered, and what to do."""
    assert sentence == resources.explain(resource, "watch", refused, HOST)


@pytest.mark.parametrize("resource", [SERVICES, ENDPOINTSLICES, NAMESPACES, PODS])
def test_rule(resource):
    """The rule is YAML that can be pasted into a ClusterRole."""
    assert [
        {
            "apiGroups": [resource.group],
            "resources": [resource.name],
            "verbs": ["list", "watch"],
        }
    ] == yaml.safe_load(resources.rule(resource))
