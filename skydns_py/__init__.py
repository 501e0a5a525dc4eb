"""Service discovery for Kubernetes, Docker and a laptop: DNS and variables from one table."""

__version__ = "0.1.0"
