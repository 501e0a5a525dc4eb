"""Sockets: DNS over UDP and TCP, and HTTP."""
