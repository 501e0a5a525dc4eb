"""Kubernetes manifests on disk as a source: the same objects, without a cluster."""
