"""What an operator may choose about manifests: the default namespace and the four address ranges.

The ranges are kubeadm's, so that what is tried on a laptop looks like what a cluster answers.
This module never reads anything.
"""

from ipaddress import IPv4Network, IPv6Network

import msgspec


class ManifestSettings(msgspec.Struct, frozen=True):
    """How manifests are read.

    `namespace` is where an object stands that names none.
    `recursive` reads the folders below a directory too; kubectl's `-f` does not, nor do we unasked.
    Services without a `clusterIP` get one from `service_v4` or `service_v6`, pods without a
    `podIP` one from `pod_v4` or `pod_v6`.
    """

    namespace: str = "default"
    recursive: bool = False
    service_v4: IPv4Network = IPv4Network("10.96.0.0/12")
    service_v6: IPv6Network = IPv6Network("fd00:10:96::/108")
    pod_v4: IPv4Network = IPv4Network("10.244.0.0/16")
    pod_v6: IPv6Network = IPv6Network("fd00:10:244::/64")
