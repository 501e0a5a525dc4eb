"""Service discovery for Kubernetes, Docker and a laptop: DNS and environment maps from one table."""

__version__ = "0.1.0"
