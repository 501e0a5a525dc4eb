"""Workloads to pods: names, addresses, and none twice."""

from ipaddress import ip_address, ip_network

import pytest

from tests.sources.manifests.applied import WEB, WEB_PODS, Applied, refused, small_range


def workload(kind, name="db", *, spec="", metadata=""):
    version = "v1" if kind == "ReplicationController" else "apps/v1"
    return (
        f"---\napiVersion: {version}\nkind: {kind}\n"
        f"metadata: {{name: {name}, namespace: shop{metadata}}}\n"
        f"spec: {{template: {{metadata: {{labels: {{app: {name}}}}}}}{spec}}}\n"
    )


def pod(name, *, ip="", owner="", labels="app: db"):
    references = f", ownerReferences: [{{kind: {owner}, name: x}}]" if owner else ""
    status = f"{{phase: Running, podIP: {ip}}}" if ip else "{}"
    return (
        "---\napiVersion: v1\nkind: Pod\n"
        f"metadata: {{name: {name}, namespace: shop, labels: {{{labels}}}{references}}}\n"
        f"status: {status}\n"
    )


def test_deployment():
    """A Deployment makes one pod unless it says more, with names as a cluster generates them."""
    one = Applied(workload("Deployment"))
    three = Applied(workload("Deployment", spec=", replicas: 3"))

    assert 1 == len(one.pods())
    assert 3 == len(three.pods())
    for name in three.pods():
        stem, template, own = name.split("-")
        assert ("db", 10, 5) == (stem, len(template), len(own))


def test_stateful_set():
    """The pods of a StatefulSet are numbered, from where it begins to count."""
    applied = Applied(workload("StatefulSet", spec=", replicas: 3"))
    later = Applied(workload("StatefulSet", spec=", replicas: 2, ordinals: {start: 5}"))

    assert ["db-0", "db-1", "db-2"] == list(applied.pods())
    assert ["db-5", "db-6"] == list(later.pods())


@pytest.mark.parametrize("kind", ["ReplicaSet", "ReplicationController", "DaemonSet"])
def test_other_workloads(kind):
    """The other kinds that keep pods running make theirs too, a DaemonSet for one node."""
    (name,) = Applied(workload(kind)).pods()

    assert name.startswith("db-")
    assert 8 == len(name)


def test_jobs_and_none():
    """A Job has nothing to be found at, and zero replicas are no pods."""
    job = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: once, namespace: shop}\n"

    assert {} == Applied(job, workload("Deployment", spec=", replicas: 0")).pods()


def test_addresses_come_from_the_range():
    """Each pod has an address of its own in the pod range, which can be chosen."""
    applied = Applied(workload("StatefulSet", spec=", replicas: 50"))
    own = Applied(workload("StatefulSet"), pod_v4=small_range("198.51.100.0/24"))

    assert 50 == len(set(applied.pods().values()))
    assert all(ip_address(ip) in ip_network("10.244.0.0/16") for ip in applied.pods().values())
    assert ip_address(own.pods()["db-0"]) in ip_network("198.51.100.0/24")


def test_scaling_keeps_names_and_addresses():
    """Pods that were there keep their names and addresses when others are added."""
    two = Applied(workload("Deployment", spec=", replicas: 2")).pods()
    nine = Applied(workload("Deployment", spec=", replicas: 9")).pods()

    assert two.items() <= nine.items()


def test_edited_template_keeps_names():
    """An edit of the template moves nothing."""
    edited = WEB_PODS.replace("name: web, ports", "name: web, image: new, ports")

    assert Applied(WEB_PODS).pods() == Applied(edited).pods()


def test_written_address_wins():
    """The address in a pod's status is its address, and is chosen for nobody else."""
    chosen = Applied(pod("a")).pods()["a"]

    applied = Applied(pod("a"), pod("b", ip=chosen))

    assert chosen == applied.pods()["b"]
    assert chosen != applied.pods()["a"]


def test_observed_without_address():
    """A pod that a cluster has seen pending has no address, and none is made up."""
    pending = pod("a").replace("status: {}", "status: {phase: Pending}")

    assert {} == Applied(pending).pods()


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_finished_pods_are_left_out(phase):
    """A pod that has ended is nowhere to be found."""
    finished = pod("a", ip="192.0.2.1").replace("Running", phase)

    assert {} == Applied(finished).pods()


def test_dump_of_a_cluster_is_not_doubled():
    """A Deployment, its ReplicaSet and their pods, dumped together, are those pods."""
    owned = ", ownerReferences: [{kind: Deployment, name: db}]"
    dump = [
        workload("Deployment", spec=", replicas: 1"),
        workload("ReplicaSet", "db-5d59d67564", metadata=owned),
        pod("db-5d59d67564-x2x4x", ip="192.0.2.1", owner="ReplicaSet"),
    ]

    assert {"db-5d59d67564-x2x4x": "192.0.2.1"} == Applied(*dump).pods()


def test_dump_without_pods():
    """A Deployment and its ReplicaSet without pods make the Deployment's, once."""
    owned = ", ownerReferences: [{kind: Deployment, name: db}]"

    applied = Applied(workload("Deployment"), workload("ReplicaSet", "db-1", metadata=owned))

    assert 1 == len(applied.pods())


def test_pod_of_ones_own_beside_a_workload():
    """A pod that nobody owns does not stand in for the pods of a workload with its labels."""
    assert 2 == len(Applied(workload("StatefulSet"), pod("extra")).pods())


def test_written_pod_of_the_same_name():
    """A pod that is written down is there as written, in the place of the one a workload makes."""
    applied = Applied(workload("StatefulSet", spec=", replicas: 2"), pod("db-0", ip="192.0.2.1"))

    assert "192.0.2.1" == applied.pods()["db-0"]
    assert {"db-0", "db-1"} == set(applied.pods())


def test_long_names_are_cut():
    """A generated name is a label of at most 63, whatever the name it is made from."""
    (name,) = Applied(workload("Deployment", "a" * 80)).pods()

    assert 63 == len(name)


def test_too_many():
    """More pods than the range has addresses are refused."""
    message = refused(
        workload("StatefulSet", spec=", replicas: 300"), pod_v4=small_range("198.51.100.0/24")
    )

    assert "no address is free in 198.51.100.0/24 for shop/db-253; choose a wider range" == message


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        (", replicas: '2'", "spec.replicas: expected `int`, got `str`"),
        (", replicas: -1", "spec.replicas: expected `int` >= 0"),
        (", replicas: 1000000", "spec.replicas: expected `int` <= 150000"),
    ],
)
def test_refusals(spec, problem):
    """A number of replicas that cannot be is refused with its place."""
    assert f"1.yaml:5: StatefulSet shop/db, {problem}" == refused(
        workload("StatefulSet", spec=spec)
    )


def test_pod_with_impossible_address():
    """An address that is none is refused with its place."""
    expected = "1.yaml:5: Pod shop/a, status.podIP: '192.0.2.256' is no IP address"

    assert expected == refused(pod("a", ip="192.0.2.256"))


def test_second_family_only_where_wanted():
    """A pod has an IPv6 address when a Service that selects it wants one, listed second."""
    dual = WEB.replace("spec:", "spec:\n  ipFamilyPolicy: RequireDualStack")
    applied = Applied(dual, WEB_PODS, workload("StatefulSet"))

    types = [found.address_type for found in applied.slices("web")]
    assert ["IPv4", "IPv6"] == types
    assert all(ip_address(ip).version == 4 for ip in applied.pods().values())
