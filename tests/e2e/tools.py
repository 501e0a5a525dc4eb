"""Programs of the system that a test cannot do without, and how to say that one is missing."""

import os
import shutil

import pytest


def needs(program: str, package: str) -> pytest.MarkDecorator:
    """Skip where a program is missing, naming the Debian package that has it."""
    reason = f"there is no {program} here: on Debian, apt-get install {package}"
    return pytest.mark.skipif(shutil.which(program) is None, reason=reason)


needs_dig = needs("dig", "bind9-dnsutils")

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may do this")
