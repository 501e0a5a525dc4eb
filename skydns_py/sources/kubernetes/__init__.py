"""A Kubernetes cluster as a source: objects, names and records, and the watch."""
